"""What a separation must know of one kind of music, besides the model."""
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepconvsep.network.architecture import Architecture
from deepconvsep.settings import Settings


def folder_names(name, sources, several):
    """The stems of one file directly in the output folder; those of several in a folder for each.

    >>> folder_names('song', ('voice', 'music'), False), folder_names('song', ('voice',), True)
    (['voice', 'music'], ['song/voice'])
    """
    return [os.path.join(name, source) if several else source for source in sources]


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


@dataclass(frozen=True, kw_only=True)
class SeparationRecipe:
    """A way from a sound and a model to stems.

    Attributes
    ----------
    script : str
        The script that separates so, relative to the root.
    sources : tuple of str
        Names of the sources, in the order of the network's outputs.
    networks : tuple of Architecture
        Those that separate so.
    settings : Settings
        How this project trains and separates.
    legacy_settings : Settings
        Those of a model without settings of its own: the original script's.
    default_model : str or None
        The model, one of :mod:`deepconvsep.models.known`, that separates when none is given. Default: one must be.
    default_note : str
        What is said when that one separates unasked. Default: nothing.
    stem_names : callable
        ``stem_names(name, sources, several)``: names of the stems of an input without extension, relative to the
        output folder. Default: :func:`folder_names`.
    add_separation_flags : callable
        ``add_separation_flags(parser)`` adds what `guide` reads. Default: nothing.
    guide : callable
        ``guide(path, settings, flags)``: what filters the network's input, or None. Default: None.
    methods : tuple of str
        What the flag --method may be, which `separator` reads; the first is the default. Default: the network alone,
        without such a flag.
    separator : callable
        ``separator(loaded, settings, flags)``: what separates, with the method ``stems`` of
        :class:`deepconvsep.separation.separator.Separator`. Default: :func:`network_separator`.
    """

    script: str
    sources: tuple[str, ...]
    networks: tuple[Architecture, ...]
    settings: Settings
    legacy_settings: Settings
    default_model: str | None = None
    default_note: str = ''
    stem_names: Callable[[str, tuple, bool], list] = folder_names
    add_separation_flags: Callable[[Any], None] = no_flags
    guide: Callable[[Any, Settings, Any], Any] = no_guide
    methods: tuple[str, ...] = ('network',)
    separator: Callable[[Any, Settings, Any], Any] = network_separator
