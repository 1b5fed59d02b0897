"""Charts of the pages: inline SVG that follows the page's colours, and bars made of HTML that reflow on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, isfinite, log10

WIDTH, HEIGHT = 420, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 10, 26, 36

Series = tuple[str, Sequence[float], str]
"""Name, values, colour."""

Line = tuple[str, Sequence[tuple[float, float]], str]
"""Name, points, colour."""


def short(value: float) -> str:
    """A number in a few characters.

    >>> short(0), short(0.25), short(950), short(21851), short(1_210_122), short(0.00012)
    ('0', '0.25', '950', '21.9k', '1.21M', '0.00012')
    """
    size = abs(value)
    for limit, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.3g}{suffix}"
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers between two ends.

    >>> ticks(0, 1)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    >>> ticks(0, 950)
    [0.0, 250.0, 500.0, 750.0]
    """
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / wanted
    power = 10.0 ** floor(log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999), default=10 * power)
    first = -floor(-low / step + 1e-9) * step
    return [round(first + i * step, 12) for i in range(int((high - first) / step + 1e-9) + 1)]


def histogram(
    title: str,
    edges: Sequence[float],
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    names: Sequence[str] | None = None,
    stacked: bool = False,
    marks: Sequence[tuple[str, float, str]] = (),
) -> str:
    """Bars of one or two series over common bins.

    Args:
        title: heading.
        edges: k + 1 ends of k bins.
        series: k values each; the first is drawn at the bottom or in front.
        x_label: below the axis.
        y_label: above the axis.
        names: what to write below each bin, instead of numbers.
        stacked: pile the series up; else each is drawn from zero, side by side.
        marks: vertical lines with name, place and colour.
    """
    n = len(edges) - 1
    if n < 1 or not series:
        return ""
    heights = [sum(s[1][i] for s in series) if stacked else max(s[1][i] for s in series) for i in range(n)]
    top = max(*heights, 0.0) or 1.0
    low, high = float(edges[0]), float(edges[-1])
    drawn = [_y_axis(0.0, top, y_label)]
    for i in range(n):
        left, right = _x(edges[i], low, high), _x(edges[i + 1], low, high)
        base = 0.0
        told = f"{names[i] if names else f'{short(edges[i])} – {short(edges[i + 1])}'}: " + ", ".join(
            f"{name} {short(values[i])}" for name, values, _ in series
        )
        for place, (_, values, colour) in enumerate(series):
            start, stop = left + 0.5, right - 0.5
            if not stacked and (names or len(series) > 1):
                wide = (right - left) * 0.8 / len(series)
                start = left + (right - left) * 0.1 + place * wide
                stop = start + wide - 0.5
            y, y_base = _y(base + values[i], 0.0, top), _y(base, 0.0, top)
            if values[i] > 0:
                drawn.append(
                    f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(stop - start, 0.5):.1f}" '
                    f'height="{max(y_base - y, 0.6):.1f}" fill="{colour}"/>'
                )
            base += values[i] if stacked else 0.0
        drawn.append(
            f'<rect class="hit" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{escape(told)}</title></rect>'
        )
    for name, at, colour in marks:
        x = _x(min(max(at, low), high), low, high)
        drawn.append(
            f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{HEIGHT - _BOTTOM}" stroke="{colour}" '
            f'stroke-dasharray="4 3"><title>{escape(name)}: {short(at)}</title></line>'
        )
    if names:
        every = max(1, -(-n // 6))
        drawn += [
            _tick_text((_x(edges[i], low, high) + _x(edges[i + 1], low, high)) / 2, names[i])
            for i in range(0, n, every)
        ]
    else:
        drawn.append(_x_ticks(low, high))
    legend = [(name, colour) for name, _, colour in series] if len(series) > 1 else []
    return figure(title, legend, drawn, x_label)


def lines(
    title: str,
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    x_names: Sequence[str] | None = None,
    percent_x: bool = False,
) -> str:
    """One or more lines.

    Args:
        title: heading.
        series: points of each.
        x_label: below the axis.
        y_label: above the axis.
        x_names: names of x = 0, 1, 2 …
        percent_x: write x as per cent.
    """
    points = [point for _, line, _ in series for point in line]
    if not points:
        return ""
    low, high = min(p[0] for p in points), max(p[0] for p in points)
    bottom, top = min(p[1] for p in points), max(p[1] for p in points)
    bottom, top = min(bottom, 0.0), max(top, 0.0)
    if top <= bottom:
        top = bottom + 1.0
    if percent_x:
        low, high = 0.0, 1.0
    elif x_names and len(x_names) > 1:
        low, high = 0.0, float(len(x_names) - 1)
    elif high <= low:
        low, high = low - 0.5, high + 0.5
    drawn = [_y_axis(bottom, top, y_label)]
    for name, line, colour in series:
        path = " ".join(f"{_x(x, low, high):.1f},{_y(y, bottom, top):.1f}" for x, y in line)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(line) <= 60:
            for x, y in line:
                where = x_names[int(x)] if x_names else f"{x:.0%}" if percent_x else short(x)
                drawn.append(
                    f'<circle cx="{_x(x, low, high):.1f}" cy="{_y(y, bottom, top):.1f}" r="2.6" fill="{colour}">'
                    f"<title>{escape(name)}, {escape(where)}: {y:.4g}</title></circle>"
                )
    if x_names:
        n = len(x_names)
        every = max(1, -(-n // 5))
        drawn += [_tick_text(_x(float(i), low, high), x_names[i]) for i in range(0, n, every)]
    elif percent_x:
        drawn += [_tick_text(_x(v, low, high), f"{v:.0%}") for v in (0, 0.25, 0.5, 0.75, 1)]
    else:
        drawn.append(_x_ticks(low, high))
    legend = [(name, colour) for name, _, colour in series] if len(series) > 1 else []
    return figure(title, legend, drawn, x_label)


def intervals(title: str, rows: Sequence[tuple[str, float, float, float, str]], x_label: str) -> str:
    """A dot with its interval a row, around zero: name, middle, low, high, colour."""
    if not rows:
        return ""
    low, high = min(0.0, *(row[2] for row in rows)), max(0.0, *(row[3] for row in rows))
    span = (high - low) or 1.0
    low, high = low - 0.05 * span, high + 0.05 * span
    left, height = 140, 40 + 24 * len(rows)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - _RIGHT)

    drawn = [f'<line x1="{x(0):.1f}" y1="4" x2="{x(0):.1f}" y2="{height - 34}" stroke="var(--dim)"/>']
    for place, (name, middle, start, stop, colour) in enumerate(rows):
        y = 18 + place * 24
        drawn.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(name[:20])}</text>'
            f'<line x1="{x(start):.1f}" y1="{y}" x2="{x(stop):.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{x(middle):.1f}" cy="{y}" r="4" fill="{colour}"><title>{escape(name)}: {middle:+.4f} '
            f"[{start:+.4f}, {stop:+.4f}]</title></circle>"
        )
    drawn += [
        f'<text class="dim" x="{x(v):.1f}" y="{height - 20}" text-anchor="middle">{v:+.3g}</text>'
        for v in ticks(low, high, 3)
    ]
    return figure(title, [], drawn, x_label, height)


def bars(rows: Sequence[tuple[str, float, str, str]], *, of: float) -> str:
    """A horizontal bar a row, as HTML: name, value, what to write, class of the bar."""
    return '<div class="bars">' + "".join(
        f'<div class="bar {escape(kind)}"><span class="name">{escape(name)}</span><span class="track">'
        + (f'<span style="width:{100 * value / of:.2f}%"></span>' if of and value else "")
        + '</span>'
        f'<span class="value">{escape(said)}</span></div>'
        for name, value, said, kind in rows
    ) + "</div>"  # fmt: skip


def figure(
    title: str, legend: Sequence[tuple[str, str]], drawn: Sequence[str], x_label: str, height: float = HEIGHT
) -> str:
    """An SVG with its heading and legend."""
    keys = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in legend)
    label = f'<text class="dim" x="{WIDTH - _RIGHT}" y="{height - 4}" text-anchor="end">{escape(x_label)}</text>'
    return (
        f'<figure><figcaption>{escape(title)}<span class="legend">{keys}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{"".join(drawn)}{label}'
        "</svg></figure>"
    )


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, bottom: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM)


def _y_axis(bottom: float, top: float, label: str) -> str:
    drawn = [f'<text class="dim" x="4" y="12">{escape(label)}</text>']
    for value in ticks(bottom, top):
        y = _y(value, bottom, top)
        drawn.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" stroke="var(--line)"/>'
            f'<text class="dim" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
        )
    return "".join(drawn)


def _x_ticks(low: float, high: float) -> str:
    return "".join(_tick_text(_x(value, low, high), short(value)) for value in ticks(low, high, 5))


def _tick_text(x: float, text: str) -> str:
    anchor = "end" if x > WIDTH - _RIGHT - 12 else "middle"
    x = min(x, WIDTH - 2) if anchor == "end" else x
    return (
        f'<text class="dim" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="{anchor}">{escape(text[:14])}</text>'
    )
