"""What the columns of a release hold: their meaning, empty values and the spread of numbers; and some of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from winnowry.core.column_meanings import MEANINGS
from winnowry.core.sql import identifier, in_list
from winnowry.lakehouse.blobs import blob_columns
from winnowry.reading.session import Session
from winnowry.releases.facts.examples import masked, words_of
from winnowry.releases.facts.specified import specified_operators
from winnowry.releases.facts.turns import turn_columns, turns_of
from winnowry.stages.graph import PUBLISHED, stage_named

_ROWS = 5
_CHARACTERS = 300
_READ = 2000  # characters that are looked at for personal data
_VALUE = 80  # characters of another value
_BINS = 20
_CHARTS = 24  # numeric columns, in the order of the table
_BESIDE = ("promotion_id", "record_id", "partition")


def columns(session: Session, stages: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every column in the order of the table.

    Args:
        session: a session over the tables of a release.
        stages: specification of every stage, by name.

    Returns:
        ``name``, ``type``, ``nullable``, ``meaning`` (None where nobody says), ``nulls``. The first 24 columns of
        numbers also have ``low``, ``high`` and ``mean`` of the finite values and ``counts``, the rows in each of 20
        equal bins between the two (None without a finite value).
    """
    schema = session.tables.views[PUBLISHED].schema
    blobs = set(blob_columns(schema))
    named = [field for field in schema if field.name not in blobs]
    counted = ", ".join(f"COUNT(*) - COUNT({identifier(f.name)}) AS c{at}" for at, f in enumerate(named))
    nulls = session.one(f"SELECT {counted} FROM {PUBLISHED}") if named else {}
    missing = {field.name: nulls[f"c{at}"] for at, field in enumerate(named)}
    writers = _writers(stages)
    numbers = [f.name for f in named if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)][:_CHARTS]
    spread = _spread(session, numbers)
    return [
        {
            "name": field.name,
            "type": str(field.type),
            "nullable": field.nullable,
            "meaning": _meaning(field, writers),
            "nulls": missing.get(field.name),
            **spread.get(field.name, {}),
        }
        for field in schema
    ]


def _meaning(field: pa.Field, writers: Mapping[str, str]) -> str | None:
    own = (field.metadata or {}).get(b"description")
    if own:
        return str(own.decode("utf-8", "replace"))
    return MEANINGS.get(field.name) or writers.get(field.name)


def _writers(stages: Mapping[str, Any]) -> dict[str, str]:
    """Which operator writes a column, by the specifications of the stages."""
    return {
        name: f"written by {operator.op}, version {version}"
        for version, operator in specified_operators(stages)
        for name in operator.writes().names
    }


def _spread(session: Session, names: list[str]) -> dict[str, dict[str, Any]]:
    """Ends, mean and bins of the finite values of some columns."""
    if not names:
        return {}
    ends = ", ".join(
        f"MIN(v) FILTER (isfinite(v)) AS low{at}, MAX(v) FILTER (isfinite(v)) AS high{at}, "
        f"AVG(v) FILTER (isfinite(v)) AS mean{at}".replace("(v)", f"({identifier(name)}::DOUBLE)")
        for at, name in enumerate(names)
    )
    values_of = session.one(f"SELECT {ends} FROM {PUBLISHED}")
    spread: dict[str, dict[str, Any]] = {}
    for at, name in enumerate(names):
        low, high = values_of[f"low{at}"], values_of[f"high{at}"]
        values = {"low": low, "high": high, "mean": values_of[f"mean{at}"]}
        spread[name] = values | {"counts": None if low is None else _counts(session, name, low, high)}
    return spread


def _counts(session: Session, name: str, low: float, high: float) -> list[int]:
    value, width = f"{identifier(name)}::DOUBLE", (high - low) / _BINS
    place = f"LEAST({_BINS - 1}, GREATEST(0, FLOOR(({value} - {low!r}) / {width!r})))::INT" if width else "0"
    counts = [0] * _BINS
    rows = session.rows(f"SELECT {place} AS bin, COUNT(*) AS n FROM {PUBLISHED} WHERE isfinite({value}) GROUP BY 1")
    for row in rows:
        counts[row["bin"]] = row["n"]
    return counts


def rows(session: Session, *, mask: bool = True) -> list[dict[str, Any]]:
    """Some published rows: those with the lowest ids, which are hashes, so that they are a random choice.

    Args:
        session: a session over the tables of a release.
        mask: whether personal data is replaced by tags.

    Returns:
        At most five: ``record_id``, ``partition``, ``text`` (at most 300 characters; None where a record has none) and
        whether it was ``cut``, ``values``: the other columns, at most 80 characters each; of conversations ``turns``,
        see :func:`~winnowry.releases.facts.turns.turns_of`.
    """
    view = session.tables.views[PUBLISHED]
    ids = session.one(f"SELECT MIN(record_id, {_ROWS}) AS ids FROM {PUBLISHED}")["ids"] or []
    if not ids:
        return []
    shown = stage_named(PUBLISHED).shows
    text_column = shown if shown in view.schema.names else None
    blobs = set(blob_columns(view.schema))
    names = [name for name in view.schema.names if name not in blobs]
    picked = sorted(view.to_table(names, in_list("record_id", ids)).to_pylist(), key=lambda row: str(row["record_id"]))
    texts = [_begun(row[text_column]) if text_column is not None else None for row in picked]
    texts = masked(texts) if mask else texts
    spoken = turn_columns(view.schema)
    apart = {*_BESIDE, text_column, *spoken}
    listed = [{n: _shown(v) for n, v in row.items() if n not in apart} for row in picked]
    if mask:
        for values in listed:
            values |= dict(zip(values, masked(values.values()), strict=True))
    return [
        {
            "record_id": row["record_id"],
            "partition": row["partition"],
            "text": None if text is None else text[:_CHARACTERS],
            "cut": text is not None and len(text) > _CHARACTERS,
            "values": values,
            **({"turns": turns_of(row, spoken, masked if mask else list)} if spoken else {}),
        }
        for row, text, values in zip(picked, texts, listed, strict=True)
    ]


def _begun(text: object) -> str | None:
    return words_of(text[: 4 * _READ])[:_READ] if isinstance(text, str) else None


def _shown(value: object) -> str | None:
    """A value on one line, cut."""
    if value is None:
        return None
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"
