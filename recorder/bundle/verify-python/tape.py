"""One tape, from its header to its seal. docs/tape-format.md, "Verifying"."""

import os
import re

from chunks import Totals, signed
from frames import Salts
from merkle import sha256
from msgpack import Malformed, unpack
from records import MAGIC, MAX_SEGMENT, Source, files_below, in_order, is_regular, pieces
from report import EXITS, Report
from segment import Recovery, Segment, recovery_of


class TapeVerifier:
    """Reads one session's objects in a folder; holds one chunk at a time. `keys`: the gateways' keys that are trusted."""

    def __init__(self, folder, session, keys, progress=None, watch=None):
        self.folder = folder
        self.session = session
        self.keys = keys
        self.progress = progress or (lambda size: None)
        self.watch = watch  # told of header and chunks, for the ledger
        self.report = Report()
        self.chain = None  # None until segment 0 has told its header
        self.recovered_by = None
        self.frames = self.unattested = self.chunks = 0
        self.recovered = self.last_good = self.signer = None
        self.durability = self.loss_window = None
        self.salts = None
        self.brought = None  # the chain of a recovery

    def verify(self):
        try:
            names = {name for name in files_below(self.folder) if "/" not in name}
        except OSError as error:
            self.unreadable("", error)
            return self._result()
        numbers = sorted(int(name[:4]) for name in names if re.fullmatch(r"[0-9]{4}\.tape", name))
        recovery = self.read("recovered-0000.tape", recovery_of) if "recovered-0000.tape" in names else None
        for name in in_order(names):
            if re.fullmatch(r"[0-9]{4}\.idx", name) and int(name[:4]) not in numbers:
                what = "the index of segment %s, which is not there" % name[:4]
                self.report.invalid("index", what, self.name(name))
        if not numbers:
            self._missing(0, "the tape is missing, parts beside it are there")
        for place, number in enumerate(numbers):
            expected = numbers[place - 1] + 1 if place else 0
            if number != expected:
                self._missing(expected, "segment %d is missing, later ones are there" % expected)
                if self.chain is not None:
                    self.chain.break_()
            if number > 0 and self.chain is None:
                break
            last = place + 1 == len(numbers)
            sidecar = "%04d.idx" % number
            self.read(
                "%04d.tape" % number,
                lambda tape, source, obj: Segment(tape, source, obj, number, last, recovery).verify(
                    sidecar if sidecar in names else None
                ),
            )
        if recovery is not None and self.chain is not None:
            self.read("recovered-0000.tape", lambda tape, source, obj: Recovery(tape, source, obj, recovery).verify())
        return self._result()

    def _missing(self, number, what):
        self.report.invalid("segment", what, self.name("%04d.tape" % number))

    def read(self, file, read):
        """What `read` makes of an object; None where it cannot be read, which is said."""
        try:
            source = Source(os.path.join(self.folder, file))
            try:
                return read(self, source, self.name(file))
            finally:
                source.close()
        except OSError as error:
            self.unreadable(file, error)
            return None

    def unreadable(self, file, error):
        what = "the object cannot be read: " + (error.strerror or type(error).__name__)
        self.report.add("UNVERIFIABLE", "segment", what, self.name(file))
        if self.chain is not None:
            self.chain.lose()

    def name(self, file):
        return "tapes/%s/%s" % (self.session, file)

    def certificate(self, kind, statement, certificate, obj):
        """Says what is wrong with the certificate of a header or a recovery; True where nothing is."""
        if certificate is None:
            self.report.add("UNVERIFIABLE", "certificate", "no gateway has signed this tape", obj, offset=8)
            return False
        gateway, algorithm, key_id, signature = certificate
        found = [key for key in self.keys if (key.gateway, key.key_id) == (gateway, key_id)]
        if not found:
            what = "key %s of gateway %s is not among the trusted ones" % (key_id, gateway)
            self.report.add("UNVERIFIABLE", "certificate", what, obj, offset=8)
        elif found[0].algorithm != algorithm or not found[0].verify(signed(kind.encode(), statement), signature):
            what = "the signature is not by key %s of gateway %s" % (key_id, gateway)
            self.report.invalid("certificate", what, obj, offset=8)
        else:
            return True
        return False

    def read_salt(self, commitment):
        """Once, as soon as the header has told the commitment."""
        what = None
        try:
            if is_regular(os.path.join(self.folder, "salt")):
                with open(os.path.join(self.folder, "salt"), "rb") as file:
                    key = file.read(33)
            else:
                what = "the salt key is missing; frames cannot be checked"
        except OSError:
            what = "the salt key cannot be read; frames cannot be checked"
        if what is not None:
            self.report.add("UNVERIFIABLE", "salt", what, self.name("salt"))
        elif sha256(key) != commitment:
            what = "the salt key is not the one the header commits to; frames cannot be checked"
            self.report.invalid("salt", what, self.name("salt"))
        else:
            self.salts = Salts(key)

    def _sums(self):
        sums = Totals()
        for chain in (self.chain, self.brought):
            if chain is not None:
                sums.add_all(chain.totals)
        return sums.as_map()

    def _result(self):
        verdict = self.report.verdict()
        seal = self.chain and self.chain.seal
        if self.watch is not None and self.chain is not None:
            self.watch.totals = (seal["totals"], True) if seal else (self._sums(), False)
        if self.chain is None:
            state = "unreadable"
        elif self.chain.seal is not None:
            state = "sealed"
        else:
            state = "open" if self.recovered_by is None else "recovered"
        return {
            "session": self.session,
            "verdict": verdict,
            "exit": EXITS[verdict],
            "state": state,
            "frames": self.frames,
            "chunks": self.chunks,
            "recovered": self.recovered,
            "unattested": self.unattested,
            "lastGood": self.last_good,
            "durability": self.durability,
            "lossWindow": self.loss_window,
            "signer": self.signer,
            "root": seal and seal["root"].hex(),
            "problems": self.report.problems,
            "problemCount": self.report.count,
        }


def session_of(folder):
    """The session a copied tape's header names; where that cannot be read, the folder's name stands for it."""
    try:
        source = Source(os.path.join(folder, "0000.tape"))
        try:
            record = next(pieces(source, len(MAGIC), min(source.size, MAX_SEGMENT), source.size), None)
            return unpack(unpack(record.payload)[0])["session"]["id"]
        finally:
            source.close()
    except (OSError, Malformed, AttributeError, LookupError, TypeError):
        return os.path.basename(folder)
