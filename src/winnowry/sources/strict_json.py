"""JSON read so that nothing is guessed or lost: numbers know their spelling, what is ambiguous is refused."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class RefusedJson(ValueError):
    """JSON that has more than one reading.

    Attributes:
        reason: ``duplicate_key``, ``surrogate``, ``too_deep`` or ``bad_json``.
    """

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


class SpeltFloat(float):
    """A number with a point or an exponent, and how it was written.

    >>> strict_json(b'{"price": 1.10}')["price"].spelling
    '1.10'
    """

    spelling: str


def strict_json(data: bytes) -> Any:
    """Read JSON; whole numbers of any length, other numbers as :class:`SpeltFloat`.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        RefusedJson: it is no JSON (NaN and Infinity are none), a key stands twice in an object, a surrogate stands
            alone, or it is nested deeper than Python reads.

    >>> strict_json(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    winnowry.sources.strict_json.RefusedJson: key 'a' stands twice in an object
    """
    text = data.decode("utf-8-sig")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise RefusedJson("too_deep", "nested too deep to be read") from None
    except RefusedJson:
        raise
    except ValueError as error:
        raise RefusedJson("bad_json", str(error)) from None
    if _SURROGATE.search(data):
        try:
            orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if "surrogate" in str(error):
                raise RefusedJson("surrogate", str(error)) from None
    return value


def spelling(value: object) -> tuple[str | None, str]:
    """A value as text as it is spelt in its file, and what kind of JSON it was.

    >>> spelling(True), spelling(7), spelling("007"), spelling(None), spelling(["a", "b"])
    (('true', 'boolean'), ('7', 'number'), ('007', 'text'), (None, 'null'), ('["a","b"]', 'json'))
    """
    if value is None:
        return None, "null"
    if isinstance(value, str):
        return value, "text"
    if isinstance(value, bool):
        return str(value).lower(), "boolean"
    if isinstance(value, SpeltFloat):
        return value.spelling, "number"
    if isinstance(value, int | float):
        return str(value), "number"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str), "json"
    return value.isoformat() if hasattr(value, "isoformat") else str(value), "value"


def _float(spelt: str) -> SpeltFloat:
    number = SpeltFloat(spelt)
    if not math.isfinite(number):
        raise RefusedJson("bad_json", f"number {spelt:.40} is out of range")
    number.spelling = spelt
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RefusedJson("duplicate_key", f"key {key!r:.80} stands twice in an object")
            seen.add(key)
    return made


def _no_number(name: str) -> Any:
    raise RefusedJson("bad_json", f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_no_number)
