"""The feature files of a dataset: found, checked before any work, and read by frames."""
import hashlib
import os
import threading
from dataclasses import dataclass

import numpy as np

from deepconvsep import command, files
from deepconvsep.data import contents
from deepconvsep.errors import InputError
from deepconvsep.features import tensors

logger = command.get_logger('dataset')

TAG = '_m_.data'  # how the magnitude files end
BLOCK = 1 << 20   # bytes read at a time


@dataclass(frozen=True)
class Tensor:
    """A feature file: where it is and what is in it."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def of(cls, path):
        """Describe a feature file; InputError when it is missing or damaged."""
        return cls(path, *tensors.describe_tensor(path))


@dataclass(frozen=True)
class Track:
    """The files that belong together: input and output magnitudes, and what else was asked for."""

    name: str                         # file name without ``_m_.data``
    inputs: Tensor                    # (rows, T, F)
    outputs: Tensor                   # (rows, T, F)
    notes: Tensor | None = None    # (instruments, notes, columns), or with channels in front
    extra: Tensor | None = None    # (windows, size)

    @property
    def frames(self):
        """Number of frames T."""
        return self.inputs.shape[1]


def find_names(path_in, path_out, ending, ending_out, exclude_list):
    """Sorted names of the input files of a folder that have an output file and are not excluded.

    Parameters
    ----------
    path_in, path_out : str
        Folders.
    ending, ending_out : str
        How input and output files end; the part before is the same.
    exclude_list : list of str
        A file is left out when its name is one of these, or one of these followed by ``_`` and more.
    """
    try:
        present, present_out = os.listdir(path_in), set(os.listdir(path_out))
    except OSError as error:
        raise InputError('cannot list the features in %s: %s' % (error.filename, error.strerror)) from error
    names, alone = [], []
    for name in sorted(present):
        if not name.endswith(ending) or name.startswith('.'):
            continue
        base = name[:-len(ending)]
        # the underscore is the one in front of the (often empty) suffix of the transform
        if any((base + '_').startswith(excluded + '_') for excluded in exclude_list):
            continue
        (names if base + ending_out in present_out else alone).append(base)
    if alone:
        logger.warning('%d of %d files in %s have no target in %s and are left out, the first is %s',
                       len(alone), len(alone) + len(names), path_in, path_out, alone[0] + ending)
    return names


def check_magnitudes(track, rows_out, first):
    """Check one track's tensors: rows, equal length, and the bins and channels of the first track.

    Parameters
    ----------
    track, first : Track
        The track to check and the one that it must agree with.
    rows_out : int
        Rows that the output must have at least.
    """
    for tensor, rows, model in ((track.inputs, 1, first.inputs), (track.outputs, rows_out, first.outputs)):
        if len(tensor.shape) != 3 or 0 in tensor.shape or tensor.shape[0] < rows:
            raise InputError('%s has the shape %s, expected (at least %d, frames, bins), none of them 0: '
                             'compute the features again, or set nsources'
                             % (tensor.path, _by(tensor.shape), rows))
        if tensor.shape[2] != model.shape[2]:
            raise InputError('%s has %d bins, but %s has %d: do not mix features of different transforms'
                             % (tensor.path, tensor.shape[2], model.path, model.shape[2]))
    if track.inputs.shape[1] != track.outputs.shape[1]:
        raise InputError('%s has %d frames, but %s has %d: compute both again'
                         % (track.inputs.path, track.inputs.shape[1], track.outputs.path, track.outputs.shape[1]))


def _by(shape):
    return 'x'.join(map(str, shape))


def read_frames(tensor, rows, begin, out, factor=1., log=False):
    """Read frames of some rows of a tensor, scaled.

    Parameters
    ----------
    tensor : Tensor
        Shape (rows, T, F).
    rows : range
        Which rows.
    begin : int
        First frame. Frames from T on are zero.
    out : ndarray, shape (frames, len(rows), F), float32 or float64
        Where they go, as ``factor * x``, or with `log` as ``factor * log10(1 + x)``, computed in the precision
        of the file.
    """
    _, total, bins = tensor.shape
    wanted = max(0, min(len(out), total - begin))
    out[wanted:] = 0
    step = max(1, BLOCK // (bins * tensor.dtype.itemsize))
    buffer = np.empty((min(step, wanted), bins), tensor.dtype)
    # plain reads, not a memory map: they give up the interpreter lock, a file that was cut short meanwhile is
    # an error and not a crash, and the pages do not count as memory of this process
    try:
        with open(tensor.path, 'rb', buffering=0) as source:
            for column, row in enumerate(rows):
                for start in range(0, wanted, step):
                    block = buffer[:min(step, wanted - start)]
                    source.seek(((row * total + begin + start) * bins) * tensor.dtype.itemsize)
                    if source.readinto(block) != block.nbytes:
                        raise InputError('%s became shorter while it was being read: compute the features again'
                                         % tensor.path)
                    if log:
                        np.log10(np.add(block, 1, out=block), out=block)
                    if factor != 1:
                        np.multiply(block, factor, out=block)  # in place and then copied: twice as fast as in one step
                    out[start:start + len(block), column] = block
    except OSError as error:
        raise InputError('cannot read the features %s: %s; compute them again'
                         % (tensor.path, error.strerror)) from error


class Scratch:
    """Copies of feature files on a faster disk, each made when it is first read, and kept.

    A copy has the same name and format behind a digest of the path, date, length and contents of its original (these as
    :func:`deepconvsep.data.contents.fingerprint` sees them), and is stored as float32 where the batches are float32.
    Copies of files that have changed are not used; nothing is ever deleted.

    Parameters
    ----------
    folder : str
        Created when missing.
    dtype : numpy.dtype
        What the batches hold.
    """

    def __init__(self, folder, dtype):
        files.make_folder(folder)
        self.folder, self.dtype = folder, dtype
        self._copies, self._locks, self._lock = {}, {}, threading.Lock()

    def local(self, tensor):
        """The copy of a tensor, made now if it is not there yet (safe to call from several threads)."""
        with self._lock:
            lock = self._locks.setdefault(tensor.path, threading.Lock())
        with lock:
            if tensor.path not in self._copies:
                self._copies[tensor.path] = self._copy(tensor)
            return self._copies[tensor.path]

    def _copy(self, tensor):
        status = os.stat(tensor.path)
        seen = contents.fingerprint([tensor.path])
        identity = '%s %d %d %s %s' % (os.path.abspath(tensor.path), status.st_mtime_ns, status.st_size,
                                       seen['records'], seen['samples'])
        dtype = min(tensor.dtype, self.dtype, key=lambda kind: kind.itemsize)
        path = os.path.join(self.folder, '%s_%s_%s' % (hashlib.sha256(os.fsencode(identity)).hexdigest()[:16],
                                                       dtype.name, os.path.basename(tensor.path)))
        if not tensors.is_finished(path):
            tensors.save_tensor(path, tensors.open_tensor(tensor.path), dtype=dtype)
        return Tensor.of(path)
