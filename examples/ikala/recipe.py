"""Everything that is special about training with iKala: channels, networks, loss, songs."""
import dataclasses
import os
import re

from deepconvsep.data.reading import TAG
from deepconvsep.errors import UsageError
from deepconvsep.network import architecture
from deepconvsep.recipe import Recipe
from deepconvsep.recipes.ikala import (
    DEFAULT_MODEL,
    LEGACY_SETTINGS,
    NETWORKS,
    SEPARATION,
    SETTINGS,
    SOURCES,
    stem_names,
)
from deepconvsep.training.objective import Term

__all__ = ['DEFAULT_MODEL', 'LEGACY_SETTINGS', 'NETWORKS', 'SETTINGS', 'SOURCES', 'RECIPE', 'stem_names']

# in the clips of the dataset
ACCOMPANIMENT_CHANNEL, VOICE_CHANNEL = 0, 1

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
        if 'pool' in getattr(flags, 'given', ()):
            raise UsageError('--network compact has no pooling: leave out --pool')
        return dataclasses.replace(architecture.IKALA_COMPACT, time_context=flags.time_context,
                                   kernel=(flags.time_context // 2, 1))
    chosen = architecture.IKALA_POOLED if flags.pool else architecture.IKALA
    return dataclasses.replace(chosen, time_context=flags.time_context)


def test_songs(flags):
    """The clips of the dataset and the names of their stems: [(path, [<model>/<clip>-<source>, ...])]."""
    from examples.ikala import layout
    return [(clip.paths[0], stem_names(os.path.join(flags.model, clip.name), SOURCES, True))
            for clip in layout.clips(flags.db)]


def songs(flags):
    """Names of the clips."""
    from examples.ikala import layout
    return [clip.name for clip in layout.clips(flags.db)]


def phases(flags):
    """All epochs with the optimizer of the flags."""
    if flags.learning_rate and flags.optimizer != 'adam':
        raise UsageError('--learning_rate is for --optimizer adam: give both, or none')
    return [(flags.optimizer, flags.nepochs)]


def song_of(name):
    """The song of a feature file: in iKala's naming, what stands before the last underscore of a clip.

    That of a variant of a clip (:mod:`examples.ikala.variants`) is the clip's.

    >>> [song_of(name + '__m_.data') for name in ('10161_chorus', '10161_verse', '10161_verse_v2', 'song_v1')]
    ['10161', '10161', '10161', 'song']
    """
    clip = re.sub(r'_v\d+$', '', name[:-len(TAG)].rstrip('_'))
    return clip.rpartition('_')[0] or clip


RECIPE = Recipe.of(SEPARATION, loss=LOSS, training_eps=TRAINING_EPS, network=network, test_songs=test_songs,
                   songs=songs, song_of=song_of, phases=phases)
