"""Everything that is special about iKala: sources, channels, settings, networks, names of the stems."""
import architecture
from settings import Settings

SOURCES = ('voice', 'music')

# in the clips of the dataset
ACCOMPANIMENT_CHANNEL, VOICE_CHANNEL = 0, 1

# the first is the one that new models are trained with: that of the published model
NETWORKS = (architecture.IKALA_POOLED, architecture.IKALA)

# left and right hold one source each, so their plain sum is the mixture
SETTINGS = Settings(SOURCES, overlap=20, downmix='sum')

# the original's separation script used another window than its training; a model without settings gets it
LEGACY_SETTINGS = Settings(SOURCES, window='hanning', overlap=20, downmix='sum')


def stem_names(name, sources, several):
    """``<clip>-voice`` and ``<clip>-music``, side by side for any number of clips."""
    return ['%s-%s' % (name, source) for source in sources]
