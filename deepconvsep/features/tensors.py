"""The feature files: a raw tensor in ``<name>.data`` and its shape as text in ``<name>.shape``.

The format is the original's. ``.data`` is the tensor in C order and native byte order without a header, as
float64, or as float32 (half the size, recognised by its length). ``.shape`` is one line: ``#`` and the
dimensions joined by tabs, e.g. ``#5<TAB>2586<TAB>513``. It is written last: where it is, the tensor is whole.

Beside them, ``.json`` holds the record of what the tensor was made from (see :mod:`deepconvsep.features.folder`); files
of the original, and of programs that do not write one, have none.

A *tag* such as ``_m_`` tells what a file holds; it goes in front of the extension:
``song_0.data`` and ``__m_`` make ``song_0__m_.data`` and ``song_0__m_.shape``.
"""
import contextlib
import os
import re

import numpy as np

from deepconvsep import files
from deepconvsep.errors import InputError

#: Of what this project makes: magnitudes, and the notes of the aligned, the coarse and the widened score.
MAGNITUDES, ALIGNED, COARSE, WIDENED = TAGS = '__m_', '__g_', '__b_', '__e_'


def tagged(path, tag=''):
    """Put `tag` in front of the extension ``.data``.

    >>> tagged('/features/song_0.data', '__m_')
    '/features/song_0__m_.data'
    """
    if not path.endswith('.data'):
        raise InputError('%s: a feature file ends in .data' % path)
    return path[:-len('.data')] + tag + '.data'


def shape_path(path):
    """The ``.shape`` file that belongs to a ``.data`` file."""
    return path[:-len('.data')] + '.shape'


def record_path(path):
    """The ``.json`` file that belongs to a ``.data`` file: what it was made from."""
    return path[:-len('.data')] + '.json'


def save_shape(shape_file, shape):
    """Write the shape `shape` (a tuple of int) to the ``.shape`` file `shape_file`."""
    with files.atomic_path(shape_file) as temporary, open(temporary, 'w') as out:
        out.write('#%s\n' % '\t'.join('%d' % size for size in shape))


def get_shape(shape_file):
    """Read a ``.shape`` file.

    Returns
    -------
    tuple of int

    Raises
    ------
    InputError
        When it is missing or does not start with a line like ``#5<TAB>2586<TAB>513``; any signs but
        ``-`` may stand between the numbers.
    """
    try:
        with files.open_regular(shape_file) as source:
            line = source.readline(1000)
    except OSError as error:
        raise InputError('cannot read the feature shape %s: %s; compute the features again'
                         % (shape_file, error.strerror)) from error
    if not re.fullmatch(rb'#[^\w-]{0,9}\d{1,12}([^\w-]{1,9}\d{1,12}){0,7}[^\w-]{0,9}', line):
        raise InputError('%s holds %r, expected # and the dimensions, such as "#5\\t2586\\t513": '
                         '%s'
                         % (shape_file, line[:40].decode('latin1'),
                            files.damage(shape_file, 'compute the features again')))
    return tuple(int(size) for size in re.findall(rb'\d+', line))


def save_tensor(path, tensor, tag='', dtype=np.float64, record=None):
    """Write a tensor, its record and its shape, each atomically, the shape last.

    Parameters
    ----------
    path : str
        Where to write, without tag, ending in ``.data``.
    tensor : ndarray
        Any shape; stored as `dtype` (float64 as in the original, or float32 for half the size).
    tag : str
        For example ``'__m_'`` (magnitudes), ``'__p_'`` (phases), ``'__g_'`` (notes).
    record : dict, optional
        What the tensor was made from, for the ``.json`` beside it. None: that of an older tensor is removed.

    Raises
    ------
    InputError
        When the disk is full.
    """
    path = tagged(path, tag)
    # a stale shape beside new data would pass for finished, a stale record for theirs
    for stale in (shape_path(path), record_path(path)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(stale)
    tensor = np.ascontiguousarray(tensor, dtype=dtype)
    with files.atomic_path(path) as temporary:
        try:
            tensor.tofile(temporary)
        except OSError as error:
            raise InputError('cannot write %s: %s: is the disk full?' % (path, error)) from error
    if record is not None:
        files.write_json(record_path(path), record)
    save_shape(shape_path(path), np.shape(tensor))


def remove_tensor(path, tag=''):
    """Remove a feature file, its shape and its record, as far as they are there."""
    path = tagged(path, tag)
    for name in (shape_path(path), record_path(path), path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def describe_tensor(path, tag=''):
    """Shape and type of a feature file, checked against its length; nothing is read.

    Returns
    -------
    shape : tuple of int
    dtype : numpy.dtype
        float64 or float32.

    Raises
    ------
    InputError
        When a file is missing or the lengths of ``.data`` and ``.shape`` do not agree.
    """
    path = tagged(path, tag)
    shape = get_shape(shape_path(path))
    count = int(np.prod(shape, dtype=object))
    try:
        size = os.path.getsize(path)
    except OSError as error:
        raise InputError('cannot read the features %s: %s; compute them again' % (path, error.strerror)) from error
    for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        if size == count * dtype.itemsize:
            return shape, dtype
    raise InputError('%s holds %d bytes, but %s says %s, that is %d (float64) or %d (float32): %s'
                     % (path, size, os.path.basename(shape_path(path)), 'x'.join(map(str, shape)),
                        8 * count, 4 * count, files.damage(path, 'compute the features again')))


def open_tensor(path, tag=''):
    """Map a feature file into memory, read-only; nothing is read until it is used.

    Returns
    -------
    ndarray
        A `numpy.memmap` of float64 or float32 (an ordinary empty array when the tensor has no elements).

    Raises
    ------
    InputError
        As :func:`describe_tensor`.
    """
    path = tagged(path, tag)
    shape, dtype = describe_tensor(path)
    if 0 in shape:
        return np.zeros(shape, dtype)
    try:
        return np.memmap(path, dtype=dtype, mode='r', shape=shape)
    except OSError as error:
        raise InputError('cannot read the features %s: %s' % (path, error.strerror)) from error


def load_tensor(path, tag=''):
    """Read a feature file into memory; arguments and errors as :func:`open_tensor`."""
    return np.array(open_tensor(path, tag))


def is_finished(path, tag=''):
    """True when a feature file and its shape are both there and agree."""
    try:
        describe_tensor(path, tag)
    except InputError:
        return False
    return True
