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
def shrink(plane: Plane, height: int, width: int) -> Plane:
    """A smaller copy: each of its pixels is the mean of the area that it covers.

    Args:
        plane: rows × columns × channels.
        height: rows of the copy; at most those of the plane.
        width: columns of the copy; at most those of the plane.
    """
    rows, columns, channels = plane.shape
    out = np.empty((height, width, channels), np.uint8)
    sums = np.empty(columns * channels, np.float32)
    down, across = rows / height, columns / width
    for y in range(height):
        top, bottom = y * down, min((y + 1) * down, float(rows))
        sums[:] = 0
        for row in range(int(top), min(rows, int(np.ceil(bottom)))):
            share = np.float32(min(row + 1, bottom) - max(row, top))
            line = plane[row].reshape(-1)
            for i in range(sums.size):
                sums[i] += share * np.float32(line[i])
        for x in range(width):
            left, right = x * across, min((x + 1) * across, float(columns))
            first, last = int(left), min(columns, int(np.ceil(right)))
            for channel in range(channels):
                total = np.float32(0)
                for column in range(first, last):
                    total += np.float32(min(column + 1, right) - max(column, left)) * sums[column * channels + channel]
                out[y, x, channel] = np.uint8(min(255.0, total / ((right - left) * (bottom - top)) + 0.5))
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
