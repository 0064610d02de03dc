"""What is special about one dataset and its networks: what the programs of training and separation are told.

``examples/<dataset>/recipe.py`` has one, called ``RECIPE``: what :mod:`deepconvsep.recipes` says of a separation, and
what training needs besides.
"""
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepconvsep.data.large import LargeDataset
from deepconvsep.data.reading import TAG
from deepconvsep.network.architecture import Architecture
from deepconvsep.recipes.base import SeparationRecipe
from deepconvsep.settings import Settings


def song_of(name):
    """The song of a feature file: ``Artist - Title_3__m_.data`` and ``Artist - Title__m_.data`` are of one.

    >>> song_of('Artist - Title_3__m_.data'), song_of('10161_chorus__m_.data')
    ('Artist - Title', '10161_chorus')
    """
    song = name[:-len(TAG)].rstrip('_')
    head, _, number = song.rpartition('_')
    return head if head and number.isdigit() else song


def one_phase(flags):
    """All epochs with Adadelta, as the original trained."""
    return [('adadelta', flags.nepochs)]


def plain_dataset(flags):
    """Mixtures and sources, without notes."""
    return LargeDataset, {}


@dataclass(frozen=True, kw_only=True)
class Recipe(SeparationRecipe):
    """A dataset's way from features to a model, and from a sound and a model to stems.

    Attributes
    ----------
    loss : tuple of Term
    training_eps : float
        Weight of the masks' noise while training.
    network : callable
        ``network(flags)``: the Architecture that the flags of training ask for.
    test_songs : callable
        ``test_songs(flags)``: [(sound file, or files whose sum is the mixture, names of the stems without extension,
        relative to ``<output>/output``)].
    songs : callable or None
        ``songs(flags)``: names of the songs of the dataset that are for training, which those of their feature files
        begin with. Default: not known.
    song_of : callable
        ``song_of(name)``: the song of a feature file. Default: :func:`song_of`.
    training_settings : callable or None
        ``training_settings(flags)``: Settings in place of `settings` while training. Default: the same.
    dataset : callable
        ``dataset(flags)``: the class of the training data, and further arguments of it. Default: :func:`plain_dataset`.
    phases : callable
        ``phases(flags)``: [(optimizer, epochs), ...]. Default: :func:`one_phase`.
    """

    loss: tuple
    training_eps: float
    network: Callable[[Any], Architecture]
    test_songs: Callable[[Any], list]
    songs: Callable[[Any], list] | None = None
    song_of: Callable[[str], str] = song_of
    training_settings: Callable[[Any], Settings] | None = None
    dataset: Callable[[Any], tuple] = plain_dataset
    phases: Callable[[Any], list] = one_phase

    @classmethod
    def of(cls, separation, **more):
        """A recipe that separates as `separation`, a `SeparationRecipe`, says."""
        same = {field.name: getattr(separation, field.name) for field in dataclasses.fields(SeparationRecipe)}
        return cls(**same, **more)

    def settings_for(self, flags):
        """The settings of a training with these flags."""
        return self.training_settings(flags) if self.training_settings else self.settings
