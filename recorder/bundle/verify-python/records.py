"""A segment's bytes as records, also behind damage, holding one record at a time. docs/tape-format.md, "Segment"."""

import os
import stat
import struct
import zlib

from merkle import sha256

MAGIC = b"\x89TAPE1\r\n"
FOOTER_MAGIC = b"\x89TAPEND\n"
FOOTER_SIZE = 64
MARK = b"\x89TR"
HEAD_SIZE = 12
CHECK_SIZE = 32
MAX_PAYLOAD = 16 * 1024 * 1024

# A segment is closed at 256 MiB; nothing behind this is looked at, so that a huge file costs seconds.
MAX_SEGMENT = 320 * 1024 * 1024
# Marks behind damage that are looked at, a segment: hostile files can be made of nothing else.
MAX_TRIES = 256
SEARCH = 1024 * 1024

TYPES = {0x48: "header", 0x52: "recovery", 0x43: "chunk", 0x53: "seal", 0x49: "index"}


class Record:
    """`intact`: the check fits. `end`: the byte behind it."""

    def __init__(self, offset, type_, payload, check, intact):
        self.offset = offset
        self.type = type_
        self.payload = payload
        self.check = check
        self.intact = intact
        self.end = offset + HEAD_SIZE + len(payload) + CHECK_SIZE
        self.size = self.end - offset


class Damage:
    """Bytes from `offset` to `end` that are no record; `cut`: the beginning of one, which the end of the file cut off."""

    def __init__(self, offset, end, cut=False):
        self.offset = offset
        self.end = end
        self.cut = cut


class Footer:
    def __init__(self, offset, data):
        self.offset = offset
        self.index, self.size, self.segment, self.last = struct.unpack(">QQII", data[8:32])
        self.first = data[:32]
        self.check = data[32:]
        self.end = offset + FOOTER_SIZE


def is_regular(path):
    """Only regular files are objects: not links, whatever they lead to, nor pipes, which nobody may ever write to."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def is_folder(path):
    """A folder itself, and no link to one: below a data folder none is followed. Raises OSError where that cannot be told."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def shown(name):
    """A file's name as text: U+FFFD where it is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def regular_files(folder):
    """Names of the objects in a folder. Raises OSError where it cannot be listed."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}


def files_below(folder):
    """Paths of the objects below a folder, from there. Raises OSError where one of its folders cannot be listed."""
    found = []
    for inside, folders, _ in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [name for name in regular_files(inside) if not name.startswith(".")]
        found += [shown(os.path.relpath(os.path.join(inside, name), folder)).replace(os.sep, "/") for name in names]
    return found


def present(folder):
    """Paths of all that is below a folder and is no folder, from there. A link is listed, whatever it leads to: people see it."""
    found = []
    for at, folders, names in os.walk(folder):
        inside = shown(os.path.relpath(at, folder)).replace(os.sep, "/")
        names += [name for name in folders if not is_folder(os.path.join(at, name))]
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen = [shown(name) for name in names if not name.startswith(".")]
        found += seen if inside == "." else ["%s/%s" % (inside, name) for name in seen]
    return found


def plain_file(folder, path):
    """Where a file below a folder is; None where there is none, or a link is on the way."""
    *folders, name = path.split("/")
    for part in folders:
        folder = os.path.join(folder, part)
        if not is_folder(folder):
            return None
    at = os.path.join(folder, name)
    return at if is_regular(at) else None


def in_order(names):
    """By UTF-16 code unit, as the other verifiers have it."""
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _raise(error):
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


class Source:
    """An object's bytes, read where asked."""

    def __init__(self, path):
        self._file = open(path, "rb")
        self.size = self._file.seek(0, 2)

    def read(self, offset, size):
        self._file.seek(offset)
        return self._file.read(max(0, size))

    def close(self):
        self._file.close()


def pieces(source, start, size, whole):
    """Record, Damage and Footer, in order, from byte `start` to `size`; the object has `whole` bytes."""
    at = start
    tries = [MAX_TRIES]
    while at < size:
        piece = _footer_at(source, at, size) or _record_at(source, at, size) or _damage_at(source, at, size, tries)
        if isinstance(piece, Damage) and piece.cut and size < whole:
            return
        yield piece
        at = piece.end


def _footer_at(source, at, size):
    """The footer that begins at `at`, Damage where the file ends inside it, None where there is none."""
    data = source.read(at, min(FOOTER_SIZE, size - at))
    if data[: len(FOOTER_MAGIC)] != FOOTER_MAGIC[: len(data)]:
        return None
    return Footer(at, data) if len(data) == FOOTER_SIZE else Damage(at, size, cut=True)


def _head(data):
    """Type and payload size of a record's head, None where it is none."""
    if len(data) < HEAD_SIZE or data[:3] != MARK:
        return None
    if zlib.crc32(data[:8]) != int.from_bytes(data[8:12], "big"):
        return None
    size = int.from_bytes(data[4:8], "big")
    return None if size > MAX_PAYLOAD or data[3] not in TYPES else (data[3], size)


def _record_at(source, at, size):
    """The record whose head is at `at`, intact or not; Damage where the file ends inside it; None where there is no head."""
    head = source.read(at, min(HEAD_SIZE, size - at))
    known = _head(head)
    if known is None:
        cut = len(head) < HEAD_SIZE and MARK.startswith(head[:3])
        return Damage(at, size, cut=True) if cut else None
    type_, payload_size = known
    if at + HEAD_SIZE + payload_size + CHECK_SIZE > size:
        return Damage(at, size, cut=True)
    data = source.read(at + HEAD_SIZE, payload_size + CHECK_SIZE)
    payload, check = data[:payload_size], data[payload_size:]
    return Record(at, TYPES[type_], payload, check, sha256(head, payload) == check)


def _damage_at(source, at, size, tries):
    """The bytes up to the next record that head and check say is one, or to the end."""
    position = at + 1
    while position < size and tries[0] > 0:
        window = source.read(position, min(SEARCH, size - position))
        found = window.find(MARK)
        if found < 0:
            position += max(1, len(window) - len(MARK) + 1)
            continue
        tries[0] -= 1
        record = _record_at(source, position + found, size)
        if isinstance(record, Record) and record.intact:
            return Damage(at, record.offset)
        position += found + 1
    return Damage(at, size)
