"""What a ledger's entries say when they are put together. docs/ledger-format.md, "Entry" and "Verifying"."""

import re
from datetime import datetime, timezone

from merkle import Tree, leaf_hash
from records import in_order

SILENT_MS = 60_000
SESSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-([a-z0-9-]+)-([0-9]{8,})")


def is_count(value):
    return type(value) in (int, float) and value == int(value) and 0 <= value < 2**53 if _finite(value) else False


def _finite(value):
    return type(value) is int or (type(value) is float and abs(value) < 2**60)


def writer_of(session):
    match = SESSION.fullmatch(session)
    return match and match.group(1)


def clock(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def in_utf8(text):
    """A surrogate without its half, which JSON can say, as U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


def text_of(value):
    return value[:200] if isinstance(value, str) else type(value).__name__


class Writer:
    def __init__(self, gateway, at_ms):
        self.gateway = gateway
        self.n = self.entries = 0
        self.numbers = set()
        self.last_at = ""
        self.records = self.running = self.silent = False
        self.heard_ms = at_ms
        self.place = None
        self.open = {}  # session: (chunks, frames, head)

    def open_root(self):
        tree = Tree()
        for session in in_order(self.open):
            chunks, frames, head = self.open[session]
            tree.add(leaf_hash(in_utf8("%s %d %d %s" % (session, chunks, frames, head))))
        return tree.root().hex()


class Session:
    def __init__(self, session, gateway, at, at_ms, header, place):
        self.session, self.gateway, self.at, self.at_ms, self.header, self.place = session, gateway, at, at_ms, header, place
        self.close = self.recover = self.interim = self.failed = self.deleted = None
        self.holds = set()


class Facts:
    """`problem(verdict, part, what, place)` is told what contradicts. Entries come in the order of the ledger."""

    def __init__(self, problem):
        self._problem = problem
        self.sessions = {}
        self.imported = {}
        self.mentioned = {}  # size: (root, place)
        self._writers = {}

    def is_imported(self, session):
        match = SESSION.fullmatch(session)
        return match is not None and 0 < int(match.group(2)) <= self.imported.get(match.group(1), 0)

    def add(self, statement, at_ms, place):
        gateway, kind = statement["gateway"], statement["type"]
        writer = self._writers.setdefault(gateway, Writer(gateway, at_ms))
        writer.place, writer.last_at = place, statement["at"]
        writer.entries += 1
        self._numbered(writer, int(statement["n"]), place)
        if kind == "gateway.start":
            writer.records = writer.running = True
            writer.open.clear()
            writer.heard_ms = at_ms
        elif kind == "gateway.stop":
            writer.running = False
            writer.open.clear()
        elif kind == "gateway.interim":
            self._interim(writer, statement, at_ms, place)
        elif kind == "session.open":
            self._open(writer, statement, at_ms, place)
        elif kind == "session.close":
            self._close(statement, place)
        elif kind == "session.recover":
            self._recover(statement, at_ms, place)
        elif kind in ("recording.failed", "retention.delete"):
            session = self._of(statement, place)
            if session is not None and kind == "recording.failed":
                never = is_count(statement.get("frames")) and statement["frames"] == 0
                session.failed = {"what": text_of(statement.get("what")), "never": never, "place": place}
            elif session is not None:
                rule, at = text_of(statement.get("rule")), statement["at"]
                session.deleted = {"rule": rule, "held": bool(session.holds), "at": at, "place": place}
        elif kind in ("hold.set", "hold.clear"):
            matter = statement.get("matter", "")
            if not isinstance(matter, str):
                self._unreadable(statement, place)
                return
            session = self._of(statement, place)
            if session is not None:
                (session.holds.add if kind == "hold.set" else session.holds.discard)(matter)
        elif kind == "journal.import":
            self.imported[gateway] = int(statement["sessions"])

    def finish(self, now_ms):
        for writer in self._writers.values():
            if not writer.running or now_ms - writer.heard_ms <= SILENT_MS:
                continue
            writer.silent = True
            if writer.open:
                what = "%s was last heard of at %s, with %d open sessions, and did not say gateway.stop"
                told = what % (writer.gateway, clock(writer.heard_ms), len(writer.open))
                self._problem("VALID-INCOMPLETE", "interim", told, writer.place)

    def writers_told(self):
        return [
            {
                "gateway": writer.gateway,
                "entries": writer.entries,
                "sessions": len(writer.numbers),
                "state": self._state(writer),
                "lastAt": writer.last_at,
                "open": len(writer.open),
            }
            for writer in self._writers.values()
        ]

    @staticmethod
    def _state(writer):
        if not writer.records:
            return "other"
        if not writer.running:
            return "stopped"
        return "silent" if writer.silent else "running"

    def _numbered(self, writer, n, place):
        expected = writer.n + 1
        if n > expected:
            what = "entries %d to %d of %s are missing" % (expected, n - 1, writer.gateway)
            self._problem("INVALID", "numbering", what, place)
        elif n < expected:
            what = "entry %d of %s stands behind its entry %d" % (n, writer.gateway, writer.n)
            self._problem("INVALID", "numbering", what, place)
        writer.n = max(writer.n, n)

    def _open(self, writer, statement, at_ms, place):
        session, number, header = (statement.get(name) for name in ("session", "number", "header"))
        if not isinstance(session, str) or not is_count(number) or not isinstance(header, str):
            self._unreadable(statement, place)
            return
        number = int(number)
        if not session.endswith("-%s-%08d" % (writer.gateway, number)):
            self._wrong("session %s is not number %d of %s" % (session, number, writer.gateway), place)
        if number in writer.numbers:
            self._wrong("%s has given session number %d twice" % (writer.gateway, number), place)
        writer.numbers.add(number)
        if session in self.sessions:
            self._wrong("session %s is opened twice" % session, place)
        else:
            self.sessions[session] = Session(session, writer.gateway, statement["at"], at_ms, header, place)

    def _close(self, statement, place):
        frames, chunks, root = (statement.get(name) for name in ("frames", "chunks", "root"))
        if not is_count(frames) or not is_count(chunks) or not isinstance(root, str):
            self._unreadable(statement, place)
            return
        session = self._of(statement, place)
        if session is not None:
            session.close = {"frames": int(frames), "chunks": int(chunks), "root": root, "place": place}
            self._left(session)

    def _recover(self, statement, at_ms, place):
        frames, recovered, outcome = (statement.get(name) for name in ("frames", "recovered", "outcome"))
        if not is_count(frames) or not is_count(recovered) or not isinstance(outcome, str):
            self._unreadable(statement, place)
            return
        if not is_count(statement.get("chunks", 0)):
            self._unreadable(statement, place)
            return
        session = self._of(statement, place)
        if session is not None:
            session.recover = {
                "outcome": outcome, "frames": int(frames), "recovered": int(recovered),
                "by": statement["gateway"], "at": statement["at"], "at_ms": at_ms, "place": place,
            }
            self._left(session)

    def _left(self, session):
        writer = self._writers.get(session.gateway)
        if writer is not None:
            writer.open.pop(session.session, None)

    def _interim(self, writer, statement, at_ms, place):
        open_, root, tapes = (statement.get(name) for name in ("open", "root", "tapes"))
        if not is_count(open_) or not isinstance(root, str) or not isinstance(tapes, list):
            self._unreadable(statement, place)
            return
        if writer.running and writer.open and at_ms - writer.heard_ms > SILENT_MS:
            what = "%s said nothing from %s to %s, with %d open sessions"
            told = what % (writer.gateway, clock(writer.heard_ms), statement["at"], len(writer.open))
            self._problem("VALID-INCOMPLETE", "interim", told, place)
        writer.heard_ms = at_ms
        for row in tapes:
            good = isinstance(row, list) and len(row) >= 4 and isinstance(row[0], str) and isinstance(row[3], str)
            if not good or not is_count(row[1]) or not is_count(row[2]):
                self._unreadable(statement, place)
                return
            chunks, frames, head = int(row[1]), int(row[2]), row[3]
            writer.open[row[0]] = (chunks, frames, head)
            session = self.sessions.get(row[0])
            if session is not None:
                session.interim = {
                    "chunks": chunks, "frames": frames, "head": head, "at": statement["at"], "place": place,
                }
        checkpoint = statement.get("checkpoint")
        if isinstance(checkpoint, dict) and is_count(checkpoint.get("size")) and isinstance(checkpoint.get("root"), str):
            self.mentioned.setdefault(int(checkpoint["size"]), (checkpoint["root"], place))
        if statement.get("more") is not True and (open_ != len(writer.open) or root != writer.open_root()):
            what = "%s says it has %d open sessions; its entries lead to %d, or to others"
            told = what % (writer.gateway, open_, len(writer.open))
            self._problem("VALID-INCOMPLETE", "interim", told, place)

    def _of(self, statement, place):
        """The session an entry is of; None, and said, where it was never opened, here or before there was a ledger."""
        name = statement.get("session")
        session = self.sessions.get(name) if isinstance(name, str) else None
        if session is None and not (isinstance(name, str) and self.is_imported(name)):
            self._wrong("%s of %s, which was never opened" % (statement["type"], text_of(name)), place)
        return session

    def _wrong(self, what, place):
        self._problem("INVALID", "entry", what, place)

    def _unreadable(self, statement, place):
        what = "entry %d of %s is no %s as it should be" % (statement["n"], statement["gateway"], statement["type"])
        self._wrong(what, place)
