#!/usr/bin/env python3
"""An SFTP 3 server that reads one file, and gives 16 KiB at once at the most."""
import os
import struct
import sys

MOST = 16384
files = {}


def take(count):
    data = b''
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def say(kind, body):
    data = struct.pack('>IB', len(body) + 1, kind) + body
    while data:
        data = data[os.write(1, data):]


def text(value):
    return struct.pack('>I', len(value)) + value


def status(number, code):
    say(101, struct.pack('>II', number, code) + text(b'') + text(b''))


def attributes(path):
    found = os.stat(path)
    return struct.pack('>IQI', 1 | 4, found.st_size, found.st_mode)


while True:
    (size,) = struct.unpack('>I', take(4))
    packet = take(size)
    kind = packet[0]
    if kind == 1:
        say(2, struct.pack('>I', 3))
        continue
    number, length = struct.unpack('>II', packet[1:9])
    name = packet[9:9 + length]
    rest = packet[9 + length:]
    if kind == 3:
        files[b'h'] = os.open(name, os.O_RDONLY)
        say(102, struct.pack('>I', number) + text(b'h'))
    elif kind == 4:
        os.close(files.pop(name))
        status(number, 0)
    elif kind == 5:
        offset, want = struct.unpack('>QI', rest)
        data = os.pread(files[name], min(want, MOST), offset)
        if data:
            say(103, struct.pack('>I', number) + text(data))
        else:
            status(number, 1)
    elif kind == 16:
        say(104, struct.pack('>II', number, 1) + text(os.path.realpath(name)) + text(b'') + struct.pack('>I', 0))
    elif kind in (7, 17):
        say(105, struct.pack('>I', number) + attributes(name))
    else:
        status(number, 8)
