"""The page of a comparison: one HTML file without scripts or anything from the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import cycle
from typing import Any

from winnowry.core.numbers import fixed, number
from winnowry.report.cells import Cell, Table, Tone, Word
from winnowry.report.charts import CHOSEN, LINE_COLOURS, Chart, Line, Range, lines, ranges
from winnowry.report.comparison_ranges import arm_ranges
from winnowry.report.render import render

Summary = Mapping[str, Any]


def comparison_page(corpus: str, summary: Summary) -> str:
    """Lay out a comparison.

    Args:
        corpus: its name.
        summary: what ``evidence.comparison.summary.summarise`` gives.

    Returns:
        The page; every name in it is escaped.
    """
    names = [item["name"] for item in summary["evaluations"]]
    verdict, colon, rest = summary["verdict"].partition(":")
    return render(
        "comparison.html.j2",
        corpus=corpus,
        summary=summary,
        verdict=verdict,
        because=colon + rest,
        recommendation=_recommendation(summary),
        arms=_drawn(
            ranges(name, arm_ranges(summary["arms"], name), x_label=f"bits per byte better than {summary['reference']}")
            for name in names
        ),
        arms_table=_arms_table(summary, names),
        dose=_drawn(_dose_chart(summary, name) for name in names),
        attribution=_drawn(_attribution_chart(summary, name) for name in names),
        questions=[(item, _questions_table(item)) for item in summary["questions"]],
        sets=_sets_table(summary),
    )


def _drawn(charts: Iterable[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def _recommendation(summary: Summary) -> str:
    recommended = summary["recommendation"]
    if recommended is None:
        return "keep the recipe as it is."
    changes = ", ".join(f"{name}: {value}" for name, value in recommended.items() if name != "why")
    return f"{changes} ({recommended['why']})."


def _attribution_chart(summary: Summary, evaluation: str) -> Chart | None:
    rows: list[Range] = []
    for row in summary["attribution"]:
        cost = row["evaluations"][evaluation]
        # What the recipe gains over the one that leaves it out is what leaving it out costs.
        rows.append((row["left_out"], cost["mean"], cost["low"], cost["high"], CHOSEN))
    return ranges(evaluation, sorted(rows, key=lambda row: -row[1]), x_label="cost in bits per byte")


def _dose_chart(summary: Summary, evaluation: str) -> Chart | None:
    points: dict[str, list[tuple[float, float]]] = {}
    for point in summary["dose"]:
        at = (point["token_fraction"], point["evaluations"][evaluation]["mean"])
        points.setdefault(point["arm"], []).append(at)
    series: list[Line] = [
        (name, line, colour) for (name, line), colour in zip(sorted(points.items()), cycle(LINE_COLOURS), strict=False)
    ]
    return lines(
        evaluation, series, x_label="share of tokens selected", y_label="bits per byte", percent_x=True, from_zero=False
    )


def _arms_table(summary: Summary, evaluations: list[str]) -> Table:
    head = [
        "arm",
        "role",
        "documents",
        "tokens",
        "tokens/document",
        "distinct trigrams",
        "length shift",
        "source shift",
    ]
    for name in evaluations:
        head += [f"{name}, bits/byte", "difference", "detectable"]
    rows = []
    for arm in sorted(summary["arms"], key=lambda arm: arm["evaluations"][summary["decides"]]["mean"]):
        cells: list[Cell] = [
            arm["arm"], arm["role"].replace("_", " "), number(arm["documents"]), number(arm["tokens"]),
            fixed(arm["mean_document_tokens"], 0), fixed(arm["distinct_trigram_fraction"], 3),
            fixed(arm["length_shift"], 3, missing=""), fixed(arm["source_shift"], 3, missing=""),
        ]  # fmt: skip
        for name in evaluations:
            measured = arm["evaluations"][name]
            cells.append(f"{fixed(measured['mean'], 4)} ± {fixed(measured['sd'], 4)}")
            cells += _difference(measured, lambda value, sign: fixed(value, 4, sign=sign))
        rows.append(cells)
    return Table(head, rows, left=(0, 1))


def _questions_table(item: Mapping[str, Any]) -> Table:
    rows = []
    for arm, measured in sorted(item["arms"].items(), key=lambda pair: -pair[1]["mean"]):
        rows.append([
            arm, f"{measured['mean']:.1%} ± {measured['sd']:.1%}", "yes" if measured["beats_chance"] else "no",
            *_difference(measured, lambda value, sign: f"{value:{'+' if sign else ''}.1%}"),
        ])  # fmt: skip
    return Table(["arm", "right", "beats chance", "difference", "detectable"], rows)


def _difference(measured: Mapping[str, Any], form: Callable[[float, bool], str]) -> list[Cell]:
    """Difference to the reference and what could be detected; empty for the reference itself."""
    difference = measured.get("difference")
    if difference is None:
        return ["", ""]
    tone: Tone = "" if abs(difference) <= measured["detectable"] else "good" if difference > 0 else "bad"
    return [Word(form(difference, True), tone), form(measured["detectable"], False)]


def _sets_table(summary: Summary) -> Table:
    rows = [
        [item["name"], number(item["documents"]), number(item["tokens"]), number(item["bytes"])]
        for item in summary["evaluations"]
    ]
    return Table(["evaluation", "documents", "tokens", "bytes"], rows)
