"""Charts of all pages as geometry; ``templates/chart.html.j2`` draws them as inline SVG in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Literal

from winnowry.core.numbers import compact, fixed

WIDTH, HEIGHT = 420, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 10, 26, 36
_ROW, _NAME_WIDTH, _NAME_CHARACTERS = 24, 148, 21  # of a range plot
_TICK_CHARACTERS = 14
_MOST_DOTS = 60  # of a line, before its points run together

CHOSEN, ALL, SECOND, QUIET = "var(--a)", "var(--soft)", "var(--b)", "var(--dim)"
"""Colours by meaning: what was published or is best, what it was chosen from, another series, and references."""
LINE_COLOURS = (CHOSEN, SECOND, QUIET, "var(--good)", "var(--bad)")

Anchor = Literal["start", "middle", "end"]

Series = tuple[str, Sequence[float], str]
"""Name, values, colour."""

Line = tuple[str, Sequence[tuple[float, float]], str]
"""Name, points, colour."""

Range = tuple[str, float, float, float, str]
"""Name, middle, low, high, colour."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight line; the title is shown on touch."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: int = 1
    dashed: bool = False
    title: str = ""
    kind: Literal["stroke"] = "stroke"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; without a colour it is seen only when it is touched, with its title."""

    x: float
    y: float
    width: float
    height: float
    colour: str | None = None
    title: str = ""
    kind: Literal["box"] = "box"


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a series."""

    x: float
    y: float
    radius: float
    colour: str
    title: str
    kind: Literal["dot"] = "dot"


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    colour: str
    kind: Literal["path"] = "path"


@dataclass(frozen=True, slots=True)
class Label:
    """Text beside an axis."""

    x: float
    y: float
    text: str
    anchor: Anchor = "start"
    quiet: bool = True
    kind: Literal["label"] = "label"


Element = Stroke | Box | Dot | Path | Label


@dataclass(frozen=True, slots=True)
class Chart:
    """What a template needs to draw.

    Attributes:
        title: heading, and the chart's name for screen readers.
        text: what the chart shows, in words.
        elements: from the back to the front.
        legend: name and colour of each series.
        height: of the drawing, whose width is ``WIDTH``.
    """

    title: str
    text: str
    elements: tuple[Element, ...]
    legend: tuple[tuple[str, str], ...] = ()
    height: float = HEIGHT
    width: float = WIDTH


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers between two ends, about so many.

    >>> ticks(0, 1)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    >>> ticks(0, 950)
    [0.0, 250.0, 500.0, 750.0]
    """
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / about
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
) -> Chart | None:
    """Bars of one or more series over common bins.

    Args:
        title: heading.
        edges: k + 1 ends of k bins.
        series: k values each; the first is drawn at the bottom or to the left.
        x_label: below the axis.
        y_label: above the axis.
        names: what to write below each bin, instead of numbers.
        stacked: pile the series up; else each is drawn from zero, side by side.
        marks: vertical lines with name, place and colour.

    Returns:
        The chart; None where there is no bin or no series.
    """
    n = len(edges) - 1
    if n < 1 or not series:
        return None
    heights = [sum(s[1][i] for s in series) if stacked else max(s[1][i] for s in series) for i in range(n)]
    top = max(*heights, 0.0) or 1.0
    low, high = float(edges[0]), float(edges[-1])
    elements: list[Element] = _y_axis(0.0, top, y_label)
    for i in range(n):
        left, right = _x(edges[i], low, high), _x(edges[i + 1], low, high)
        bin_name = names[i] if names else f"{compact(edges[i])} – {compact(edges[i + 1])}"
        values_text = ", ".join(f"{name} {compact(values[i])}" for name, values, _ in series)
        base = 0.0
        for place, (_, values, colour) in enumerate(series):
            start, stop = left + 0.5, right - 0.5
            if not stacked and (names or len(series) > 1):
                wide = (right - left) * 0.8 / len(series)
                start = left + (right - left) * 0.1 + place * wide
                stop = start + wide - 0.5
            y, y_base = _y(base + values[i], 0.0, top), _y(base, 0.0, top)
            if values[i] > 0:
                elements.append(Box(start, y, max(stop - start, 0.5), max(y_base - y, 0.6), colour))
            base += values[i] if stacked else 0.0
        title_of_bin = f"{bin_name}: {values_text}"
        elements.append(Box(left, _TOP, right - left, HEIGHT - _TOP - _BOTTOM, title=title_of_bin))
    for name, at, colour in marks:
        x = _x(min(max(at, low), high), low, high)
        elements.append(Stroke(x, _TOP, x, HEIGHT - _BOTTOM, colour, dashed=True, title=f"{name}: {compact(at)}"))
    if names:
        every = max(1, -(-n // 6))
        centres = [(_x(edges[i], low, high) + _x(edges[i + 1], low, high)) / 2 for i in range(n)]
        elements += [_tick_label(centres[i], names[i]) for i in range(0, n, every)]
    else:
        elements += _x_ticks(low, high)
    elements.append(_x_title(x_label))
    spans = "; ".join(f"{name}: {_span(values)} in {n} bins" for name, values, _ in series)
    return Chart(title, f"{y_label} by {x_label}. {spans}.", tuple(elements), _legend(series))


def lines(
    title: str,
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    x_names: Sequence[str] | None = None,
    percent_x: bool = False,
    from_zero: bool = True,
    extent: tuple[float, float] | None = None,
) -> Chart | None:
    """One or more lines.

    Args:
        title: heading.
        series: points of each.
        x_label: below the axis.
        y_label: above the axis.
        x_names: names of x = 0, 1, 2 …
        percent_x: write x as per cent, from 0 to 100.
        from_zero: the y axis begins at zero; else at the lowest value.
        extent: ends of the y axis at least, so that several charts have the same one.

    Returns:
        The chart; None without a point.
    """
    points = [point for _, line, _ in series for point in line]
    if not points:
        return None
    low, high = min(p[0] for p in points), max(p[0] for p in points)
    bottom, top = min(p[1] for p in points), max(p[1] for p in points)
    for end in (*(extent or ()), *((0.0,) if from_zero else ())):
        bottom, top = min(bottom, end), max(top, end)
    if top <= bottom:
        top = bottom + 1.0
    if percent_x:
        low, high = 0.0, 1.0
    elif x_names and len(x_names) > 1:
        low, high = 0.0, float(len(x_names) - 1)
    elif high <= low:
        low, high = low - 0.5, high + 0.5
    elements: list[Element] = _y_axis(bottom, top, y_label)
    for name, line, colour in series:
        elements.append(Path(tuple((_x(x, low, high), _y(y, bottom, top)) for x, y in line), colour))
        if len(line) <= _MOST_DOTS:
            for x, y in line:
                where = x_names[int(x)] if x_names else f"{x:.0%}" if percent_x else compact(x)
                dot_title = f"{name}, {where}: {y:.4g}"
                elements.append(Dot(_x(x, low, high), _y(y, bottom, top), 2.6, colour, dot_title))
    if x_names:
        every = max(1, -(-len(x_names) // 5))
        elements += [_tick_label(_x(float(i), low, high), x_names[i]) for i in range(0, len(x_names), every)]
    elif percent_x:
        elements += [_tick_label(_x(v, low, high), f"{v:.0%}") for v in (0, 0.25, 0.5, 0.75, 1)]
    else:
        elements += _x_ticks(low, high)
    elements.append(_x_title(x_label))
    spans = "; ".join(f"{name}: {_span([y for _, y in line])}" for name, line, _ in series)
    return Chart(title, f"{y_label} by {x_label}. {spans}.", tuple(elements), _legend(series))


def ranges(
    title: str, rows: Sequence[Range], *, x_label: str, extent: tuple[float, float] | None = None
) -> Chart | None:
    """A row with a dot and its interval for each name, on a common axis through zero.

    Args:
        title: heading.
        rows: from the top.
        x_label: below the axis.
        extent: ends of the axis at least, so that several charts have the same one.

    Returns:
        The chart; None without a row.
    """
    if not rows:
        return None
    ends = extent or (0.0, 0.0)
    low, high = min(0.0, ends[0], *(row[2] for row in rows)), max(0.0, ends[1], *(row[3] for row in rows))
    span = (high - low) or 1.0
    low, high = low - 0.05 * span, high + 0.05 * span
    height = 16 + _ROW * len(rows) + _BOTTOM

    def x(value: float) -> float:
        return _NAME_WIDTH + (value - low) / (high - low) * (WIDTH - _NAME_WIDTH - _RIGHT)

    elements: list[Element] = [Stroke(x(0), 4, x(0), height - 34, QUIET)]
    in_words = []
    for place, (name, middle, start, stop, colour) in enumerate(rows):
        y = 18 + place * _ROW
        in_words.append(f"{name}: {fixed(middle, 4, sign=True)} "
                        f"[{fixed(start, 4, sign=True)}, {fixed(stop, 4, sign=True)}]")  # fmt: skip
        elements += [
            Label(_NAME_WIDTH - 8, y + 4, _cut(name, _NAME_CHARACTERS), "end", quiet=False),
            Stroke(x(start), y, x(stop), y, colour, width=2),
            Dot(x(middle), y, 4, colour, in_words[-1]),
        ]
    elements += [Label(x(v), height - 20, f"{v:+.3g}" if v else "0", "middle") for v in ticks(low, high, 3)]
    elements.append(_x_title(x_label, height))
    return Chart(title, f"{x_label}. {'; '.join(in_words)}.", tuple(elements), height=height)


def _legend(series: Sequence[Series] | Sequence[Line]) -> tuple[tuple[str, str], ...]:
    return tuple((item[0], item[2]) for item in series) if len(series) > 1 else ()


def _span(values: Sequence[float]) -> str:
    return f"{compact(min(values))} to {compact(max(values))}" if values else "none"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, bottom: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM)


def _y_axis(bottom: float, top: float, label: str) -> list[Element]:
    elements: list[Element] = [Label(4, 12, label)]
    for value in ticks(bottom, top):
        y = _y(value, bottom, top)
        elements.append(Stroke(_LEFT, y, WIDTH - _RIGHT, y, "var(--line)"))
        elements.append(Label(_LEFT - 6, y + 4, compact(value), "end"))
    return elements


def _x_ticks(low: float, high: float) -> list[Element]:
    return [_tick_label(_x(value, low, high), compact(value)) for value in ticks(low, high, 5)]


def _tick_label(x: float, text: str) -> Element:
    shown = _cut(text, _TICK_CHARACTERS)
    at_the_end = x > WIDTH - _RIGHT - 12
    return Label(min(x, WIDTH - 2), HEIGHT - _BOTTOM + 15, shown, "end" if at_the_end else "middle")


def _x_title(text: str, height: float = HEIGHT) -> Element:
    return Label(WIDTH - _RIGHT, height - 4, _cut(text, 60), "end")
