"""From signals to feature files."""
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deepconvsep import command, stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder, songs
from deepconvsep.features.plan import is_finished
from deepconvsep.features.tensors import MAGNITUDES, save_tensor, tagged
from deepconvsep.settings import WINDOWS


class Remark(NamedTuple):
    """What is to be said of something that was made all the same."""

    text: str


@dataclass(frozen=True)
class Notes:
    """Note arrays that lie beside the features.

    Parameters
    ----------
    settings : dict
        How they are made.
    record : str
        The file in the feature folder that holds this.
    of : callable
        ``of(plan, index)``: what goes beside ``plan.paths[index]``. It has ``is_current(path, read=True)``, as
        :meth:`deepconvsep.features.folder.Origin.is_current`, and ``write(path)``. Other processes must find it.
    """

    settings: dict
    record: str
    of: Callable


def save_magnitudes(path, signals, settings, dtype, record):
    """Compute the magnitudes of signals and save them with the record of what they were made from.

    Parameters
    ----------
    path : str
        Without tag.
    signals : ndarray of float64, shape (samples, 1 + sources)
        The mixture, then the sources.
    settings : settings.Settings
    dtype : dtype
        float64 or float32, of the file and of the arithmetic.
    record : dict
        Of :meth:`deepconvsep.features.folder.Origin.record`.
    """
    window = WINDOWS[settings.window](settings.frame_size)
    tensor = np.empty((signals.shape[1], stft.frame_count(len(signals), settings.hop_size),
                       settings.frame_size // 2 + 1), dtype)
    for row, signal in zip(tensor, signals.T):
        stft.magnitudes(signal, window, settings.hop_size, out=row)
    save_tensor(path, tensor, MAGNITUDES, dtype, record)


def compute(read, settings, overwrite, plan):
    """Compute and save the features of a song, a block at a time, unless they are finished.

    Returns
    -------
    collections.Counter
        ``'written'`` or ``'kept'``: 1; and a :class:`Remark` when the mixture is not the sum of its stems.
    """
    if not overwrite and is_finished(plan):
        return Counter(kept=1)
    try:
        records, total = [origin.record() for origin in plan.origins], 0.
        blocks = (plan.song.read or read)(plan.song.paths, plan.length, plan.size, settings)
        for path, origin, signals, record in zip(plan.paths, plan.origins, blocks, records):
            origin.check(record)   # a cluster may still be working for a run that was cut off: that must write nothing
            folder.discard(path)
            save_magnitudes(path, signals, settings, plan.dtype, record)
            total = total + songs.energies(signals)
        check(plan, records)
    except (InputError, OSError, MemoryError) as error:
        raise failure(plan, error) from error
    remarks = songs.mixture_problems(plan.song, total) if plan.song.mixed else []
    return Counter({'written': 1, **{Remark('%s: %s' % (plan, text)): 1 for text in remarks}})


def check(plan, records):
    """Raise InputError when what the files of a plan are made from has changed since `records` were taken."""
    for origin, record in zip(plan.origins, records):
        origin.check(record)


def failure(plan, error):
    """The InputError that says of which plan `error` is."""
    said = command.describe(error) if str(error) else 'out of memory, try fewer processes'
    return InputError('%s: %s' % (plan, said))


def with_notes(work, notes, plan):
    """Do `work` on a plan, then write the notes of its files that have none, or others than now.

    Returns
    -------
    collections.Counter
        That of `work`, with the files that were kept but got notes as ``'notes'``.
    """
    counts = work(plan)
    if notes is None:
        return counts
    try:
        written = 0
        for index, path in enumerate(plan.paths):
            if os.path.exists(tagged(path, MAGNITUDES)) and not notes.of(plan, index).is_current(path):
                notes.of(plan, index).write(path)
                written += 1
    except (InputError, OSError, MemoryError) as error:
        raise failure(plan, error) from error
    # those of a file that was written anew are no news
    counts['notes'] = max(0, written - counts['written'])
    return counts


def read_downmixed(paths, length, size, settings):
    """Read a file for each row, mixed down to one channel; see :class:`deepconvsep.features.plan.Dataset`."""
    return songs.read_downmixed(paths, length, size, settings.sample_rate, settings.downmix)
