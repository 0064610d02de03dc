"""Which windows a file has, and in which order an epoch visits them. Pure arithmetic: nothing is read here.

A *window* is `time_context` consecutive frames; neighbours share `overlap` frames. A *run* is a few consecutive
windows of one file, read at one go; a *chunk* is what is in memory at a time.
"""
import numpy as np


def window_count(frames, time_context, overlap):
    """Number of windows that cover a file of `frames` frames, each frame at least once.

    Full windows at every ``time_context - overlap`` frames, and one more, completed with zeros, where frames
    are left over. A file shorter than `time_context` has one window, completed with zeros.

    >>> [window_count(frames, 30, 25) for frames in (5, 30, 31, 35, 36, 2586)]
    [1, 1, 2, 2, 3, 513]
    """
    return 1 + max(0, -(-(frames - time_context) // (time_context - overlap)))


def window_starts(frames, time_context, overlap):
    """First frame of every window of a file (int64).

    >>> window_starts(36, 30, 25)
    array([ 0,  5, 10])
    """
    return np.arange(window_count(frames, time_context, overlap), dtype=np.int64) * (time_context - overlap)


def legacy_count(frames, time_context, overlap):
    """Number of examples the original took from a file; a part of what :func:`window_starts` gives.

    >>> [legacy_count(frames, 30, 25) for frames in (5, 30, 31, 60, 2586)]
    [1, 1, 1, 3, 157]
    """
    return max(1, (frames + frames // time_context * overlap) // time_context)


def legacy_starts(frames, time_context, overlap, count=None):
    """First frames of the first `count` (default: :func:`legacy_count`) examples as the original cut them.

    The original stopped before the last full window (``start + time_context < frames``), and had one example of a
    file that is shorter than a window. Examples that it counted but could not cut were all zero: they start behind
    the file, at `frames`.

    >>> legacy_starts(60, 30, 15)
    array([ 0, 15, 60])
    >>> legacy_starts(20, 30, 15, count=2)
    array([ 0, 20])
    """
    count = legacy_count(frames, time_context, overlap) if count is None else count
    starts = np.arange(count, dtype=np.int64) * (time_context - overlap)
    if frames >= time_context:
        starts[starts + time_context >= frames] = frames
    else:
        starts[1:] = frames
    return starts


class EpochPlan:
    """The order in which one epoch visits all windows of all files, in chunks.

    Every file is split into runs of at most `run` consecutive windows, at places that change with the epoch;
    the runs of all files are put in random order and dealt to the chunks, which all hold exactly `chunk_size`
    windows, save the last one; inside a chunk the windows are shuffled again. Every window is there exactly once.

    Two windows of one run end up in the same chunk, but anywhere in it. With a single chunk the order of the
    windows is a uniformly random permutation.

    Parameters
    ----------
    counts : ndarray of int, shape (files,)
        Windows per file, each at least 1.
    chunk_size : int
        Windows per chunk.
    run : int
        Longest run. 1 gives the best shuffle, a long one the quickest reading.
    seed, epoch : int
        The plan depends on these and on nothing else.

    Examples
    --------
    >>> plan = EpochPlan(np.array([3, 5]), chunk_size=6, run=2, seed=0, epoch=0)
    >>> int(sum(last - first for k in range(len(plan)) for file, first, last in plan.runs(k)))
    8
    """

    def __init__(self, counts, chunk_size, run, seed, epoch):
        counts = np.asarray(counts, dtype=np.int64)
        self.total = int(counts.sum())
        self.chunk_size = chunk_size
        self._key = (seed, epoch)
        if chunk_size >= self.total:
            # all in one chunk: whole files, the same ones in every epoch; only the order inside changes
            self._file, self._begin, self._end = np.arange(len(counts)), np.zeros_like(counts), counts
        else:
            self._file, self._begin, self._end = _shuffled_runs(counts, run, np.random.default_rng([seed, epoch]))
        self._edges = np.concatenate([[0], np.cumsum(self._end - self._begin)])

    def __len__(self):
        """Number of chunks."""
        return -(-self.total // self.chunk_size)

    def runs(self, chunk):
        """What chunk number `chunk` holds: rows of file, first window, last window + 1, sorted (int64)."""
        low = chunk * self.chunk_size
        high = min(low + self.chunk_size, self.total)
        a = np.searchsorted(self._edges, low, side='right') - 1
        b = np.searchsorted(self._edges, high, side='left')
        runs = np.stack([self._file[a:b], self._begin[a:b], self._end[a:b]], axis=1)
        # a run that straddles the border between two chunks is split there
        runs[0, 1] += low - self._edges[a]
        runs[-1, 2] -= self._edges[b] - high
        runs = runs[np.lexsort((runs[:, 1], runs[:, 0]))]
        # neighbours that met in the same chunk are read as one
        joined = (runs[1:, 0] == runs[:-1, 0]) & (runs[1:, 1] == runs[:-1, 2])
        first = np.concatenate([[True], ~joined])
        last = np.concatenate([~joined, [True]])
        return np.column_stack([runs[first, 0], runs[first, 1], runs[last, 2]])

    def order(self, chunk):
        """The random order of the windows inside a chunk: a permutation of the windows as :meth:`runs` lists them."""
        size = min(self.chunk_size, self.total - chunk * self.chunk_size)
        return np.random.default_rng(self._key + (chunk + 1,)).permutation(size)


def _shuffled_runs(counts, run, rng):
    """Cut every file into runs and shuffle them; files, first windows and last windows + 1."""
    head = rng.integers(1, run + 1, size=len(counts))
    pieces = 1 + np.maximum(0, -(-(counts - head) // run))
    file = np.repeat(np.arange(len(counts)), pieces)
    piece = np.arange(len(file)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = np.where(piece == 0, 0, head[file] + (piece - 1) * run)
    end = np.minimum(head[file] + piece * run, counts[file])
    order = rng.permutation(len(file))
    return file[order], begin[order], end[order]
