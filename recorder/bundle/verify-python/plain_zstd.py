"""Whether bytes are the one plain zstd frame that a chunk may be. docs/tape-format.md, "Chunk"; RFC 8878, 3.1.1."""

MAGIC = b"\x28\xb5\x2f\xfd"
MAX_WINDOW = 8 * 1024 * 1024
MAX_BLOCK = 128 * 1024
CONTENT_SIZE_WIDTHS = (0, 2, 4, 8)


def is_plain(data, raw_size):
    """What a decoder takes besides (other formats, frames behind frames, dictionaries) is outside every signature."""
    try:
        return _walk(data, raw_size)
    except IndexError:
        return False


def _walk(data, raw_size):
    if data[:4] != MAGIC:
        return False
    descriptor, at = data[4], 5
    if descriptor & 0x1F:  # bits without a meaning, a checksum, a dictionary
        return False
    single = bool(descriptor & 0x20)
    window = raw_size
    if not single:
        base = 1 << (10 + (data[at] >> 3))
        window = base + base // 8 * (data[at] & 7)
        at += 1
        if window > MAX_WINDOW:
            return False
    width = CONTENT_SIZE_WIDTHS[descriptor >> 6] or (1 if single else 0)
    size = int.from_bytes(data[at : at + width], "little") + (256 if width == 2 else 0)
    if width == 0 or size != raw_size:
        return False
    return _blocks(data, at + width, min(window, MAX_BLOCK))


def _blocks(data, at, most):
    last = False
    while not last:
        head = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        if kind == 3 or size > most:
            return False
        if kind == 2 and size < 3:
            return False
        if size == 0 and not (last and kind == 0):
            return False
        at += 3 + (1 if kind == 1 else size)
    return at == len(data)
