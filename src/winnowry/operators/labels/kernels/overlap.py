"""Overlap of boxes inside their frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import inline, kernel

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@inline
def overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    value: float = both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
    return value


@kernel
def repeated(edges: Floats, places: Floats, group: Whole, order: Whole, least: float, metres: float) -> Mask:
    """Boxes that repeat an earlier one of their group: overlap of at least so much, and middles no farther apart.

    Args:
        edges: m × 4.
        places: m × 3, in metres; NaN where there are none.
        group: m values; boxes of a group are of one frame and one class, negative ones are not compared.
        order: boxes by group, then by their left edge.
        least: overlap.
        metres: distance.
    """
    marks = np.zeros(len(edges), np.bool_)
    for at in range(len(order)):
        i = order[at]
        if group[i] < 0:
            continue
        for other in range(at + 1, len(order)):
            j = order[other]
            if group[j] != group[i] or edges[j, 0] >= edges[i, 2]:
                break
            if overlap(edges[i], edges[j]) >= least:
                apart = 0.0
                for axis in range(3):
                    apart += (places[i, axis] - places[j, axis]) ** 2
                if not apart > metres * metres:
                    marks[max(i, j)] = True
    return marks


@kernel
def matches(a: Floats, b: Floats, least: float) -> tuple[Whole, Whole, Floats]:
    """Pairs of boxes of two answers to one frame: the greatest overlap first, each box once; ties by place."""
    n = len(a) * len(b)
    values = np.empty(n)
    for i in range(len(a)):
        for j in range(len(b)):
            values[i * len(b) + j] = overlap(a[i], b[j])
    order = np.argsort(-values, kind="mergesort")
    used_a, used_b = np.zeros(len(a), np.bool_), np.zeros(len(b), np.bool_)
    most = min(len(a), len(b))
    left, right, value = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    k = 0
    for place in order:
        if values[place] < least or k == most:
            break
        i, j = place // len(b), place % len(b)
        if not used_a[i] and not used_b[j]:
            used_a[i] = used_b[j] = True
            left[k], right[k], value[k] = i, j, values[place]
            k += 1
    return left[:k], right[:k], value[:k]
