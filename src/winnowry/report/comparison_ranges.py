"""Arms of a comparison against its reference: rows of range plots on one axis, and rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from winnowry.core.numbers import fixed
from winnowry.core.outcome import outcome
from winnowry.report.cells import Cell, Table
from winnowry.report.charts import CHOSEN, QUIET, SECOND, Chart, Range, ranges

Arm = Mapping[str, Any]


def arm_charts(
    arms: Sequence[Arm], evaluations: Iterable[str], reference: str | None, titles: Mapping[str, str] | None = None
) -> list[Chart]:
    """One plot an evaluation: difference of every arm to the reference, with its interval.

    Args:
        arms: of a comparison's summary, whose order every plot keeps.
        evaluations: names of text sets; all plots have the axis that holds the widest of them.
        reference: the arm that lies on the line.
        titles: by evaluation, where the name is not enough.
    """
    rows = {name: _arm_ranges(arms, name) for name in evaluations}
    return on_one_axis(rows, f"bits per byte better than {reference}", titles or {})


def on_one_axis(
    rows: Mapping[str, Sequence[Range]], x_label: str, titles: Mapping[str, str] | None = None
) -> list[Chart]:
    """Plots of the same kind, which a reader compares: one axis for all of them.

    Args:
        rows: by evaluation.
        x_label: below the axis.
        titles: by evaluation, where the name is not enough.
    """
    every = [row for some in rows.values() for row in some]
    extent = (min((row[2] for row in every), default=0.0), max((row[3] for row in every), default=0.0))
    charts = (ranges((titles or {}).get(name, name), some, x_label=x_label, extent=extent)
              for name, some in rows.items())  # fmt: skip
    return [chart for chart in charts if chart is not None]


def _arm_ranges(arms: Iterable[Arm], evaluation: str) -> list[Range]:
    rows: list[Range] = []
    for arm in arms:
        measured = arm["evaluations"].get(evaluation, {})
        if "difference" in measured:
            low, high = measured["interval"]
            rows.append((arm["arm"], measured["difference"], low, high, _colour(arm)))
    if not rows:
        return []
    places = {row[0]: row for row in rows}
    # The reference lies on the line, at its place among the others.
    return [places.get(arm["arm"], (arm["arm"], 0.0, 0.0, 0.0, QUIET)) for arm in arms]


def _colour(arm: Arm) -> str:
    """The recipe's own arm stands out among candidates; controls and references are quiet."""
    if arm["role"] != "candidate":
        return QUIET
    return SECOND if arm["arm"] == "recipe" else CHOSEN


def results_table(arms: Iterable[Arm], evaluation: str, reference: str | None) -> Table:
    """Every number of one evaluation, an arm a row, in the order of the summary."""
    rows = []
    for arm in arms:
        measured = arm["evaluations"][evaluation]
        mean = f"{fixed(measured['mean'], 4)} ± {fixed(measured['sd'], 4)}"
        is_reference = arm["arm"] == reference
        rows.append([arm["arm"], mean, *difference_cells(measured, is_reference=is_reference)])
    return Table(["arm", "bits/byte", *DIFFERENCE], rows, left=(0, 5), tight=(0,))


DIFFERENCE = ("difference", "95 % interval", "detectable", "verdict")
"""Headings of what :func:`difference_cells` gives."""


def difference_cells(measured: Arm, *, is_reference: bool = False, percent: bool = False) -> list[Cell]:
    """Difference to the reference, its interval, what could be detected, and what may be said of it.

    Args:
        measured: with or without a ``difference``.
        is_reference: whether it is what others are compared with.
        percent: write shares.
    """
    difference = measured.get("difference")
    if difference is None:
        return ["", "", "", "reference" if is_reference else ""]

    def form(value: float, *, sign: bool) -> str:
        return f"{value:{'+' if sign else ''}.1%}" if percent else fixed(value, 4, sign=sign)

    low, high = measured["interval"]
    verdict = outcome(difference, measured["detectable"])
    return [
        form(difference, sign=True),
        f"{form(low, sign=True)} to {form(high, sign=True)}",
        form(measured["detectable"], sign=False),
        verdict,
    ]
