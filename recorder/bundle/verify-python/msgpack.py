"""MessagePack without extension types, as the tape has it: https://github.com/msgpack/msgpack/blob/master/spec.md"""

import struct

MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1


class Malformed(Exception):
    """Bytes that are not what the format says they should be."""


def same(one, other):
    """Equal, and of the same types: to Python `True` is 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def unpack(data):
    """One value that fills `data` exactly. Bin becomes bytes, text str, a map dict."""
    try:
        value, end = _value(data, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Malformed("not MessagePack: " + str(error)) from None
    if end != len(data):
        raise Malformed("bytes behind the value")
    return value


_NUMBERS = {
    0xCA: (">f", 4),
    0xCB: (">d", 8),
    0xCC: (">B", 1),
    0xCD: (">H", 2),
    0xCE: (">I", 4),
    0xCF: (">Q", 8),
    0xD0: (">b", 1),
    0xD1: (">h", 2),
    0xD2: (">i", 4),
    0xD3: (">q", 8),
}
_SIZES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def _value(data, at, depth):
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 256, at
    if tag < 0x90:
        return _map(data, at, tag & 15, depth)
    if tag < 0xA0:
        return _array(data, at, tag & 15, depth)
    if tag < 0xC0:
        return _text(data, at, tag & 31)
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in _NUMBERS:
        kind, size = _NUMBERS[tag]
        (number,) = struct.unpack_from(kind, data, at)
        if isinstance(number, int) and abs(number) > MAX_INTEGER:
            raise Malformed("an integer beyond 2^53")
        if isinstance(number, float) and number.is_integer() and abs(number) <= MAX_INTEGER:
            return int(number), at + size  # a number's size is the writer's choice
        return number, at + size
    if tag not in _SIZES:
        raise Malformed("an extension type, or no MessagePack")
    width = _SIZES[tag]
    if at + width > len(data):
        raise Malformed("ends inside a value")
    size = int.from_bytes(data[at : at + width], "big")
    at += width
    if tag <= 0xC6:
        return _bytes(data, at, size)
    if tag <= 0xDB:
        return _text(data, at, size)
    return (_array if tag <= 0xDD else _map)(data, at, size, depth)


def _bytes(data, at, size):
    if at + size > len(data):
        raise Malformed("ends inside a value")
    return bytes(data[at : at + size]), at + size


def _text(data, at, size):
    value, at = _bytes(data, at, size)
    return value.decode("utf-8"), at


def _array(data, at, count, depth):
    if depth >= MAX_DEPTH or count > len(data) - at:
        raise Malformed("too deep, or ends inside an array")
    items = []
    for _ in range(count):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return items, at


def _map(data, at, count, depth):
    if depth >= MAX_DEPTH or 2 * count > len(data) - at:
        raise Malformed("too deep, or ends inside a map")
    items = {}
    for _ in range(count):
        key, at = _value(data, at, depth + 1)
        if not isinstance(key, str) or key in items:
            raise Malformed("a map with a key that is no text, or twice")
        items[key], at = _value(data, at, depth + 1)
    return items, at
