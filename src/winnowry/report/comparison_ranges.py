"""Arms of a comparison against its reference, for range plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from winnowry.report.charts import CHOSEN, QUIET, SECOND, Range


def arm_ranges(arms: Iterable[Mapping[str, Any]], evaluation: str) -> list[Range]:
    """Difference of every arm to the reference on one evaluation, with its interval; the best first.

    Args:
        arms: of a comparison's summary.
        evaluation: name of the text set.
    """
    rows: list[Range] = []
    for arm in arms:
        measured = arm["evaluations"].get(evaluation, {})
        if "difference" in measured:
            low, high = measured["interval"]
            rows.append((arm["arm"], measured["difference"], low, high, _colour(arm)))
    return sorted(rows, key=lambda row: -row[1])


def _colour(arm: Mapping[str, Any]) -> str:
    """The recipe's own arm stands out among candidates; controls and references are quiet."""
    if arm["role"] != "candidate":
        return QUIET
    return SECOND if arm["arm"] == "recipe" else CHOSEN
