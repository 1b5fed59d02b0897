"""Sections of a release's page about the data: contents, funnel, choice, shifts, drift, duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from winnowry.core.numbers import NONE, counted, fixed, number, percent, rounded
from winnowry.report.card_terms import dates_sentence, rule_name
from winnowry.report.cells import Bar, Cell, Share, Table, most_rows, unit_of
from winnowry.report.charts import ALL, CHOSEN, QUIET, SECOND, Chart, Line, Series, histogram, lines

Facts = Mapping[str, Any]

_LONGEST = 80  # characters of a name
_PARTITIONS_SHOWN = 60  # rows of the table, newest


def contents_view(facts: Facts) -> dict[str, Any] | None:
    """Sources, licences and languages with their shares, and the time span.

    Returns:
        What ``release/contents.html.j2`` shows; None where the release holds no record.
    """
    data = facts["contents"]
    if not data["rows"]:
        return None
    mixes = [_shares(data, "sources", "source", "Sources")]
    if data["licenses"]["total"] > 1 or data["sources"]["total"] > 1:
        mixes.append(_shares(data, "licenses", "licence", "Licences"))
    if data["languages"] is not None:
        mixes.append(_shares(data, "languages", "language", "Languages"))
    return {"span": _span(data), "mixes": mixes, "has_languages": data["languages"] is not None}


def _span(data: Facts) -> str:
    text = dates_sentence(data["time"])
    if data["characters"] is not None:
        text += f" {rounded(data['characters'])} characters of text."
    return text


def _shares(data: Facts, key: str, noun: str, title: str) -> dict[str, Any]:
    mix, rows, tokens = data[key], data["rows"], data["tokens"]
    of_sources = key == "sources"
    lined: list[list[Cell]] = []
    for entry in mix["listed"]:
        fraction = entry["tokens"] / tokens if tokens else entry["rows"] / rows
        lined.append([
            _name(entry["name"], noun),
            *([_license(entry)] if of_sources else []),
            number(entry["rows"]), percent(entry["rows"], rows), NONE if tokens is None else number(entry["tokens"]),
            Share(percent(entry["tokens"], tokens), fraction),
        ])  # fmt: skip
    head = [noun, *(["licence"] if of_sources else []), "records", "share", unit_of(data), f"share of {unit_of(data)}"]
    return {
        "title": title,
        "table": Table(head, lined, left=(0, 1) if of_sources else (0,)),
        "rest": mix["total"] - len(mix["listed"]),
        "rest_rows": mix["rest_rows"],
    }


def _name(name: str | None, noun: str) -> str:
    if not name:
        return f"no {noun} stated"
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def _license(entry: Facts) -> str:
    if not entry["licenses"]:
        return "none stated"
    text = str(entry["license"]) if entry["licenses"] == 1 else f"{entry['licenses']:,} different ones"
    return text + (f"; {entry['unlicensed']:,} records state none" if entry["unlicensed"] else "")


def funnel_view(facts: Facts) -> dict[str, Any]:
    """Rows left after each stage, and what was dropped in it for which reason."""
    steps = facts["funnel"]
    whole = most_rows(steps)
    bars: list[Bar] = []
    for step in steps:
        bars += [_dropped(rule_name(reason), reason["rows"]) for reason in step["reasons"]]
        if step["other_rows"]:
            bars.append(_dropped(f"{step['other_reasons']:,} more reasons", step["other_rows"]))
        if step["pending"] > 0:
            bars.append(_dropped("left out, no reason stored", step["pending"]))
        text = f"{number(step['rows'])} · {percent(step['rows'], whole)}"
        bars.append(Bar(step["label"], step["rows"], text, "last" if step is steps[-1] else "left"))
    return {"bars": bars, "whole": whole, "balanced": all(step["pending"] == 0 for step in steps)}


def _dropped(name: str, rows: int) -> Bar:
    return Bar(f"− {name}", rows, number(rows), "drop")


def part_of(facts: Facts, key: str, default: Any) -> Any:
    """A part of the recipe, from the first stage that was specified by it."""
    return next((spec[key] for spec in facts["made"]["stages"].values() if spec.get(key)), default)


def chosen_view(facts: Facts) -> dict[str, Any]:
    """Score of kept and dropped records, its distribution function, and the sampling curve."""
    scores, method = facts["scores"], part_of(facts, "sample", {}).get("method")
    if scores is None:
        return {
            "summary": f"Records were not chosen by a score{f' ({method})' if method else ''}.",
            "charts": [],
        }
    by = scores["by"]
    if not scores["edges"]:
        return {
            "summary": f"None of the {scores['rows']:,} scored records has a usable value of {by}.",
            "charts": [],
        }
    means = [
        (name, scores[key], colour)
        for name, key, colour in (("published", "mean_kept", CHOSEN), ("not published", "mean_dropped", QUIET))
        if scores[key] is not None
    ]
    summary = f"Chosen by {by}{f', method {method}' if method else ''}."
    summary += f" Mean score: {', '.join(f'{name} {mean:.4g}' for name, mean, _ in means)}."
    if scores["missing"]:
        summary += f" Not in the charts, without a usable score: {counted(scores['missing'], 'record')}."
    return {"summary": summary, "charts": _drawn(_score_charts(scores, means))}


def _score_charts(scores: Facts, means: Sequence[tuple[str, float, str]]) -> list[Chart | None]:
    by = scores["by"]
    marks = [(f"mean, {name}", mean, colour) for name, mean, colour in means]
    shown = [("published", scores["kept"], CHOSEN), ("not published", scores["dropped"], ALL)]
    groups = (("not published", scores["dropped"], QUIET), ("published", scores["kept"], CHOSEN))
    cumulative = [
        (name, _cumulative(scores["edges"], values), colour) for name, values, colour in groups if sum(values)
    ]
    curve = [
        ("probability", [(p["rank"], p["probability"]) for p in scores["curve"]], SECOND),
        ("share published", [(p["rank"], p["kept"]) for p in scores["curve"]], CHOSEN),
    ]
    rank = f"rank of {by}, lowest to highest"
    return [
        histogram("Score", scores["edges"], shown, x_label=by, y_label="records", stacked=True, marks=marks),
        lines("Share of records up to a score", cumulative, x_label=by, y_label="share"),
        lines("Sampling curve", curve, x_label=rank, y_label="chance of a record", percent_x=True),
    ]


def _cumulative(edges: list[float], values: list[int]) -> list[tuple[float, float]]:
    total, so_far = sum(values), 0
    points = [(edges[0], 0.0)]
    for place, value in enumerate(values):
        so_far += value
        points.append((edges[place + 1], so_far / total))
    return points


def shifts_view(facts: Facts) -> dict[str, Any] | None:
    """Mixes and lengths of what was scored and of what was published.

    Returns:
        What ``release/shifts.html.j2`` shows beside the facts; None where nothing is scored.
    """
    shifts = facts["shifts"]
    if shifts is None:
        return None
    unit = unit_of(facts["contents"])
    mixes = [
        _mix(column, mix, unit)
        for column, mix in shifts["mixes"].items()
        if column != "partition" or not _same(mix, shifts["mixes"].get("source"))
    ]
    return {
        "chart": None if shifts["lengths"] is None else _lengths(shifts["lengths"], unit),
        "mixes": mixes,
        "unit": unit,
    }


def _lengths(lengths: Facts, unit: str) -> Chart | None:
    bins = lengths["bins"]
    series: list[Series] = []
    for name, key, colour in (("all scored", "pool", ALL), ("published", "kept", CHOSEN)):
        total = sum(item[key] for item in bins) or 1
        series.append((name, [100 * item[key] / total for item in bins], colour))
    return histogram(
        "Length",
        [float(place) for place in range(len(bins) + 1)],
        series,
        x_label=f"{unit}, from (each bin doubles)",
        y_label="% of records",
        names=[number(item["from"]) for item in bins],
    )


def _same(mix: Facts, other: Facts | None) -> bool:
    """Whether two mixes are of the same values, e.g. where every source is a partition of its own."""
    return other is not None and mix["listed"] == other["listed"]


def _mix(column: str, mix: Facts, unit: str) -> dict[str, Any]:
    rows = []
    for entry in mix["listed"]:
        before, after = percent(entry["tokens"], mix["tokens"]), percent(entry["kept_tokens"], mix["kept_tokens"])
        points = 100 * (entry["kept_tokens"] / (mix["kept_tokens"] or 1) - entry["tokens"] / (mix["tokens"] or 1))
        shown = fixed(points, 1, sign=True) if mix["kept_tokens"] else NONE
        rows.append([_name(entry["name"], column), before, after, shown])
    return {
        "column": column,
        "table": Table([column, f"of {unit} scored", "published", "points"], rows),
        "rest": mix["total"] - len(mix["listed"]),
    }


def drift_view(facts: Facts) -> dict[str, Any] | None:
    """Rows, score and length of each partition in order.

    Returns:
        What ``release/drift.html.j2`` shows; None where there are not two partitions.
    """
    total, listed = facts["partitions"]["total"], facts["partitions"]["listed"]
    if len(listed) < 2:
        return None
    unit = unit_of(facts["contents"])
    names = [row["partition"] for row in listed]
    scores = [row["mean_score"] for row in listed if row["mean_score"] is not None]
    over_time = all(name[:4].isdigit() for name in names) or any(score < 0 for score in scores)

    def chart(title: str, y_label: str, *series: tuple[str, str, str]) -> Chart | None:
        """A line over time; bars where partitions are no times."""
        if over_time:
            points: list[Line] = [
                (name, [(float(place), row[key]) for place, row in enumerate(listed) if row[key] is not None], colour)
                for name, key, colour in series
            ]
            return lines(title, points, x_label="partition", y_label=y_label, x_names=names)
        edges = [float(place) for place in range(len(names) + 1)]
        values: list[Series] = [(name, [row[key] or 0.0 for row in listed], colour) for name, key, colour in series]
        return histogram(title, edges, values, x_label="partition", y_label=y_label, names=names)

    tables = [name for name in listed[0] if name not in ("partition", "mean_score", "mean_tokens")]
    first, before, last = tables[0], tables[-2], tables[-1]
    charts = [
        chart("Records", "records", ("readable", first, QUIET), (before, before, SECOND), (last, last, CHOSEN)),
        chart("Mean score of what was scored", "score", ("mean score", "mean_score", CHOSEN)) if scores else None,
        chart("Mean length of what was scored", unit, (f"mean {unit}", "mean_tokens", CHOSEN)),
    ]  # fmt: skip
    rows = [
        [
            row["partition"], *(number(row[name]) for name in tables), percent(row[last], row[first]),
            rounded(row["mean_score"]), rounded(row["mean_tokens"]),
        ]
        for row in listed[-_PARTITIONS_SHOWN:]
    ]  # fmt: skip
    head = ["partition", "readable", *tables[1:], "of readable", "mean score", f"mean {unit}"]
    return {"listed": len(listed), "total": total, "charts": _drawn(charts), "table": Table(head, rows)}


def _drawn(charts: Sequence[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def duplicates_view(facts: Facts) -> dict[str, Any]:
    """Groups of duplicates, their sizes and methods; what of it there is nothing of is empty."""
    groups = facts["duplicates"]
    operators = [str(op.get("op")) for op in part_of(facts, "clean", [])]
    sizes = groups["sizes"] if groups else []
    methods = [
        [method["method"], number(method["rows"]), fixed(method["similarity"], 3)]
        for method in (groups["methods"] if groups else [])
    ]
    return {
        "searched": any(op.startswith("dedup.") for op in operators),
        "sizes": [
            Bar(f"{size['members']} members", size["groups"], counted(size["groups"], "group")) for size in sizes
        ],
        "most": max((size["groups"] for size in sizes), default=0),
        "methods": Table(["method", "records", "mean similarity"], methods),
    }
