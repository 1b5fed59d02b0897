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


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


_PROMPT = _column("prompt", TURNS, "Turns before the answer")
_VERIFIER = _column("verifier", pa.string(), "How an answer is checked, in the words of the source")
_COMMON = (
    _column("group", pa.string(), "Records of one group belong on one side of a split"),
    _column("extra", _LONG, "Fields of the source that are no part of the record, as JSON"),
    _column("layout", _LONG, "How the source wrote the record, as JSON: what an export needs to write it again"),
)
CONVERSATION = (
    _column("turns", TURNS, "What was said, turn by turn"),
    _column("tools", _LONG, "Tools that may be called, as JSON"),
    _column("media", MEDIA, "Pictures, films and sounds of the conversation"),
    *_COMMON,
)
PREFERENCE = (
    _PROMPT,
    _column("chosen", TURNS, "The answer that was preferred"),
    _column("rejected", TURNS, "The answer that was not"),
    _column("margin", pa.float64(), "Score of the chosen answer less that of the other, as the source says"),
    _column("ratings_margin", pa.float64(), "The same of the means of ratings of single aspects"),
    _column("label_source", pa.string(), "Who or what preferred"),
    _column("annotators", pa.list_(pa.string()), "Who judged"),
    *_COMMON,
)
RL_PROMPT = (
    _PROMPT,
    _column("answer", _LONG, "The right answer, as it is spelt in the source"),
    _VERIFIER,
    _column("rollouts", ROLLOUTS, "Answers of policies with their rewards"),
    _column("n_prompts", pa.int64(), "1: what a budget of prompts counts"),
    *_COMMON,
)
REASONING = (
    _PROMPT,
    _column("solution", _LONG, "The whole solution"),
    _column("steps", STEPS, "Its steps"),
    _column("answer", _LONG, "Its answer, where the source has it apart"),
    _column("reference", _LONG, "The right answer, or a solution that has it"),
    _VERIFIER,
    _column("verified", pa.bool_(), "Whether the solution is right, as the source says"),
    *_COMMON,
)

Turn = dict[str, Any]
"""A turn as Python has it: the fields of :data:`TURN`."""

_NOTHING: Turn = dict.fromkeys(field.name for field in TURN)


def turn(role: str | None, text: str | None, *, role_raw: str | None = None, **fields: Any) -> Turn:
    """A turn; fields that are not given are null.

    >>> turn("user", "Hi")["role_raw"], turn("user", "Hi")["calls"]
    ('user', None)
    """
    return {**_NOTHING, "role": role, "role_raw": role if role_raw is None else role_raw, "text": text, **fields}


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
