"""What is special about one dataset and its networks: what the programs of training and separation are told.

``examples/<dataset>/recipe.py`` has one, called ``RECIPE``.
"""
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepconvsep.data.large import LargeDataset
from deepconvsep.network.architecture import Architecture
from deepconvsep.settings import Settings


def folder_names(name, sources, several):
    """The stems of one file directly in the output folder; those of several in a folder for each.

    >>> folder_names('song', ('voice', 'music'), False), folder_names('song', ('voice',), True)
    (['voice', 'music'], ['song/voice'])
    """
    return [os.path.join(name, source) if several else source for source in sources]


def song_of(name):
    """The song of a feature file: ``Artist - Title_3__m_.data`` and ``Artist - Title__m_.data`` are of one.

    >>> song_of('Artist - Title_3__m_.data'), song_of('10161_chorus__m_.data')
    ('Artist - Title', '10161_chorus')
    """
    song = name[:-len('_m_.data')].rstrip('_')
    head, _, number = song.rpartition('_')
    return head if head and number.isdigit() else song


def one_phase(flags):
    """All epochs with Adadelta, as the original trained."""
    return [('adadelta', flags.nepochs)]


def plain_dataset(flags):
    """Mixtures and sources, without notes."""
    return LargeDataset, {}


def no_flags(flags):
    """Nothing but the flags of every separation."""


def no_guide(path, settings, flags):
    """A separation that knows nothing but the sound."""
    return None


def network_separator(loaded, settings, flags):
    """The network of a model, ready to separate."""
    from deepconvsep.separation import engines
    from deepconvsep.separation.separator import Separator
    return Separator(loaded.network, loaded.params, settings, flags.batch_size, engines.choose(flags.engine))


@dataclass(frozen=True)
class Recipe:
    """A dataset's way from features to a model, and from a sound and a model to stems.

    Attributes
    ----------
    folder : str
        Where the scripts lie.
    sources : tuple of str
        Names of the sources, in the order of the network's outputs.
    networks : tuple of Architecture
        Those that its scripts can use.
    settings : Settings
        How this project trains and separates.
    legacy_settings : Settings
        Those of a model without settings of its own: the original script's.
    loss : tuple of Term
    training_eps : float
        Weight of the masks' noise while training.
    network : callable
        ``network(flags)``: the Architecture that the flags of training ask for.
    test_songs : callable
        ``test_songs(flags)``: [(sound file, or files whose sum is the mixture, names of the stems without extension,
        relative to ``<output>/output``)].
    default_model : str or None
        The model, one of :mod:`deepconvsep.models.known`, that separates when none is given. Default: one must be.
    default_note : str
        What is said when that one separates unasked. Default: nothing.
    stem_names : callable
        ``stem_names(name, sources, several)``: names of the stems of an input without extension, relative to the
        output folder. Default: :func:`folder_names`.
    song_of : callable
        ``song_of(name)``: the song of a feature file. Default: :func:`song_of`.
    training_settings : callable or None
        ``training_settings(flags)``: Settings in place of `settings` while training. Default: the same.
    dataset : callable
        ``dataset(flags)``: the class of the training data, and further arguments of it. Default: :func:`plain_dataset`.
    phases : callable
        ``phases(flags)``: [(optimizer, epochs), ...]. Default: :func:`one_phase`.
    add_separation_flags : callable
        ``add_separation_flags(parser)`` adds what `guide` reads. Default: nothing.
    guide : callable
        ``guide(path, settings, flags)``: what filters the network's input, or None. Default: None.
    separator : callable
        ``separator(loaded, settings, flags)``: what separates, with the method ``stems`` of
        :class:`deepconvsep.separation.separator.Separator`. Default: :func:`network_separator`.
    """

    folder: str
    sources: tuple[str, ...]
    networks: tuple[Architecture, ...]
    settings: Settings
    legacy_settings: Settings
    loss: tuple
    training_eps: float
    network: Callable[[Any], Architecture]
    test_songs: Callable[[Any], list]
    default_model: str | None = None
    default_note: str = ''
    stem_names: Callable[[str, tuple, bool], list] = folder_names
    song_of: Callable[[str], str] = song_of
    training_settings: Callable[[Any], Settings] | None = None
    dataset: Callable[[Any], tuple] = plain_dataset
    phases: Callable[[Any], list] = one_phase
    add_separation_flags: Callable[[Any], None] = no_flags
    guide: Callable[[Any, Settings, Any], Any] = no_guide
    separator: Callable[[Any, Settings, Any], Any] = network_separator

    def settings_for(self, flags):
        """The settings of a training with these flags."""
        return self.training_settings(flags) if self.training_settings else self.settings
