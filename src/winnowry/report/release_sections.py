"""Sections of a release's page about the data: contents, funnel, choice, shifts, drift, duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from winnowry.report.charts import bars, histogram, lines
from winnowry.report.markup import counted, day, note, number, percent, table

Facts = Mapping[str, Any]

_POOL, _KEPT = "var(--soft)", "var(--a)"
_LONGEST = 80  # characters of a name
_PARTITIONS_SHOWN = 60  # rows of the table, newest


def contents_section(facts: Facts) -> str:
    """Sources, licences and languages with their shares, and the time span."""
    data = facts["contents"]
    if not data["rows"]:
        return note("Nothing: the release holds no record.")
    time = data["time"]
    if time["first"] is None:
        span = "No record has a date."
    else:
        span = f"Dates of the records: {day(time['first'])} to {day(time['last'])}"
        span += f"; {time['undated']:,} have none." if time["undated"] else "."
    if data["characters"] is not None:
        span += f" {number(data['characters'])} characters of text."
    parts = [f"<p>{escape(span)}</p>", "<h3>Sources</h3>"]
    head = ["source", "licence", "records", "share", "tokens", "share of tokens"]
    parts.append(_shares(data, "sources", head, "source", license_of=True))
    if data["licenses"]["total"] > 1 or data["sources"]["total"] > 1:
        head = ["licence", "records", "share", "tokens", "share of tokens"]
        parts += ["<h3>Licences</h3>", _shares(data, "licenses", head, "licence")]
    if data["languages"] is None:
        parts.append(note("Languages: not identified by this recipe."))
    else:
        head = ["language", "records", "share", "tokens", "share of tokens"]
        parts += ["<h3>Languages</h3>", _shares(data, "languages", head, "language")]
    return "".join(parts)


def _shares(data: Facts, which: str, head: list[str], noun: str, *, license_of: bool = False) -> str:
    found, rows, tokens = data[which], data["rows"], data["tokens"]
    lined = []
    for entry in found["listed"]:
        share = entry["tokens"] / tokens if tokens else entry["rows"] / rows
        lined.append([
            _named(entry["name"], noun),
            *([_license(entry)] if license_of else []),
            f"{entry['rows']:,}", percent(entry["rows"], rows), "–" if tokens is None else f"{entry['tokens']:,}",
            f'<i style="width:{60 * share:.1f}px"></i>{percent(entry["tokens"], tokens)}',
        ])  # fmt: skip
    rest = found["total"] - len(found["listed"])
    said = note(f"and {rest:,} more, with {counted(found['rest_rows'], 'record')}.") if rest else ""
    return table(head, lined, left=(0, 1) if license_of else (0,), raw=len(head) - 1) + said


def _named(name: str | None, noun: str) -> str:
    if not name:
        return f"no {noun} stated"
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def _license(entry: Facts) -> str:
    if not entry["licenses"]:
        return "none stated"
    said = str(entry["license"]) if entry["licenses"] == 1 else f"{entry['licenses']:,} different ones"
    return said + (f"; {entry['unlicensed']:,} records state none" if entry["unlicensed"] else "")


def funnel_section(facts: Facts) -> str:
    """Rows left after each stage, and what was dropped in it for which reason."""
    steps = facts["funnel"]
    whole = max(step["rows"] for step in steps)
    rows: list[tuple[str, float, str, str]] = []
    for step in steps:
        rows += [(f"− {_reason(reason)}", reason["rows"], f"{reason['rows']:,}", "drop") for reason in step["reasons"]]
        if step["other_rows"]:
            name = f"− {step['other_reasons']:,} more reasons"
            rows.append((name, step["other_rows"], f"{step['other_rows']:,}", "drop"))
        if step["pending"] > 0:
            rows.append(("− not taken further, no reason stored", step["pending"], f"{step['pending']:,}", "drop"))
        kind = "last" if step is steps[-1] else "left"
        rows.append((step["label"], step["rows"], f"{step['rows']:,} · {percent(step['rows'], whole)}", kind))
    balanced = all(step["pending"] == 0 for step in steps)
    said = (
        "Every record that was read is published or counted below under the reason it was left out for."
        if balanced
        else "The counts do not add up: see the known limits."
    )
    return note(said) + bars(rows, of=whole)


def _reason(reason: Facts) -> str:
    return f"{reason['operator']}: {reason['reason']}" if reason["operator"] != reason["reason"] else reason["reason"]


def chosen_section(facts: Facts) -> str:
    """Score of kept and dropped records, its distribution function, and the sampling curve."""
    scores = facts["scores"]
    if scores is None:
        sample = facts["made"]["stages"].get("sampled", {}).get("sample") or {}
        method = f" ({sample['method']})" if sample.get("method") else ""
        return note(f"Records were not chosen by a score{method}.")
    if not scores["edges"]:
        return note(f"None of the {scores['rows']:,} scored records has a usable value of {scores['by']}.")
    by, kept, dropped = scores["by"], sum(scores["kept"]), sum(scores["dropped"])
    means = ", ".join(
        f"{name} {scores[key]:.4g}"
        for name, key in (("published", "mean_kept"), ("not published", "mean_dropped"))
        if scores[key] is not None
    )
    sample = facts["made"]["stages"].get("sampled", {}).get("sample") or {}
    method = f", method {sample['method']}" if sample.get("method") else ""
    said = f"Chosen by {by}{method}. Mean score: {means}."
    if scores["missing"]:
        said += f" Not in the charts, for want of a usable score: {counted(scores['missing'], 'record')}."
    marks = [
        (f"mean, {name}", scores[key], colour)
        for name, key, colour in (("published", "mean_kept", _KEPT), ("not published", "mean_dropped", "var(--dim)"))
        if scores[key] is not None
    ]
    shown = [("published", scores["kept"], _KEPT), ("not published", scores["dropped"], _POOL)]
    charts = [
        histogram("Score", scores["edges"], shown, x_label=by, y_label="records", stacked=True, marks=marks),
        lines(
            "Share of records up to a score",
            [
                (name, _cumulative(scores["edges"], values), colour)
                for name, values, total, colour in (
                    ("not published", scores["dropped"], dropped, "var(--dim)"),
                    ("published", scores["kept"], kept, _KEPT),
                )
                if total
            ],
            x_label=by,
            y_label="share",
        ),
        lines(
            "Sampling curve",
            [
                ("probability", [(p["rank"], p["probability"]) for p in scores["curve"]], "var(--b)"),
                ("share published", [(p["rank"], p["kept"]) for p in scores["curve"]], _KEPT),
            ],
            x_label=f"rank of {by}, lowest to highest",
            y_label="chance of a record",
            percent_x=True,
        ),
    ]  # fmt: skip
    return note(said) + f'<div class="charts">{"".join(charts)}</div>'


def _cumulative(edges: list[float], values: list[int]) -> list[tuple[float, float]]:
    total, so_far = sum(values), 0
    points = [(edges[0], 0.0)]
    for place, value in enumerate(values):
        so_far += value
        points.append((edges[place + 1], so_far / total))
    return points


def shifts_section(facts: Facts) -> str:
    """Mixes and lengths of what was scored and of what was published."""
    shifts = facts["shifts"]
    if shifts is None:
        return note("Nothing is scored: there is nothing to compare the release with.")
    parts = [note("What was scored against what was published; a distance of 0 is the same mix, 1 a disjoint one.")]
    charts = []
    lengths = shifts["lengths"]
    if lengths is not None:
        names = [f"{item['from']:,}" for item in lengths["bins"]]
        totals = [sum(item[key] for item in lengths["bins"]) or 1 for key in ("pool", "kept")]
        series = [
            ("scored", [100 * item["pool"] / totals[0] for item in lengths["bins"]], _POOL),
            ("published", [100 * item["kept"] / totals[1] for item in lengths["bins"]], _KEPT),
        ]
        edges = [float(place) for place in range(len(names) + 1)]
        title, label = "Length", "tokens, from (each bin doubles)"
        charts.append(histogram(title, edges, series, x_label=label, y_label="% of records", names=names))
        distance = "" if lengths["distance"] is None else f", distance {lengths['distance']:.3f}"
        parts.append(
            f"<p>Median length: {number(lengths['median_pool'])} tokens scored, "
            f"{number(lengths['median_kept'])} published{escape(distance)}.</p>"
        )
    if not shifts["mixes"]:
        parts.append(note("There is one source, one licence, one language and one partition at most: no mix to shift."))
    for column, mix in shifts["mixes"].items():
        if column != "partition" or not _same(mix, shifts["mixes"].get("source")):
            charts.append(_mix(column, mix))
    for column, mix in shifts["mixes"].items():
        distance = "–" if mix["distance"] is None else f"{mix['distance']:.3f}"
        parts.append(f"<p>Mix of {escape(column)}s ({mix['total']:,}): distance {distance}, by tokens.</p>")
    return "".join(parts) + f'<div class="charts">{"".join(charts)}</div>'


def _same(mix: Facts, other: Facts | None) -> bool:
    """Whether two mixes are of the same values, e.g. where every source is a partition of its own."""
    return other is not None and mix["listed"] == other["listed"]


def _mix(column: str, mix: Facts) -> str:
    rows = []
    for entry in mix["listed"]:
        before, after = percent(entry["tokens"], mix["tokens"]), percent(entry["kept_tokens"], mix["kept_tokens"])
        change = 100 * (entry["kept_tokens"] / (mix["kept_tokens"] or 1) - entry["tokens"] / (mix["tokens"] or 1))
        told = f"{change:+.1f}" if mix["kept_tokens"] else "–"
        rows.append([_named(entry["name"], column), before, after, told])
    rest = mix["total"] - len(mix["listed"])
    more = note(f"and {rest:,} more") if rest else ""
    head = [column, "of tokens scored", "published", "points"]
    title = f"Share of tokens by {column}"
    return f"<figure><figcaption>{escape(title)}</figcaption>{table(head, rows)}{more}</figure>"


def drift_section(facts: Facts) -> str:
    """Rows, score and length of each partition in order."""
    found = facts["partitions"]
    listed = found["listed"]
    if len(listed) < 2:
        return note("There is one partition at most: nothing to follow over time.")
    names = [row["partition"] for row in listed]
    cut = note(f"The newest {len(listed):,} of {found['total']:,} partitions.") if found["total"] > len(listed) else ""

    def line(key: str) -> list[tuple[float, float]]:
        return [(float(place), row[key]) for place, row in enumerate(listed) if row[key] is not None]

    scored = line("mean_score")
    over_time = all(name[:4].isdigit() for name in names) or any(score < 0 for _, score in scored)

    def chart(title: str, y_label: str, *series: tuple[str, str, str]) -> str:
        """A line over time; bars where partitions are no times."""
        if over_time:
            drawn = [(name, line(key), colour) for name, key, colour in series]
            return lines(title, drawn, x_label="partition", y_label=y_label, x_names=names)
        edges = [float(place) for place in range(len(names) + 1)]
        piled = [(name, [row[key] or 0.0 for row in listed], colour) for name, key, colour in series]
        return histogram(title, edges, piled, x_label="partition", y_label=y_label, names=names)

    charts = [
        chart("Records", "records", ("readable", "raw", "var(--dim)"), ("scored", "scored", "var(--b)"),
              ("published", "published", _KEPT)),
        chart("Mean score of what was scored", "score", ("mean score", "mean_score", _KEPT)) if scored else "",
        chart("Mean length of what was scored", "tokens", ("mean tokens", "mean_tokens", _KEPT)),
    ]  # fmt: skip
    rows = [
        [
            row["partition"], f"{row['raw']:,}", f"{row['cleaned']:,}", f"{row['scored']:,}", f"{row['published']:,}",
            percent(row["published"], row["raw"]), number(row["mean_score"]), number(row["mean_tokens"]),
        ]
        for row in listed[-_PARTITIONS_SHOWN:]
    ]  # fmt: skip
    head = ["partition", "readable", "cleaned", "scored", "published", "of readable", "mean score", "mean tokens"]
    shown = f"{'Newest ' if len(rows) < found['total'] else ''}{len(rows):,} partitions as a table"
    as_table = f"<details><summary>{shown}</summary>{table(head, rows)}</details>"
    return f'{cut}<div class="charts">{"".join(charts)}</div>{as_table}'


def duplicates_section(facts: Facts) -> str:
    """Groups of duplicates, their sizes and methods."""
    found = facts["duplicates"]
    if found is None:
        return note("This corpus has no table of duplicates: whether there are any is not known.")
    if not found["rows"]:
        ops = [str(op.get("op")) for op in facts["made"]["stages"].get("cleaned", {}).get("clean") or []]
        looked = any(op.startswith("dedup.") for op in ops)
        return note("None were found." if looked else "Nobody looked: the recipe has no dedup operator.")
    share = "" if found["share"] is None else f", {100 * found['share']:.1f} % of the cleaned records"
    said = (
        f"{counted(found['rows'], 'duplicate')}, for which another record stands{share}; "
        f"{counted(found['groups'], 'group')}, the largest with {found['largest']:,} members."
    )
    methods = [[m["method"], f"{m['rows']:,}", f"{m['similarity']:.3f}"] for m in found["methods"]]
    sizes = [
        (f"{size['members']} members", size["groups"], counted(size["groups"], "group"), "") for size in found["sizes"]
    ]
    most = max(size["groups"] for size in found["sizes"])
    return f"<p>{escape(said)}</p>{bars(sizes, of=most)}" + table(["method", "records", "mean similarity"], methods)
