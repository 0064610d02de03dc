"""iKala: singing voice and accompaniment; with this project's own model, lead guitar and band."""
from deepconvsep.network import architecture
from deepconvsep.recipes.base import SeparationRecipe
from deepconvsep.settings import Settings

SOURCES = ('voice', 'music')

# the first is the one that new models are trained with: that of the published model
NETWORKS = (architecture.IKALA_POOLED, architecture.IKALA, architecture.IKALA_COMPACT)

#: What separates by default; see the package `models`.
DEFAULT_MODEL = 'ikala_frets_compact'
DEFAULT_NOTE = ('%s was trained to take the lead guitar ("voice") out of rock; for singing voice give a model of iKala '
                'with -m' % DEFAULT_MODEL)

# left and right hold one source each, so their plain sum is the mixture
SETTINGS = Settings(SOURCES, overlap=20, downmix='sum')

# the original's separation script used another window than its training; a model without settings gets it
LEGACY_SETTINGS = Settings(SOURCES, window='hanning', overlap=20, downmix='sum')


def stem_names(name, sources, several):
    """``<clip>-voice`` and ``<clip>-music``, side by side for any number of clips."""
    return ['%s-%s' % (name, source) for source in sources]


SEPARATION = SeparationRecipe(
    script='examples/ikala/separate_ikala.py', sources=SOURCES, networks=NETWORKS, settings=SETTINGS,
    legacy_settings=LEGACY_SETTINGS, stem_names=stem_names, default_model=DEFAULT_MODEL, default_note=DEFAULT_NOTE)
