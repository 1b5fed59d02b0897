"""Planes of 8 bits: luma, smaller copies by area, histograms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Plane = npt.NDArray[np.uint8]
"""Rows × columns, or rows × columns × 3; contiguous."""


@kernel
def luma_of(rgb: Plane) -> Plane:
    """Luma of n × m pixels, rounded: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as JPEG stores it."""
    height, width, _ = rgb.shape
    luma = np.empty((height, width), np.uint8)
    for y in range(height):
        row, out = rgb[y], luma[y]
        for x in range(width):
            r, g, b = np.uint32(row[x, 0]), np.uint32(row[x, 1]), np.uint32(row[x, 2])
            out[x] = np.uint8((np.uint32(19595) * r + np.uint32(38470) * g + np.uint32(7471) * b + 32768) >> 16)
    return luma


@kernel
def area_means(plane: Plane, height: int, width: int) -> npt.NDArray[np.float64]:
    """Means of equal areas of a plane.

    Args:
        plane: rows × columns × channels; an area may be smaller than one of its pixels.
        height: areas down.
        width: areas across.

    Returns:
        ``height`` × ``width`` × channels.
    """
    rows, columns, channels = plane.shape
    n = columns * channels
    flat = plane.reshape(rows, n)
    out = np.empty((height, width, channels), np.float64)
    sums = np.empty(n, np.float32)
    upto = np.zeros(n + 2 * channels, np.float64)
    down, across = rows / height, columns / width
    edges = np.empty(width + 1, np.int64)
    parts = np.empty(width + 1, np.float64)
    for x in range(width + 1):
        edges[x] = min(int(x * across), columns)
        parts[x] = min(x * across, float(columns)) - edges[x]
    for y in range(height):
        top, bottom = y * down, min((y + 1) * down, float(rows))
        start, stop = min(int(top), rows - 1), min(rows, int(np.ceil(bottom)))
        sums[:] = 0
        for row in range(start, stop):
            share = np.float32(min(row + 1, bottom) - max(row, top))
            line = flat[row]
            for i in range(n):
                sums[i] += share * np.float32(line[i])
        for i in range(n):
            upto[i + channels] = upto[i] + sums[i]
        area = (bottom - top) * across
        for channel in range(channels):
            upto[n + channels + channel] = upto[n + channel]
            before = 0.0
            for x in range(1, width + 1):
                at = edges[x] * channels + channel
                until = upto[at] + parts[x] * (upto[at + channels] - upto[at])
                out[y, x - 1, channel] = (until - before) / area
                before = until
    return out


@kernel
def shrink(plane: Plane, height: int, width: int) -> Plane:
    """A smaller copy: each of its pixels is the mean of the area that it covers, rounded.

    Args:
        plane: rows × columns × channels.
        height: rows of the copy.
        width: columns of the copy.
    """
    means = area_means(plane, height, width)
    out = np.empty(means.shape, np.uint8)
    for y in range(height):
        for x in range(width):
            for channel in range(means.shape[2]):
                out[y, x, channel] = np.uint8(min(255.0, means[y, x, channel] + 0.5))
    return out


@kernel
def histogram(plane: Plane) -> npt.NDArray[np.int64]:
    """How many of n × m values are 0, 1, …, 255."""
    even = np.zeros(256, np.int64)
    odd = np.zeros(256, np.int64)
    height, width = plane.shape
    for y in range(height):
        row = plane[y]
        for x in range(0, width - 1, 2):  # two counters: a run of one value need not wait for itself
            even[row[x]] += 1
            odd[row[x + 1]] += 1
        if width & 1:
            even[row[width - 1]] += 1
    return even + odd
