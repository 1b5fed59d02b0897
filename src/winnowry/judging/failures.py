"""Why there is no answer: kinds of errors, whatever the status that they come with."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal[
    "rate_limit", "quota", "auth", "not_found", "content_filter", "too_long", "bad_request", "server", "not_json",
    "timeout", "connection", "expired",
]  # fmt: skip
"""Kinds of failures."""

AGAIN = frozenset({"rate_limit", "server", "not_json", "timeout", "connection"})
"""What may be gone at the next attempt. Of the others each is said at once: asking again would not help."""

HOPELESS = frozenset({"auth", "quota", "not_found"})
"""What is wrong with the judge and not with the request: the next request fails as this one did."""

_LONGEST = 300
_KEYS = re.compile(r"\b(?:sk|pk|rk|key|gsk|xai|hf|AIza)[-_][A-Za-z0-9_\-*.]{6,}|(?i:bearer)\s+\S+|\bAIza\S{20,}")


class Failure(NamedTuple):
    """A call that brought no answer.

    Attributes:
        kind: for programs.
        detail: for people, without keys.
    """

    kind: Kind
    detail: str


_BY_WORD: tuple[tuple[str, Kind], ...] = (
    ("content_filter", "content_filter"),
    ("content_policy", "content_filter"),
    ("content management policy", "content_filter"),
    ("responsibleai", "content_filter"),
    ("context_length", "too_long"),
    ("context length", "too_long"),
    ("string_above_max_length", "too_long"),
    ("insufficient_quota", "quota"),
    ("insufficient_balance", "quota"),
    ("billing", "quota"),
    ("invalid_api_key", "auth"),
    ("incorrect api key", "auth"),
    ("authentication", "auth"),
    ("permission", "auth"),
    ("unauthorized", "auth"),
    ("model_not_found", "not_found"),
    ("batch_expired", "expired"),
    ("rate_limit", "rate_limit"),
    ("rate limit", "rate_limit"),
    ("too_many_requests", "rate_limit"),
    ("overloaded", "server"),
    ("server_error", "server"),
    ("internal", "server"),
    ("unavailable", "server"),
    ("timeout", "server"),
)
_BY_STATUS: Mapping[int, Kind] = {
    400: "bad_request", 401: "auth", 402: "quota", 403: "auth", 404: "not_found", 408: "server", 409: "server",
    413: "too_long", 422: "bad_request", 425: "server", 429: "rate_limit",
}  # fmt: skip


def error_of(body: object) -> object:
    """The error that a body is, whatever the status that it came with; None where it is none."""
    if not isinstance(body, Mapping):
        return None
    return body if body.get("object") == "error" else body.get("error")


def failure_of(status: int, error: object, secrets: tuple[str, ...] = ()) -> Failure:
    """What an error says: its code and type first, then a status that they name, then that of the reply.

    Args:
        status: of the reply; 200 is no success where the body is an error.
        error: ``error`` of the body; the body where it has none.
        secrets: what must not stand in the message.

    >>> failure_of(200, {"message": "Rate limit exceeded", "code": 429}).kind
    'rate_limit'
    >>> failure_of(429, {"message": "You exceeded your quota", "code": "insufficient_quota"}).kind
    'quota'
    """
    fields = error if isinstance(error, Mapping) else {"message": error}
    inner = fields.get("innererror")
    names = [fields.get("code"), fields.get("type"), fields.get("status")]
    names += [inner.get("code")] if isinstance(inner, Mapping) else []
    words = " ".join(str(name).lower() for name in names if name is not None)
    message = str(fields.get("message") or fields.get("detail") or (fields if isinstance(error, Mapping) else error))
    stated = next((int(str(name)) for name in names if str(name).isdecimal() and 400 <= int(str(name)) < 600), None)
    effective = stated if stated is not None and status < 400 else status
    kind = _named(words)
    if kind is None or (kind == "server" and 400 <= effective < 500):
        kind = _of_status(effective) if effective >= 400 else _named(message.lower())
        if kind in ("bad_request", "rate_limit"):  # a few say only in words what it is
            told_apart = _named(message.lower())
            kind = told_apart if told_apart in ("content_filter", "too_long", "quota") else kind
    return Failure(kind or "server", without_keys(f"{effective}: {message}", secrets))


def _named(words: str) -> Kind | None:
    return next((kind for word, kind in _BY_WORD if word in words), None)


def _of_status(status: int) -> Kind:
    return _BY_STATUS.get(status, "server" if status >= 500 else "bad_request")


def without_keys(text: str, secrets: tuple[str, ...] = ()) -> str:
    """A message without what looks like a key, in one line of bounded length.

    >>> without_keys("Incorrect API key provided: sk-SECRET1234")
    'Incorrect API key provided: ***'
    """
    return " ".join(_KEYS.sub("***", without_secrets(text, secrets)).split())[:_LONGEST]


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """A text without the keys that are known."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def wait_asked_for(headers: Mapping[str, str], longest_s: float, now: float | None = None) -> float | None:
    """Seconds that an endpoint asks to wait; None where it does not say, or nothing that can be read.

    Args:
        headers: of its reply, with names in lower case.
        longest_s: ceiling: an endpoint that asks for a day is asked sooner.
        now: seconds since 1970; the time of this machine when None.

    >>> wait_asked_for({"retry-after": "2"}, 60), wait_asked_for({"retry-after": "86400"}, 60)
    (2.0, 60)
    >>> wait_asked_for({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, 60, now=50.0)
    10.0
    """
    millis = _seconds(headers.get("retry-after-ms"))
    if millis is not None:
        return min(millis / 1000, longest_s)
    value = headers.get("retry-after")
    seconds = _seconds(value)
    if seconds is None and value:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
        except (TypeError, ValueError, OverflowError):
            return None
    return None if seconds is None else min(max(seconds, 0.0), longest_s)


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
