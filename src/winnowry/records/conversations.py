"""Columns of conversations, preference pairs, RL prompts and chains of thought.

Whatever a model or a tool may spell in its own way (arguments of a call, parts of a content, fields that nobody knows)
is JSON text: a struct would give every row the keys of all others, as null.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

ROLES = ("system", "user", "assistant", "tool")
"""What a turn is; what its source calls it is in ``role_raw``."""

_LONG = pa.large_string()

CALL = pa.struct(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("arguments", _LONG),
        ("was_text", pa.bool_()),
        ("extra", _LONG),
    ]
)
"""A call of a tool. ``arguments`` is JSON text; ``was_text``: the source has it as text, else as an object. ``extra``
is the rest of the call, as JSON; null where it is ``{"type": "function", "function": {}}``."""

TURN = pa.struct(
    [
        ("role", pa.string()),
        ("role_raw", pa.string()),
        ("text", _LONG),
        ("parts", _LONG),
        ("calls", pa.list_(CALL)),
        ("call_id", pa.string()),
        ("name", pa.string()),
        ("reasoning", _LONG),
        ("weight", pa.float64()),
        ("extra", _LONG),
    ]
)
"""A turn. ``role`` is one of :data:`ROLES`, null where the source's word is none of those known. ``text`` is its
content, of a content in parts their text; ``parts`` is that content as JSON. ``call_id`` is the call it answers."""

TURNS = pa.list_(TURN)
MEDIA = pa.list_(pa.struct([("type", pa.string()), ("uri", pa.string()), ("found", pa.bool_())]))
"""Pictures, films and sounds that belong to a record. ``found`` is null where nobody looked."""
ROLLOUTS = pa.list_(
    pa.struct(
        [
            ("text", _LONG),
            ("reward", pa.float64()),
            ("policy", pa.string()),
            ("step", pa.int64()),
            ("tokens", pa.int64()),
            ("finish", pa.string()),
        ]
    )
)
STEPS = pa.list_(pa.struct([("text", _LONG), ("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())]))
"""Steps of a solution: characters ``start`` to ``end`` of it, null where the source has a list of steps."""

_COMMON = (pa.field("group", pa.string()), pa.field("extra", _LONG), pa.field("layout", _LONG))
"""``group``: records of one must not be parted by a split. ``extra``: fields that nobody knows, as JSON. ``layout``:
how the source wrote the record, as JSON, so that an export can write it so again."""

CONVERSATION = (
    pa.field("turns", TURNS),
    pa.field("tools", _LONG),
    pa.field("media", MEDIA),
    *_COMMON,
)
PREFERENCE = (
    pa.field("prompt", TURNS),
    pa.field("chosen", TURNS),
    pa.field("rejected", TURNS),
    pa.field("margin", pa.float64()),
    pa.field("ratings_margin", pa.float64()),
    pa.field("label_source", pa.string()),
    pa.field("annotators", pa.list_(pa.string())),
    *_COMMON,
)
RL_PROMPT = (
    pa.field("prompt", TURNS),
    pa.field("answer", _LONG),
    pa.field("verifier", pa.string()),
    pa.field("rollouts", ROLLOUTS),
    pa.field("n_prompts", pa.int64()),
    *_COMMON,
)
REASONING = (
    pa.field("prompt", TURNS),
    pa.field("solution", _LONG),
    pa.field("steps", STEPS),
    pa.field("answer", _LONG),
    pa.field("reference", _LONG),
    pa.field("verifier", pa.string()),
    pa.field("verified", pa.bool_()),
    *_COMMON,
)

Turn = dict[str, Any]
"""A turn as Python has it: the fields of :data:`TURN`."""


def turn(role: str | None, text: str | None, *, role_raw: str | None = None, **fields: Any) -> Turn:
    """A turn; fields that are not given are null.

    >>> turn("user", "Hi")["role_raw"], turn("user", "Hi")["calls"]
    ('user', None)
    """
    empty: Turn = dict.fromkeys(field.name for field in TURN)
    return {**empty, "role": role, "role_raw": role if role_raw is None else role_raw, "text": text, **fields}


def rendered(*parts: Iterable[Mapping[str, Any]] | None) -> str:
    r"""The contents of turns as one text, a blank line between them; turns without text are left out.

    >>> rendered([turn("user", "Hi"), turn("assistant", None)], [turn("assistant", "Hello.")])
    'Hi\n\nHello.'
    """
    return "\n\n".join(part["text"] for turns in parts for part in turns or () if part["text"])


def prompt_key(turns: Iterable[Mapping[str, Any]] | None) -> str | None:
    """32 hexadecimal characters that prompts share which differ in case, white space or Unicode composition only.

    The prompt is what users say before the first answer.

    >>> prompt_key([turn("user", " Why\u00a0so?")]) == prompt_key([turn("system", "x"), turn("user", "why so?")])
    True
    """
    asked: list[str] = []
    for part in turns or ():
        if part["role"] == "assistant":
            break
        if part["role"] == "user" and part["text"]:
            asked.append(part["text"])
    if not asked:
        return None
    normalised = " ".join(unicodedata.normalize("NFC", "\n".join(asked)).lower().split())
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()[:32]
