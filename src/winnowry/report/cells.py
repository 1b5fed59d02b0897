"""What pages show in a certain form: tables, cells that are more than text, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["", "good", "warn", "bad", "dim"]

GATE_TONES: Mapping[str, Tone] = {"pass": "good", "warn": "warn", "accepted": "warn", "fail": "bad", "broken": "bad"}
"""Colours of what a gate decided."""


@dataclass(frozen=True, slots=True)
class Word:
    """A cell in the colour of what it means."""

    text: str
    tone: Tone
    kind: Literal["word"] = "word"


@dataclass(frozen=True, slots=True)
class Share:
    """A cell with a small bar.

    Attributes:
        text: what stands beside the bar.
        fraction: 0–1.
    """

    text: str
    fraction: float
    kind: Literal["share"] = "share"


def unit_of(contents: Mapping[str, Any]) -> str:
    """What the sizes of a release are counted in, which the facts call tokens."""
    return str(contents.get("unit", "tokens"))


Cell = str | Word | Share


@dataclass(frozen=True, slots=True)
class Table:
    """A table; it scrolls sideways where it is too wide.

    Attributes:
        head: headings.
        rows: cells.
        left: columns of text rather than numbers.
        tight: columns of text that never wrap.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    left: tuple[int, ...] = (0,)
    tight: tuple[int, ...] = ()

    @property
    def classes(self) -> list[str]:
        """Class of every column's cells."""
        widest = max((len(row) for row in self.rows), default=0)
        return [self._class(place) for place in range(max(len(self.head), widest))]

    def _class(self, place: int) -> str:
        if place in self.tight:
            return "l tight"
        if place in self.left:
            return "l"
        return "share" if any(isinstance(row[place], Share) for row in self.rows) else ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar.

    Attributes:
        name: to its left.
        value: its length.
        text: to its right.
        kind: ``left`` of a step, ``drop`` of what a step left out, ``last`` of what is left at the end, ``fails`` of
            what misses a limit.
    """

    name: str
    value: float
    text: str
    kind: Literal["", "left", "drop", "last", "fails"] = ""


def most_rows(steps: Sequence[Mapping[str, Any]]) -> int:
    """Records of the step that has most; more than were read where a step makes records of records."""
    return max(int(step["rows"]) for step in steps)
