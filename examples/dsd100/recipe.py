"""Everything that is special about DSD100: sources, settings, networks, loss, folders."""
import dataclasses
import glob
import os

import architecture
from objective import Term
from settings import Settings

SOURCES = ('vocals', 'bass', 'drums', 'other')

NETWORKS = (architecture.DSD100, architecture.DSD100_FOUR_BRANCHES)

# how this project trains, and what it stores beside its models
SETTINGS = Settings(SOURCES)

# The published model was trained with the Blackman-Harris window, but the original's separation script, whose
# results were published, used Hann. A model without settings of its own gets that script's.
LEGACY_SETTINGS = Settings(SOURCES, window='hanning')

# weight of the masks' noise while training
TRAINING_EPS = 1e-8

# Numbers are those of SOURCES. "other" is not reconstructed by itself: it is what the masks leave over.
# Source: LVA/ICA 2017, section 2.3.
LOSS = (
    Term('vocals', ((0, 0),)),
    Term('bass', ((1, 1),)),
    Term('drums', ((2, 2),)),
    Term('beta', ((1, 3), (2, 3)), weight=0.01, sign=-1),
    Term('alpha', ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)), weight=0.001, sign=-1),
    Term('beta_voc', ((0, 3),), weight=0.03, sign=-1),
)


def network(flags):
    """The network that the flags of trainCNN ask for."""
    chosen = architecture.DSD100_FOUR_BRANCHES if flags.independent_other else architecture.DSD100
    return dataclasses.replace(chosen, time_context=flags.time_context, kernel=(flags.time_context // 2, 1))


def test_songs(flags):
    """The mixtures of the dataset and the names of their stems: [(path, [<model>/<place>/<source>, ...])].

    DSD100's layout (``Mixtures/{Dev,Test}/<song>/mixture.wav``) and MUSDB18-HQ's (``{train,test}/<song>``).
    """
    songs = []
    for pattern in (('Mixtures', '*', '*', 'mixture.wav'), ('train', '*', 'mixture.wav'), ('test', '*', 'mixture.wav')):
        for path in sorted(glob.glob(os.path.join(glob.escape(flags.db), *pattern))):
            place = os.path.relpath(os.path.dirname(path), flags.db)
            place = place[len('Mixtures' + os.sep):] if pattern[0] == 'Mixtures' else place
            songs.append((path, [os.path.join(flags.model, place, source) for source in SOURCES]))
    return songs
