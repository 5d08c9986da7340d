"""The archive a bundle is packed in: stored entries, one behind the other, under plain names. docs/bundles.md.

Read here and not by `zipfile`, which believes an archive that is not of this form more than it should, or stops at it.
"""

import os
import re
import struct

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
FIRST_BYTES = b"PK\x03\x04"
LOCAL, CENTRAL, END, END64, LOCATOR64 = 30, 46, 22, 56, 20
BEYOND, BEYOND_COUNT, BEYOND_ANY = 0xFFFFFFFF, 0xFFFF, 1 << 53
# Of the flags: the name is UTF-8, which plain names are.
UTF8 = 0x800
EXTRA64, EXTRA_NAME = 0x0001, 0x7075
MAX_ENTRIES, MAX_DIRECTORY, MAX_EXTRA = 1000000, 256 << 20, 0xFFFF
PIECE = 1 << 20


def is_name(name):
    return len(name) <= 400 and all(NAME.fullmatch(part) for part in name.split("/"))


def is_archive(path):
    """By its name, or its first bytes."""
    if not os.path.isfile(path):
        return False
    if path.endswith(".zip"):
        return True
    with open(path, "rb") as file:
        return file.read(len(FIRST_BYTES)) == FIRST_BYTES


def unpack(path, folder):
    """Into a folder, once its names were looked at. Names of entries whose own header is another's, and what is wrong with it: these are
    left out. Raises ValueError where it is no archive that a bundle can be."""
    wrong = {}
    with open(path, "rb") as file:
        for name, at, start, size in _entries(file):
            file.seek(at)
            what = _wrong_with(file.read(start - at), name)
            if what:
                wrong[name] = "the archive cannot be read: " + what
                continue
            place = os.path.join(folder, *name.split("/"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as out:
                while size > 0 and (piece := file.read(min(size, PIECE))):
                    out.write(piece)
                    size -= len(piece)
    return wrong


def _entries(file):
    """Name, where its header is, where its bytes begin, and how many: each byte of the file is an entry's, a header's or the directory's."""
    directory, start, count = _directory(file)
    listed, read = [], 0
    for _ in range(count):
        entry, read = _line(directory, read)
        listed.append(entry)
    if read != len(directory) or (listed[0][1] if listed else start) != 0:
        raise _malformed("its directory is not that of its entries")
    found = {}
    for index, (name, at, size) in enumerate(listed):
        if name in found:
            raise _malformed("%s is there twice" % name)
        first = (listed[index + 1][1] if index + 1 < len(listed) else start) - size
        if not 0 <= first - at - LOCAL - len(name) <= MAX_EXTRA:
            raise _malformed("%s does not end where the next begins" % name)
        found[name] = (name, at, first, size)
    # What comes before any letter of a name stands for the slash: in that order a file's name is next to what is in a folder of that name.
    ordered = sorted(name.replace("/", " ") for name in found)
    for name, following in zip(ordered, ordered[1:]):
        if following.startswith(name + " "):
            raise _malformed("%s is a file and a folder" % name.replace(" ", "/"))
    return list(found.values())


def _directory(file):
    """Its bytes, where they begin, and of how many entries."""
    whole = file.seek(0, os.SEEK_END)
    if whole < END:
        raise _malformed("it is no ZIP archive")
    end = _read(file, whole - END, END)
    if end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        raise _malformed("it does not end as a ZIP archive does")
    disk, other_disk, here, count, size, at = struct.unpack("<HHHHII", end[4:20])
    if disk or other_disk or here != count:
        raise _malformed("it is one of several volumes")
    tail = whole - END
    if count == BEYOND_COUNT or size == BEYOND or at == BEYOND:
        tail -= LOCATOR64 + END64
        big = _read(file, tail, END64 + LOCATOR64) if tail >= 0 else b""
        if big[:4] != b"PK\x06\x06" or big[END64 : END64 + 4] != b"PK\x06\x07" or _number(big, END64 + 8) != tail:
            raise _malformed("its zip64 directory is missing")
        here, count, size, at = (_number(big, place) for place in (24, 32, 40, 48))
        if here != count:
            raise _malformed("it is one of several volumes")
    if count > MAX_ENTRIES or size > MAX_DIRECTORY:
        raise _malformed("%d entries in a directory of %d bytes" % (count, size))
    if at + size != tail:
        raise _malformed("its directory does not stand at its end")
    return _read(file, at, size), at, count


def _line(directory, at):
    """One of the directory's: name, where its header is and its size; and where the next line begins."""
    head = directory[at : at + CENTRAL]
    if len(head) < CENTRAL or head[:4] != b"PK\x01\x02":
        raise _malformed("its directory is cut")
    flags, method = struct.unpack("<HH", head[8:12])
    stored, size, name_size, extra_size, comment_size, disk = struct.unpack("<IIHHHH", head[20:36])
    mode, place = struct.unpack("<HI", head[40:46])
    end = at + CENTRAL + name_size + extra_size + comment_size
    if end > len(directory):
        raise _malformed("its directory is cut")
    name = directory[at + CENTRAL : at + CENTRAL + name_size].decode("latin-1")
    if not is_name(name):
        raise _malformed("the name %r is none that a bundle has" % name[:80])
    if method or flags & ~UTF8 or disk:
        raise _malformed("%s is not stored as it is" % name)
    # The upper half of its external attributes is a mode of Unix; whoever packs on other systems has none there.
    if mode & 0o170000 not in (0, 0o100000):
        raise _malformed("%s is a link, or something else that is no file" % name)
    if comment_size:
        raise _malformed("%s has a comment" % name)
    big = _numbers64(directory[end - extra_size : end])
    numbers = []
    for short in (size, stored, place):
        if short == BEYOND and not big:
            raise _malformed("a zip64 number is missing")
        numbers.append(big.pop(0) if short == BEYOND else short)
    if max(numbers) >= BEYOND_ANY:
        raise _malformed("a number in it is beyond any file")
    if numbers[0] != numbers[1]:
        raise _malformed("%s is not stored as it is" % name)
    return (name, numbers[2], numbers[0]), end


def _numbers64(extra):
    """The numbers of the zip64 extra, in the order in which the members before them had no room."""
    at, found = 0, None
    while at < len(extra):
        if at + 4 > len(extra):
            raise _malformed("an extra field is cut")
        kind, size = struct.unpack("<HH", extra[at : at + 4])
        if at + 4 + size > len(extra):
            raise _malformed("an extra field is cut")
        if kind == EXTRA_NAME or (kind == EXTRA64 and found is not None):
            raise _malformed("an extra field says what stands elsewhere")
        if kind == EXTRA64:
            found = list(struct.unpack("<%dQ" % (size // 8), extra[at + 4 : at + 4 + size // 8 * 8]))
        at += 4 + size
    return found or []


def _wrong_with(header, name):
    """What is wrong with an entry's own header; None where it is the one the directory has."""
    if header[:4] != FIRST_BYTES:
        return "%s has no header" % name
    flags, method = struct.unpack("<HH", header[6:10])
    name_size, extra_size = struct.unpack("<HH", header[26:30])
    if header[LOCAL : LOCAL + len(name)] != name.encode() or name_size != len(name):
        return "%s has another name in its header" % name
    if method or flags & ~UTF8:
        return "%s is not stored as it is" % name
    if LOCAL + name_size + extra_size != len(header):
        return "%s does not begin where its header ends" % name
    return None


def _number(data, at):
    (number,) = struct.unpack("<Q", data[at : at + 8])
    if number >= BEYOND_ANY:
        raise _malformed("a number in it is beyond any file")
    return number


def _read(file, at, size):
    file.seek(at)
    data = file.read(size)
    if len(data) != size:
        raise _malformed("it is shorter than it was")
    return data


def _malformed(what):
    return ValueError("the archive cannot be read: " + what)
