"""What ``explain`` says of a record's row in a stage's table; the stage graph names one of these for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from winnowry.inspect.explain_draw import draw_sentence
from winnowry.inspect.explain_group import duplicate_outcome
from winnowry.records.kinds import sized_by

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Beside:
    """What is known beside a row.

    Attributes:
        releases: tags that hold the record.
        draw: what its draw rested on.
    """

    releases: tuple[str, ...] = ()
    draw: Mapping[str, Any] = field(default_factory=dict)


def counted_in_object(row: Row, beside: Beside) -> str:
    """Of the landing object."""
    return f"one of {row['n_records']:,} records in {row['uri']}"


def read_from_object(row: Row, beside: Beside) -> str:
    """Where it was read."""
    return f"read from position {row['position']:,} of {row['uri']}, partition {row['partition']}"


def kept_by_rules(row: Row, beside: Beside) -> str:
    """That every rule kept it."""
    if row.get("text") and "media_type" not in row:  # files may have a text beside them
        return f"kept by every rule, {len(row['text']):,} characters"
    kind = sized_by(row)
    shown = kind.shows(row) if kind is not None and not kind.has_text else ""
    return "kept by every rule" + (f", {shown}" if shown else "")


def stands_behind(row: Row, beside: Beside) -> str:
    """Which record stands for it."""
    return duplicate_outcome(row)


def scored(row: Row, beside: Beside) -> str:
    """Its size as it was scored."""
    kind = sized_by(row)
    if kind is None or row.get(kind.size_column) is None:
        return "scored"
    return f"scored, {row[kind.size_column] // kind.sizes_per_unit:,} {kind.unit}"


def drawn(row: Row, beside: Beside) -> str:
    """Whether it was drawn, and on what ground."""
    return f"{draw(row)}, stratum {row['stratum']}{draw_sentence(beside.draw)}"


def released(row: Row, beside: Beside) -> str:
    """The releases that hold it."""
    return f"in the latest release; tags that hold it: {', '.join(beside.releases) or 'none yet'}"


def draw(row: Row) -> str:
    """A draw in a few words."""
    chosen = "selected" if row["selected"] else "not selected"
    return f"{chosen}: draw {row['draw']:.4g} at probability {row['probability']:.4g}"


def rejected(row: Row) -> str:
    """Why a row of the quarantine is there."""
    reasons = row.get("reasons") or [
        {"operator": row["operator"], "rule": row["reason"], "value": row["value"], "threshold": row["threshold"]}
    ]
    return "rejected: " + "; ".join(_reason(reason) for reason in reasons)


def _reason(reason: Row) -> str:
    text = f"{reason['operator']} {reason['rule']}"
    if reason.get("value") is not None:
        text += f", value {reason['value']}"
    if reason.get("threshold") is not None:
        text += f", threshold {reason['threshold']}"
    return text
