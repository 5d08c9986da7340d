"""One segment of a tape, record by record. docs/tape-format.md, "Segment", "Recovery" and "Verifying"."""

from chain import Chain, ChunkChecker, check_seal
from frames import inflate
from merkle import sha256
from msgpack import Malformed, same, unpack
from records import MAGIC, MAX_SEGMENT, Damage, Footer, Record, pieces
from statements import HEADER, LATER, RECOVERY, SESSION, NewerVersion, certificate_of, check_members, named_totals, statement_of

MAX_INDEX = 8 * 1024 * 1024
INDEX_MEMBERS = {"v", "segment", "chunks", "density", "summary"}


class Part:
    """What a segment and a recovery have in common: chunks, a seal, an index, a footer."""

    def __init__(self, tape, source, obj, number):
        self.tape = tape
        self.source = source
        self.object = obj
        self.number = number
        self.chain = tape.chain
        self.rows = []
        self.index = None
        self.ended = False

    def say(self, verdict, part, what, **where):
        self.tape.report.add(verdict, part, what, self.object, **where)

    def invalid(self, part, what, **where):
        self.say("INVALID", part, what, **where)

    def magic(self, what):
        """False where the rest is not to be read."""
        data = self.source.read(0, len(MAGIC))
        if data[:5] == MAGIC[:5] and data[6:] == MAGIC[6:] and 0x32 <= data[5] <= 0x39:
            self.newer("magic", "written in version %s of the format, which this verifier does not know" % chr(data[5]), 0)
            return False
        if data != MAGIC:
            self.invalid("magic", "%s does not begin with the tape's magic" % what, offset=0)
        return True

    def newer(self, part, what, offset):
        self.say("UNVERIFIABLE", part, what + "; a newer one can read it", offset=offset)
        if self.tape.chain is not None:
            self.tape.chain.break_()

    def chunk(self, record, recovered):
        if self.chain is not None:
            row = ChunkChecker(self.tape, self.chain, self.say, recovered).check(record)
            if row is not None:
                self.rows.append(row)

    def sealed(self, record):
        if self.chain is not None:
            check_seal(self.tape, self.chain, record, self.say)

    def check_index(self, record):
        """Behind damage the rows cannot agree, and that has been said."""
        try:
            if not record.intact:
                raise Malformed("the index was changed")
            if self.tape.report.verdict() != "INVALID" and self.tape.salts is not None and self.chain is not None:
                if record.payload[:1] != b"\1":
                    raise Malformed("the index is compressed in an unknown way")
                self._compare(unpack(inflate(record.payload[1:], MAX_INDEX)))
        except Malformed as error:
            self.invalid("index", str(error), offset=record.offset)

    def _compare(self, index):
        # Not signed: what is not named has no place in it.
        if not isinstance(index, dict) or set(index) != INDEX_MEMBERS:
            raise Malformed("the index has not just its members")
        if not same([index["v"], index["segment"]], [1, self.number]):
            raise Malformed("the index is that of another segment, or of another version")
        if not same(index["chunks"], self.rows):
            raise Malformed("the index does not describe the chunks of its segment")
        # Where a chunk could not be read for want of a decoder, its frames' times are not known.
        if self.chain.sound and not same(index["density"], self.chain.density.as_map()):
            raise Malformed("the index tells of frames at other times")
        seal = self.chain.seal
        summary = seal and {
            "reason": seal["reason"],
            "chunks": seal["chunks"],
            "root": seal["root"].hex(),
            "endedAt": seal["endedAt"],
            "durationUs": seal["atUs"],
            "totals": named_totals(seal["totals"]),
        }
        if not same(index["summary"], summary):
            raise Malformed("the index's summary is not the seal's")

    def footer(self, footer):
        self.ended = True
        wrong = []
        if self.index is None:
            wrong.append("a footer without an index")
        elif footer.check != sha256(footer.first, self.index.check):
            wrong.append("the footer was changed, or is another index's")
        else:
            if footer.index != self.index.offset:
                wrong.append("the footer points to another place than the index")
            if footer.segment != self.number:
                wrong.append("the footer is that of segment %d" % footer.segment)
            if footer.last != (0 if self.chain is None or self.chain.seal is None else 1):
                wrong.append("the footer says that the tape ends here, without a seal, or does not say that it does")
            if footer.size != self.source.size:
                wrong.append("the object has %d bytes, its footer says %d" % (self.source.size, footer.size))
        for what in wrong:
            self.invalid("footer", what, offset=footer.offset)


class Segment(Part):
    """`last`: none follows. `recovery`: a recovery's statement, which says where a crash cut the tape, or None."""

    def __init__(self, tape, source, obj, number, last, recovery):
        super().__init__(tape, source, obj, number)
        self.last = last
        self.begun = False
        self.cut_at = None
        if recovery is not None and number >= recovery["segment"]:
            self.cut_at = recovery["offset"] if number == recovery["segment"] else 0

    def verify(self, sidecar):
        if self.chain is not None and self.chain.seal is not None:
            self.invalid("segment", "a segment follows the sealed end")
        size = self.source.size
        if size < len(MAGIC) and self.cut_at is not None:
            self.say("VALID-INCOMPLETE", "end", "%d bytes were cut off by the crash" % size, offset=0)
        elif size < len(MAGIC):
            self._torn(Damage(0, size, cut=True))
        elif self.magic("the segment"):
            self._read(min(size, MAX_SEGMENT))
        if sidecar is not None:
            self.tape.read(sidecar, self._sidecar)

    def _read(self, end):
        for piece in pieces(self.source, len(MAGIC), end, self.source.size):
            self.tape.progress(piece.end - piece.offset)
            if self.cut_at is not None and piece.offset >= self.cut_at:
                what = "%d bytes were cut off by the crash" % (self.source.size - piece.offset)
                self.say("VALID-INCOMPLETE", "end", what, offset=piece.offset)
                return
            if self.ended:
                self.invalid("end", "%d bytes stand behind the end" % (self.source.size - piece.offset), offset=piece.offset)
                return
            if isinstance(piece, Footer):
                self.footer(piece)
            elif isinstance(piece, Record):
                self._record(piece)
            elif piece.cut:
                self._torn(piece)
                return
            else:
                what = "%d bytes are not a record" % (piece.end - piece.offset)
                self.invalid("record", what, offset=piece.offset, **self._next())
                if self.chain is not None:
                    self.chain.break_()
        if end < self.source.size:
            what = "the object has %d bytes, a segment at most %d; nothing behind them was read" % (self.source.size, end)
            self.invalid("segment", what, offset=end)
            if self.chain is not None:
                self.chain.break_()
        else:
            self._end()

    def _next(self):
        return {} if self.chain is None else {"chunk": self.chain.n}

    def _record(self, record):
        if self.index is not None:
            self.invalid("order", "a %s record stands behind the index" % record.type, offset=record.offset)
        if record.type == "header" and not self.begun:
            self.begun = True
            self._header(record)
        elif record.type == "chunk":
            self.chunk(record, False)
        elif record.type == "seal":
            self.sealed(record)
        elif record.type == "index":
            self.index = record
            self.check_index(record)
        else:
            self.invalid("order", "a %s record has no place here" % record.type, offset=record.offset)

    def _torn(self, piece):
        what = "the segment ends inside a record, %d bytes into it" % (piece.end - piece.offset)
        if self.last:
            what += ": cut by a crash or by somebody"
            self.say("VALID-INCOMPLETE", "end", what, offset=piece.offset, **self._next())
        else:
            self.invalid("end", what + ", and another segment follows", offset=piece.offset)
        if self.chain is None:
            self._no_header()
        elif self.last:
            self._unsealed(piece.offset)

    def _unsealed(self, offset):
        if self.chain.seal is None:
            what = "the tape has no seal: being recorded, crashed, or cut"
            self.say("VALID-INCOMPLETE", "end", what, offset=offset, chunk=self.chain.n)

    def _no_header(self):
        self.say("UNVERIFIABLE", "header", "the segment has no header that could be checked")

    def _end(self):
        if self.chain is None:
            self._no_header()
        elif not self.last:
            if not self.ended:
                self.invalid("end", "the segment has no end, and another follows", offset=self.source.size)
        elif self.chain.seal is None:
            self._unsealed(self.source.size)
        elif not self.ended:
            what = "the tape is sealed, but its index or footer is missing"
            self.say("VALID-INCOMPLETE", "footer", what, offset=self.source.size)

    def _header(self, record):
        before = self.tape.report.count
        try:
            value = unpack(record.payload)
            if not isinstance(value, list) or len(value) not in (1, 2) or not isinstance(value[0], bytes):
                raise Malformed("a header is its statement and its certificate")
            if self.number == 0:
                self._first(value, record.offset)
            else:
                self._later(value, record.offset)
            # A key that is not trusted says nothing about the check.
            if not record.intact and not any(
                problem["verdict"] == "INVALID" for problem in self.tape.report.problems[before:]
            ):
                self.invalid("header", "the stored check of the header was changed", offset=record.offset)
        except Malformed as error:
            self.invalid("header", str(error), offset=record.offset)
            if self.chain is not None:
                self.chain.break_()
        except NewerVersion as error:
            self.newer("header", str(error), record.offset)

    def _first(self, value, offset):
        statement = statement_of(value[0], HEADER)
        if statement["segment"] != 0:
            raise Malformed("the header is that of segment %d" % statement["segment"])
        tape, session = self.tape, statement["session"]
        check_members(session, SESSION)
        if not isinstance(statement.get("checkpoint", ""), (bytes, type(None))):
            raise Malformed("a statement whose checkpoint is of the wrong type")
        certificate = certificate_of(value)
        if certificate is not None:
            tape.signer = dict(zip(("gateway", "algorithm", "keyId"), certificate))
        tape.certificate("header", value[0], certificate, self.object)
        if session["id"] != tape.session:
            self.invalid("header", "the tape is that of %s" % session["id"], offset=offset)
        tape.durability, tape.loss_window = session["durability"], statement["lossWindow"]
        tape.read_salt(statement["salt"])
        if tape.watch is not None:
            tape.watch.on_header(sha256(value[0]), statement.get("checkpoint"))
        tape.chain = self.chain = Chain(statement["epoch"], sha256(value[0]), 0, 0)

    def _later(self, value, offset):
        data, chain = value[0], self.chain
        statement = statement_of(data, LATER)
        if len(value) != 1:
            raise Malformed("a later header has no certificate")
        follows = (statement["chunk"], statement["seq"], statement["prev"]) == (chain.n, chain.seq, chain.head)
        if chain.lost:
            chain.n, chain.seq, chain.lost, follows = statement["chunk"], statement["seq"], False, True
        if not follows or statement["id"] != self.tape.session or statement["segment"] != self.number:
            self.invalid("header", "the segment does not follow the one before it", offset=offset)
        chain.head = sha256(data)

    def _sidecar(self, tape, source, obj):
        own, self.object = self.object, obj
        found = list(pieces(source, 0, min(source.size, MAX_SEGMENT), source.size))
        if len(found) != 1 or not isinstance(found[0], Record) or found[0].type != "index":
            self.invalid("index", "the object is not one index record", offset=0)
        else:
            self.check_index(found[0])
        self.object = own


def recovery_of(tape, source, obj):
    """A recovery's statement, where it is whole and signed by a trusted gateway: only then may it say where the tape was cut."""
    part = Part(tape, source, obj, 0)
    record = next(pieces(source, len(MAGIC), min(source.size, MAX_SEGMENT), source.size), None)
    try:
        if not isinstance(record, Record) or record.type != "recovery" or not record.intact:
            raise Malformed("the recovery statement was changed")
        value = unpack(record.payload)
        if not isinstance(value, list) or len(value) not in (1, 2) or not isinstance(value[0], bytes):
            raise Malformed("a recovery is its statement and its certificate")
        statement = statement_of(value[0], RECOVERY)
        if not tape.certificate("recovery", value[0], certificate_of(value), obj):
            return None
        if statement["id"] == tape.session:
            tape.recovered_by = statement["gateway"]
            return statement
        part.invalid("recovery", "the recovery is that of %s" % statement["id"], offset=record.offset)
    except Malformed as error:
        part.invalid("recovery", str(error), offset=len(MAGIC))
    except NewerVersion as error:
        part.newer("header", str(error), len(MAGIC))
    return None


class Recovery(Part):
    """What a recovery brought: laid out like a last segment, with a chain of its own."""

    def __init__(self, tape, source, obj, statement):
        super().__init__(tape, source, obj, 0)
        self.statement = statement
        self.chain = None

    def verify(self):
        self._compare_with_tape()
        self.magic("the recovery")
        for piece in pieces(self.source, len(MAGIC), min(self.source.size, MAX_SEGMENT), self.source.size):
            self.tape.progress(piece.end - piece.offset)
            if self.ended:
                self.invalid("end", "bytes stand behind the end", offset=piece.offset)
            elif isinstance(piece, Footer):
                self.footer(piece)
            elif isinstance(piece, Record):
                self._record(piece)
            else:
                self.invalid("recovery", "the recovery is damaged or cut", offset=piece.offset)
                if self.chain is not None:
                    self.chain.break_()
        self._end()

    def _compare_with_tape(self):
        main, statement = self.tape.chain, self.statement
        if main.seal is not None:
            self.invalid("recovery", "a sealed tape has nothing to recover")
        fits = (statement["chunks"], statement["frames"], statement["head"]) == (main.n, main.seq, main.head)
        if not fits and not main.lost:
            what = "at the recovery the tape had %d frames, now it has %d" % (statement["frames"], main.seq)
            missing = [main.seq, statement["frames"] - 1] if statement["frames"] > main.seq else None
            self.invalid("recovery", what, frames=missing)

    def _record(self, record):
        if record.type == "recovery" and self.chain is None:
            statement = self.statement
            head = sha256(unpack(record.payload)[0])
            self.chain = self.tape.brought = Chain(statement["epoch"], head, statement["chunks"], statement["frames"])
        elif record.type == "chunk":
            self.chunk(record, True)
        elif record.type == "seal":
            self.sealed(record)
        elif record.type == "index" and self.index is None:
            self.index = record
            self.check_index(record)
        else:
            self.invalid("order", "a %s record has no place here" % record.type, offset=record.offset)

    def _end(self):
        statement, chain = self.statement, self.chain
        if not self.ended or chain is None or chain.seal is None:
            self.invalid("recovery", "the recovery has no end")
        if chain is not None and chain.seq != statement["frames"] + statement["recovered"]:
            what = "the recovery has %d frames, its statement says %d"
            self.invalid("recovery", what % (chain.seq - statement["frames"], statement["recovered"]))
        what = "the gateway's process ended without sealing; %d frames are attested by recovery only"
        self.say("VALID-INCOMPLETE", "recovery", what % statement["recovered"])
        if chain is not None and chain.good:
            first = statement["frames"]
            self.tape.recovered = {
                "first": first,
                "last": first + chain.good - 1,
                "by": statement["gateway"],
                "at": statement["recoveredAt"],
            }
