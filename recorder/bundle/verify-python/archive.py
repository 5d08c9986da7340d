"""The archive a bundle is packed in: stored entries, one behind the other, under plain names. docs/bundles.md."""

import os
import re
import struct
import zipfile

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
# Of the zip format: in front of a file, of its line in the directory, and the end without and with zip64's.
ZIP_HEAD, ZIP_DIRECTORY_HEAD, ZIP_END, ZIP64_END = 30, 46, 22, 56 + 20


def is_name(name):
    return len(name) <= 400 and all(NAME.fullmatch(part) for part in name.split("/"))


def has_no_more(path, archive):
    """Entries stand one behind the other from byte 0, the directory behind the last, and nothing behind it."""
    at, directory = 0, 0
    with open(path, "rb") as file:
        for info in archive.infolist():
            if info.header_offset != at:
                return False
            file.seek(at)
            head = file.read(ZIP_HEAD)
            if len(head) != ZIP_HEAD:
                return False
            name_size, extra_size = struct.unpack("<HH", head[26:30])
            at += ZIP_HEAD + name_size + extra_size + info.compress_size
            directory += ZIP_DIRECTORY_HEAD + len(info.filename) + len(info.extra) + len(info.comment)
        if archive.start_dir != at:
            return False
        file.seek(0, os.SEEK_END)
        return file.tell() - at - directory in (ZIP_END, ZIP64_END + ZIP_END)


def unpack(path, folder):
    """Into a folder, once its names were looked at. Raises ValueError where it is no archive that a bundle can be."""
    try:
        with zipfile.ZipFile(path) as archive:
            look_at(path, archive)
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise ValueError("the archive cannot be read, it may be cut: %s" % error) from None


def look_at(path, archive):
    if not has_no_more(path, archive):
        raise ValueError("the archive cannot be read: it has bytes that are no file's")
    names = [info.filename for info in archive.infolist()]
    if len(set(names)) != len(names):
        raise ValueError("the archive cannot be read: a name is there twice")
    for info in archive.infolist():
        if not is_name(info.filename) or info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("the archive cannot be read: %r is no file that a bundle has" % info.filename[:80])
