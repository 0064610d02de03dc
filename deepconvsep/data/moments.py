"""Mean, standard deviation, maximum and minimum of more data than fits into memory."""
import numpy as np

from deepconvsep.errors import InputError


class Moments:
    """Running statistics of weighted values, merged block by block (Chan, Golub & LeVeque 1979).

    >>> moments = Moments()
    >>> moments.add(np.array([[1.], [5.]]), np.array([3, 1]))
    >>> float(moments.mean), moments.maximum
    (2.0, 5.0)
    """

    def __init__(self):
        self.count, self.mean, self._squares = 0, 0., 0.
        self.maximum, self.minimum = -np.inf, np.inf

    def add(self, values, weights):
        """Add `values`, shape (n, m), of which row i counts ``weights[i]`` times (whole numbers, 0 or more)."""
        values, weights = values[weights > 0], weights[weights > 0].astype(np.float64)
        if values.size == 0:
            return
        count = weights.sum() * values.shape[1]
        mean = float(weights @ values.sum(axis=1, dtype=np.float64) / count)
        squares = float(weights @ np.square(values - mean, dtype=np.float64).sum(axis=1))
        total = self.count + count
        self._squares += squares + (mean - self.mean) ** 2 * self.count * count / total
        self.mean += (mean - self.mean) * count / total
        self.count = total
        self.maximum = max(self.maximum, float(values.max()))
        self.minimum = min(self.minimum, float(values.min()))

    @property
    def std(self):
        """Standard deviation, of the population."""
        return float(np.sqrt(self._squares / self.count))


def coverage(starts, time_context, frames):
    """How often each frame of a file is in a window, and how many frames of zeros the windows contain.

    >>> coverage(np.array([0, 2, 4]), 3, 6)
    (array([1, 1, 2, 1, 2, 1]), 1)
    """
    edges = np.zeros(frames + 1, np.int64)
    np.add.at(edges, np.minimum(starts, frames), 1)
    np.subtract.at(edges, np.minimum(starts + time_context, frames), 1)
    counts = np.cumsum(edges[:-1])
    return counts, int(len(starts) * time_context - counts.sum())


def statistics(pieces):
    """Statistics of an iterable of (values (n, m), weights (n,), path of the file that they are of).

    Raises
    ------
    InputError
        When a value is not finite: in which file.
    """
    moments = Moments()
    for values, weights, path in pieces:
        moments.add(values, weights)
        if moments.count and not np.isfinite([moments.mean, moments.maximum, moments.minimum]).all():
            raise InputError('%s contains values that are not finite: compute the features again' % path)
    return moments
