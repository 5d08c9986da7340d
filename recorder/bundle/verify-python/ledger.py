"""The ledger from its first line to its last: signatures, numbers, the tree against every checkpoint. docs/ledger-format.md."""

import json
import os
import re
from datetime import datetime, timezone

from facts import Facts, is_count
from merkle import Tree, leaf_hash
from msgpack import Malformed
from notes import Checkpoint, MAX_NOTE, base64_bytes
from records import files_below, in_order, is_folder, is_regular
from report import EXITS, Report

MAX_LINE = 65535
# Writers end an object of the sequence at 64 MiB; behind this nothing is read, so that a huge one costs seconds.
MAX_OBJECT = 80 * 1024 * 1024
SEQUENCE_NUMBER = re.compile(r"ledger/seq/[0-9]{4,}")
WINDOW = 1024 * 1024
WRITER = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
MAX_NESTING = 16
STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
END_OF_LINE = re.compile(rb',"([0-9a-f]{16})","([A-Za-z0-9+/]+={0,2})"\]')


def sequence_key(number):
    return "ledger/seq/%04d" % number


def checkpoint_number(path):
    """The number of `x001/x234/067`; None where it is none."""
    if not re.fullmatch(r"(x[0-9]{3}/)*[0-9]{3}", path):
        return None
    number = int(re.sub("[x/]", "", path))
    return number if number < 2**53 and checkpoint_path(number) == path else None


def checkpoint_path(number):
    path, number = "%03d" % (number % 1000), number // 1000
    while number:
        path, number = "x%03d/%s" % (number % 1000, path), number // 1000
    return path


def milliseconds(text):
    """Since 1970; None for what is no time."""
    if not isinstance(text, str) or not TIME.fullmatch(text):
        return None
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    try:
        return int(datetime.strptime(text, form).replace(tzinfo=timezone.utc).timestamp() * 1000)
    except ValueError:
        return None


class Entry:
    """A line `[statement,"key","signature"]` with exactly these bytes around the statement. Raises Malformed."""

    def __init__(self, line):
        tail = line.rfind(b',"', 0, max(0, line.rfind(b',"')))
        match = END_OF_LINE.fullmatch(line, tail) if tail > 0 else None
        try:
            text = line.decode("utf-8")
            if is_deep(text):
                raise ValueError("nested deeper than an entry may be")
            value = json.loads(text, parse_constant=_no_constant, parse_int=_integer)
        except (ValueError, RecursionError):
            raise Malformed("not an entry") from None
        if match is None or not line.startswith(b"[{") or not isinstance(value, list) or len(value) != 3:
            raise Malformed("not an entry")
        self.statement = value[0]
        self.signed = b"sallyport ledger v1 entry\0" + line[1:tail]
        self.key_id, self.signature = match.group(1).decode(), base64_bytes(match.group(2).decode())
        statement = self.statement
        good = (
            isinstance(statement, dict)
            and type(statement.get("v")) in (int, float)
            and statement["v"] == 1
            and isinstance(statement.get("type"), str)
            and isinstance(statement.get("gateway"), str)
            and WRITER.fullmatch(statement["gateway"])
            and is_count(statement.get("n"))
            and statement["n"] > 0
            and milliseconds(statement.get("at")) is not None
            and is_count(statement.get("sessions"))
        )
        if not good:
            raise Malformed("not an entry")

    def key(self, keys):
        """The trusted key that it names; None where none is."""
        writer = self.statement["gateway"]
        return next((one for one in keys if one.key_id == self.key_id and _vouches(one.gateway, writer)), None)


def is_deep(text):
    depth = 0
    for character in re.sub(r"[^][{}]", "", STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        if depth > MAX_NESTING:
            return True
    return False


def _integer(digits):
    """Numbers of any length are numbers; Python converts long ones only to floating point."""
    return int(digits) if len(digits) < 20 else float(digits)


def _no_constant(name):
    raise ValueError(name)


class Ledger:
    """`keys`: the gateways' keys that are trusted; `now_ms`: the time of the verification."""

    def __init__(self, root, keys, now_ms, progress):
        self.root, self.keys, self.now_ms, self.progress = root, keys, now_ms, progress
        self.report = Report()
        self.tree = Tree()
        self.facts = Facts(self.problem)
        self.malformed = 0
        self.strangers = set()
        self._stranger_keys = set()
        self.fitting = {}  # roots of the checkpoints that are of these entries, hex, by size
        self.found = []  # (size, root, object, signed by a trusted key)
        self.origin = None
        self.object = 0
        # What could not be read: nothing follows from what it does not say.
        self.whole = self.checkpoints_whole = self.origin_read = True

    def problem(self, verdict, part, what, place):
        place = dict(place)
        self.report.add(verdict, part, what, place.pop("object"), **place)

    def read(self):
        """False where there is no ledger."""
        # Listed before the sequence is read: what is published meanwhile is of no concern.
        objects = self._list("ledger/seq", "entry")
        self.origin = self._origin()
        self._checkpoints()
        everything = self.whole and self.checkpoints_whole and self.origin_read
        if not objects and not self.found and self.origin is None and everything:
            return False
        waiting = 0
        for line, place in self._lines():
            self._line(line, place)
            while waiting < len(self.found) and self.found[waiting][0] <= self.tree.size:
                self._compare(*self.found[waiting])
                waiting += 1
        for size, _, obj, _ in self.found[waiting:] if self.whole else ():
            what = "the checkpoint is of %d entries, the ledger has %d: its end was cut off, or it was rolled back"
            self.report.invalid("checkpoint", what % (size, self.tree.size), obj)
        for obj in objects:
            if not SEQUENCE_NUMBER.fullmatch(obj):
                self.report.invalid("entry", "the object is none of the sequence", obj)
        for obj in objects if self.whole else ():
            if SEQUENCE_NUMBER.fullmatch(obj) and obj > sequence_key(self.object):
                self.report.invalid("entry", "entries before this object of the sequence are missing", obj)
        self._mentions()
        if self.whole:
            self.facts.finish(self.now_ms)
        return True

    def _path(self, key):
        return os.path.join(self.root, *key.split("/"))

    def _is_object(self, key):
        """A regular file, and no link on the way to it."""
        return self._leads(key) and is_regular(self._path(key))

    def _leads(self, key):
        parts = key.split("/")
        return all(is_folder(self._path("/".join(parts[:end]))) for end in range(1, len(parts)))

    def _unreadable(self, error, part, obj):
        if part == "checkpoint":
            self.checkpoints_whole = False
        elif obj == "ledger/origin":
            self.origin_read = False
        else:
            self.whole = False
        self.report.add("UNVERIFIABLE", part, "the object cannot be read: " + (error.strerror or type(error).__name__), obj)

    def _list(self, prefix, part):
        """Nothing where they cannot be listed, which is said."""
        try:
            if not self._leads(prefix + "/"):
                return []
            return in_order("%s/%s" % (prefix, path) for path in files_below(self._path(prefix)))
        except OSError as error:
            self._unreadable(error, part, prefix + "/")
            return []

    def _origin(self):
        try:
            if not self._is_object("ledger/origin"):
                return None
            with open(self._path("ledger/origin"), "rb") as file:
                text = file.read(1024).decode("utf-8", "replace")
        except OSError as error:
            return self._unreadable(error, "entry", "ledger/origin")
        return text[:-1] if text.endswith("\n") else text

    def _checkpoints(self):
        for obj in self._list("ledger/checkpoint", "checkpoint"):
            number = checkpoint_number(obj[len("ledger/checkpoint/") :])
            if number is None:
                self.report.invalid("checkpoint", "the object is no checkpoint: its name is not the number of one", obj)
                continue
            try:
                with open(self._path(obj), "rb") as file:
                    checkpoint = Checkpoint(file.read(MAX_NOTE + 1))
            except Malformed as error:
                self.report.invalid("checkpoint", str(error), obj)
                continue
            except OSError as error:
                self._unreadable(error, "checkpoint", obj)
                continue
            if checkpoint.size != number:
                self.report.invalid("checkpoint", "the checkpoint is that of size %d" % checkpoint.size, obj)
            if self.origin_read and checkpoint.origin != self.origin:
                self.report.invalid("checkpoint", "the checkpoint is that of the log %s" % checkpoint.origin, obj)
            signers = checkpoint.note.signers(checkpoint.origin, self.keys)
            if signers is None:
                self.report.invalid("checkpoint", "a signature of the checkpoint is wrong", obj)
            elif signers == 0:
                self.report.add("UNVERIFIABLE", "checkpoint", "the checkpoint is signed by no trusted key", obj)
            self.found.append((checkpoint.size, checkpoint.root, obj, bool(signers)))
        self.found.sort(key=lambda found: found[0])

    def _lines(self):
        """The leaves: what stands before a newline, but for empty lines and too long ones; `"end"` goes on in the next object."""
        while True:
            path = self._path(sequence_key(self.object))
            try:
                if not self._is_object(sequence_key(self.object)):
                    return
                with open(path, "rb") as file:
                    ended = yield from self._lines_of(file)
                    size = os.fstat(file.fileno()).st_size
            except OSError as error:
                return self._unreadable(error, "entry", sequence_key(self.object))
            if not ended:
                if size > MAX_OBJECT:
                    what = "the object has %d bytes, one of the sequence at most %d; nothing behind them was read"
                    obj = sequence_key(self.object)
                    self.report.invalid("entry", what % (size, MAX_OBJECT), obj, offset=MAX_OBJECT)
                return
            self.object += 1

    def _lines_of(self, file):
        offset = 0
        while True:
            line = file.readline(min(MAX_LINE + 1, MAX_OBJECT - offset))
            begin, size = offset, len(line)
            offset += size
            while size == MAX_LINE + 1 and not line.endswith(b"\n"):
                line = file.readline(min(WINDOW, MAX_OBJECT - offset))
                offset += len(line)
                size = size if line and not line.endswith(b"\n") else 0
            if size == 0 and line:
                continue  # longer than a line may be
            if not line.endswith(b"\n"):
                return False
            self.progress(size)
            if line == b'"end"\n':
                return True
            if line != b"\n":
                yield line[:-1], {"object": sequence_key(self.object), "offset": begin, "entry": self.tree.size}

    def _line(self, line, place):
        self.tree.add(leaf_hash(line))
        try:
            entry = Entry(line)
        except Malformed:
            self.malformed += 1
            return
        statement = entry.statement
        gateway = statement["gateway"]
        key = entry.key(self.keys)
        if key is None:
            if (gateway, entry.key_id) not in self._stranger_keys:
                self.strangers.add(gateway)
                self._stranger_keys.add((gateway, entry.key_id))
                what = "entries of %s are signed by key %s, which is not trusted" % (gateway, entry.key_id)
                self.problem("UNVERIFIABLE", "entry", what, place)
        elif not key.verify(entry.signed, entry.signature):
            what = "entry %d of %s (%s) is not what %s has signed" % (statement["n"], gateway, statement["type"], gateway)
            self.problem("INVALID", "entry", what, place)
        else:
            self.facts.add(statement, milliseconds(statement["at"]), place)

    def _compare(self, size, root, obj, _):
        if root == self.tree.root():
            self.fitting[size] = root.hex()
            return
        what = (
            "the checkpoint of size %d is not that of these entries: one of the first %d was changed, moved or taken out, "
            "or the ledger is a fork"
        )
        self.report.invalid("checkpoint", what % (size, size), obj)

    def _mentions(self):
        """Checkpoints that entries tell of are there, and the ones told of."""
        newest = self.found[-1][0] if self.found else 0
        sizes = {found[0] for found in self.found}
        for size, (root, place) in self.facts.mentioned.items():
            there = size in sizes
            if not there and not self.checkpoints_whole:
                continue
            if size > newest:
                there = self._is_there("ledger/checkpoint/" + checkpoint_path(size))
            if not there:
                what = "the checkpoint of size %d, which a gateway has seen, is not there" % size
                self.problem("INVALID", "checkpoint", what, place)
            elif self.fitting.get(size, root) != root:
                what = "a gateway has seen another checkpoint of size %d: the ledger is a fork" % size
                self.problem("INVALID", "checkpoint", what, place)

    def _is_there(self, key):
        try:
            return self._is_object(key)
        except OSError:
            return True  # or may be: nobody can tell

    def result(self):
        verdict = self.report.verdict()
        good = [found for found in self.found if found[3] and found[0] in self.fitting]
        newest = good[-1] if good else None
        return {
            "verdict": verdict,
            "exit": EXITS[verdict],
            "origin": self.origin,
            "size": self.tree.size,
            "malformed": self.malformed,
            "root": self.tree.root().hex(),
            "checkpoints": len(self.found),
            "checkpoint": newest and {"size": newest[0], "root": newest[1].hex(), "object": newest[2]},
            "writers": self.facts.writers_told(),
            "problems": self.report.problems,
            "problemCount": self.report.count,
        }


def _vouches(name, writer):
    return writer == name or writer.startswith(name + "-")
