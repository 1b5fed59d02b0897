"""The page of a comparison: one HTML file without scripts or anything from the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

_WIDTH, _LEFT, _RIGHT, _ROW = 480, 150, 16, 22


def comparison_page(corpus: str, summary: Mapping[str, Any]) -> str:
    """Lay out a comparison.

    Args:
        corpus: its name.
        summary: what ``pipeline.comparison.summary.summarise`` gives.

    Returns:
        The page; every name in it is escaped.
    """
    told = summary["controls"]["told_apart"]
    pool = summary["pool"]
    parts = [
        f"<h1>{escape(corpus)}: is the selection worth it?</h1>",
        (
            f'<p class="dim">{escape(summary["proxy"])} proxies, {summary["seeds"]} seeds, '
            f"{summary['budget_tokens']:,} tokens each ({summary['token_fraction']:.0%} of the pool), "
            f"{summary['measurements']:,} trained in {summary['training_cpu_seconds']:,.0f} CPU seconds</p>"
        ),
        (
            f'<div class="verdict{"" if told else " no"}"><strong>{escape(summary["verdict"].split(":")[0])}</strong>'
            f"{escape(summary['verdict'].partition(':')[1] + summary['verdict'].partition(':')[2])}"
            f'<p class="dim">Controls: {escape(summary["controls"]["why"])}.</p>{_recommended(summary)}</div>'
        ),
        "<h2>Arms</h2>",
        (
            f'<p class="dim">Difference in bits per byte to {escape(str(summary["reference"]))}, with its 95 % '
            "interval over seeds; right of the line is better. All arms of a seed see the same nine tenths of the "
            "pool.</p>"
        ),
        f'<div class="charts">{"".join(_arms_chart(summary, name) for name in _evaluations(summary))}</div>',
        f'<div class="scroll">{_arms_table(summary)}</div>',
    ]
    if summary["dose"]:
        parts += [
            "<h2>Dose and response</h2>",
            '<p class="dim">Bits per byte over the share of tokens selected; lower is better.</p>',
            f'<div class="charts">{"".join(_dose_chart(summary, name) for name in _evaluations(summary))}</div>',
        ]
    if summary["attribution"]:
        parts += [
            "<h2>What carries the effect</h2>",
            '<p class="dim">What leaving one thing out costs in bits per byte, with its 95 % interval.</p>',
            f'<div class="charts">{"".join(_attribution_chart(summary, name) for name in _evaluations(summary))}</div>',
        ]
    if summary["questions"]:
        parts += ["<h2>Questions</h2>", *(_questions(item) for item in summary["questions"])]
    parts += [
        "<h2>Pool</h2>",
        f"<p>{pool['documents']:,} documents with {pool['tokens']:,} tokens"
        + (f", drawn from {pool['corpus_documents']:,}" if pool["sampled"] else "")
        + f". Held out: {escape(pool['holdout'])}. {pool['removed_as_overlap']:,} documents that are also in a text "
        "set were taken out.</p>",
        f'<div class="scroll">{_sets_table(summary)}</div>',
    ]
    style = files("winnowry.report").joinpath("comparison.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,'
        f'initial-scale=1"><title>{escape(corpus)}: comparison</title><style>{style}</style></head><body><main>'
        f"{''.join(parts)}</main></body></html>"
    )


def _evaluations(summary: Mapping[str, Any]) -> list[str]:
    return [item["name"] for item in summary["evaluations"]]


def _recommended(summary: Mapping[str, Any]) -> str:
    found = summary["recommendation"]
    if found is None:
        return "<p>Recommendation: keep the recipe as it is.</p>"
    changes = ", ".join(f"{name}: {value}" for name, value in found.items() if name != "why")
    return f"<p>Recommendation: {escape(changes)} ({escape(str(found['why']))}).</p>"


def _intervals(title: str, rows: Sequence[tuple[str, float, float, float, str]]) -> str:
    """A dot with its interval a row, on a common axis through zero."""
    if not rows:
        return ""
    low = min(0.0, *(row[2] for row in rows))
    high = max(0.0, *(row[3] for row in rows))
    span = (high - low) or 1.0
    low, high = low - 0.05 * span, high + 0.05 * span

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    height = 24 + _ROW * len(rows) + 20
    drawn = [f'<line x1="{x(0):.1f}" y1="20" x2="{x(0):.1f}" y2="{height - 20}" stroke="var(--dim)"/>']
    for place, (name, middle, start, stop, colour) in enumerate(rows):
        y = 34 + place * _ROW
        drawn.append(
            f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(name[:24])}</text>'
            f'<line x1="{x(start):.1f}" y1="{y}" x2="{x(stop):.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{x(middle):.1f}" cy="{y}" r="4" fill="{colour}"><title>{escape(name)}: {middle:+.4f} '
            f"[{start:+.4f}, {stop:+.4f}]</title></circle>"
        )
    drawn.append(
        f'<text class="dim" x="{_LEFT}" y="{height - 4}">{low:+.3f}</text>'
        f'<text class="dim" x="{_WIDTH - _RIGHT}" y="{height - 4}" text-anchor="end">{high:+.3f}</text>'
    )
    return f"<div><h3>{escape(title)}</h3>{_svg(height, drawn)}</div>"


def _svg(height: float, drawn: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img">{"".join(drawn)}</svg>'


def _arms_chart(summary: Mapping[str, Any], evaluation: str) -> str:
    rows = []
    for arm in summary["arms"]:
        found = arm["evaluations"][evaluation]
        if "difference" in found:
            colour = (
                "var(--dim)" if arm["role"] != "candidate" else "var(--b)" if arm["arm"] == "recipe" else "var(--a)"
            )
            rows.append((arm["arm"], found["difference"], *found["interval"], colour))
    return _intervals(evaluation, sorted(rows, key=lambda row: -row[1]))


def _attribution_chart(summary: Mapping[str, Any], evaluation: str) -> str:
    rows = []
    for row in summary["attribution"]:
        found = row["evaluations"][evaluation]
        # What the recipe gains over the one that leaves it out is what leaving it out costs.
        rows.append((row["left_out"], found["mean"], found["low"], found["high"], "var(--a)"))
    return _intervals(evaluation, sorted(rows, key=lambda row: -row[1]))


def _dose_chart(summary: Mapping[str, Any], evaluation: str) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in summary["dose"]:
        lines.setdefault(point["arm"], []).append((point["token_fraction"], point["evaluations"][evaluation]["mean"]))
    values = [value for line in lines.values() for _, value in line]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(fraction: float) -> float:
        return 48 + fraction * (_WIDTH - 48 - _RIGHT)

    def y(value: float) -> float:
        return 30 + (high - value) / span * 170

    drawn = [
        f'<line x1="48" y1="206" x2="{_WIDTH - _RIGHT}" y2="206" stroke="var(--line)"/>',
        f'<text class="dim" x="4" y="{y(high) + 4:.0f}">{high:.3f}</text>',
        f'<text class="dim" x="4" y="{y(low) + 4:.0f}">{low:.3f}</text>',
        '<text class="dim" x="48" y="222">0 %</text>',
        f'<text class="dim" x="{_WIDTH - _RIGHT}" y="222" text-anchor="end">100 % of tokens</text>',
    ]
    for (name, line), colour in zip(sorted(lines.items()), ("var(--a)", "var(--b)"), strict=False):
        path = " ".join(f"{x(fraction):.1f},{y(value):.1f}" for fraction, value in line)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [
            f'<circle cx="{x(fraction):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"><title>{escape(name)}, '
            f"{fraction:.0%}: {value:.4f}</title></circle>"
            for fraction, value in line
        ]
    legend = "".join(
        f'<text x="{60 + place * 160}" y="16" style="fill:{colour}">● {escape(name)}</text>'
        for place, (name, colour) in enumerate(zip(sorted(lines), ("var(--a)", "var(--b)"), strict=False))
    )
    return f"<div><h3>{escape(evaluation)}</h3>{_svg(230, [legend, *drawn])}</div>"


def _arms_table(summary: Mapping[str, Any]) -> str:
    names = _evaluations(summary)
    head = "".join(f"<th>{escape(name)}, bits/byte</th><th>difference</th><th>detectable</th>" for name in names)
    rows = []
    for arm in sorted(summary["arms"], key=lambda arm: arm["evaluations"][summary["decides"]]["mean"]):
        cells = [
            (
                f"<td>{escape(arm['arm'])}</td><td>{escape(arm['role'].replace('_', ' '))}</td>"
                f"<td>{arm['documents']:,}</td><td>{arm['tokens']:,}</td><td>{arm['mean_document_tokens']:,.0f}</td>"
                f"<td>{arm['distinct_trigram_fraction']:.3f}</td><td>{_number(arm['length_shift'])}</td>"
                f"<td>{_number(arm['source_shift'])}</td>"
            )
        ]
        for name in names:
            found = arm["evaluations"][name]
            difference = found.get("difference")
            style = (
                ""
                if difference is None or abs(difference) <= found["detectable"]
                else "good"
                if difference > 0
                else "bad"
            )
            cells.append(
                f"<td>{found['mean']:.4f} ± {found['sd']:.4f}</td>"
                f'<td class="{style}">{"" if difference is None else f"{difference:+.4f}"}</td>'
                f"<td>{'' if difference is None else format(found['detectable'], '.4f')}</td>"
            )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        "<table><thead><tr><th>arm</th><th>role</th><th>documents</th><th>tokens</th><th>tokens/document</th>"
        f"<th>distinct trigrams</th><th>length shift</th><th>source shift</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _questions(item: Mapping[str, Any]) -> str:
    """One set of multiple-choice questions; arms that beat no chance say nothing about the selection."""
    said = (
        f"{item['questions']:,} questions, {item['chance']:.1%} right by chance. The answer of a proxy is the choice "
        "that makes question and choice the likeliest text."
    )
    if not item["beats_chance"]:
        said += " No arm is right more often than chance: nothing can be concluded from them at this scale."
    rows = []
    for arm, found in sorted(item["arms"].items(), key=lambda pair: -pair[1]["mean"]):
        difference = found.get("difference")
        told = difference is not None and abs(difference) > found["detectable"]
        style = "" if not told else "good" if difference > 0 else "bad"
        rows.append(
            f"<tr><td>{escape(arm)}</td><td>{found['mean']:.1%} ± {found['sd']:.1%}</td>"
            f"<td>{'yes' if found['beats_chance'] else 'no'}</td>"
            f'<td class="{style}">{"" if difference is None else f"{difference:+.1%}"}</td>'
            f"<td>{'' if difference is None else format(found['detectable'], '.1%')}</td></tr>"
        )
    return (
        f'<h3>{escape(item["name"])}</h3><p class="dim">{said}</p><div class="scroll"><table><thead><tr><th>arm</th>'
        "<th>right</th><th>beats chance</th><th>difference</th><th>detectable</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _sets_table(summary: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(item['name'])}</td><td>{item['documents']:,}</td><td>{item['tokens']:,}</td>"
        f"<td>{item['bytes']:,}</td></tr>"
        for item in summary["evaluations"]
    )
    return (
        "<table><thead><tr><th>evaluation</th><th>documents</th><th>tokens</th><th>bytes</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
