"""Sound files as one: their sum, read in blocks. Data sets such as Bach10 have stems and no mixture."""
import contextlib
import itertools

import numpy as np

from deepconvsep import audio
from deepconvsep.errors import InputError


class Mixture:
    """The sum of sound files, to be read like an :class:`deepconvsep.audio.Reader`; the shorter ones end in silence.

    Parameters
    ----------
    paths : list of str
        Files of the same sample rate and number of channels.

    Attributes
    ----------
    path : str
        What messages call it.
    rate, channels, frames : int
        As of a reader; `frames` of the longest file.
    full_scale : float
        As of a reader, of the first file; those that differ are brought to it.

    Raises
    ------
    InputError
        When a file cannot be read, or differs from the first.
    """

    def __init__(self, paths):
        self.path = 'the sum of ' + ', '.join(paths)
        with contextlib.ExitStack() as stack:
            self._readers = [stack.enter_context(audio.Reader(path)) for path in paths]
            first = self._readers[0]
            for reader in self._readers:
                if (reader.rate, reader.channels) != (first.rate, first.channels):
                    raise InputError('%s has %d channels at %d Hz, expected %d at %d Hz as %s has: convert it' % (
                        reader.path, reader.channels, reader.rate, first.channels, first.rate, first.path))
            self._stack = stack.pop_all()
        self.rate, self.channels, self.full_scale = first.rate, first.channels, first.full_scale
        self.frames = max(reader.frames for reader in self._readers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the files."""
        self._stack.close()

    def blocks(self, size=audio.BLOCK):
        """Yield the sum as float64 arrays of shape (up to `size`, channels); it may exceed full scale."""
        nothing = np.zeros((0, self.channels))
        for parts in itertools.zip_longest(*(reader.blocks(size) for reader in self._readers), fillvalue=nothing):
            total = np.zeros((max(map(len, parts)), self.channels))
            for reader, part in zip(self._readers, parts):
                same = reader.full_scale == self.full_scale
                total[:len(part)] += part if same else part * (reader.full_scale / self.full_scale)
            yield total


def open_sound(source):
    """Open a sound file, or a list of them as their :class:`Mixture`."""
    return audio.Reader(source) if isinstance(source, str) else Mixture(source)
