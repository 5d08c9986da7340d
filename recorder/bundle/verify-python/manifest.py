"""The form of an audit bundle's manifest, version 1. docs/bundles.md; `schemas/bundle.ts` has the same as a schema."""

import json
import re

from archive import is_name

HEX = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
FIGURE = re.compile(r"[a-z0-9-]{1,64}")
MAX_TEXT, MAX_LEFT = 4096, 64


def parse_manifest(data):
    """Raises ValueError where it has not this form."""
    try:
        manifest = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise ValueError("too deep") from None
    if not _manifest(manifest):
        raise ValueError("not the form of version 1")
    return manifest


def _no_number(name):
    raise ValueError(name + " is no JSON")


def _manifest(value):
    return _has(
        value,
        {
            "format": lambda it: it == "sallyport bundle",
            "v": lambda it: _count(it) and it == 1,
            "period": _object({"from": _time, "to": _time}),
            "framework": lambda it: it in ("soc2", "iso27001", "pci"),
            "scope": _object({"target": _list(_text), "identity": _list(_text)}),
            "watermark": _object({"origin": _text, "size": _count, "root": _hex}),
            "lines": _object({"from": _count, "left": lambda it: _list(_hex)(it) and len(it) <= MAX_LEFT}),
            "tool": _text,
            "verified": lambda it: it in ("all", "sample"),
            "sample": _object({"seed": _text, "size": _count}),
            "tables": _list(_object({"file": _path, "types": _list(_text), "until": lambda it: it in ("period", "watermark")})),
            "figures": _list(_object(
                {"id": lambda it: _matches(FIGURE, it), "title": _text, "file": _path, "where": _texts, "value": _count},
                {"sum": _text},
            )),
            "files": _list(_object({"path": _path, "size": _count, "sha256": _hex})),
        },
        {"small": _object({"maxSize": _count, "leftOut": _list(_text)})},
    )


def _object(needed, optional={}):
    return lambda value: _has(value, needed, optional) and set(value) <= set(needed) | set(optional)


def _has(value, needed, optional):
    return (
        isinstance(value, dict)
        and all(name in value and fits(value[name]) for name, fits in needed.items())
        and all(fits(value[name]) for name, fits in optional.items() if name in value)
    )


def _list(fits):
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _text(value):
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _texts(value):
    return isinstance(value, dict) and all(_text(name) and _text(text) for name, text in value.items())


def _path(value):
    return isinstance(value, str) and is_name(value)


def _count(value):
    """As JSON has numbers: 1.0 is 1, and true is none."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and value >= 0


def _matches(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _hex(value):
    return _matches(HEX, value)


def _time(value):
    return _matches(TIME, value)
