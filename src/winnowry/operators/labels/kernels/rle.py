"""Run lengths of masks in column-major order, as the compressed text of COCO or as numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

_FIRST, _LAST = 48, 111  # characters that hold six bits each
_MOST_DIGITS = 12


@kernel
def decoded(text: Octets, runs: Whole) -> int:
    """Run lengths of a compressed text.

    Args:
        text: n characters.
        runs: room for n numbers, which are written.

    Returns:
        How many there are; -1 where the text is broken.
    """
    n, at = 0, 0
    while at < len(text):
        value, digit, more = 0, 0, True
        while more:
            if at >= len(text) or digit > _MOST_DIGITS or text[at] < _FIRST or text[at] > _LAST:
                return -1
            bits = int(text[at]) - _FIRST
            value |= (bits & 31) << (5 * digit)
            more = (bits & 32) != 0
            at += 1
            digit += 1
            if not more and bits & 16:
                value |= -1 << (5 * digit)
        if n > 2:
            value += runs[n - 2]
        if value < 0:
            return -1
        runs[n] = value
        n += 1
    return n


@kernel
def measured(runs: Whole, n: int, height: int, out: Floats) -> int:
    """Area and box of a mask.

    Args:
        runs: lengths in turn of background and mask, column by column.
        n: how many.
        height: of the picture.
        out: receives area, left, top, right and bottom; the far edges are exclusive.

    Returns:
        The sum of all lengths; -1 where one is negative.
    """
    area, at = 0, 0
    left, top, right, bottom = 1 << 40, 1 << 40, -1, -1
    for k in range(n):
        length = runs[k]
        if length < 0:
            return -1
        if k & 1 and length:
            area += length
            first, last = at, at + length - 1
            left, right = min(left, first // height), max(right, last // height)
            if first // height != last // height:
                top, bottom = 0, height - 1
            else:
                top, bottom = min(top, first % height), max(bottom, last % height)
        at += length
    out[0] = area
    if area:
        out[1], out[2], out[3], out[4] = left, top, right + 1, bottom + 1
    else:
        out[1:5] = 0.0
    return at


@kernel
def measure_texts(data: Octets, offsets: Whole, height: Whole, out: Floats, total: Whole) -> None:
    """:func:`measured` of n compressed texts; -1 as their total where one is broken."""
    room = 0
    for i in range(len(height)):
        room = max(room, offsets[i + 1] - offsets[i])
    runs = np.empty(room + 1, np.int64)
    for i in range(len(height)):
        n = decoded(data[offsets[i] : offsets[i + 1]], runs)
        total[i] = measured(runs, n, height[i], out[i]) if n >= 0 and height[i] > 0 else -1


@kernel
def measure_runs(runs: Whole, offsets: Whole, height: Whole, out: Floats, total: Whole) -> None:
    """:func:`measured` of n lists of run lengths."""
    for i in range(len(height)):
        own = runs[offsets[i] : offsets[i + 1]]
        total[i] = measured(own, len(own), height[i], out[i]) if height[i] > 0 else -1


@kernel
def measure_rings(
    points: Floats, rings: Whole, boxes: Whole, out: Floats, shortest: Whole, odd: npt.NDArray[np.bool_]
) -> None:
    """Area (the sum of its rings') and extent of polygons.

    Args:
        points: x, y, x, y, … of all rings.
        rings: first number of each ring, and the end.
        boxes: first ring of each of n polygons, and the end.
        out: n × 5: area, least x, least y, greatest x, greatest y.
        shortest: n: numbers in the shortest ring.
        odd: n: whether a ring has an odd number of numbers.
    """
    for i in range(len(boxes) - 1):
        area = 0.0
        least_x, least_y, most_x, most_y = np.inf, np.inf, -np.inf, -np.inf
        shortest[i] = 1 << 40
        for ring in range(boxes[i], boxes[i + 1]):
            start, end = rings[ring], rings[ring + 1]
            shortest[i] = min(shortest[i], end - start)
            odd[i] |= (end - start) % 2 == 1
            twice = 0.0
            for k in range(start, end - 1, 2):
                after = k + 2 if k + 3 < end else start
                twice += points[k] * points[after + 1] - points[after] * points[k + 1]
                least_x, most_x = min(least_x, points[k]), max(most_x, points[k])
                least_y, most_y = min(least_y, points[k + 1]), max(most_y, points[k + 1])
            area += abs(twice) / 2
        out[i, 0], out[i, 1], out[i, 2], out[i, 3], out[i, 4] = area, least_x, least_y, most_x, most_y
