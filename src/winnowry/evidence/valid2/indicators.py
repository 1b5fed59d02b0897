"""One indicator: what was measured, how it is scored, and which records show it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.sql import literal
from winnowry.recipe.valid2 import INDICATORS, IndicatorName, Valid2Gate
from winnowry.records.kinds import TEXT, Kind

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView

EXAMPLES = 5
_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
_IDS_AT_ONCE = 1 << 16
_HEX = 8  # digits of an id that are compared: 2^32 steps


class Example(TypedDict):
    """A record that shows why an indicator fails."""

    record_id: str
    value: str


@dataclass(frozen=True)
class Measured:
    """The measurement of one indicator.

    Attributes:
        value: None where it could not be measured.
        why: why it could not.
        records: that were looked at.
        interval: 95 % confidence interval, where a sample was looked at.
        note: what a reader must know.
        examples: finds records that fail it, where a single record can; called only where the indicator fails.
    """

    value: float | None
    why: str = ""
    records: int | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    examples: Callable[[], list[Example]] | None = None


@dataclass(frozen=True)
class Setting:
    """What the card is about, apart from the tables.

    Attributes:
        as_of: the snapshot.
        as_of_from: ``recipe``, ``release`` or ``now``.
        operators: names of the recipe's operators.
        strata: columns by which the sample was drawn.
        kind: of the records.
    """

    as_of: datetime
    as_of_from: str
    operators: frozenset[str]
    strata: tuple[str, ...]
    kind: Kind = TEXT


def unmeasured(why: str) -> Measured:
    """An indicator without a value."""
    return Measured(None, why)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``n`` sampled records (Wilson 1927).

    >>> [round(end, 3) for end in wilson(10, 100)]
    [0.055, 0.174]
    """
    share = hits / n
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    low, high = ((share + _Z**2 / (2 * n) + sign * spread) / (1 + _Z**2 / n) for sign in (-1, 1))
    return max(0.0, low) if hits else 0.0, min(1.0, high) if hits < n else 1.0


def half_width(effective: float) -> float:
    """Half-width of the 95 % interval of a rate of one half: the widest there is.

    >>> round(half_width(1000), 4)
    0.031
    """
    return min(1.0, _Z * math.sqrt(0.25 / effective))


def below(fraction: float) -> str | None:
    """The id under which lies a fraction of all ids, which are uniform hexadecimal digits; None for all of them.

    >>> below(0.5), below(1.0)
    ('80000000', None)
    """
    return None if fraction >= 1 else f"{math.ceil(fraction * 16**_HEX):0{_HEX}x}"


def id_bound(view: TableView, wanted: int, rows: int) -> str | None:
    """The id below which lie about ``wanted`` of a table's rows, always the same ones; None for all of them.

    Ids are hashes, so that those below a bound are a random sample. Where ids are not, the bound moves until between
    half and twice as many are kept.
    """
    fraction = wanted / rows if rows else 1.0
    bound = below(fraction)
    for _ in range(32):
        if bound is None:
            return None
        n_below = view.count_rows(f"record_id < {literal(bound)}")
        if wanted <= 2 * n_below and n_below <= 2 * wanted:
            break
        fraction = fraction / 2 if n_below > wanted else fraction * 2
        bound = below(fraction)
    return bound


def within(bound: str | None) -> str:
    """The clause of SQL that keeps ids below a bound; empty for all of them."""
    return "" if bound is None else f" WHERE record_id < {literal(bound)}"


def drawn(view: TableView, bound: str | None, columns: Sequence[str], rows_at_once: int) -> Iterator[pa.Table]:
    """Some rows below a bound at a time, so that long texts are never together in memory.

    Ids are scanned, texts are taken: a filtered scan would give all that it finds as one batch.
    """
    if bound is None:
        for batch in view.scan(columns, batch_rows=rows_at_once):
            yield pa.Table.from_batches([batch])
        return
    places: list[int] = []
    start = 0
    for batch in view.scan(["record_id"], batch_rows=_IDS_AT_ONCE):
        chosen = pc.less(batch.column(0), bound).to_numpy(zero_copy_only=False)
        places += (np.flatnonzero(chosen) + start).tolist()
        start += batch.num_rows
    for first in range(0, len(places), rows_at_once):
        yield view.dataset().take(places[first : first + rows_at_once], columns=list(columns))


def score(value: float, threshold: float, *, at_least: bool, share: bool) -> float:
    """How far a threshold is met, 0 to 1; 1 exactly where it is.

    A floor that is missed scores value / threshold. A ceiling that is exceeded scores (1 - value) / (1 - threshold)
    for a share, else threshold / value.

    >>> score(0.3, 0.6, at_least=True, share=True), score(0.75, 0.5, at_least=False, share=True)
    (0.5, 0.5)
    """
    if value >= threshold if at_least else value <= threshold:
        return 1.0
    if at_least:
        met = value / threshold
    elif share:
        met = (1 - value) / (1 - threshold) if threshold < 1 else 0.0
    else:
        met = threshold / value
    return min(max(met, 0.0), math.nextafter(1.0, 0.0))


def judged(
    measures: Mapping[IndicatorName, Measured], gate: Valid2Gate, *, required: bool = True
) -> Iterator[dict[str, Any]]:
    """Every indicator as the card holds it, in the order of ``INDICATORS``.

    An indicator with a threshold that could not be measured scores 0: what the recipe requires was not shown.

    Args:
        measures: by name.
        gate: thresholds.
        required: whether the recipe asks for them; else indicators are scored against the presets, and none passes or
            fails.
    """
    for name, wanted in INDICATORS.items():
        measured = measures.get(name) or unmeasured("nothing measures it in this recipe")
        threshold = gate.threshold(name)
        value = measured.value if measured.value is not None and math.isfinite(measured.value) else None
        scored: float | None = None
        if threshold is not None and value is not None:
            scored = score(value, threshold, at_least=wanted.at_least, share=wanted.unit == "share")
        elif threshold is not None and name in gate.thresholds:
            scored = 0.0
        failed = required and scored is not None and scored < 1
        examples = measured.examples() if failed and measured.examples is not None else []
        yield {
            "name": name,
            "letter": wanted.letter,
            "label": wanted.label,
            "unit": wanted.unit,
            "value": value,
            "threshold": threshold,
            "at_least": wanted.at_least,
            "score": scored,
            "passed": None if scored is None or not required else not failed,
            "why": "" if value is not None else measured.why or "its value is not a finite number",
            "records": measured.records,
            "interval": None if measured.interval is None else list(measured.interval),
            "note": measured.note,
            "examples": examples[:EXAMPLES],
        }
