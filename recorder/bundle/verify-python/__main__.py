"""Verifies Sallyport's tapes with Python's standard library and nothing else. Written from docs/tape-format.md alone.

    python3 verify-python [--trust gateway.pub] [--json] [--signatures python|openssl] PATH...

PATH is a data folder, its `tapes`, one session's folder or one of its files, an excerpt, or an audit bundle, packed or unpacked; `-` reads paths from the standard input, one a line.
The exit code is the verdict's: 0 VALID, 10 VALID-INCOMPLETE, 20 INVALID, 30 UNVERIFIABLE, 40 UNTRUSTED, 50 DELETED-BY-POLICY;
1: there was nothing to verify; 2: wrong usage. With several paths it is the worst one's.
"""

import argparse
import importlib.util
import json
import os
import re
import stat
import sys
import time

if not sys.dont_write_bytecode:
    # What is compiled would be kept beside these files, and a bundle they stand in has no such files. This one has been, before its first line ran.
    sys.dont_write_bytecode = True
    try:
        kept = importlib.util.cache_from_source(__file__)
        os.remove(kept)
        os.rmdir(os.path.dirname(kept))
    except (OSError, NotImplementedError):
        pass  # it is not there, or not alone

import bundle as bundles
import excerpt as excerpts
import signatures
from crosscheck import CrossCheck
from ledger import Ledger, milliseconds
from records import in_order, is_folder, is_regular, regular_files, shown
from report import EXITS, worst
from tape import TapeVerifier, session_of


TAPE_PART = re.compile(r"[0-9]{4}\.(tape|idx)|recovered-0000\.tape|salt")
SEGMENT = re.compile(r"([0-9]{4}|recovered-0000)\.tape")
MAX_FOREIGN = 100
# In the name of what is not UTF-8, and so no object's.
UNREADABLE = "\ufffd"
# Of a gateway.pub: thousands of gateways.
MAX_KEYS_SIZE = 1 << 20


def is_tape_folder(path):
    try:
        return any(SEGMENT.fullmatch(name) for name in regular_files(path))
    except OSError:
        return False


def locate(path):
    """Sessions as (folder, id), folders where public keys may lie, keys of what is among the tapes and is no part of any, and the
    data folder where these are all its tapes: then the ledger tells what is missing."""
    path, named = os.path.abspath(path), path
    if os.path.isfile(path):
        path = os.path.dirname(path)
        if not is_tape_folder(path):
            raise FileNotFoundError(named + " is no part of a tape, no excerpt and no bundle")
    parent = os.path.dirname(path)
    if is_tape_folder(path):
        # Where the gateway put it, its place says whose it is, and must be right; anywhere else only its header does.
        if os.path.basename(parent) == "tapes":
            return stored(os.path.dirname(parent), [os.path.basename(path)]) + (None,)
        return [(path, session_of(path))], [path, parent], [], None
    root = parent if os.path.basename(path) == "tapes" else path
    tapes = os.path.join(root, "tapes")
    found = stored(root, sorted_names(tapes) if is_folder(tapes) else [])
    # Of tapes that were all removed the ledger still tells.
    if found[0] or (is_folder(os.path.join(root, "ledger")) and is_folder(os.path.join(root, "ledger", "seq"))):
        return found + (root,)
    folders = [os.path.join(path, name) for name in sorted_names(path)]
    copied = [(folder, session_of(folder)) for folder in folders if is_tape_folder(folder)]
    if not copied:
        raise FileNotFoundError(path + " has no tapes")
    return copied, [path, parent], [], None


def sorted_names(folder):
    return sorted(os.listdir(folder), key=lambda name: shown(name).encode("utf-16-be", "surrogatepass"))


def stored(root, names):
    sessions, foreign = [], []
    for name in names:
        folder = os.path.join(root, "tapes", name)
        if name.startswith("."):
            continue
        if UNREADABLE in shown(name):
            foreign.append("tapes/" + shown(name))
            continue
        try:
            there = stat.S_ISDIR(os.lstat(folder).st_mode)
            parts = os.listdir(folder) if there else []
            files = regular_files(folder) if there else set()
        except OSError:
            sessions.append((folder, shown(name)))  # as far as can be told; its verification says that it cannot be read
            continue
        own = {part for part in files if TAPE_PART.fullmatch(part)}
        if own:
            sessions.append((folder, shown(name)))
            foreign += foreign_in(shown(name), set(parts) - own)
        else:
            foreign.append("tapes/" + shown(name))
    return sessions, [root], list(dict.fromkeys(foreign))


def foreign_in(session, names):
    return [
        "tapes/%s/%s" % (session, name)
        for name in in_order(set(map(shown, names)))
        if not name.startswith(".")
    ]


class Progress:
    """A line on stderr, now and then, for whoever waits."""

    def __init__(self, shown):
        self.shown = shown
        self.read = 0
        self.began = self.last = time.monotonic()

    def __call__(self, size):
        self.read += size
        now = time.monotonic()
        if self.shown and now - self.last > 1:
            self.last = now
            sys.stderr.write("\r%d MB read, %.0f MB/s " % (self.read >> 20, (self.read >> 20) / (now - self.began)))
            sys.stderr.flush()

    def end(self):
        if self.shown and self.last > self.began:
            sys.stderr.write("\n")


def keys_beside(folder):
    path = os.path.join(folder, "keys", "gateway.pub")
    return signatures.read_keys(path, MAX_KEYS_SIZE) if is_folder(os.path.dirname(path)) and is_regular(path) else []


def verify(path, given, now_ms, progress):
    if bundles.is_bundle(path):
        return bundles.verify_bundle(path, lambda folder: _bundle_keys(folder, given), progress)
    excerpt = excerpts.is_excerpt(path)
    around, foreign, whole, sessions = [os.path.dirname(os.path.abspath(path))], [], None, []
    if not excerpt:
        sessions, around, foreign, whole = locate(path)
    keys, trust = given, "given"
    if keys is None:
        keys = next(filter(None, map(keys_beside, around)), [])
        trust = "beside" if keys else "none"
    check = None
    if whole is not None:
        ledger = Ledger(whole, keys, now_ms, progress)
        check = CrossCheck(ledger if ledger.read() else None, now_ms)
    tapes = []
    for folder, session in sessions:
        watch = check and check.watch(session)
        tape = TapeVerifier(folder, session, keys, progress, watch).verify()
        tapes.append(tape if check is None else check.judge(tape, watch))
    ledger = None
    if check is not None:
        tapes += check.missing({session for _, session in sessions})
        ledger = check.result()
        if not tapes and not (ledger and ledger["size"]):
            raise FileNotFoundError(path + " has no tapes")
    if excerpt:
        with open(path, "rb") as file:
            data = file.read(excerpts.MAX_SIZE + 1)
        tapes.append(excerpts.ExcerptVerifier(data, os.path.basename(path), keys).verify())
    verdict = worst([tape["verdict"] for tape in tapes] + ([ledger["verdict"]] if ledger else []))
    return {
        "path": path, "verdict": verdict, "exit": EXITS[verdict], "trust": trust,
        "frames": sum(tape["frames"] for tape in tapes), "tapes": tapes,
        "foreign": foreign[:MAX_FOREIGN], "foreignCount": len(foreign),
        "ledger": ledger,
    }


def _bundle_keys(folder, given):
    return (keys_beside(folder), "beside") if given is None else (given, "given")


TRUST = {
    "given": "signatures were checked with the keys you named",
    "beside": "signatures were checked with the keys beside the tapes, which whoever changed the tapes could have changed too",
    "none": "there are no keys to check signatures with; name a gateway.pub with --trust",
}


def printable(text):
    return "".join(character if character.isprintable() else "\\u%04x" % ord(character) for character in text)


def lines_of(result):
    for tape in result["tapes"]:
        yield "%(session)s  %(verdict)s  %(state)s, %(frames)d frames in %(chunks)d chunks" % tape
        if "excerpt" in tape:
            runs = ", ".join("%d-%d" % tuple(run) for run in tape["excerpt"]["disclosed"])
            yield "  an excerpt: frames %s are disclosed, %d more are hidden" % (runs, tape["excerpt"]["hidden"])
        for problem in tape["problems"]:
            where = ["%s %s" % (name, problem[name]) for name in ("frame", "frames", "chunk", "offset") if name in problem]
            yield "  %s  %s: %s (%s)" % (
                problem["verdict"], problem["part"], problem["what"], ", ".join([problem["object"]] + where)
            )
        if tape["problemCount"] > len(tape["problems"]):
            yield "  ... and %d more problems" % (tape["problemCount"] - len(tape["problems"]))
    for key in result["foreign"]:
        yield key + " is no part of a tape, and was not looked at"
    if result["ledger"] is not None:
        ledger = result["ledger"]
        yield "ledger  %(verdict)s  %(size)d entries, %(checkpoints)d checkpoints" % ledger
        for problem in ledger["problems"]:
            where = ["%s %s" % (name, problem[name]) for name in ("entry", "offset") if name in problem]
            yield "  %s  %s: %s (%s)" % (
                problem["verdict"], problem["part"], problem["what"], ", ".join([problem["object"]] + where)
            )
    count = len(result["tapes"])
    counted = "1 tape" if count == 1 else "%d tapes" % count
    yield "%s: %s (%s, %d frames)" % (result["verdict"], result["path"], counted, result["frames"])
    yield TRUST[result["trust"]]


def bundle_lines_of(result):
    if result["manifest"]:
        yield "%(framework)s, sessions opened from %(from)s to before %(to)s" % dict(
            result["manifest"]["period"], framework=result["manifest"]["framework"]
        )
        yield "%(files)d files, %(lines)d lines of the log, %(figures)d figures, %(sessions)d sessions" % result
        yield result["made"] or "made by nobody that is trusted"
        yield ", ".join("%d %s" % (count, state) for state, count in result["tapes"].items())
    for tape in result["sampled"]:
        yield "%(session)s  %(verdict)s" % tape
        for problem in tape["problems"]:
            yield "  %(verdict)s  %(part)s: %(what)s (%(object)s)" % problem
    for problem in result["problems"]:
        yield "%(verdict)s  %(part)s: %(what)s (%(object)s)" % problem
    yield "%(verdict)s: %(path)s" % result
    if result["trust"] == "given":
        yield TRUST["given"]
    else:
        yield "signatures were checked with the keys in the bundle, which whoever made another bundle could have put there"


def main():
    parser = argparse.ArgumentParser(prog="verify-python", description="Verifies Sallyport's tapes, offline.")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--trust", metavar="FILE", help="public keys of the gateways to believe, a gateway.pub")
    parser.add_argument("--json", action="store_true", help="one JSON object a path")
    parser.add_argument("--at", metavar="TIME", help="when a copy was made, ISO 8601 in UTC; default: now")
    parser.add_argument("--signatures", choices=("python", "openssl"), default="python", help="who checks signatures")
    arguments = parser.parse_args()
    signatures.choose(arguments.signatures)
    now_ms = int(time.time() * 1000) if arguments.at is None else milliseconds(arguments.at)
    if now_ms is None:
        parser.error("--at takes a time such as 2026-11-28T12:00:00Z")
    keys = None
    if arguments.trust is not None:
        try:
            keys = signatures.read_keys(arguments.trust, MAX_KEYS_SIZE)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    # Names are whatever somebody gave them, and a terminal is not always one of UTF-8.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    paths = arguments.paths
    if paths == ["-"]:
        # Bytes, as names are: what the locale calls an encoding is no reason to stop.
        paths = [os.fsdecode(line) for line in sys.stdin.buffer.read().split(b"\n") if line]
    progress = Progress(sys.stderr.isatty())
    verdicts, code = [], 0
    for path in paths:
        try:
            result = verify(path, keys, now_ms, progress)
        except (OSError, ValueError) as error:
            result = {"path": path, "error": str(error)}
            code = 1
        if arguments.json:
            print(json.dumps(result))
        elif "error" in result:
            print(printable(result["error"]))
        else:
            for line in bundle_lines_of(result) if "sampled" in result else lines_of(result):
                print(printable(line))
        if "verdict" in result:
            verdicts.append(result["verdict"])
    progress.end()
    return code or EXITS[worst(verdicts)]


if __name__ == "__main__":
    sys.exit(main())
