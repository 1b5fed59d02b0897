"""Turns of conversations as people are shown them: who said what, cut, with personal data masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from winnowry.records.conversations import TURNS

_TURNS, _CHARACTERS = 8, 600  # of a column, and of a turn

Mask = Callable[[list[str | None]], list[str | None]]


def turn_columns(schema: pa.Schema) -> list[str]:
    """Columns that hold turns, in the order of the table."""
    return [field.name for field in schema if field.type == TURNS]


def turns_of(row: Mapping[str, Any], columns: Sequence[str], mask: Mask) -> list[dict[str, Any]]:
    """The turns of a record.

    Args:
        row: a row of the release.
        columns: those with turns.
        mask: replaces personal data.

    Returns:
        One for each column that is not null: ``column``, ``turns`` (at most 8: ``role``, ``text`` of at most 600
        characters, ``cut``, ``calls``) and ``more``, how many others there are.
    """
    shown = []
    for column in columns:
        turns = row[column]
        if turns is None:
            continue
        some = turns[:_TURNS]
        texts = mask([turn["text"] for turn in some])
        calls = [mask([_call(call) for call in turn["calls"] or ()]) for turn in some]
        shown.append(
            {
                "column": column,
                "turns": [
                    {
                        "role": turn["role"] or turn["role_raw"] or "no role",
                        "text": None if text is None else text[:_CHARACTERS],
                        "cut": text is not None and len(text) > _CHARACTERS,
                        "calls": [call[:_CHARACTERS] for call in called if call is not None],
                    }
                    for turn, text, called in zip(some, texts, calls, strict=True)
                ],
                "more": len(turns) - len(some),
            }
        )
    return shown


def _call(call: Mapping[str, Any]) -> str:
    return f"{call['name'] or 'a tool'}({call['arguments'] or ''})"
