"""Chunks of training data, read ahead by threads while the one before is being used."""
import concurrent.futures
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np


class Memory:
    """Room for arrays that are let go together, which tells when it is free again.

    A weak reference to an array is told of its end before its memory is free: whoever allocates then has both.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Of the arrays.
    dtype : data-type
    """

    def __init__(self, shapes, dtype):
        self._freed = None
        self._dtype = np.dtype(dtype)
        self._shapes = shapes
        self._ends = np.cumsum([0] + [int(np.prod(shape)) for shape in shapes.values()]) * self._dtype.itemsize
        self._bytes = np.empty(self._ends[-1], np.uint8)

    @property
    def __array_interface__(self):
        return self._bytes.__array_interface__

    def arrays(self):
        """Arrays in this memory, dict of str to ndarray; it lives as long as one of them, or a view of one, does."""
        room = np.asarray(self)
        return {name: np.ndarray(shape, self._dtype, room, begin)
                for (name, shape), begin in zip(self._shapes.items(), self._ends)}

    def when_freed(self, call):
        """Have the function `call`, without arguments, called once this memory is free."""
        self._freed = call

    def __del__(self):
        self._bytes = None
        if self._freed is not None:
            self._freed()


@dataclass(eq=False, repr=False)
class Chunk:
    """What is in memory at a time: frames, each stored once, and where the windows (examples) start in them.

    Neighbouring windows overlap, so this takes up to ``time_context / (time_context - overlap)`` times less
    memory, and less transfer to a device, than the windows themselves. Window `i`, in training order, is
    ``inputs[starts[i]:starts[i] + time_context]``, and the same of `outputs`; cutting them by index on the
    device is a gather. :meth:`batch` and :meth:`windows` cut them here.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 0.
    first : int
        Number of the first batch of this chunk within the epoch.
    inputs : ndarray, shape (frames, F)
        (frames, channels, F) in the Multi classes.
    outputs : ndarray, shape (frames, S * F)
        Sources side by side; (frames, S * channels, F) in the Multi classes.
    pitches, masks : ndarray or None
        Frame by frame like `outputs`, when asked for. The Mask1 classes scale a mask by its maximum within each
        window, which is not done yet here; those of the Mask2 classes are final.
    features : ndarray, shape (n, context, size), or None
        Per window, in training order.
    starts : ndarray of int64, shape (n,)
        First frame of every window, in training order.
    origin : ndarray of int64, shape (n, 2)
        Of every window: number of the file in the dataset's `file_list`, number of the window in that file.
    time_context, batch_size : int
    memory : Memory
        Where the frames and the features are.
    arrays : dict of str to ndarray, shape (frames, rows, width)
        What there is per frame, as it was read.
    arrange : callable
        ``arrange(name, array)`` brings rows into the shape of a batch.
    """

    epoch: int | None
    first: int
    memory: Memory
    arrays: dict[str, np.ndarray]
    features: np.ndarray | None
    starts: np.ndarray
    origin: np.ndarray
    time_context: int
    batch_size: int
    arrange: Callable[[str, np.ndarray], np.ndarray]

    inputs = property(lambda self: self._of('inputs'))
    outputs = property(lambda self: self._of('outputs'))
    pitches = property(lambda self: self._of('pitches'))
    masks = property(lambda self: self._of('masks'))
    #: What a score-informed network is told: the masks or, without them, the pitches.
    guide = property(lambda self: self._of('masks' if 'masks' in self.arrays else 'pitches'))

    def _of(self, name):
        return self.arrange(name, self.arrays[name]) if name in self.arrays else None

    def __len__(self):
        """Number of batches."""
        return -(-len(self.starts) // self.batch_size)

    def batch(self, number):
        """Batch `number` of this chunk: [inputs, outputs(, pitches)(, masks)(, features)].

        The last batch of an epoch holds what is left and may be smaller than `batch_size`.
        """
        if not 0 <= number < len(self):
            raise IndexError('batch %d of a chunk of %d batches' % (number, len(self)))
        return self._cut(slice(number * self.batch_size, (number + 1) * self.batch_size))

    def __iter__(self):
        return (self.batch(number) for number in range(len(self)))

    def windows(self):
        """All windows of the chunk at once, in training order; the same list as :meth:`batch`."""
        return self._cut(slice(None))

    def after(self, batches):
        """This chunk without its first batches; the frames are shared, not copied."""
        return self._of_windows(self.epoch, self.first + batches, slice(batches * self.batch_size, None))

    def shuffled(self, epoch, order):
        """This chunk for epoch `epoch`, with its windows in the order `order`; the frames are shared, not copied."""
        return self._of_windows(epoch, self.first, order)

    def _of_windows(self, epoch, first, part):
        return replace(self, epoch=epoch, first=first, starts=self.starts[part], origin=self.origin[part],
                       features=None if self.features is None else self.features[part])

    def _cut(self, part):
        index = self.starts[part, None] + np.arange(self.time_context)
        cut = [self.arrange(name, array.take(index, axis=0)) for name, array in self.arrays.items()]
        return cut if self.features is None else cut + [self.features[part].copy()]


class ReadAhead:
    """Reads one item ahead of its use, in pieces shared among threads.

    The work is reading and scaling, during which NumPy and the operating system give up the interpreter lock:
    threads keep several cores and the disk busy without copies between processes, and start safely after a GPU
    has been initialised, where a fork does not.

    Parameters
    ----------
    nprocs : int
        Number of threads.
    """

    def __init__(self, nprocs):
        self._nprocs = nprocs
        self._pool = None
        self._key = self._item = None
        self._work = []
        self._lock = threading.Lock()

    def start(self, key, prepare):
        """Begin to read the item `key`, unless that is under way.

        It may be called in any thread, a finalizer included: it neither waits nor raises. What could not be begun,
        for want of memory or because another thread is at it, is read when it is taken.

        ``prepare(key)`` returns the item, to be filled, and a list of functions without arguments that fill it.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._begin(key, prepare)
            except (MemoryError, RuntimeError):   # the latter: the interpreter ends, no thread begins any more
                self._forget()
            finally:
                self._lock.release()

    def take(self, key, prepare):
        """The item `key`, waited for or, if it was not begun, read now. Errors of the reading are raised here."""
        with self._lock:
            self._begin(key, prepare)
            item, pieces = self._item, self._work
            self._key, self._item, self._work = None, None, []
        try:
            for work in pieces:
                work.result()
            return item
        except BaseException:
            _stop(pieces)
            raise

    def cancel(self):
        """Forget what was begun and wait until no thread works on it."""
        with self._lock:
            self._forget()

    def close(self):
        """End the threads; a later :meth:`start` begins new ones."""
        with self._lock:
            self._forget()
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None

    def _begin(self, key, prepare):
        if self._item is not None and self._key == key:
            return
        self._forget()
        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(self._nprocs, thread_name_prefix='dataset')
        self._key, (self._item, pieces) = key, prepare(key)
        self._work = []
        for piece in pieces:
            self._work.append(self._pool.submit(piece))

    def _forget(self):
        _stop(self._work)
        self._key, self._item, self._work = None, None, []


def _stop(pieces):
    for work in pieces:
        work.cancel()
    concurrent.futures.wait(pieces)
