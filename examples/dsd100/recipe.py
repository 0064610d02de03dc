"""Everything that is special about DSD100: sources, settings, networks."""
import architecture
from settings import Settings

SOURCES = ('vocals', 'bass', 'drums', 'other')

NETWORKS = (architecture.DSD100, architecture.DSD100_FOUR_BRANCHES)

# how this project trains, and what it stores beside its models
SETTINGS = Settings(SOURCES)

# The published model was trained with the Blackman-Harris window, but the original's separation script, whose
# results were published, used Hann. A model without settings of its own gets that script's.
LEGACY_SETTINGS = Settings(SOURCES, window='hanning')
