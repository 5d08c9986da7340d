"""The maps that are signed: of headers, recoveries and seals. docs/tape-format.md."""

from msgpack import Malformed, unpack

VERSION = 1
MAX_VERSION = 2**32 - 1
HASH = KEY = 32
HEADER = {"segment": int, "session": dict, "epoch": KEY, "salt": HASH, "monotonicUs": int, "lossWindow": str}
SESSION = {
    "id": str, "gateway": str, "number": int, "startedAt": str, "durability": str, "identity": dict, "target": dict,
}
LATER = {"segment": int, "id": str, "prev": HASH, "chunk": int, "seq": int}
RECOVERY = {
    "id": str, "gateway": str, "spool": str, "recoveredAt": str, "head": HASH, "segment": int, "offset": int,
    "chunks": int, "frames": int, "recovered": int, "discardedBytes": int, "salt": HASH, "epoch": KEY,
}
TOTALS = {
    "frames": int, "bytesIn": int, "bytesOut": int, "rows": int, "statements": int, "masked": int, "verdicts": dict,
}
VERDICTS = {"allow": int, "mask": int, "block": int, "hold": int}
SEAL = {"id": str, "reason": str, "chunks": int, "root": HASH, "head": HASH, "atUs": int, "endedAt": str, "totals": dict}


class NewerVersion(Exception):
    def __init__(self, version):
        super().__init__("written in version %s of the format, which this verifier does not know; use a newer one" % version)


def statement_of(data, members):
    """The map in `data`, with these members of these types. Raises Malformed, NewerVersion."""
    value = unpack(data)
    if not isinstance(value, dict):
        raise Malformed("a statement is a map")
    version = value.get("v")
    if type(version) is int and VERSION < version <= MAX_VERSION:
        raise NewerVersion(version)
    if type(version) is not int or version != VERSION:
        raise Malformed("a statement of no version")
    check_members(value, members)
    return value


def check_members(value, members):
    """`members`: the type of each; a number is a size in bytes."""
    for name, kind in members.items():
        found = value.get(name)
        good = type(found) is bytes and len(found) == kind if type(kind) is int else type(found) is kind
        if not good or (kind is int and found < 0):
            raise Malformed("a statement whose %s is missing or of the wrong type" % name)


def named_totals(totals):
    """Of a seal's: what a later version may say besides is not compared."""
    verdicts = {name: totals["verdicts"][name] for name in VERDICTS}
    return dict({name: totals[name] for name in TOTALS}, verdicts=verdicts)


def certificate_of(header):
    """The second member of a header's array: [gateway, algorithm, keyId, signature], or None where there is none."""
    if len(header) == 1:
        return None
    value = header[1]
    if not isinstance(value, list) or len(value) != 4:
        raise Malformed("a certificate is an array of four")
    if not all(isinstance(item, str) for item in value[:3]) or not isinstance(value[3], bytes):
        raise Malformed("a certificate's members")
    return value
