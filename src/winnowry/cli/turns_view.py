"""Turns of a conversation and steps of a solution, a line each, with the ones marked that a check names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from winnowry.core.visible import visible

if TYPE_CHECKING:
    from rich.text import Text

_NAMED = re.compile(r"(turn|step) (\d+)\b")
_CHARACTERS = 300
_SHOWN = 40
_FIRST = {"turn": 0, "step": 1}

Marks = Mapping[str, Mapping[int, str]]
"""Of ``turn`` and ``step``, by its place in the list: what a check says of it."""


def marks_in(values: Iterable[Mapping[str, Any]]) -> Marks:
    """The turns and steps that columns name, such as ``step 3: written 24, computed 25``.

    >>> marks_in([{"columns": {"cot_wrong_step": "step 3: written 24, computed 25"}}])["step"]
    {2: 'cot_wrong_step: step 3: written 24, computed 25'}
    """
    marks: dict[str, dict[int, str]] = {"turn": {}, "step": {}}
    for row in values:
        computed = row.get("columns")
        for name, value in {**row, **(computed if isinstance(computed, dict) else {})}.items():
            named = isinstance(value, str) and name != "value"  # of the first reason; the column says it too
            match = _NAMED.match(value) if named else None
            if match is not None:
                place = int(match[2]) - _FIRST[match[1]]
                marks[match[1]].setdefault(place, f"{name}: {value}")
    return marks


def lines_of(value: object, marks: Marks) -> Text | None:
    """A list of turns or of steps as lines; None for anything else."""
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        return None
    if "role_raw" in value[0]:
        return _lines([(_speaker(one), _words(one)) for one in value], marks["turn"])
    if {"text", "start", "end"} <= value[0].keys():
        return _lines([(f"{number}", one["text"] or "") for number, one in enumerate(value, 1)], marks["step"])
    return None


def _lines(listed: list[tuple[str, str]], marks: Mapping[int, str]) -> Text:
    from rich.text import Text

    text = Text()
    for place, (who, words) in enumerate(listed):
        mark = marks.get(place)
        if place >= _SHOWN and mark is None:
            continue
        text.append("\n" if text else "")
        text.append(f"{who}  ", "red" if mark else "bright_black")
        text.append(visible(words[:_CHARACTERS]) + ("…" if len(words) > _CHARACTERS else ""), "red" if mark else "")
        if mark is not None:
            text.append(f"  ← {visible(mark)}", "bold red")
    if len(listed) > _SHOWN:
        text.append(f"\n… {len(listed):,} in all", "bright_black")
    return text


def _speaker(turn: Mapping[str, Any]) -> str:
    return str(turn["role"] or turn["role_raw"] or "no role")


def _words(turn: Mapping[str, Any]) -> str:
    calls = [f"→ {call['name']}({call['arguments'] or ''})" for call in turn["calls"] or ()]
    thought = [f"({turn['reasoning']})"] if turn["reasoning"] else []
    return " ".join([*thought, *([turn["text"]] if turn["text"] else []), *calls]) or "(nothing)"
