"""The ledger against the tapes: what it says of a session, and what there is. docs/ledger-format.md, "Verifying", 4."""

from facts import SILENT_MS, writer_of
from msgpack import Malformed
from notes import Checkpoint
from report import EXITS, MAX_PROBLEMS, worst

NO_TAPE = {
    "verdict": "VALID", "exit": 0, "frames": 0, "chunks": 0, "recovered": None, "unattested": 0, "lastGood": None,
    "durability": None, "lossWindow": None, "signer": None, "root": None, "problems": [], "problemCount": 0,
}
LOST = {
    "verdict": "UNVERIFIABLE", "exit": 30, "origin": None, "size": 0, "malformed": 0, "root": None, "checkpoints": 0,
    "checkpoint": None, "writers": [], "problemCount": 1,
    "problems": [
        {
            "verdict": "UNVERIFIABLE",
            "part": "ledger",
            "what": "the tapes name a ledger that is not here: whether tapes are missing cannot be told",
            "object": "ledger/seq/0000",
        }
    ],
}


class Watch:
    """What is seen of a tape while it is verified. `chunks`: how many the ledger's last interim saw of it, or 0."""

    def __init__(self, chunks):
        self.chunks = chunks
        self.header = None
        self.checkpoint = None  # (size, root), or () where it is none that can be read
        self.head = None
        self.totals = None  # (sums, whether a seal has signed them)

    def on_header(self, statement_hash, checkpoint):
        self.header = statement_hash.hex()
        if checkpoint is not None:
            try:
                read = Checkpoint(checkpoint)
                self.checkpoint = (read.size, read.root.hex())
            except Malformed:
                self.checkpoint = ()

    def on_chunk(self, n, head, recovered):
        # What a recovery brought is not what the interim saw: it comes behind it.
        if self.chunks and not recovered and n == self.chunks - 1:
            self.head = head.hex()


class CrossCheck:
    """`ledger` is None where the store has none."""

    def __init__(self, ledger, now_ms):
        self.ledger, self.now_ms = ledger, now_ms
        self.told = False

    def watch(self, session):
        facts = self.ledger and self.ledger.facts.sessions.get(session)
        return Watch(facts.interim["chunks"] if facts and facts.interim else 0)

    def judge(self, tape, watch):
        """The tape's report, and what the ledger says against it."""
        if watch.checkpoint is not None:
            self.told = True
        ledger, problems = self.ledger, []
        if ledger is None or not ledger.whole:
            return tape
        begun = tape["chunks"] + tape["frames"] > 0 or is_unread(tape)
        absent = None if begun else absent_tape(ledger.facts.sessions.get(tape["session"]))
        if absent is not None:
            return absent

        def add(verdict, what, place=None):
            where = place or {"object": "tapes/%s/" % tape["session"]}
            problems.append(dict({"verdict": verdict, "part": "ledger", "what": what}, **where))

        facts = ledger.facts.sessions.get(tape["session"])
        if facts is not None:
            self._compare(tape, facts, watch, add)
        elif writer_of(tape["session"]) in ledger.strangers:
            add("UNVERIFIABLE", "the ledger has no session.open of this tape by a key that is trusted")
        elif not ledger.facts.is_imported(tape["session"]):
            add("INVALID", "the ledger has no session.open of this tape")
        if watch.checkpoint == ():
            add("INVALID", "the checkpoint in the tape's header is not one")
        elif watch.checkpoint is not None and self._is_foreign(*watch.checkpoint):
            what = "the tape was begun at a checkpoint of %d entries that is not this ledger's: it was rolled back, or is a fork"
            add("INVALID", what % watch.checkpoint[0])
        return with_problems(tape, problems)

    def _is_foreign(self, size, root):
        """A checkpoint that the ledger has not; where some of its own could not be read, one that it has otherwise."""
        own = self.ledger.fitting.get(size)
        return self.ledger.checkpoints_whole if own is None else own != root

    def _compare(self, tape, facts, watch, add):
        if watch.header is not None and watch.header != facts.header:
            add("INVALID", "the tape's header is not the one the session was opened with", facts.place)
        interim, close, sealed = facts.interim, facts.close, tape["state"] == "sealed"
        # Its chunks cannot be followed without a header, and that has been said.
        unread = is_unread(tape)
        if interim is not None and interim["chunks"] > 0 and watch.header is not None:
            if watch.head is None and not unread:
                what = "at %(at)s the tape had %(chunks)d chunks with %(frames)d frames in the store; not all are there: its end was cut off"
                add("INVALID", what % interim, interim["place"])
            elif watch.head is not None and watch.head != interim["head"]:
                what = "at %s chunk %d of the tape was another: from some frame on it was replaced"
                add("INVALID", what % (interim["at"], interim["chunks"] - 1), interim["place"])
        if close is not None:
            # The root is over the chunks' headers, which count the frames.
            if unread and (not sealed or tape["root"] == close["root"]):
                return
            if not sealed:
                add("INVALID", "the ledger says the tape was sealed, and it has no seal: its end was cut off", close["place"])
            elif (tape["root"], tape["chunks"]) != (close["root"], close["chunks"]):
                what = "the ledger says %d chunks with root %s, the tape has %d with %s"
                add("INVALID", what % (close["chunks"], close["root"], tape["chunks"], tape["root"]), close["place"])
            return
        if sealed or unread:
            return
        if facts.recover is not None:
            self._recovery(tape, facts.recover, add)
        if facts.failed is not None and tape["state"] != "recovered":
            what = "the gateway could not record any further: " + facts.failed["what"]
            add("VALID-INCOMPLETE", what, facts.failed["place"])

    def _recovery(self, tape, recover, add):
        own = 0 if tape["recovered"] is None else tape["recovered"]["last"] - tape["recovered"]["first"] + 1
        frames, brought, place = recover["frames"], recover["recovered"], recover["place"]
        if recover["outcome"] == "absent":
            add("INVALID", "a recovery found nothing of this tape, and here it is", place)
        elif tape["state"] == "recovered":
            # Where something else is wrong with the tape its frames cannot be counted, and that has been said.
            if tape["verdict"] == "VALID-INCOMPLETE" and (tape["frames"], own) != (frames + brought, brought):
                what = "the recovery announced %d frames and %d brought; the tape has %d and %d"
                add("INVALID", what % (frames, brought, tape["frames"] - own, own), place)
        elif tape["frames"] < frames or brought > 0:
            what = "a recovery found %d frames of this tape and brought %d, and they are not all there"
            add("INVALID", what % (frames, brought), place)
        elif self.now_ms - recover["at_ms"] > SILENT_MS:
            add("VALID-INCOMPLETE", "a recovery was announced, and its file is not there", place)

    def missing(self, sessions):
        """Reports of sessions that should have a tape and have none."""
        found = []
        for facts in self.ledger.facts.sessions.values() if self.ledger and self.ledger.whole else ():
            tape = None if facts.session in sessions else self._missing_tape(facts)
            if tape is not None:
                found.append(tape)
        return found

    def _missing_tape(self, facts):
        def missing(what, place):
            return without_tape(facts.session, "missing", "INVALID", "the tape is missing: " + what, place)

        if facts.deleted is not None and facts.deleted["held"]:
            what = "it was deleted at %(at)s by rule %(rule)s, under legal hold"
            return missing(what % facts.deleted, facts.deleted["place"])
        if facts.deleted is not None:
            verdict = "DELETED-BY-POLICY"
            return dict(NO_TAPE, session=facts.session, state="deleted", verdict=verdict, exit=EXITS[verdict])
        if facts.close is not None:
            return missing("it was sealed with %(frames)d frames in %(chunks)d chunks" % facts.close, facts.close["place"])
        if facts.interim is not None:
            return missing("at %(at)s it had %(frames)d frames in %(chunks)d chunks" % facts.interim, facts.interim["place"])
        if facts.recover is not None and facts.recover["outcome"] != "absent":
            what = "it was recovered with %d frames" % (facts.recover["frames"] + facts.recover["recovered"])
            return missing(what, facts.recover["place"])
        if facts.recover is not None:
            return absent_tape(facts)
        if facts.failed is not None:
            return not_recorded(facts)
        if self.now_ms - facts.at_ms <= SILENT_MS:
            return None
        return missing("the session was opened at %s, and there is no word of its end" % facts.at, facts.place)

    def result(self):
        """None where there is no ledger and no tape has heard of one: then nobody can say whether something is missing."""
        if self.ledger is not None:
            return self.ledger.result()
        return LOST if self.told else None


def is_unread(tape):
    """An object of the tape could not be read: nothing follows from what is not there."""
    return any((one["verdict"], one["part"]) == ("UNVERIFIABLE", "segment") for one in tape["problems"])


def with_problems(tape, problems):
    if not problems:
        return tape
    verdict = worst([tape["verdict"]] + [problem["verdict"] for problem in problems])
    return dict(
        tape,
        verdict=verdict,
        exit=EXITS[verdict],
        problems=(tape["problems"] + problems)[:MAX_PROBLEMS],
        problemCount=tape["problemCount"] + len(problems),
    )


def absent_tape(facts):
    """A session without a frame, as the ledger says, of which there is a cut header or a fence at most; None for all others."""
    if facts is None or facts.close is not None or facts.interim is not None:
        return None
    if facts.recover is not None and facts.recover["outcome"] == "absent":
        what = "the session was opened, and its process ended before anything of it was stored (%(by)s, %(at)s)"
        return without_tape(facts.session, "absent", "VALID-INCOMPLETE", what % facts.recover, facts.recover["place"])
    never = facts.recover is None and facts.failed is not None and facts.failed["never"]
    return not_recorded(facts) if never else None


def not_recorded(facts):
    what = "the session was opened, and could not be recorded: " + facts.failed["what"]
    return without_tape(facts.session, "absent", "VALID-INCOMPLETE", what, facts.failed["place"])


def without_tape(session, state, verdict, what, place):
    tape = dict(NO_TAPE, session=session, state=state)
    return with_problems(tape, [dict({"verdict": verdict, "part": "ledger", "what": what}, **place)])
