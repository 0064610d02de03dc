"""Seeded damage: to bytes, to texts, to JSON values."""
import copy
import json
from xml.etree import ElementTree

#: Sizes and counts that readers get wrong.
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 1023, 32767, 32768, 65535, 65536, (1 << 24) - 1, (1 << 31) - 1, 1 << 31,
           (1 << 32) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)

#: Words that mean something to some reader.
WORDS = (b'', b'\x00', b'\n', b'\r\n', b'..', b'/', b'../../escaped', b'/tmp/escaped', b'NaN', b'inf', b'-inf', b'-1',
         b'1e999', b'1e308', b'-0', b'0x10', b'99999999999999999999', b'#', b'!', b',', b'\t', b'%s%n', b'\xff\xfe',
         b'\xef\xbb\xbf', b'\xed\xb2\x80', b'cos\nsystem\n', b'{', b'[', b'"', b'<', b'&a;', b'PK\x03\x04')

#: Values to put anywhere in JSON.
VALUES = (None, True, False, 0, 1, -1, 2, 10 ** 6, 10 ** 30, 1e308, -1e-308, 0.5, float('nan'), float('inf'), '', 'a',
          '..', '../escaped', '/tmp/escaped', 'a/b', 'a\\b', 'a\x00b', 'a\nb', '\ud800', 'CON', '.hidden', 'x' * 5000,
          'inf', '-inf', 'nan', [], {}, [[]], [None], [1, 2], ['a', 'a'], {'a': 1}, [0] * 100)

#: Texts of XML elements.
TEXTS = ('', '0', '-1', '1', '3', '0.001', '7/8', '3+2', '9', '99', '127', '99999', '1000000', '1e9', '1e400', 'nan',
         'inf',
         '-99999999999999999999', 'x' * 2000, 'C', 'H', 'quarter', '1024th', 'start', 'stop', 'P2', '\x7f')


def damage(rng, data, others=(), words=WORDS):
    """Change bytes here and there: one change mostly, sometimes many.

    Parameters
    ----------
    rng : random.Random
    data : bytes
    others : sequence of bytes
        Whole inputs of the same kind, of which pieces may be taken.
    words : sequence of bytes

    Returns
    -------
    bytes
    """
    data = bytearray(data)
    for _ in range(1 if rng.random() < .5 else rng.randint(2, 12)):
        place, size = rng.randint(0, len(data)), 1 << rng.randint(0, 7)
        kind = rng.randrange(9)
        if kind == 0 and data:
            data[min(place, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[min(place, len(data) - 1)] = rng.randrange(256)
        elif kind == 2:
            del data[place:place + size]
        elif kind == 3:
            data[place:place] = data[place:place + size] * rng.choice((1, 1, 2, 50))
        elif kind == 4:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) & ((1 << 8 * width) - 1)
            data[place:place + width] = number.to_bytes(width, rng.choice(('little', 'big')))
        elif kind == 5:
            data[place:place + rng.choice((0, 0, 1, 4))] = rng.choice(words)
        elif kind == 6:
            del data[place:]
        elif kind == 7 and others:
            other = rng.choice(others)
            start = rng.randint(0, len(other))
            data[place:place + size * rng.randint(0, 1)] = other[start:start + size]
        elif kind == 8:
            data[place:place + size] = bytes(rng.randrange(256) for _ in range(min(size, 16)))
    return bytes(data)


def damage_json(rng, value):
    """A JSON text with some values of `value` replaced, left out, renamed or nested; sometimes plain damage."""
    value = json.loads(json.dumps(value))
    for _ in range(1 if rng.random() < .7 else rng.randint(2, 6)):
        parent, key = rng.choice(_places(value) or [(None, None)])
        kind = rng.randrange(6)
        if parent is None:
            value = copy.deepcopy(rng.choice(VALUES))
        elif kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[rng.choice(('', 'x', '../escaped', '__class__'))] = parent.pop(key)
        elif kind == 2:
            parent[key] = [copy.deepcopy(parent[key]) for _ in range(rng.choice((1, 2, 70)))]
        elif kind == 3 and type(parent[key]) in (int, float):
            parent[key] = rng.choice((-parent[key], parent[key] + 1, parent[key] * 1000, str(parent[key]), 0.5))
        else:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(value).encode()
    if rng.random() < .2:
        text = damage(rng, text)
    if rng.random() < .01:
        text = text.replace(b'1', b'[' * rng.choice((10, 1000, 100000)), 1)
    return text


def _places(value):
    """All (container, key) of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        found.append((value, key))
        found += _places(item)
    return found


def damage_xml(rng, data):
    """XML with some texts and attributes replaced, and some elements left out, doubled or moved."""
    root = ElementTree.fromstring(data)
    for _ in range(1 if rng.random() < .6 else rng.randint(2, 6)):
        pairs = [(parent, child) for parent in root.iter() for child in parent]
        if not 0 < len(pairs) < 500:
            break
        parent, child = rng.choice(pairs)
        kind = rng.randrange(5)
        if kind < 2 and (child.text or '').strip():
            child.text = rng.choice(TEXTS)
        elif kind == 2 and child.attrib:
            child.set(rng.choice(list(child.attrib)), rng.choice(TEXTS))
        elif kind == 3:
            parent.remove(child)
        else:
            more = copy.deepcopy(rng.choice(pairs)[1])   # once: copies of copies would double each time
            for _ in range(rng.choice((1, 1, 30))):
                parent.insert(rng.randint(0, len(parent)), copy.deepcopy(more))
    return ElementTree.tostring(root)
