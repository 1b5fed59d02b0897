"""Charts: geometry that is true to the numbers, and drawings that say in words what they show."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from winnowry.report.charts import HEIGHT, WIDTH, Box, Chart, Dot, Label, Path, Stroke, histogram, lines, ranges, ticks
from winnowry.report.render import render


def drawn(chart: Chart | None) -> ElementTree.Element:
    """The chart as a page draws it, read by a strict XML parser."""
    assert chart is not None
    section = render("release/chosen.html.j2", view={"summary": "", "charts": [chart]})
    svg = ElementTree.fromstring(f"<section>{section}</section>").find(".//svg")
    assert svg is not None
    return svg


def test_bars_are_as_high_as_their_counts() -> None:
    chart = histogram("t", [0, 1, 2], [("a", [10, 5], "red")], x_label="x", y_label="y")
    assert chart is not None
    high, low = (e.height for e in chart.elements if isinstance(e, Box) and e.colour == "red")
    assert high == pytest.approx(2 * low)


def test_stacked_bars_stand_on_each_other_and_others_beside() -> None:
    series = [("a", [10.0], "red"), ("b", [5.0], "blue")]
    stacked, beside = (histogram("t", [0, 1], series, x_label="x", y_label="y", stacked=s) for s in (True, False))
    assert stacked is not None
    assert beside is not None
    red, blue = (e for e in stacked.elements if isinstance(e, Box) and e.colour)
    assert blue.y + blue.height == pytest.approx(red.y)
    red, blue = (e for e in beside.elements if isinstance(e, Box) and e.colour)
    assert red.x + red.width < blue.x
    assert red.y + red.height == pytest.approx(blue.y + blue.height)


def test_a_line_of_one_point_or_of_equal_points_is_drawn() -> None:
    one = lines("t", [("a", [(0, 5.0)], "red")], x_label="x", y_label="y")
    flat = lines("t", [("a", [(0, 0.0), (1, 0.0)], "red")], x_label="x", y_label="y")
    for chart in (one, flat):
        assert chart is not None
        dots = [e for e in chart.elements if isinstance(e, Dot)]
        assert dots
        assert all(math.isfinite(dot.x) and math.isfinite(dot.y) for dot in dots)


def test_nothing_to_draw_is_no_chart() -> None:
    assert lines("t", [("a", [], "red")], x_label="x", y_label="y") is None
    assert histogram("t", [0.0], [("a", [], "red")], x_label="x", y_label="y") is None
    assert histogram("t", [0.0, 1.0], [], x_label="x", y_label="y") is None
    assert ranges("t", [], x_label="x") is None


def test_an_axis_may_begin_at_the_lowest_value() -> None:
    line = [("a", [(0.0, 2.0), (1.0, 2.1)], "red")]
    near, from_zero = (lines("t", line, x_label="x", y_label="y", from_zero=zero) for zero in (False, True))
    assert near is not None
    assert from_zero is not None
    climbs = []
    for chart in (near, from_zero):
        (path,) = (e for e in chart.elements if isinstance(e, Path))
        climbs.append(path.points[0][1] - path.points[1][1])
    assert climbs[0] > 10 * climbs[1] > 0


def test_a_range_lies_right_of_zero_where_all_of_it_is_positive() -> None:
    chart = ranges("t", [("better", 0.2, 0.1, 0.3, "red"), ("worse", -0.2, -0.3, -0.1, "blue")], x_label="x")
    assert chart is not None
    zero = next(e.x1 for e in chart.elements if isinstance(e, Stroke) and e.x1 == e.x2)
    better, worse = (e for e in chart.elements if isinstance(e, Stroke) and e.colour in ("red", "blue"))
    assert worse.x2 < zero < better.x1


CHARTS = {
    "histogram": histogram("T", [0, 1, 2], [("a", [10, 5], "red"), ("b", [1, 2], "blue")], x_label="X", y_label="Y",
                           marks=[("mean", 0.5, "red")]),
    "named bins": histogram("T", [0, 1, 2], [("a", [1, 2], "red")], x_label="X", y_label="Y", names=["p", "q" * 40]),
    "lines": lines("T", [("a", [(0, 1.0), (1, 3.0)], "red"), ("b", [(0, 2.0)], "blue")], x_label="X", y_label="Y"),
    "shares": lines("T", [("a", [(0.1, 1.0), (1, 3.0)], "red")], x_label="X", y_label="Y", percent_x=True),
    "partitions": lines("T", [("a", [(0, 1.0), (1, 3.0)], "red")], x_label="X", y_label="Y", x_names=["p" * 30, "q"]),
    "ranges": ranges("T", [("a" * 60, 0.2, 0.1, 0.3, "red")], x_label="X"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHARTS)
def test_every_chart_has_a_title_a_text_for_screen_readers_and_a_label_on_its_x_axis(kind: str) -> None:
    svg = drawn(CHARTS[kind])
    assert svg.attrib["role"] == "img"
    assert svg.findtext("title") == "T"
    text = svg.findtext("desc") or ""
    assert "X" in text
    assert "a: " in text or "a" * 60 in text
    assert svg.attrib["aria-label"] == f"T. {text}"
    assert "X" in [label.text for label in svg.iter("text")]


@pytest.mark.parametrize("kind", CHARTS)
def test_everything_lies_inside_the_drawing(kind: str) -> None:
    chart = CHARTS[kind]
    assert chart is not None
    for element in chart.elements:
        if isinstance(element, Label | Box | Dot):
            assert 0 <= element.x <= WIDTH
            assert 0 <= element.y <= max(chart.height, HEIGHT)
        if isinstance(element, Label):
            width = 6.3 * len(element.text)  # of twelve pixels high letters
            left = element.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[element.anchor] * width
            assert left >= 0
            assert left + width <= WIDTH


@pytest.mark.parametrize(("low", "high"), [(0, 1e-9), (-3, 7), (0, 12345678), (0.1, 0.1), (5, 5.0001)])
def test_ticks_lie_between_the_ends_and_are_few(low: float, high: float) -> None:
    values = ticks(low, high)
    assert 1 <= len(values) <= 8
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
