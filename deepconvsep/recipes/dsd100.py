"""DSD100: vocals, bass, drums and other of songs."""
from deepconvsep.network import architecture
from deepconvsep.recipes.base import SeparationRecipe
from deepconvsep.settings import Settings

SOURCES = ('vocals', 'bass', 'drums', 'other')

NETWORKS = (architecture.DSD100, architecture.DSD100_FOUR_BRANCHES)

# how this project trains, and what it stores beside its models
SETTINGS = Settings(SOURCES)

# The published model was trained with the Blackman-Harris window, but the original's separation script, whose
# results were published, used Hann. A model without settings of its own gets that script's.
LEGACY_SETTINGS = Settings(SOURCES, window='hanning')

SEPARATION = SeparationRecipe(script='examples/dsd100/separate_dsd.py', sources=SOURCES, networks=NETWORKS,
                              settings=SETTINGS, legacy_settings=LEGACY_SETTINGS)
