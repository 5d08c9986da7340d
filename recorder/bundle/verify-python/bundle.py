"""An audit bundle, packed or unpacked: its files, its log, its tables, its figures, its sample. docs/bundles.md.

An archive is unpacked to a temporary folder first, after its names were looked at.
"""

import base64
import csv
import hashlib
import hmac
import io
import json
import math
import os
import re
import tempfile

from archive import is_archive, unpack
from crosscheck import Watch
from ledger import Entry, is_count, milliseconds
from manifest import parse_manifest
from merkle import Tree, leaf_hash
from msgpack import Malformed
from notes import Checkpoint, MAX_NOTE, Note
from population import Session, other_totals
from records import is_folder, plain_file, present
from report import EXITS, Report, worst
from tape import TapeVerifier

TAPE_STATES = ("whole", "recovered", "damaged")
MAX_MANIFEST = 64 << 20
MAX_TABLE = 512 << 20
PIECE = 1 << 20
SIGNATURE_FILE = re.compile(r"signatures/(?:manifest\.note|[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.tsr)\Z")
csv.field_size_limit(MAX_TABLE)


# Any of them makes a folder an audit bundle: one that has lost the others is not something else.
MARKS = ("manifest.json", "log/lines.jsonl", "signatures/manifest.note")


def is_bundle(path):
    if os.path.isdir(path):
        return any(os.path.lexists(os.path.join(path, mark)) for mark in MARKS)
    return is_archive(path)


def verify_bundle(path, keys_of, progress):
    """`keys_of(folder)`: the keys to believe, and whose they are. Raises ValueError where an archive is none that a bundle can be."""
    if os.path.isdir(path):
        keys, trust = keys_of(path)
        return dict(Bundle(path, keys, progress).verify(), trust=trust, path=path)
    with tempfile.TemporaryDirectory() as folder:
        wrong = unpack(path, folder)
        keys, trust = keys_of(folder)
        bundle = Bundle(folder, keys, progress)
        for name, what in wrong.items():
            bundle.report.invalid("record", what, name)
        return dict(bundle.verify(), trust=trust, path=path)


class Bundle:
    def __init__(self, folder, keys, progress):
        self.folder, self.keys, self.progress = folder, keys, progress
        self.report = Report()
        self.sessions, self.numbers, self.leaves = {}, {}, {}
        self.lines = self.strangers = 0

    def verify(self):
        data = self.whole("manifest.json", MAX_MANIFEST)
        manifest = self.manifest(data) if data is not None else None
        if manifest is None:
            return self.result(None, None, 0, {}, [])
        made = self.signature(manifest, data)
        self.files(manifest)
        self.log(manifest)
        # Without these columns it is a table of nobody, in no state.
        rows = [{"session": "", "state": "", **row} for row in self.rows("populations/sessions.csv")]
        # Where no trusted key has signed anything, there is no entry to compare with: nothing is known, which is not a lie that was found.
        if made is not None or self.leaves or not self.strangers:
            self.population(rows)
            self.tables(manifest)
        self.figures(manifest)
        sampled = self.sample(manifest, rows)
        tapes = {}
        for row in rows:
            tapes[row["state"]] = tapes.get(row["state"], 0) + 1
        for state in ("missing", "damaged", "live"):
            if state in tapes:
                what = "%d recordings of the population are %s, as the bundle says" % (tapes[state], state)
                self.report.add("VALID-INCOMPLETE", "ledger", what, "populations/sessions.csv")
        return self.result(manifest, made, len(rows), tapes, sampled)

    def manifest(self, data):
        try:
            manifest = parse_manifest(data)
            self.period = tuple(milliseconds(manifest["period"][name]) for name in ("from", "to"))
            if None in self.period:
                raise ValueError("a time that there is not")
        except ValueError:
            self.report.invalid("record", "the manifest has not the form of version 1", "manifest.json")
            return None
        self.scope = {name: set(manifest["scope"][name]) for name in ("target", "identity")}
        manifest["lines"]["left"] = [bytes.fromhex(root) for root in manifest["lines"]["left"]]
        for counted in [manifest["watermark"], manifest["sample"]]:
            counted["size"] = int(counted["size"])
        manifest["lines"]["from"] = int(manifest["lines"]["from"])
        return manifest

    def signature(self, manifest, data):
        obj = "signatures/manifest.note"
        note = self.tried(obj, Note, self.whole(obj, MAX_NOTE))
        if note is None:
            return None
        kind, signed, *said = note.text.split("\n")
        digest = hashlib.sha256(data).digest()
        if kind != "sallyport.bundle/v1" or signed != base64.b64encode(digest).decode():
            self.report.invalid("signature", "what was signed is another manifest", obj)
        if not self.signers(note, manifest["watermark"]["origin"], "signature", "manifest", obj):
            return None
        return ", ".join(line for line in said if line)

    def signers(self, note, origin, part, what, obj):
        signers = note.signers(origin, self.keys)
        if signers is None:
            self.report.invalid(part, "a signature of the %s is wrong" % what, obj)
        elif signers == 0:
            self.report.add("UNVERIFIABLE", part, "the %s is signed by no trusted key" % what, obj)
        return signers

    def files(self, manifest):
        listed = {file["path"] for file in manifest["files"]}
        for path in present(self.folder):
            if path not in listed and path != "manifest.json" and not SIGNATURE_FILE.match(path):
                self.report.invalid("checksum", "the manifest does not know this file", path)
        for file in manifest["files"]:
            digest, size = hashlib.sha256(), 0
            for piece in self.pieces(file["path"]):
                digest.update(piece)
                size += len(piece)
            if size != file["size"] or digest.hexdigest() != file["sha256"]:
                self.report.invalid("checksum", "the file is missing, or is not the one that was signed", file["path"])
            policy = re.fullmatch(r"policies/([0-9a-f]{64})\.json", file["path"])
            if policy and policy.group(1) != file["sha256"]:
                self.report.invalid("checksum", "the policy is not the one of this name", file["path"])

    def log(self, manifest):
        watermark, obj = manifest["watermark"], "log/checkpoint"
        checkpoint = self.tried(obj, Checkpoint, self.whole(obj, MAX_NOTE))
        if checkpoint is not None:
            self.signers(checkpoint.note, checkpoint.origin, "checkpoint", "checkpoint", obj)
            told = (checkpoint.origin, checkpoint.size, checkpoint.root.hex())
            if told != (watermark["origin"], watermark["size"], watermark["root"]):
                self.report.invalid("checkpoint", "the checkpoint is not the manifest's watermark", obj)
        first, left = manifest["lines"]["from"], manifest["lines"]["left"]
        tree = Tree.behind(first, left)
        if tree is None:
            what = "what stands before the first line is not as many subtrees as it must be"
            self.report.invalid("entry", what, "manifest.json")
            return
        bad = 0
        for line in self.log_lines():
            index = tree.size
            tree.add(leaf_hash(line))
            try:
                entry = Entry(line)
            except Malformed:
                continue
            key = entry.key(self.keys)
            if key is None:
                self.strangers += 1
            elif not key.verify(entry.signed, entry.signature):
                bad += 1
            else:
                self.entry(index, entry.statement)
        obj = "log/lines.jsonl"
        if tree.size != watermark["size"] or tree.root().hex() != watermark["root"]:
            what = "the lines are not those of the watermark: one was changed, moved, added or taken out"
            self.report.invalid("entry", what, obj)
        self.lines = tree.size - first
        if bad:
            self.report.invalid("entry", "%d entries are not what their writers have signed" % bad, obj)
        if self.strangers:
            what = "%d entries are signed by keys that are not trusted" % self.strangers
            self.report.add("UNVERIFIABLE", "entry", what, obj)
        for gateway, numbers in self.numbers.items():
            gaps = ["%d-%d" % pair for pair in numbers[1]][:100]
            if gaps:
                what = "the session numbers of %s have gaps or repetitions: %s" % (gateway, ", ".join(gaps))
                self.report.invalid("numbering", what, obj)

    def entry(self, index, statement):
        within = self.period[0] <= milliseconds(statement["at"]) < self.period[1]
        self.leaves.setdefault(statement["type"], []).append((index, within))
        session = statement.get("session")
        if statement["type"] == "session.open":
            if not isinstance(session, str) or not is_count(statement.get("number")):
                return
            number, gateway = statement["number"], statement["gateway"]
            if not within and gateway not in self.numbers:
                return
            # What is not of the period stands between what is where a clock was set back; behind the last of it, it counts for nothing.
            last, gaps, beyond = self.numbers.get(gateway, (number - 1, [], []))
            if number != last + 1:
                beyond = beyond + [(last, number)]
            self.numbers[gateway] = (max(last, number), gaps + beyond, []) if within else (max(last, number), gaps, beyond)
            if not within:
                return
            if all(not names or statement.get(name) in names for name, names in self.scope.items()):
                self.sessions[session] = Session(index, statement)
        elif isinstance(session, str) and session in self.sessions:
            self.sessions[session].add(index, statement)

    def population(self, rows):
        obj, seen = "populations/sessions.csv", set()
        for row in rows:
            session = self.sessions.get(row["session"])
            if session is None or row["session"] in seen:
                what = "%s is not a session that the log opened in the period, or is there twice" % row["session"]
                self.report.invalid("ledger", what, obj)
            elif not self.is_row_of(row, session):
                self.report.invalid("ledger", "the row of %s is not what the log says" % row["session"], obj)
            seen.add(row["session"])
        absent = [session for session in self.sessions if session not in seen]
        if absent:
            what = "%d sessions that the log opened are not in the population, %s among them" % (len(absent), absent[0])
            self.report.invalid("ledger", what, obj)

    @staticmethod
    def is_row_of(row, session):
        end = "" if session.end is None else str(session.end)
        told = (str(session.open), end, session.at, session.identity, session.target)
        if session.kind and row.get("kind") != session.kind:
            return False
        if row["state"] not in session.states():
            return False
        if tuple(row.get(name) for name in ("open_entry", "end_entry", "opened_at", "identity", "target")) != told:
            return False
        whole = row["state"] == "whole" and session.closed is not None
        return not whole or row.get("frames") == str(session.closed.get("frames"))

    def tables(self, manifest):
        for table in manifest["tables"]:
            wanted = sorted(
                index
                for kind in table["types"]
                for index, within in self.leaves.get(kind, [])
                if within or table["until"] == "watermark"
            )
            found = [row.get("entry") for row in self.rows(table["file"])]
            if found != [str(index) for index in wanted]:
                what = "the table has %d rows, the log %d such entries, or others" % (len(found), len(wanted))
                self.report.invalid("ledger", what, table["file"])

    def figures(self, manifest):
        for figure in manifest["figures"]:
            value = 0
            for row in self.rows(figure["file"]):
                if all(row.get(column) == text for column, text in figure["where"].items()):
                    value += 1 if "sum" not in figure else _sum_of(row.get(figure["sum"]))
            if value != figure["value"]:
                what = "figure %s is %s, and counted again %s" % (figure["id"], figure["value"], value)
                self.report.invalid("index", what, figure["file"])

    def sample(self, manifest, rows):
        seed = manifest["sample"]["seed"].encode()
        order = sorted(
            (hmac.new(seed, row["session"].encode(), hashlib.sha256).hexdigest(), row["session"]) for row in rows
        )
        drawn = [session for _, session in order[: manifest["sample"]["size"]]]
        data = self.whole("sample/selection.json", MAX_MANIFEST)
        try:
            chosen = None if data is None else json.loads(data.decode("utf-8"))["chosen"]
        except (ValueError, KeyError, TypeError, RecursionError):
            chosen = None
        if chosen != drawn:
            what = "the sample is not the one that its seed draws from the population"
            self.report.invalid("order", what, "sample/selection.json")
        by_id = {row["session"]: row for row in rows}
        tapes, left, left_out = [], 0, set(manifest.get("small", {}).get("leftOut", []))
        for session in drawn:
            if session not in self.sessions or by_id[session]["state"] not in TAPE_STATES:
                continue
            if session in left_out:
                left += 1
            else:
                tapes.append(self.tape(session, by_id[session]))
        if left:
            what = "%d recordings of the sample were left out of this small pack, as it says" % left
            self.report.add("VALID-INCOMPLETE", "segment", what, "manifest.json")
        for name in sorted({path.split("/")[1] for path in present(self.folder) if path.startswith("tapes/")} - set(drawn)):
            self.report.invalid("order", "a tape that was not drawn", "tapes/%s/" % name)
        return tapes

    def tape(self, session, row):
        folder, facts, watch = os.path.join(self.folder, "tapes", session), self.sessions[session], Watch(0)
        if not (is_folder(os.path.dirname(folder)) and is_folder(folder)):
            self.report.invalid("segment", "the tape of a session that was drawn is missing", "tapes/%s/" % session)
            return {"session": session, "verdict": "INVALID", "exit": EXITS["INVALID"], "state": "missing", "problems": []}
        tape = TapeVerifier(folder, session, self.keys, self.progress, watch).verify()
        said = []
        if watch.header is not None and watch.header != facts.header:
            said.append("the tape's header is not the one the session was opened with")
        closed = facts.closed
        if closed is not None and (tape["root"], tape["chunks"]) != (closed.get("root"), closed.get("chunks")):
            told = (closed.get("chunks"), closed.get("root"), tape["chunks"], tape["root"])
            said.append("the log says %s chunks with root %s, the tape has %s with %s" % told)
        for what in said:
            place = {"verdict": "INVALID", "part": "ledger", "what": what, "object": "tapes/%s/" % session}
            tape["problems"].append(place)
        if said:
            tape.update(verdict="INVALID", exit=EXITS["INVALID"])
        # What was found changed sums up to something else, and that has been said.
        differs = watch.totals and tape["verdict"] in ("VALID", "VALID-INCOMPLETE") and other_totals(row, *watch.totals)
        if differs:
            self.report.invalid("index", "the row of %s has %s" % (session, differs), "populations/sessions.csv")
        return tape

    def rows(self, path):
        data = self.whole(path, MAX_TABLE)
        try:
            text = io.StringIO((data or b"").decode("utf-8"), newline="")
            rows = []
            for row in csv.DictReader(text, strict=True):
                if None in row or None in row.values():
                    raise ValueError("a record of another length")
                # An apostrophe keeps spreadsheets from taking a text for a formula.
                rows.append({name: cell[1:] if cell.startswith("'") else cell for name, cell in row.items()})
            return rows
        except (ValueError, csv.Error) as error:
            self.report.invalid("record", str(error), path)
            return []

    def log_lines(self):
        rest = b""
        for piece in self.pieces("log/lines.jsonl"):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def pieces(self, path):
        place = plain_file(self.folder, path)
        if place is None:
            return
        with open(place, "rb") as file:
            while piece := file.read(PIECE):
                self.progress(len(piece))
                yield piece

    def whole(self, path, limit):
        place = plain_file(self.folder, path)
        if place is None:
            self.report.invalid("checksum", "the file is missing", path)
            return None
        with open(place, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            self.report.invalid("checksum", "the file has more than %d bytes" % limit, path)
            return None
        return data

    def tried(self, path, read, data):
        try:
            return None if data is None else read(data)
        except Malformed as error:
            self.report.invalid("record", str(error), path)
            return None

    def result(self, manifest, made, sessions, tapes, sampled):
        verdict = worst([self.report.verdict()] + [tape["verdict"] for tape in sampled])
        about = ("period", "framework", "scope", "watermark", "sample", "verified")
        return {
            "verdict": verdict,
            "exit": EXITS[verdict],
            "manifest": manifest and {name: manifest.get(name) for name in about},
            "made": made,
            "signed": made is not None,
            "files": len(manifest["files"]) if manifest else 0,
            "lines": self.lines,
            "sessions": sessions,
            "tapes": tapes,
            "figures": len(manifest["figures"]) if manifest else 0,
            "sampled": sampled,
            "problems": self.report.problems,
            "problemCount": self.report.count,
        }


def _sum_of(cell):
    """Of a cell that is summed up; nothing is nothing, and what is no number makes no figure true."""
    return int(cell or 0) if re.fullmatch("[0-9]{0,15}", cell or "") else math.nan
