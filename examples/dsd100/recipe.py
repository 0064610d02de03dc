"""Everything that is special about training with DSD100: networks, loss, folders."""
import dataclasses
import os

from deepconvsep import command
from deepconvsep.network import architecture
from deepconvsep.recipe import Recipe
from deepconvsep.recipes.dsd100 import LEGACY_SETTINGS, NETWORKS, SEPARATION, SETTINGS, SOURCES
from deepconvsep.training.objective import Term

logger = command.get_logger('train')

__all__ = ['LEGACY_SETTINGS', 'NETWORKS', 'SETTINGS', 'SOURCES', 'RECIPE']

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
    """The mixtures of the dataset and the names of their stems: [(path, [<model>/<subset>/<song>/<source>, ...])]."""
    from examples.dsd100 import layout
    songs = layout.songs(flags.db)
    there = [song for song in songs if os.path.isfile(song.paths[0])]
    if len(there) < len(songs):
        logger.warning('%d of %d songs have no mixture and are left out: %s', len(songs) - len(there), len(songs),
                       ', '.join(song.name for song in songs if song not in there))
    return [(song.paths[0], [os.path.join(flags.model, song.subset, song.name, source) for source in SOURCES])
            for song in there]


def songs(flags):
    """Names of the songs for training."""
    from examples.dsd100 import layout
    return [song.name for song in layout.songs(flags.db, ['Dev'])]


RECIPE = Recipe.of(SEPARATION, loss=LOSS, training_eps=TRAINING_EPS, network=network, test_songs=test_songs,
                   songs=songs)
