"""Everything that is special about iKala: sources, channels, settings, networks, loss, names of the stems."""
import dataclasses
import os

from deepconvsep.network import architecture
from deepconvsep.recipe import Recipe
from deepconvsep.settings import Settings
from deepconvsep.training.objective import Term

SOURCES = ('voice', 'music')

# in the clips of the dataset
ACCOMPANIMENT_CHANNEL, VOICE_CHANNEL = 0, 1

# the first is the one that new models are trained with: that of the published model
NETWORKS = (architecture.IKALA_POOLED, architecture.IKALA, architecture.IKALA_COMPACT)

#: What separate_ikala.py separates with by default; see the package `models`.
DEFAULT_MODEL = 'ikala_frets_compact'
DEFAULT_NOTE = ('%s was trained to take the lead guitar ("voice") out of rock; for singing voice give a model of iKala '
                'with -m' % DEFAULT_MODEL)

# left and right hold one source each, so their plain sum is the mixture
SETTINGS = Settings(SOURCES, overlap=20, downmix='sum')

# the original's separation script used another window than its training; a model without settings gets it
LEGACY_SETTINGS = Settings(SOURCES, window='hanning', overlap=20, downmix='sum')

# weight of the masks' noise while training
TRAINING_EPS = 1e-8

# Numbers are those of SOURCES. The last term is reported and not minimised, as in the original.
LOSS = (
    Term('vocals', ((0, 0),)),
    Term('acc', ((1, 1),), weight=0.9),
    Term('beta_voc', ((0, 1),), weight=0.02, sign=-1),
    Term('beta_acc', ((1, 0),), weight=0.005, sign=0),
)


def network(flags):
    """The network that the flags of trainCNN ask for."""
    if flags.network == 'compact':
        return dataclasses.replace(architecture.IKALA_COMPACT, time_context=flags.time_context,
                                   kernel=(flags.time_context // 2, 1))
    chosen = architecture.IKALA_POOLED if flags.pool else architecture.IKALA
    return dataclasses.replace(chosen, time_context=flags.time_context)


def test_songs(flags):
    """The clips of the dataset and the names of their stems: [(path, [<model>/<clip>-<source>, ...])]."""
    from examples.ikala import layout
    return [(clip.paths[0], stem_names(os.path.join(flags.model, clip.name), SOURCES, True))
            for clip in layout.clips(flags.db)]


def song_of(name):
    """The song of a feature file: in iKala's naming, what stands before the last underscore of a clip.

    >>> song_of('10161_chorus__m_.data'), song_of('10161_verse__m_.data')
    ('10161', '10161')
    """
    clip = name[:-len('_m_.data')].rstrip('_')
    return clip.rpartition('_')[0] or clip


def stem_names(name, sources, several):
    """``<clip>-voice`` and ``<clip>-music``, side by side for any number of clips."""
    return ['%s-%s' % (name, source) for source in sources]


RECIPE = Recipe(
    folder=os.path.dirname(os.path.abspath(__file__)), sources=SOURCES, networks=NETWORKS, settings=SETTINGS,
    legacy_settings=LEGACY_SETTINGS, loss=LOSS, training_eps=TRAINING_EPS, network=network, test_songs=test_songs,
    stem_names=stem_names, song_of=song_of, default_model=DEFAULT_MODEL, default_note=DEFAULT_NOTE)
