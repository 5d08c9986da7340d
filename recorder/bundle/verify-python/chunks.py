"""The signed header of a chunk, and what is summed over frames. docs/tape-format.md, "Chunk" and "Seal"."""

from frames import IN, OUT
from merkle import sha256
from msgpack import Malformed, unpack


def signed(kind, data):
    """The bytes a signature is over."""
    return b"sallyport tape v1 " + kind + b"\0" + data


class Totals:
    """Sums over frames, as a seal has them."""

    def __init__(self):
        self.values = {"frames": 0, "bytesIn": 0, "bytesOut": 0, "rows": 0, "statements": 0, "masked": 0}
        self.verdicts = {"allow": 0, "mask": 0, "block": 0, "hold": 0}

    def add(self, frame):
        values = self.values
        values["frames"] += 1
        values["masked"] += frame.spans
        if frame.dir == IN:
            values["bytesIn"] += frame.body_size
            values["statements"] += frame.fact("statements")
        elif frame.dir == OUT:
            values["bytesOut"] += frame.body_size
            if frame.released:  # a result that was cut counts as far as the client got it
                values["rows"] += frame.fact("rows")
        if frame.dir in (IN, OUT) and not frame.continues:
            self.verdicts[frame.act] += 1

    def add_all(self, other):
        for name in self.values:
            self.values[name] += other.values[name]
        for name in self.verdicts:
            self.verdicts[name] += other.verdicts[name]

    def as_map(self):
        return dict(self.values, verdicts=self.verdicts)


class ChunkHeader:
    """The signed array of thirteen. Raises Malformed."""

    FIELDS = ("n", "first_seq", "count", "first_us", "last_us", "prev", "root", "raw_size", "rows", "bytes", "statements", "flags")

    def __init__(self, data):
        value = unpack(data)
        if not isinstance(value, list) or len(value) != 13:
            raise Malformed("a chunk's header is an array of thirteen")
        for name, item in zip(self.FIELDS, value):
            setattr(self, name, item)
        self.next_key = value[12]
        for name in self.FIELDS:
            if name not in ("prev", "root") and not (type(getattr(self, name)) is int and getattr(self, name) >= 0):
                raise Malformed("a chunk's header: " + name)
        if not all(isinstance(item, bytes) and len(item) == 32 for item in (self.prev, self.root, self.next_key)):
            raise Malformed("a chunk's header: prev, root or nextKey")
        self.last_seq = self.first_seq + self.count - 1

    def row(self, record):
        return [record.offset, record.size] + [
            getattr(self, name) for name in self.FIELDS if name not in ("prev", "root")
        ]


class Chunk:
    """The parts of a chunk's payload. Raises Malformed."""

    def __init__(self, payload):
        size = int.from_bytes(payload[:4], "big")
        at = 4 + size
        if len(payload) < at + 65:
            raise Malformed("a chunk ends inside its header")
        self.header_bytes = payload[4:at]
        self.signature = payload[at : at + 64]
        self.codec = payload[at + 64]
        if self.codec not in (0, 1, 2):
            raise Malformed("codec %d is unknown" % self.codec)
        self.header = ChunkHeader(self.header_bytes)
        at += 65
        self.marks = payload[at : at + 2 * self.header.count]
        if len(self.marks) != 2 * self.header.count:
            raise Malformed("a chunk ends inside its marks")
        self.data = payload[at + 2 * self.header.count :]
        self.head = sha256(self.header_bytes, self.signature)


class Density:
    """How many frames fell into each bin: bins of 1,024 us, twice as wide whenever there would be more than 1,024."""

    def __init__(self):
        self.bin_us = 1024
        self.counts = []

    def add(self, at_us):
        while at_us // self.bin_us >= 1024:
            counts = self.counts + [0] * (len(self.counts) % 2)
            self.counts = [counts[place] + counts[place + 1] for place in range(0, len(counts), 2)]
            self.bin_us *= 2
        place = at_us // self.bin_us
        self.counts.extend([0] * (place + 1 - len(self.counts)))
        self.counts[place] += 1

    def as_map(self):
        return {"binUs": self.bin_us, "counts": self.counts}
