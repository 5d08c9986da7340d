"""Signed notes and checkpoints as C2SP has them: c2sp.org/signed-note, c2sp.org/tlog-checkpoint."""

import base64
import binascii
import re

from merkle import sha256
from msgpack import Malformed

MAX_NOTE = 64 * 1024
MAX_SIGNATURES = 32
# Blanks as anybody has them: whose `\s` it is makes a difference. None, no control character and no `+` is in a name.
SIGNATURE_LINE = re.compile(
    "\u2014 ([^+\u0000-\u0020\u007f-\u00a0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f\u3000\ufeff]+) ([A-Za-z0-9+/=]+)"
)


def base64_bytes(text):
    """The bytes of canonical, padded base64. Raises Malformed."""
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Malformed("base64 was expected") from None
    if base64.b64encode(data).decode() != text:
        raise Malformed("base64 was expected")
    return data


class Note:
    """`text` ends with a newline and is what is signed; `signatures`: (name, key id, signature). Raises Malformed."""

    def __init__(self, data):
        if len(data) > MAX_NOTE:
            raise Malformed("a note of %d bytes, the limit is %d" % (len(data), MAX_NOTE))
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("the note is not UTF-8") from None
        if re.search("[\x00-\x09\x0b-\x1f]", whole):
            raise Malformed("the note has control characters")
        split = whole.rfind("\n\n")
        if split < 0 or not whole.endswith("\n"):
            raise Malformed("the note has no signatures")
        lines = whole[split + 2 : -1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Malformed("the note has %d signatures, the limit is %d" % (len(lines), MAX_SIGNATURES))
        self.text = whole[: split + 1]
        self.signatures = [self._signature(line) for line in lines]

    @staticmethod
    def _signature(line):
        match = SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise Malformed("a signature line of the note is not one")
        signed = base64_bytes(match.group(2))
        if len(signed) < 5:
            raise Malformed("a signature line of the note is not one")
        return match.group(1), signed[:4], signed[4:]

    def signers(self, origin, keys):
        """How many signatures are of these gateways' keys, with the log's name; None where one of them has signed something else."""
        good, message = 0, self.text.encode()
        for name, key_id, signature in self.signatures:
            for key in keys:
                if name != origin or note_key_id(origin, key) != key_id:
                    continue
                raw = _raw_ecdsa(signature) if key.algorithm == "ES256" else signature
                if raw is None or not key.verify(message, raw):
                    return None
                good += 1
                break
        return good


def note_key_id(name, key):
    """Of Ed25519: hash of name, newline, 01 and the raw key; of ECDSA: hash of the key's SPKI."""
    if key.algorithm == "Ed25519":
        return sha256(name.encode(), b"\n\x01", key.spki[12:])[:4]
    return sha256(key.spki)[:4]


class Checkpoint:
    """Origin, size and root of a log. Raises Malformed; signatures are not checked."""

    def __init__(self, data):
        self.note = Note(data)
        lines = self.note.text.split("\n")
        if len(lines) < 4 or lines[0] == "" or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]):
            raise Malformed("the note is not a checkpoint: origin, size, root")
        self.origin, self.size, self.root = lines[0], int(lines[1]), base64_bytes(lines[2])
        if self.size >= 2**53 or len(self.root) != 32:
            raise Malformed("the note is not a checkpoint: origin, size, root")
        if "" in lines[3:-1]:
            raise Malformed("the checkpoint has an empty extension line")


def _raw_ecdsa(der):
    """Notes carry ECDSA signatures in DER; r || s of it, or None."""
    if not 8 <= len(der) <= 72 or der[0] != 0x30 or der[1] != len(der) - 2:
        return None
    raw, at = b"", 2
    for _ in range(2):
        if at + 2 > len(der) or der[at] != 0x02:
            return None
        integer = der[at + 2 : at + 2 + der[at + 1]]
        if len(integer) != der[at + 1] or not integer or len(integer.lstrip(b"\0")) > 32:
            return None
        raw += integer.lstrip(b"\0").rjust(32, b"\0")
        at += 2 + len(integer)
    return raw if at == len(der) else None
