"""Signatures: Ed25519 (RFC 8032) and ECDSA on P-256 (FIPS 186-5), verified only, never made.

Two ways, chosen with --signatures: the `openssl` command, or the arithmetic below, which needs nothing. It is written to
be compared with the papers, not to be fast or to hide anything: verification has no secrets.
"""

import base64
import hashlib
import os
import re
import subprocess
import tempfile

ED25519 = bytes.fromhex("302a300506032b6570032100")  # SPKI in DER, before the 32 bytes of the key
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # before 04 || x || y


class PublicKey:
    """A gateway's key as somebody decided to believe it: whose, which algorithm, and its SPKI in DER."""

    def __init__(self, gateway, spki):
        if spki.startswith(ED25519) and len(spki) == 44:
            if not _is_sound(spki[12:]):
                raise ValueError("the public key is one that nobody needs a private key for")
            self.algorithm = "Ed25519"
        elif spki.startswith(P256 + b"\x04") and len(spki) == 91:
            self.algorithm = "ES256"
        else:
            raise ValueError("a public key must be Ed25519 or P-256, in SPKI")
        self.gateway = gateway
        self.spki = spki
        self.key_id = hashlib.sha256(spki).hexdigest()[:16]

    def verify(self, message, signature):
        return _verify(self.algorithm, self.spki, message, signature)


def read_keys(path, most):
    """A gateway.pub: one key a line, the gateway's name and its SPKI in base64. Raises OSError, ValueError naming the line."""
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError("%s has more than %d bytes: it is no file of public keys" % (path, most))
    text = data.decode(errors="replace")
    keys = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            keys += _key_of(line)
        except ValueError as error:
            raise ValueError("%s:%d: %s" % (path, number, error)) from None
    return keys


def _key_of(line):
    if line.startswith("\ufeff"):
        raise ValueError("a byte order mark; a gateway.pub is UTF-8 without one")
    words = [word for word in re.split("[ \t\r]+", line) if word]
    if not words or words[0].startswith("#"):
        return []
    if len(words) != 2:
        raise ValueError("a line is the name of a gateway and a public key (SPKI, base64)")
    return [PublicKey(words[0], base64.b64decode(words[1], validate=True))]


def verify_raw_ed25519(key, message, signature):
    """By a key in its raw 32 bytes, as epoch keys are."""
    return len(key) == 32 and _verify("Ed25519", ED25519 + key, message, signature)


def _verify(algorithm, spki, message, signature):
    """Libraries differ in what else they take: what is not canonical is refused before any is asked."""
    if len(signature) != 64:
        return False
    if algorithm == "Ed25519":
        y, s = _y_of(signature[:32]), int.from_bytes(signature[32:], "little")
        if not _is_sound(spki[12:]) or y >= _P or s >= _L:
            return False
    return VERIFY(algorithm, spki, message, signature)


def _y_of(point):
    return int.from_bytes(point, "little") & (2**255 - 1)


def _is_sound(key):
    """Canonical, and none of the eight points of small order: for those, anybody can make signatures."""
    y = _y_of(key)
    return y < _P and y not in _SMALL_ORDER


def by_arithmetic(algorithm, spki, message, signature):
    if algorithm == "Ed25519":
        return _ed25519(spki[12:], message, signature)
    return _p256(spki[27:], message, signature)


def by_openssl(algorithm, spki, message, signature):
    """One process for each signature; the files are needed because Ed25519 is signed in one pass."""
    if len(signature) != 64:
        return False
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        parts = (spki, message, signature if algorithm == "Ed25519" else _ecdsa_der(signature))
        for name, content in zip(names, parts):
            with open(name, "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", names[0], "-rawin"]
        if algorithm == "ES256":
            command += ["-digest", "sha256"]
        done = subprocess.run(command + ["-in", names[1], "-sigfile", names[2]], capture_output=True, check=False)
    if done.returncode == 0:
        return True
    if b"Signature Verification Failure" in done.stdout:
        return False
    raise RuntimeError("openssl: " + (done.stderr or done.stdout).decode("utf-8", "replace").strip())


VERIFY = by_arithmetic


def choose(way):
    """`openssl` or `python`."""
    global VERIFY
    VERIFY = by_openssl if way == "openssl" else by_arithmetic


def _ecdsa_der(signature):
    def integer(value):
        value = value.lstrip(b"\0") or b"\0"
        if value[0] & 0x80:
            value = b"\0" + value
        return b"\x02" + bytes([len(value)]) + value

    body = integer(signature[:32]) + integer(signature[32:])
    return b"\x30" + bytes([len(body)]) + body


# Ed25519: -x^2 + y^2 = 1 + d x^2 y^2 over 2^255 - 19, points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
# y of the points of order 1, 2, 4 and 8.
_SMALL_ORDER = {
    1, _P - 1, 0,
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
}


def _ed_add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _ed_double(p):
    a, b = p[0] * p[0] % _P, p[1] * p[1] % _P
    c = 2 * p[2] * p[2] % _P
    h = a + b
    e = h - (p[0] + p[1]) * (p[0] + p[1])
    g = a - b
    f = c + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


_tables = {}
_seen = set()


def _ed_times(point, number):
    """By a table of its multiples for a point that comes again: a gateway's key signs a whole ledger, an epoch's once."""
    table = _tables.get(point)
    if table is None and point in _seen and len(_tables) < 64:
        table = _tables[point] = _ed_table(point)
    elif table is None and len(_seen) < 4096:
        _seen.add(point)
    sum_ = (0, 1, 1, 0)
    if table is not None:
        for row in table:
            if number & 15:
                sum_ = _ed_add(sum_, row[number & 15])
            number >>= 4
        return sum_
    multiples = [sum_, point]
    for _ in range(14):
        multiples.append(_ed_add(multiples[-1], point))
    for shift in range(252, -1, -4):
        for _ in range(4):
            sum_ = _ed_double(sum_)
        digit = number >> shift & 15
        if digit:
            sum_ = _ed_add(sum_, multiples[digit])
    return sum_


def _ed_table(point):
    """Row i has 0 to 15 times 16^i times the point."""
    rows = []
    for _ in range(64):
        row = [(0, 1, 1, 0), point]
        for _ in range(14):
            row.append(_ed_add(row[-1], point))
        rows.append(row)
        point = _ed_add(row[15], point)
    return rows


def _ed_point(data):
    """RFC 8032, 5.1.3; None for what is no point."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


_BASE = _ed_point(bytes.fromhex("58" + "66" * 31))


def _ed25519(key, message, signature):
    """RFC 8032, 5.1.7, without the cofactor, as OpenSSL does it: R is compared as bytes, s must be below the order."""
    if len(signature) != 64:
        return False
    a = _ed_point(key)
    s = int.from_bytes(signature[32:], "little")
    if a is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    minus_a = (_P - a[0], a[1], 1, _P - a[3])
    sum_ = _ed_add(_ed_times(_BASE, s), _ed_times(minus_a, k))
    inverse = pow(sum_[2], -1, _P)
    x, y = sum_[0] * inverse % _P, sum_[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# P-256: y^2 = x^3 - 3 x + b, points as (x, y), None the neutral one.

_Q = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def _p_add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % _Q == 0:
            return None
        slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], -1, _Q) % _Q
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, _Q) % _Q
    x = (slope * slope - p[0] - q[0]) % _Q
    return (x, (slope * (p[0] - x) - p[1]) % _Q)


def _p_times(number, point):
    sum_ = None
    for bit in bin(number)[2:]:
        sum_ = _p_add(sum_, sum_)
        if bit == "1":
            sum_ = _p_add(sum_, point)
    return sum_


def _p256(key, message, signature):
    """FIPS 186-5, 6.4.2, with SHA-256; the signature is r || s."""
    if len(signature) != 64:
        return False
    point = (int.from_bytes(key[:32], "big"), int.from_bytes(key[32:], "big"))
    if max(point) >= _Q or (point[1] ** 2 - point[0] ** 3 + 3 * point[0] - _B) % _Q:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < _N and 0 < s < _N):
        return False
    w = pow(s, -1, _N)
    e = int.from_bytes(hashlib.sha256(message).digest(), "big")
    sum_ = _p_add(_p_times(e * w % _N, _G), _p_times(r * w % _N, point))
    return sum_ is not None and sum_[0] % _N == r
