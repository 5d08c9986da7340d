"""From one chunk to the next, and to the seal. docs/tape-format.md, "Chunk", "Seal" and "Verifying"."""

from chunks import Chunk, Density, Totals, signed
from frames import Frame, NeedsZstd, raw_frames, split
from merkle import Tree, leaf_hash
from msgpack import Malformed, unpack
from signatures import verify_raw_ed25519
from statements import SEAL, TOTALS, VERDICTS, NewerVersion, check_members, named_totals, statement_of

RECOVERED = 2
NEED_ZSTD = (
    "the frames are compressed with zstd: install the zstd command, use Python 3.14, or compress the tape with gzip; "
    "until then nothing can be said of them"
)


class Chain:
    """What the next chunk must say."""

    def __init__(self, key, head, n, seq):
        self.key = key  # None behind damage: of the next chunk nobody knows who must have signed it
        self.head = head
        self.head_in_doubt = False  # of a part found changed: the next `prev` cannot fit, and that has been said
        self.n = n
        self.seq = seq
        self.at_us = 0
        self.attested = True  # False behind a break, to the end
        self.sound = True  # False where a chunk was wrong: sums over all then need no second word
        self.lost = False  # chunks may be missing that could not be read
        self.seal = None
        self.good = 0
        self.tree = Tree()
        self.totals = Totals()
        self.density = Density()

    def lose(self):
        """What stood here cannot be read: what comes next is taken up where it says it begins."""
        self.break_()
        self.lost = True

    def break_(self):
        self.key = None
        self.head_in_doubt = True
        self.attested = self.sound = False


class ChunkChecker:
    """One chunk against the chain. `say(verdict, part, what, **where)` reports a problem of the object that is read."""

    def __init__(self, tape, chain, say, recovered):
        self.tape = tape
        self.chain = chain
        self.recovered = recovered
        self._say = say
        self.said = False

    def say(self, part, what, verdict="INVALID", **where):
        self.said = True
        self._say(verdict, part, what, **where)

    def check(self, record):
        """The chunk's row for the index; None where not even its header can be read."""
        chain = self.chain
        try:
            chunk = Chunk(record.payload)
        except Malformed as error:
            self.say("chunk-header", str(error), chunk=chain.n, offset=record.offset)
            chain.break_()
            return None
        header = chunk.header
        at = {"chunk": header.n, "offset": record.offset}
        where = dict(at, frames=[header.first_seq, header.last_seq]) if header.count else at
        is_signed = chain.key is not None and verify_raw_ed25519(
            chain.key, signed(b"chunk", chunk.header_bytes), chunk.signature
        )
        if chain.key is not None and not is_signed:
            self.say("signature", "the chunk is not signed by the key its predecessor names", **where)
        self._order(header, at, where)
        good = header.count if self._frames(chunk, at, where) else 0
        if not record.intact and not self.said:
            self.say("checksum", "the stored check or codec of the chunk was changed; its frames are unchanged", **where)
        if self.said:
            chain.sound = False
        self._go_on(chunk, is_signed, good)
        return header.row(record)

    def _order(self, header, at, where):
        chain = self.chain
        if chain.seal is not None:
            self.say("order", "a chunk stands behind the seal", **where)
        if header.n > chain.n:
            what = "chunks %d to %d are missing" % (chain.n, header.n - 1)
            missing = dict(at, frames=[chain.seq, header.first_seq - 1]) if header.first_seq > chain.seq else where
            self.say("order", what, **missing)
        elif header.n < chain.n:
            self.say("order", "chunk %d stands where %d should" % (header.n, chain.n), **where)
        elif header.first_seq != chain.seq:
            self.say("order", "the chunk begins with frame %d, not %d" % (header.first_seq, chain.seq), **where)
        if not chain.head_in_doubt and header.prev != chain.head:
            self.say("order", "the chunk does not follow the one before it", **where)
        if header.first_us < chain.at_us:
            self.say("order", "the chunk is older than the one before it", **where)

    def _go_on(self, chunk, is_signed, good):
        chain, tape, header = self.chain, self.tape, chunk.header
        chain.attested = chain.attested and is_signed
        chain.tree.add(leaf_hash(chunk.header_bytes))
        tape.chunks += 1
        tape.frames += good
        if not chain.attested:
            tape.unattested += good
        elif good:
            tape.last_good = {"frame": header.last_seq, "atUs": header.last_us, "chunk": header.n}
        chain.good += good
        chain.n, chain.seq, chain.at_us = header.n + 1, header.first_seq + header.count, header.last_us
        if tape.watch is not None:
            tape.watch.on_chunk(header.n, chunk.head, self.recovered)
        chain.head, chain.head_in_doubt = chunk.head, chain.key is not None and not is_signed
        chain.key = header.next_key

    def _frames(self, chunk, at, where):
        """True where every frame is the one that was signed."""
        header, salts = chunk.header, self.tape.salts
        if salts is None:
            return False
        try:
            frames = split(raw_frames(chunk.codec, chunk.data, header.raw_size))
            if len(frames) != header.count:
                raise Malformed("the chunk has %d frames, its header says %d" % (len(frames), header.count))
        except NeedsZstd:
            self.say("frames", NEED_ZSTD, "UNVERIFIABLE", **where)
            return False
        except Malformed as error:
            self.say("frames", str(error), **where)
            return False
        if not self._leaves(chunk, frames, at, where):
            return False
        return self._contents(header, frames, at, where)

    def _leaves(self, chunk, frames, at, where):
        header, salts = chunk.header, self.tape.salts
        tree, unlike = Tree(), None
        for place, frame in enumerate(frames):
            leaf = leaf_hash(salts.of(header.first_seq + place), frame)
            if unlike is None and leaf[:2] != chunk.marks[2 * place : 2 * place + 2]:
                unlike = header.first_seq + place
            tree.add(leaf)
        if tree.root() == header.root:
            if unlike is not None:
                self.say("marks", "the marks beside the frames were changed; the frames are unchanged", **at)
            return True
        if unlike is None:
            self.say("frames", "the frames are not the ones that were signed", **where)
        else:
            self.say("frames", "the frame is not the one that was signed", frame=unlike, **at)
        return False

    def _contents(self, header, frames, at, where):
        chain, totals, last_us, size = self.chain, Totals(), header.first_us, 0
        for place, data in enumerate(frames):
            seq = header.first_seq + place
            try:
                frame = Frame(data)
                if frame.seq != seq:
                    raise Malformed("frame %d says it is %d" % (seq, frame.seq))
                if not last_us <= frame.at_us <= header.last_us:
                    raise Malformed("frame %d is out of its chunk's time" % seq)
            except Malformed as error:
                self.say("frames", str(error), frame=seq, **at)
                return False
            last_us = frame.at_us
            size += frame.body_size
            totals.add(frame)
            chain.density.add(frame.at_us)
        chain.totals.add_all(totals)
        if (totals.values["rows"], size, totals.values["statements"]) != (header.rows, header.bytes, header.statements):
            self.say("chunk-header", "the header's sums are not those of its frames", **where)
        if bool(header.flags & RECOVERED) != self.recovered:
            self.say("chunk-header", "a recovered chunk and a recorded one changed places", **where)
        return True


def check_seal(tape, chain, record, say):
    """Takes the seal into the chain, where it can be read."""
    if chain.seal is not None:
        say("INVALID", "seal", "a second seal", offset=record.offset)
    try:
        value = unpack(record.payload)
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(item, bytes) for item in value):
            raise Malformed("a seal is a statement and a signature")
        seal = statement_of(value[0], SEAL)
        check_members(seal["totals"], TOTALS)
        check_members(seal["totals"]["verdicts"], VERDICTS)
    except Malformed as error:
        say("INVALID", "seal", str(error), offset=record.offset)
        chain.break_()
        return
    except NewerVersion as error:
        say("UNVERIFIABLE", "seal", str(error), offset=record.offset)
        chain.break_()
        return
    wrong = []
    if chain.key is None or not verify_raw_ed25519(chain.key, signed(b"seal", value[0]), value[1]):
        wrong.append("the seal is not signed by the key the last chunk names")
    elif not record.intact:
        wrong.append("the stored check of the seal was changed; the seal is unchanged")
    chain.seal = seal
    if seal["id"] != tape.session:
        wrong.append("the seal is that of %s" % seal["id"])
    if chain.sound:
        if seal["chunks"] != chain.tree.size:
            wrong.append("the seal tells of %d chunks, the tape has %d" % (seal["chunks"], chain.tree.size))
        if seal["root"] != chain.tree.root():
            wrong.append("the seal's root is not that of the chunks")
        if seal["head"] != chain.head:
            wrong.append("the seal does not follow the last chunk")
        if tape.salts is not None and named_totals(seal["totals"]) != chain.totals.as_map():
            wrong.append("the seal's totals are not those of the frames")
    for what in wrong:
        say("INVALID", "seal", what, offset=record.offset)
