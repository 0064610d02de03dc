"""Read lists of NumPy arrays from pickles without running anything that a pickle may name.

A pickle is a program that can call any function. Here every name it may use stands for an inert object of
this module, and every other name is refused; nothing of what a file names is ever imported or called.
"""
import io
import pickle
import struct

import numpy as np

from deepconvsep import files
from deepconvsep.errors import InputError


class _Reader:
    """A file that refuses to read more than it holds, before memory is set aside for it."""

    def __init__(self, file, size):
        self._file, self._left = file, size

    def read(self, size):
        if size < 0 or size > self._left:
            raise EOFError
        self._left -= size
        return self._file.read(size)

    def readline(self):
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[:] = data
        return len(data)


class _DType:
    """Stands for ``numpy.dtype(code, ...)``."""

    def __init__(self, code, *_):
        self.code, self.order = _text(code), '='

    def __setstate__(self, state):
        self.order = _text(state[1])

    def resolve(self):
        if self.code not in ('f4', 'f8', 'f2', 'i4', 'i8') or self.order not in ('<', '>', '=', '|'):
            raise pickle.UnpicklingError('an array of type %r' % self.code)
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """Stands for a `numpy.ndarray` until its state is known."""

    value = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not isinstance(data, bytes):
            raise pickle.UnpicklingError('an array without plain data')
        shape = tuple(int(size) for size in shape)
        if min(shape, default=0) < 0:
            raise pickle.UnpicklingError('an array of a negative size')
        # a view on the bytes, without a copy; checks that they are as many as the shape says
        self.value = np.frombuffer(data, dtype.resolve()).reshape(shape, order='F' if fortran else 'C')


def _reconstruct(*_):
    return _Array()


def _frombuffer(data, dtype, shape, order):
    """Stands for what NumPy writes with protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, dtype, _text(order) == 'F', data))
    return array


def _encode(text, encoding=None):
    """Stands for ``_codecs.encode``: Python 3 writes the bytes of an array as text of code points below 256."""
    return text.encode('latin1')


def _no_bytes():
    return b''


def _text(value):
    return value.decode('latin1') if isinstance(value, bytes) else value


_NAMES = {
    ('numpy.core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy._core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy.core.numeric', '_frombuffer'): _frombuffer,
    ('numpy._core.numeric', '_frombuffer'): _frombuffer,
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _DType,
    ('_codecs', 'encode'): _encode,
    # how Python 3 writes no bytes at all
    ('__builtin__', 'bytes'): _no_bytes,
}


class _Unpickler(pickle._Unpickler):
    # The Python version: the C version sets memory aside for whatever index a damaged file names.

    def find_class(self, module, name):
        try:
            return _NAMES[_text(module), _text(name)]
        except KeyError:
            raise pickle.UnpicklingError('the name %s.%s' % (_text(module), _text(name))) from None

    def get_extension(self, code):
        raise pickle.UnpicklingError('an extension')

    def persistent_load(self, identifier):
        raise pickle.UnpicklingError('a persistent object')

    def load_build(self):
        # the state of anything else, of the stand-ins' classes for instance, must not be touched
        if len(self.stack) < 2 or not isinstance(self.stack[-2], (_Array, _DType)):
            raise pickle.UnpicklingError('the state of an object')
        super().load_build()

    def load_bytearray8(self):
        # as bytes, and read: the method beneath sets memory aside for whatever length the file claims
        size, = struct.unpack('<Q', self.read(8))
        self.append(self.read(size))

    dispatch = dict(pickle._Unpickler.dispatch)
    dispatch[0x96] = load_bytearray8  # known since Python 3.8 only
    dispatch[pickle.BUILD[0]] = load_build


def load_arrays(path):
    """Read a pickled list or tuple of numeric arrays, as written by Python 2 or 3, any protocol.

    Parameters
    ----------
    path : str

    Returns
    -------
    list of ndarray
        Read-only, in the file's precision and native byte order.

    Raises
    ------
    InputError
        When the file is unreadable, damaged, or holds anything but such a list.
    """
    value = _load(path, 'model', 'a list of arrays')
    if not isinstance(value, (list, tuple)) or not value or not all(_is_whole(item) for item in value):
        raise InputError('%s is a pickle, but not of a list of arrays: it is not a model' % path)
    return [_native(item) for item in value]


def load_array(path):
    """Read a single pickled numeric array, such as a timbre model; otherwise as :func:`load_arrays`."""
    value = _load(path, 'timbre model', 'one array')
    if not _is_whole(value):
        raise InputError('%s is a pickle, but not of one array: it is not a timbre model' % path)
    return _native(value)


def _is_whole(item):
    return isinstance(item, _Array) and item.value is not None


def _native(item):
    return item.value.astype(item.value.dtype.newbyteorder('='), copy=False)


def _load(path, what, expected):
    """What a pickle holds, arrays being :class:`_Array`; messages say `what` it is not, and what was `expected`."""
    try:
        with files.open_regular(path) as source:
            size = source.seek(0, io.SEEK_END)
            source.seek(0)
            return _Unpickler(_Reader(source, size), encoding='bytes').load()
    except OSError as error:
        raise InputError('cannot read the %s %s: %s' % (what, path, error.strerror)) from error
    except pickle.UnpicklingError as error:
        raise InputError('%s holds %s, expected %s alone: it is not a %s, and nothing in it was run'
                         % (path, error, expected, what)) from error
    except (EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError,
            RecursionError, NotImplementedError) as error:
        raise InputError('%s is not a %s or is damaged (%s): %s'
                         % (path, what, type(error).__name__, files.damage(path, 'get the file again'))) from error


def dump_arrays(path, arrays):
    """Write a list of arrays as float32, byte for byte as Python 2's cPickle with protocol 2 does.

    The original reads it. The arrays are written one by one: no second copy is held.

    Parameters
    ----------
    path : str
        Written to directly; see :func:`deepconvsep.files.atomic_path`.
    arrays : list of ndarray
    """
    memo = iter(range(1, 1 << 16))
    _dump(path, arrays, memo, b']' + _put(memo) + b'(', b'e')


def dump_array(path, array):
    """Write a single array, such as a timbre model; otherwise as :func:`dump_arrays`."""
    _dump(path, [array], iter(range(1, 1 << 16)), b'', b'')


def _dump(path, arrays, memo, before, behind):
    """Write arrays between the codes of what holds them."""
    with open(path, 'wb') as out:
        out.write(b'\x80\x02' + before)
        known = {}

        def name(text):
            # the first time in full, then by its place in the memo, which is among the first
            if text in known:
                return known[text]
            put = _put(memo)
            known[text] = b'h' + put[1:]
            return b'c' + text + put

        for array in arrays:
            array = np.ascontiguousarray(array, dtype='<f4')
            out.write(name(b'numpy.core.multiarray\n_reconstruct\n') + name(b'numpy\nndarray\n')
                      + b'K\x00\x85U\x01b\x87R' + _put(memo) + b'(K\x01' + _integers(array.shape))
            dtype = b'numpy\ndtype\n'
            if dtype in known:
                out.write(known[b'f4'])
            else:
                out.write(name(dtype) + b'U\x02f4K\x00K\x01\x87R')
                put = _put(memo)
                known[b'f4'] = b'h' + put[1:]
                out.write(put + b'(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb')
            short = array.nbytes < 256
            out.write(b'\x89' + (b'U' + bytes([array.nbytes]) if short else b'T' + array.nbytes.to_bytes(4, 'little')))
            out.write(array.data if array.size else b'')
            out.write(b'tb')
        out.write(behind + b'.')


def _put(memo):
    index = next(memo)
    return b'q' + bytes([index]) if index < 256 else b'r' + index.to_bytes(4, 'little')


def _integers(shape):
    """A tuple of sizes as a pickle."""
    codes = [b'K' + bytes([size]) if size < 1 << 8 else b'M' + size.to_bytes(2, 'little') if size < 1 << 16
             else b'J' + size.to_bytes(4, 'little') for size in shape]
    if len(codes) > 3:
        return b'(' + b''.join(codes) + b't'
    return b''.join(codes) + {0: b')', 1: b'\x85', 2: b'\x86', 3: b'\x87'}[len(codes)]
