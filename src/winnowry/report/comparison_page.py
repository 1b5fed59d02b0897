"""The page of a comparison: one HTML file without scripts or anything from the network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

from winnowry.core.numbers import fixed, number
from winnowry.report.cells import Table
from winnowry.report.charts import CHOSEN, LINE_COLOURS, Chart, Line, Range, lines
from winnowry.report.comparison_ranges import DIFFERENCE, arm_charts, difference_cells, on_one_axis, results_table
from winnowry.report.render import render

Summary = Mapping[str, Any]


def comparison_page(corpus: str, summary: Summary) -> str:
    """Lay out a comparison.

    Args:
        corpus: its name.
        summary: what ``evidence.comparison.summary.summarise`` gives; its order of arms holds in every chart and table.

    Returns:
        The page; every name in it is escaped.
    """
    names = [item["name"] for item in summary["evaluations"]]
    verdict, colon, rest = summary["verdict"].partition(":")
    titles = {name: f"{name} (decides)" if name == summary["decides"] else name for name in names}
    return render(
        "comparison.html.j2",
        corpus=corpus,
        summary=summary,
        verdict=verdict,
        because=colon + rest,
        arms=arm_charts(summary["arms"], names, summary["reference"], titles),
        results=[(titles[name], results_table(summary["arms"], name, summary["reference"])) for name in names],
        selections=_selections_table(summary),
        dose=_dose_charts(summary, names),
        dose_table=_dose_table(summary, names),
        attribution=_attribution_charts(summary, names),
        attribution_tables=[(name, _attribution_table(summary, name)) for name in names],
        questions=[(item, _questions_table(summary, item)) for item in summary["questions"]],
        sets=_sets_table(summary),
    )


def _by_cost(summary: Summary) -> list[Mapping[str, Any]]:
    """What was left out, the dearest on the set that decides first."""
    return sorted(summary["attribution"], key=lambda row: -row["evaluations"][summary["decides"]]["mean"])


def _attribution_charts(summary: Summary, evaluations: list[str]) -> list[Chart]:
    rows: dict[str, list[Range]] = {}
    for name in evaluations:
        costs = ((row["left_out"], row["evaluations"][name]) for row in _by_cost(summary))
        # What the recipe gains over the one that leaves it out is what leaving it out costs.
        rows[name] = [(left_out, cost["mean"], cost["low"], cost["high"], CHOSEN) for left_out, cost in costs]
    return on_one_axis(rows, "cost in bits per byte")


def _attribution_table(summary: Summary, evaluation: str) -> Table:
    rows = []
    for row in _by_cost(summary):
        cost = row["evaluations"][evaluation]
        measured = {"difference": cost["mean"], "interval": [cost["low"], cost["high"]],
                    "detectable": cost["detectable"]}  # fmt: skip
        rows.append([row["left_out"], row["kind"], *difference_cells(measured)])
    head = ["left out", "kind", "cost of leaving it out", *DIFFERENCE[1:-1], "the recipe with it is"]
    return Table(head, rows, left=(0, 1, 5))


def _dose_charts(summary: Summary, evaluations: list[str]) -> list[Chart]:
    means = [point["evaluations"][name]["mean"] for point in summary["dose"] for name in evaluations]
    if not means:
        return []
    charts = []
    for name in evaluations:
        points: dict[str, list[tuple[float, float]]] = {}
        for point in summary["dose"]:
            at = (point["token_fraction"], point["evaluations"][name]["mean"])
            points.setdefault(point["arm"], []).append(at)
        series: list[Line] = [
            (arm, line, colour)
            for (arm, line), colour in zip(sorted(points.items()), cycle(LINE_COLOURS), strict=False)
        ]
        charts.append(
            lines(name, series, x_label="share of tokens selected", y_label="bits per byte", percent_x=True,
                  from_zero=False, extent=(min(means), max(means)))
        )  # fmt: skip
    return [chart for chart in charts if chart is not None]


def _dose_table(summary: Summary, evaluations: list[str]) -> Table:
    rows = [
        [point["arm"], f"{point['token_fraction']:.0%}", number(point["tokens"]),
         *(f"{fixed(point['evaluations'][name]['mean'], 4)} ± {fixed(point['evaluations'][name]['sd'], 4)}"
           for name in evaluations)]
        for point in summary["dose"]
    ]  # fmt: skip
    return Table(["arm", "share", "tokens", *(f"{name}, bits/byte" for name in evaluations)], rows)


def _selections_table(summary: Summary) -> Table:
    rows = [
        [arm["arm"], arm["role"].replace("_", " "), number(arm["documents"]), number(arm["tokens"]),
         fixed(arm["mean_document_tokens"], 0), fixed(arm["distinct_trigram_fraction"], 3),
         fixed(arm["length_shift"], 3, missing="–"), fixed(arm["source_shift"], 3, missing="–")]
        for arm in summary["arms"]
    ]  # fmt: skip
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
    return Table(head, rows, left=(0, 1))


def _questions_table(summary: Summary, item: Mapping[str, Any]) -> Table:
    rows = []
    for name in (arm["arm"] for arm in summary["arms"] if arm["arm"] in item["arms"]):
        measured = item["arms"][name]
        is_reference = name == summary["reference"]
        rows.append([
            name, f"{measured['mean']:.1%} ± {measured['sd']:.1%}", "yes" if measured["beats_chance"] else "no",
            *difference_cells(measured, is_reference=is_reference, percent=True),
        ])  # fmt: skip
    return Table(["arm", "right", "beats chance", *DIFFERENCE], rows, left=(0, 6))


def _sets_table(summary: Summary) -> Table:
    rows = [
        [item["name"], number(item["documents"]), number(item["tokens"]), number(item["bytes"])]
        for item in summary["evaluations"]
    ]
    return Table(["evaluation", "documents", "tokens", "bytes"], rows)
