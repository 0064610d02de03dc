"""Bach10: bassoon, clarinet, saxophone and violin of chorales.

Source: Duan, Pardo, "Soundprism: an online system for score-informed source separation of music audio", IEEE JSTSP
2011.
"""
from deepconvsep.network import architecture
from deepconvsep.recipes.base import SeparationRecipe, network_separator
from deepconvsep.settings import Settings

#: As Bach10 spells them in its sound files, and the original in the files that it writes.
SOURCES = ('bassoon', 'clarinet', 'saxphone', 'violin')
#: As scores and Bach10 Sibelius spell them.
INSTRUMENTS = ('bassoon', 'clarinet', 'saxophone', 'violin')

#: Lowest and highest MIDI numbers of the instruments: a tenor saxophone, as in the samples of RWC. A bassoon's highest
#: notes are rare.
RANGES = ((34, 77), (49, 97), (44, 92), (55, 108))

SAMPLE_RATE, FRAME_SIZE, HOP_SIZE = 44100, 4096, 512

NETWORKS = (architecture.BACH10, architecture.BACH10_COMPACT)

#: What separates by default; see the package `models`.
DEFAULT_MODEL = 'bach10_compact'

# how this project trains, and what it stores beside its models
SETTINGS = Settings(SOURCES, frame_size=FRAME_SIZE, hop_size=HOP_SIZE, sample_rate=SAMPLE_RATE,
                    mask_noise_in_numerator=False)

# The original's separation script had the settings of its training.
LEGACY_SETTINGS = SETTINGS


def stem_names(name, sources, several):
    """``<input>_bassoon`` and so on, side by side for any number of inputs."""
    return ['%s_%s' % (name, source) for source in sources]


def separator(loaded, settings, flags):
    """What separates by `--method`, with scores or without; the settings are the model's for all of them."""
    from deepconvsep.separation.factorization import Factorizer
    if flags.method == 'nmf':
        return Factorizer(settings)
    network = network_separator(loaded, settings, flags)
    return network if flags.method == 'network' else Factorizer(settings, network, RANGES)


SEPARATION = SeparationRecipe(
    script='examples/bach10/separate_bach10.py', sources=SOURCES, networks=NETWORKS, settings=SETTINGS,
    legacy_settings=LEGACY_SETTINGS, stem_names=stem_names, default_model=DEFAULT_MODEL,
    methods=('network', 'network+nmf'), separator=separator)
