"""Values as JSON, and JSON as what identifies a value."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal

import orjson

_LONG_INTEGER = re.compile(rb"\d{19}")
_MOST_DIGITS = 4300  # that Python turns into an integer


def jsonable(value: object, *, not_finite: Literal["null", "text"] = "null", longest_list: int | None = None) -> Any:
    """Reduce a value to what JSON can hold.

    Dataclasses become objects, times ISO 8601, bytes base64, decimals numbers, sets sorted lists, NumPy's scalars what
    they hold; anything else becomes its text.

    Args:
        value: the value.
        not_finite: whether NaN and infinities become null or text.
        longest_list: members of a list that are kept; None for all.

    >>> jsonable({"a": float("nan"), "b": b"hi", "c": (1, Decimal("2.5")), "d": {"y", "x"}})
    {'a': None, 'b': 'aGk=', 'c': [1, 2.5], 'd': ['x', 'y']}
    >>> jsonable([float("inf"), 1, 2], not_finite="text", longest_list=2)
    ['inf', 1]
    """

    def reduced(inner: object) -> Any:
        return jsonable(inner, not_finite=not_finite, longest_list=longest_list)

    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value) if not_finite == "text" else None
    if isinstance(value, Decimal):
        return reduced(float(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if is_dataclass(value) and not isinstance(value, type):
        return reduced(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): reduced(item) for key, item in value.items()}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return reduced(value.item())
    if isinstance(value, Iterable):
        members = sorted(value, key=str) if isinstance(value, Set) else list(value)
        return [reduced(item) for item in members[:longest_list]]
    return str(value)


def exact_json(data: bytes) -> Any:
    """Read JSON, whole numbers of any length as they are written.

    Raises:
        orjson.JSONDecodeError: it is not JSON, or has lone surrogates.

    >>> exact_json(b'{"id": 12345678901234567890123}')
    {'id': 12345678901234567890123}
    """
    value = orjson.loads(data)  # numbers beyond 64 bits become floats
    if _LONG_INTEGER.search(data) is None:
        return value
    try:
        return json.loads(data, parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else float(digits))
    except RecursionError:
        return value


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text.

    >>> canonical_json({"b": 1, "a": ["é"]})
    '{"a":["é"],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """32 hexadecimal characters that identify a value; what JSON cannot hold counts as its text.

    >>> digest([])
    '4f53cda18c2baa0c0354bb5f9a3ecbe5'
    """
    # Escaped to ASCII, unlike canonical_json: records of promotions hold digests made this way.
    body = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(body.encode()).hexdigest()[:32]
