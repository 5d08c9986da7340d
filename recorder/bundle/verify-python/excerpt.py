"""Some frames of a tape, with what proves them. docs/tape-format.md, "Excerpt"."""

import base64
import binascii
import bisect
import json
import os

from chunks import ChunkHeader, signed
from frames import Frame
from ledger import is_deep
from merkle import Tree, leaf_hash, root_of_path, sha256
from msgpack import Malformed
from report import EXITS, MAX_PROBLEMS, Report
from signatures import verify_raw_ed25519
from statements import HEADER, LATER, MAX_VERSION, RECOVERY, SEAL, SESSION, TOTALS, VERDICTS, NewerVersion, check_members, statement_of

ENDING = ".excerpt.json"
HEAD = b'{"format": "sallyport excerpt"'
MAX_SIZE = 256 * 1024 * 1024
MAX_PATH = 24
MAX_DIGITS = 16


def is_excerpt(path):
    """By its name, or by how it begins where it was renamed."""
    if path.endswith(ENDING):
        return True
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(HEAD)) == HEAD
    except OSError:
        return False  # said by whoever reads on


def _b64(value, size=None):
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Malformed("base64 was expected") from None
    if base64.b64encode(data).decode() != value:
        raise Malformed("base64 was expected")
    if size is not None and len(data) != size:
        raise Malformed("%d bytes were expected" % size)
    return data


def _need(condition, what="its members are not those of an excerpt"):
    if not condition:
        raise Malformed("the excerpt cannot be read: " + what)


def _count(value):
    _need(type(value) is int and 0 <= value < 2**53)
    return value


def _certificate(value):
    if value is None:
        return None
    _need(isinstance(value, list) and len(value) == 4 and all(isinstance(item, str) for item in value))
    return value[:3] + [_b64(value[3])]


def _no_number(_):
    raise ValueError("a number that is not whole")


def _whole(digits):
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


class Excerpt:
    """The file's members, decoded; nothing is checked that is signed. Raises Malformed, NewerVersion."""

    def __init__(self, data):
        try:
            text = data.decode()
            # Of the text: of a member that is there twice only one is left in the value.
            _need(not is_deep(text), "it is nested too deep")
            value = json.loads(text, parse_float=_no_number, parse_constant=_no_number, parse_int=_whole)
        except (ValueError, RecursionError):
            raise Malformed("the excerpt cannot be read: it is not JSON") from None
        _need(isinstance(value, dict) and value.get("format") == "sallyport excerpt", "it is no excerpt")
        version = _count(value.get("v"))
        if 1 < version <= MAX_VERSION:
            raise NewerVersion(version)
        _need(version == 1)
        self.session, header = value.get("session"), value.get("header")
        _need(isinstance(self.session, str) and isinstance(header, dict))
        self.header, self.certificate = _b64(header.get("statement")), _certificate(header.get("certificate"))
        for name in ("chain", "disclosed", "frames"):
            _need(isinstance(value.get(name), list))
        self.chain = [self._link(link) for link in value["chain"]]
        self.disclosed = value["disclosed"]
        for run in self.disclosed:
            _need(isinstance(run, list) and len(run) == 2)
            _count(run[0]), _count(run[1])
        self.frames = [self._frame(frame) for frame in value["frames"]]

    @staticmethod
    def _link(link):
        _need(isinstance(link, dict))
        if "segment" in link:
            return "segment", _b64(link["segment"]), None
        for kind in ("chunk", "seal"):
            if kind in link:
                return kind, _b64(link[kind]), _b64(link.get("signature"))
        _need("recovery" in link, "a link of the chain is of no kind")
        return "recovery", _b64(link["recovery"]), _certificate(link.get("certificate"))

    @staticmethod
    def _frame(frame):
        _need(isinstance(frame, dict) and isinstance(frame.get("path"), list) and len(frame["path"]) <= MAX_PATH)
        path = [_b64(item, 32) for item in frame["path"]]
        return _count(frame.get("seq")), _b64(frame.get("salt"), 16), _b64(frame.get("frame")), path


class ExcerptVerifier:
    def __init__(self, data, obj, keys):
        self.data, self.object, self.keys = data, obj, keys
        self.report = Report()
        self.session = ""
        self.header = self.signer = self.recovery = self.seal = None
        self.disclosed = []
        self.chunks, self.first_seqs = [], []
        self.tree = Tree()
        self.n = self.seq = self.last_us = self.good = 0
        self.key = self.head = None

    def say(self, verdict, part, what, **where):
        self.report.add(verdict, part, what, self.object, **where)

    def invalid(self, part, what, **where):
        self.say("INVALID", part, what, **where)

    def verify(self):
        try:
            excerpt = Excerpt(self.data)
            self.session, self.disclosed = excerpt.session, excerpt.disclosed
            self._begin(excerpt)
        except NewerVersion as error:
            self.say("UNVERIFIABLE", "header", str(error))
            return self._result()
        except Malformed as error:
            self.invalid("header", str(error))
            return self._result()
        for link in excerpt.chain:
            self._link(*link)
        if self.seal is None and self.recovery is None:
            self.say("VALID-INCOMPLETE", "end", "the tape has no seal: being recorded, crashed, or cut")
        self._frames(excerpt)
        return self._result()

    def _begin(self, excerpt):
        header = statement_of(excerpt.header, HEADER)
        session = header["session"]
        check_members(session, SESSION)
        if header["segment"] != 0:
            raise Malformed("the header is that of a later segment")
        self.header = header
        if excerpt.certificate is not None:
            self.signer = dict(zip(("gateway", "algorithm", "keyId"), excerpt.certificate))
        self._certificate(b"header", excerpt.header, excerpt.certificate)
        if session["id"] != excerpt.session:
            self.invalid("header", "the tape is that of %s" % session["id"])
        self.key, self.head = header["epoch"], sha256(excerpt.header)

    def _certificate(self, kind, statement, certificate):
        if certificate is None:
            self.say("UNVERIFIABLE", "certificate", "no gateway has signed this tape")
            return
        gateway, algorithm, key_id, signature = certificate
        found = [key for key in self.keys if (key.gateway, key.key_id) == (gateway, key_id)]
        if not found:
            self.say("UNVERIFIABLE", "certificate", "key %s of gateway %s is not among the trusted ones" % (key_id, gateway))
        elif found[0].algorithm != algorithm or not found[0].verify(signed(kind, statement), signature):
            self.invalid("certificate", "the signature is not by key %s of gateway %s" % (key_id, gateway))

    def _link(self, kind, statement, proof):
        part = {"segment": "header", "chunk": "chunk-header"}.get(kind, kind)
        if self.seal is not None:
            self.invalid("order", "something stands behind the seal")
        try:
            getattr(self, "_" + kind)(statement, proof)
        except (Malformed, NewerVersion) as error:
            self.invalid(part, str(error))

    def _segment(self, statement, _):
        later = statement_of(statement, LATER)
        said = (later["id"], later["chunk"], later["seq"], later["prev"])
        if later["segment"] == 0 or said != (self.session, self.n, self.seq, self.head):
            self.invalid("header", "the segment does not follow the one before it")
        self.head = sha256(statement)

    def _chunk(self, data, signature):
        header = ChunkHeader(data)
        where = {"chunk": header.n}
        if header.count:
            where["frames"] = [header.first_seq, header.last_seq]
        if not verify_raw_ed25519(self.key, signed(b"chunk", data), signature):
            self.invalid("signature", "the chunk is not signed by the key its predecessor names", **where)
        if (header.n, header.first_seq, header.prev) != (self.n, self.seq, self.head):
            self.invalid("order", "the chunk does not follow the one before it", **where)
        if header.first_us < self.last_us or header.last_us < header.first_us:
            self.invalid("order", "the chunk is older than the one before it", **where)
        self.chunks.append(header)
        self.first_seqs.append(header.first_seq)
        self.tree.add(leaf_hash(data))
        self.n, self.seq, self.last_us = header.n + 1, header.first_seq + header.count, header.last_us
        self.key, self.head = header.next_key, sha256(data, signature)

    def _recovery(self, statement, certificate):
        recovery = statement_of(statement, RECOVERY)
        self._certificate(b"recovery", statement, certificate)
        said = (recovery["id"], recovery["chunks"], recovery["frames"], recovery["head"])
        if self.recovery is not None or said != (self.session, self.n, self.seq, self.head):
            self.invalid("recovery", "the recovery does not follow the tape")
        self.recovery = recovery
        self.key, self.head, self.tree = recovery["epoch"], sha256(statement), Tree()
        what = "frames from %d on are attested by recovery only" % recovery["frames"]
        self.say("VALID-INCOMPLETE", "recovery", what)

    def _seal(self, statement, signature):
        seal = statement_of(statement, SEAL)
        check_members(seal["totals"], TOTALS)
        check_members(seal["totals"]["verdicts"], VERDICTS)
        if not verify_raw_ed25519(self.key, signed(b"seal", statement), signature):
            self.invalid("seal", "the seal is not signed by the key the last chunk names")
        said = (seal["id"], seal["chunks"], seal["root"], seal["head"])
        if said != (self.session, self.tree.size, self.tree.root(), self.head):
            self.invalid("seal", "the seal is not that of these chunks")
        self.seal = seal

    def _frames(self, excerpt):
        frames, at, before = excerpt.frames, 0, -1
        for first, last in excerpt.disclosed:
            if first <= before or last < first:
                self.invalid("frames", "the runs of disclosed frames are not in order", frames=[first, last])
            before, following = last, first
            while at < len(frames) and frames[at][0] <= last:
                seq = frames[at][0]
                if seq < following:
                    self.invalid("frames", "the frame is not among those disclosed, or stands twice", frame=seq)
                else:
                    self._missing(following, seq - 1)
                    following = seq + 1
                    self.good += self._frame(*frames[at])
                at += 1
            self._missing(following, last)
        for seq, _, _, _ in frames[at:]:
            self.invalid("frames", "the frame is not among those disclosed", frame=seq)

    def _missing(self, first, last):
        if first <= last:
            self.invalid("frames", "frames that are said to be disclosed are missing", frames=[first, last])

    def _frame(self, seq, salt, data, path):
        # By halves: a file may have as many frames as chunks. Where the chain is not in order, that has been said.
        place = bisect.bisect_right(self.first_seqs, seq) - 1
        chunk = self.chunks[place] if place >= 0 else None
        if chunk is None or seq >= chunk.first_seq + chunk.count:
            self.invalid("frames", "the tape has no such frame", frame=seq)
            return False
        root = root_of_path(seq - chunk.first_seq, chunk.count, leaf_hash(salt, data), path)
        what = None
        if root != chunk.root:
            what = "the frame is not the one that was signed"
        else:
            try:
                frame = Frame(data)
                if frame.seq != seq:
                    what = "frame %d says it is %d" % (seq, frame.seq)
                elif not chunk.first_us <= frame.at_us <= chunk.last_us:
                    what = "frame %d is out of its chunk's time" % seq
            except Malformed as error:
                what = str(error)
        if what is not None:
            self.invalid("frames", what, chunk=chunk.n, frame=seq)
        return what is None

    def _result(self):
        verdict, recovery = self.report.verdict(), self.recovery
        if self.header is None:
            state = "unreadable"
        elif recovery is not None:
            state = "recovered"
        else:
            state = "open" if self.seal is None else "sealed"
        recovered = None
        if recovery is not None and self.seq > recovery["frames"]:
            recovered = {
                "first": recovery["frames"], "last": self.seq - 1,
                "by": recovery["gateway"], "at": recovery["recoveredAt"],
            }
        return {
            "session": self.session, "verdict": verdict, "exit": EXITS[verdict], "state": state,
            "frames": self.good, "chunks": len(self.chunks), "recovered": recovered, "unattested": 0, "lastGood": None,
            "durability": self.header and self.header["session"]["durability"],
            "lossWindow": self.header and self.header["lossWindow"],
            "signer": self.signer, "root": self.seal and self.seal["root"].hex(),
            "excerpt": {"disclosed": self.disclosed, "hidden": self.seq - self.good},
            "problems": self.report.problems[:MAX_PROBLEMS], "problemCount": self.report.count,
        }
