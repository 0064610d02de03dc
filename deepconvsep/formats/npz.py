"""``.npz`` files of plain arrays, checked before memory is set aside for what they claim."""
import re
import zipfile
import zlib

import numpy as np

from deepconvsep import files

#: Version 1 of the format, which holds all arrays of numbers: magic, length of the header, header.
MAGIC = b'\x93NUMPY\x01\x00'

#: What such a header looks like; text (``<U``) is how a checkpoint keeps its description.
HEADER = re.compile(r"\{'descr': '([<>|=](?:f[248]|[iu][1248]|U\d{1,8}))', 'fortran_order': (True|False), "
                    r"'shape': \(((?:\d{1,12}, ?)*(?:\d{1,12})?)\), \} *\n?")


def load(path, limit):
    """Read all arrays of a ``.npz`` file.

    Parameters
    ----------
    path : str
    limit : int
        Bytes that all arrays may have together.

    Returns
    -------
    dict of str -> ndarray
        By name, in the order of the file; numbers or text.

    Raises
    ------
    OSError
        When the file cannot be opened.
    ValueError
        When it is not such a file, is damaged, or claims more than `limit`.
    """
    with files.open_regular(path) as source:
        try:
            with zipfile.ZipFile(source) as archive:
                members = archive.infolist()
                if sum(member.file_size for member in members) > limit:
                    raise ValueError('more than %d bytes of arrays' % limit)
                return {re.sub(r'\.npy$', '', member.filename): _array(archive, member) for member in members}
        except ValueError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, KeyError,
                IndexError, AttributeError, OverflowError) as error:
            raise ValueError('not a zip file of arrays: %s' % type(error).__name__) from error


def _array(archive, member):
    """One array; ValueError unless its header agrees with its length."""
    with archive.open(member) as source:
        start = source.read(len(MAGIC) + 2)
        size = int.from_bytes(start[-2:], 'little')
        header = HEADER.fullmatch(source.read(size).decode('latin1')) if start.startswith(MAGIC) else None
        if header is None:
            raise ValueError('%r is no array of numbers or text' % member.filename[:40])
        dtype, shape = np.dtype(header[1]), tuple(map(int, re.findall(r'\d+', header[3])))
        count = int(np.prod(shape, dtype=object))
        left = member.file_size - len(start) - size
        if len(shape) > 32 or not dtype.itemsize or count * dtype.itemsize != left:
            raise ValueError('%r has %d bytes, its header says %s of %s' % (member.filename[:40], left, shape, dtype))
        values = np.empty(count, dtype)
        view, done = memoryview(values).cast('B') if count else b'', 0
        while done < left:
            read = source.readinto(view[done:done + (1 << 20)])
            if not read:
                raise ValueError('%r is cut off' % member.filename[:40])
            done += read
    return values.reshape(shape, order='F' if header[2] == 'True' else 'C')
