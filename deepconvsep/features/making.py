"""From signals to feature files."""
from collections import Counter
from typing import NamedTuple

import numpy as np

from deepconvsep import stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder, songs
from deepconvsep.features.plan import is_finished
from deepconvsep.features.tensors import MAGNITUDES, save_tensor
from deepconvsep.settings import WINDOWS


class Remark(NamedTuple):
    """What is to be said of something that was made all the same."""

    text: str


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
        float64 or float32; it is computed in float64.
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
        record, total = plan.origin.record(), 0.
        for path, signals in zip(plan.paths, read(plan.song.paths, plan.length, plan.size, settings)):
            folder.discard(path)
            save_magnitudes(path, signals, settings, plan.dtype, record)
            total = total + songs.energies(signals)
        plan.origin.check(record)
    except (InputError, OSError, MemoryError) as error:
        raise InputError('%s: %s' % (plan, str(error) or 'out of memory, try fewer processes')) from error
    remarks = songs.mixture_problems(plan.song, total) if plan.song.mixed else []
    return Counter({'written': 1, **{Remark('%s: %s' % (plan, text)): 1 for text in remarks}})


def read_downmixed(paths, length, size, settings):
    """Read a file for each row, mixed down to one channel; see :class:`deepconvsep.features.plan.Dataset`."""
    return songs.read_downmixed(paths, length, size, settings.sample_rate, settings.downmix)
