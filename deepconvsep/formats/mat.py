"""MATLAB files of numbers, texts, cells and structs, checked before SciPy reads them.

`scipy.io.loadmat` trusts what the file says about itself: damaged files can crash the interpreter or take any amount
of memory. Here every element is checked to lie within the one that holds it and to be as long as its dimensions say.

Format: MathWorks, "MAT-File Level 5 File Format" (R2015b).
"""
import io
import struct
import zlib

from deepconvsep import files

#: Bytes of a file and of what is compressed in it. The results of a whole campaign have a few.
LIMIT = 1 << 26
#: Structs in structs, cells in cells.
DEPTH = 20

_MATRIX, _COMPRESSED = 14, 15
#: Bytes of a number, by the type of the element; 16 to 18 are UTF-8, 16 and 32.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_INT8, _INT32, _UINT32 = 1, 5, 6
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
_COMPLEX = 8   # a flag


def load(path):
    """Read the variables of a file, as `scipy.io.loadmat` gives them.

    Raises
    ------
    OSError
        When the file cannot be opened.
    ValueError
        When it is damaged, too large, or holds anything but numbers, texts, cells and structs.
    """
    with files.open_regular(path) as source:
        data = source.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise ValueError('more than %d MB' % (LIMIT >> 20))
    import scipy.io  # here: it takes longer than all else that a script imports
    return scipy.io.loadmat(io.BytesIO(checked(data)))


def checked(data):
    """The same file, uncompressed, when all that it says of itself is true; else ValueError."""
    order = {b'IM': '<', b'MI': '>'}.get(data[126:128])
    if order is None or 0 in data[:4] or data[124:126] not in (b'\x00\x01', b'\x01\x00'):
        raise ValueError('not a MATLAB file of version 5 to 7.2')
    parts, place, left = [data[:128]], 128, LIMIT
    while place < len(data):
        kind, content, place = _element(data, place, order)
        if kind == _COMPRESSED:
            content = _inflated(content, left)
            left -= len(content)
            kind, inner, end = _element(content, 0, order)
            if end < len(content):
                raise ValueError('more than one variable in a compressed element')
            content = inner
        if kind != _MATRIX:
            raise ValueError('an element of type %d in place of a variable' % kind)
        _check_matrix(content, order, DEPTH)
        parts.append(struct.pack(order + 'II', _MATRIX, len(content)) + content)
    return b''.join(parts)


def _inflated(data, limit):
    decompressor = zlib.decompressobj()
    try:
        content = decompressor.decompress(data, limit)
    except zlib.error:
        raise ValueError('a compressed element is damaged') from None
    if not decompressor.eof:
        raise ValueError('a compressed element is cut off or too large')
    return content


def _element(data, place, order):
    """Type and content of the element at `place`, and where the next one begins."""
    if place + 8 > len(data):
        raise ValueError('an element is cut off')
    kind, size = struct.unpack_from(order + 'II', data, place)
    if kind >> 16:   # short: type and size share a word
        kind, size, start = kind & 0xffff, kind >> 16, place + 4
        if size > 4:
            raise ValueError('a short element of %d bytes' % size)
        return kind, data[start:start + size], place + 8
    start = place + 8
    if start + size > len(data):
        raise ValueError('an element of %d bytes where %d are left' % (size, len(data) - start))
    # compressed elements are not filled up to 8 bytes
    return kind, data[start:start + size], start + size + (-size % 8 if kind != _COMPRESSED else 0)


def _check_matrix(data, order, depth):
    """Raise ValueError unless this is the content of a matrix that SciPy can read."""
    if not data:
        return   # an empty matrix
    if not depth:
        raise ValueError('structs within structs')
    kind, flags, place = _element(data, 0, order)
    if kind != _UINT32 or len(flags) != 8:
        raise ValueError('an array without flags')
    flags = struct.unpack_from(order + 'I', flags)[0]
    kind, dims, place = _element(data, place, order)
    if kind != _INT32 or len(dims) % 4 or not 8 <= len(dims) <= 4 * 32:
        raise ValueError('an array without dimensions')
    count = 1
    for size in struct.unpack(order + '%di' % (len(dims) // 4), dims):
        if size < 0:
            raise ValueError('a negative dimension')
        count *= size
    kind, name, place = _element(data, place, order)
    if kind != _INT8:
        raise ValueError('an array without a name')
    group = flags & 0xff
    if group == _CELL:
        place = _check_members(data, place, order, count, depth)
    elif group == _STRUCT:
        fields, place = _check_fields(data, place, order)
        place = _check_members(data, place, order, count * fields, depth)
    elif group == _CHAR or group in _NUMBERS:
        for _ in range(2 if flags >> 8 & _COMPLEX and group != _CHAR else 1):
            place = _check_numbers(data, place, order, count, group == _CHAR)
    else:
        raise ValueError('an array of class %d, expected numbers, text, a cell or a struct' % group)
    if place < len(data):
        raise ValueError('%d bytes behind the end of an array' % (len(data) - place))


def _check_fields(data, place, order):
    """Check the names of the fields of a struct; return their number and the place behind them."""
    kind, length, place = _element(data, place, order)
    length = struct.unpack(order + 'i', length)[0] if kind == _INT32 and len(length) == 4 else 0
    kind, names, place = _element(data, place, order)
    if kind != _INT8 or not 0 < length <= 1024 or len(names) % length:
        raise ValueError('a struct without names')
    names = [_text(names[start:start + length].split(b'\0')[0]) for start in range(0, len(names), length)]
    if len(set(names)) < len(names) or '' in names:
        raise ValueError('a struct with twice the same name, or none')
    return len(names), place


def _text(data):
    """A name; scipy takes Latin-1."""
    return data.decode('latin1')


def _check_members(data, place, order, count, depth):
    """The arrays of a cell or a struct; returns the place behind them."""
    if count > len(data):
        raise ValueError('a cell or struct of %d members in %d bytes' % (count, len(data)))
    for _ in range(count):
        kind, content, place = _element(data, place, order)
        if kind != _MATRIX:
            raise ValueError('a member of type %d' % kind)
        _check_matrix(content, order, depth - 1)
    return place


def _check_numbers(data, place, order, count, text):
    """The numbers of an array, or the characters of a text; returns the place behind them."""
    kind, content, place = _element(data, place, order)
    if kind not in _SIZES or len(content) % _SIZES[kind] or kind > 13 and not text:
        raise ValueError('numbers of type %d in %d bytes' % (kind, len(content)))
    if len(content) // _SIZES[kind] != count and not (text and kind == 16):
        raise ValueError('%d numbers, the dimensions say %d' % (len(content) // _SIZES[kind], count))
    if text and kind in (16, 17, 18):
        encoding = {16: 'utf-8', 17: 'utf-16', 18: 'utf-32'}[kind]
        encoding += '' if kind == 16 else '-le' if order == '<' else '-be'
        if len(content.decode(encoding)) != count:
            raise ValueError('a text of another length than its dimensions say')
    return place
