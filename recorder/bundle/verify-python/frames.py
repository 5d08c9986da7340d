"""The frames of a chunk: decompressed, read, and hashed to leaves. docs/tape-format.md, "Chunk" and "Frame"."""

import hashlib
import os
import shutil
import subprocess
import threading
import zlib

import plain_zstd
from msgpack import Malformed, unpack

MAX_RAW = 9 * 1024 * 1024 + 4
MAX_FRAME = 8 * 1024 * 1024
MAX_BODY = 1024 * 1024
IN, OUT = 0, 1


class NeedsZstd(Exception):
    """Whoever verifies has to bring a decoder: Python 3.14, or the zstd command."""


def inflate(data, most):
    """One gzip member without optional fields and nothing behind it, of at most `most` bytes."""
    if data[:4] != b"\x1f\x8b\x08\x00":
        raise Malformed("gzip: no plain header")
    try:
        stream = zlib.decompressobj(31)
        raw = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise Malformed("gzip: " + str(error)) from None
    if len(raw) > most or not stream.eof or stream.unused_data:
        raise Malformed("gzip: too long, cut, or bytes behind its end")
    return raw


def _unzstd(data, most):
    # Before any decoder sees it: the command takes gzip, xz and lz4 as well, and frames behind frames.
    if not plain_zstd.is_plain(data, most):
        raise Malformed("zstd: not one plain frame")
    if os.environ.get("SALLYPORT_VERIFY_ZSTD") == "none":  # for tests, on machines that have one
        raise NeedsZstd()
    try:
        from compression import zstd
    except ImportError:
        return _zstd_command(data, most)
    try:
        stream = zstd.ZstdDecompressor()
        raw = stream.decompress(data, most + 1)
    except zstd.ZstdError as error:
        raise Malformed("zstd: " + str(error)) from None
    if len(raw) > most or not stream.eof or stream.unused_data:
        raise Malformed("zstd: too long, cut, or bytes behind its end")
    return raw


def _zstd_command(data, most):
    command = shutil.which("zstd")
    if command is None:
        raise NeedsZstd()
    with subprocess.Popen(
        [command, "-dcq", "--single-thread"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        writer = threading.Thread(target=_feed, args=(process.stdin, data))
        writer.start()
        raw = process.stdout.read(most + 1)
        if len(raw) > most:
            process.kill()
        process.stdout.close()
        writer.join()
    if len(raw) > most or process.returncode != 0:
        raise Malformed("zstd: too long, damaged, or bytes behind its end")
    return raw


def _feed(pipe, data):
    try:
        pipe.write(data)
        pipe.close()
    except OSError:
        pass


def raw_frames(codec, data, raw_size):
    """The uncompressed frames, exactly as many bytes as the signed header says. Raises Malformed, NeedsZstd."""
    if raw_size > MAX_RAW:
        raise Malformed("more than a reader takes")
    if codec == 0:
        raw = data
    elif codec == 1:
        raw = inflate(data, raw_size)
    elif codec == 2:
        raw = _unzstd(data, raw_size)
    else:
        raise Malformed("unknown codec %d" % codec)
    if len(raw) != raw_size:
        raise Malformed("%d bytes of frames where the header says %d" % (len(raw), raw_size))
    return raw


def split(raw):
    """The frames' own bytes. Raises Malformed."""
    view, at, frames = memoryview(raw), 0, []
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        at += 4
        if size == 0 or size > MAX_FRAME or at + size > len(raw):
            raise Malformed("a frame of nothing, of more than 8 MiB, or one that ends behind the chunk")
        frames.append(view[at : at + size])
        at += size
    return frames


class Salts:
    """Salt i: 16 bytes of SHA-512(K || u64(i div 4))."""

    def __init__(self, key):
        self._key = key
        self._group = (-1, b"")

    def of(self, seq):
        group = seq // 4
        if self._group[0] != group:
            self._group = (group, hashlib.sha512(self._key + group.to_bytes(8, "big")).digest())
        at = 16 * (seq % 4)
        return self._group[1][at : at + 16]


class Frame:
    """What verification needs of a frame. Raises Malformed."""

    def __init__(self, data):
        value = unpack(data)
        if not isinstance(value, list) or len(value) != 9:
            raise Malformed("a frame is an array of nine")
        self.value = value
        self.seq, self.at_us, self.dir, channel, kind, self.facts, body, masks, verdict = value
        if not (_count(self.seq) and _count(self.at_us) and self.dir in (0, 1, 2) and type(self.dir) is int):
            raise Malformed("number, time or direction of a frame")
        if not _count(channel) or not isinstance(kind, str) or not isinstance(self.facts, dict):
            raise Malformed("channel, kind or facts of a frame")
        if not all(_is_fact(fact) for fact in self.facts.values()):
            raise Malformed("a fact is null, a boolean, a number, a text or an array of texts")
        if body is not None and (not isinstance(body, bytes) or len(body) > MAX_BODY):
            raise Malformed("body of a frame")
        self.body_size = 0 if body is None else len(body)
        self.spans = _span_count(masks, self.body_size)
        self.act = _act(verdict)
        self.released = self.act not in ("block", "hold")
        self.continues = self.facts.get("part", "first") != "first"

    def fact(self, name):
        """What a fact adds to a sum: a whole number above 0, or nothing."""
        value = self.facts.get(name)
        whole = type(value) is int or (type(value) is float and value.is_integer())
        return int(value) if whole and 0 < value < 2**53 else 0


def _count(value):
    return type(value) is int and value >= 0


def _is_fact(value):
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _span_count(masks, body_size):
    if masks is None:
        return 0
    if not isinstance(masks, list) or len(masks) != 2:
        raise Malformed("masks of a frame")
    labels, spans = masks
    if not isinstance(labels, list) or not isinstance(spans, bytes) or len(spans) % 16:
        raise Malformed("masks of a frame")
    for label in labels:
        if not isinstance(label, list) or len(label) != 2 or not all(isinstance(text, str) for text in label):
            raise Malformed("a label of a mask")
    return len(spans) // 16


def _act(verdict):
    if verdict is None:
        return "allow"
    if not isinstance(verdict, list) or len(verdict) != 4 or verdict[0] not in ("allow", "mask", "block", "hold"):
        raise Malformed("verdict of a frame")
    act, rules, policy, approval = verdict
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules) or not isinstance(policy, str):
        raise Malformed("verdict of a frame")
    if approval is not None and not isinstance(approval, str):
        raise Malformed("verdict of a frame")
    return act
