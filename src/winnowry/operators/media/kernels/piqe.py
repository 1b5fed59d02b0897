"""The perception-based image quality evaluator of Venkatanath and others, block by block."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.kernels.planes import Plane
from winnowry.operators.text.kernels.compile import kernel

_BLOCK = 16
_SEGMENT = 6
"""Pixels of an edge of a block that are looked at together."""
_ACTIVE, _IMPAIRED = 0.1, 0.1
_REACH = 3
_TAPS = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / (7 / 6)) ** 2)
_TAPS /= _TAPS.sum()

Floats = npt.NDArray[np.float64]


@kernel
def piqe(luma: Plane) -> float:
    """How distorted n × m pixels look, 0 excellent to 100 bad; a flat picture, of which nothing can be said, is 100.

    Blocks of 16 × 16 pixels whose normalised contrast is high count: those with a flat piece of edge as blocky, those
    whose middle and surroundings differ little as noisy. Sides that are no multiple of 16 are continued by reflection.

    Source: Venkatanath, Praneeth, Bh, Channappayya, Medasani 2015, "Blind image quality evaluation using perception
    based features"; the window of 7 and all details are those of MATLAB's ``piqe``, among them the surroundings of a
    block, which lack its eighth and tenth columns.
    """
    height, width = luma.shape
    largest = 0
    for y in range(height):
        for x in range(width):
            largest = max(largest, luma[y, x])
    if largest == 0:
        return 100.0
    levels = np.empty(256, np.float64)
    for level in range(256):
        levels[level] = np.rint(255 * (level / largest))
    rows, columns = -(-height // _BLOCK) * _BLOCK, -(-width // _BLOCK) * _BLOCK
    line = np.empty(columns + 2 * _REACH, np.float64)
    plain = np.empty((_BLOCK + 2 * _REACH, columns), np.float64)
    means = np.empty((_BLOCK + 2 * _REACH, columns), np.float64)
    squares = np.empty((_BLOCK + 2 * _REACH, columns), np.float64)
    strip = np.empty((_BLOCK, columns), np.float64)
    distortion, n_active = 0.0, 0
    for top in range(0, rows, _BLOCK):
        for offset in range(_BLOCK + 2 * _REACH):
            _fill(line, luma[_mirrored(min(max(top + offset - _REACH, 0), rows - 1), height)], levels, columns)
            for x in range(columns):
                mean, square = 0.0, 0.0
                for tap in range(2 * _REACH + 1):
                    value = line[x + tap]
                    mean += _TAPS[tap] * value
                    square += _TAPS[tap] * (value * value)
                plain[offset, x] = line[x + _REACH]
                means[offset, x] = mean
                squares[offset, x] = square
        for y in range(_BLOCK):
            for x in range(columns):
                mean, square = 0.0, 0.0
                for tap in range(2 * _REACH + 1):
                    mean += _TAPS[tap] * means[y + tap, x]
                    square += _TAPS[tap] * squares[y + tap, x]
                deviation = math.sqrt(abs(square - mean * mean))
                strip[y, x] = (plain[y + _REACH, x] - mean) / (deviation + 1)
        for left in range(0, columns, _BLOCK):
            block = strip[:, left : left + _BLOCK]
            variance = _variance(block, -1, -1)
            if variance <= _ACTIVE:
                continue
            n_active += 1
            if _has_flat_edge(block):
                distortion += 1 - variance
            deviation = math.sqrt(variance)
            ratio = _middle_over_surroundings(block)
            if deviation > 2 * (abs(deviation - ratio) / max(deviation, ratio)):
                distortion += variance
    return (distortion + 1) / (1 + n_active) * 100


@kernel
def _mirrored(place: int, n: int) -> int:
    """The place that continues n places by reflection, the last one repeated."""
    place %= 2 * n
    return place if place < n else 2 * n - 1 - place


@kernel
def _fill(line: Floats, row: npt.NDArray[np.uint8], levels: Floats, columns: int) -> None:
    """A row, continued by reflection to whole blocks, and beyond that by its last values."""
    width = row.size
    for x in range(width):
        line[x + _REACH] = levels[row[x]]
    for x in range(width, columns):
        line[x + _REACH] = levels[row[_mirrored(x, width)]]
    for x in range(_REACH):
        line[x] = line[_REACH]
        line[columns + _REACH + x] = line[columns + _REACH - 1]


@kernel
def _variance(block: Floats, without: int, and_without: int) -> float:
    """Variance over n - 1 of a block without two of its columns."""
    total, n = 0.0, 0
    for x in range(block.shape[1]):
        if x not in (without, and_without):
            n += block.shape[0]
            for y in range(block.shape[0]):
                total += block[y, x]
    mean, squares = total / n, 0.0
    for x in range(block.shape[1]):
        if x not in (without, and_without):
            for y in range(block.shape[0]):
                squares += (block[y, x] - mean) ** 2
    return squares / (n - 1)


@kernel
def _middle_over_surroundings(block: Floats) -> float:
    """Deviation of the two middle columns over that of the surroundings; 0 where both are flat."""
    middle = _BLOCK // 2
    surroundings = math.sqrt(_variance(block, middle - 1, middle + 1))
    centre = math.sqrt(_variance(block[:, middle - 1 : middle + 1], -1, -1))
    if surroundings == 0:
        return math.inf if centre > 0 else 0.0
    return centre / surroundings


@kernel
def _has_flat_edge(block: Floats) -> bool:
    """Whether six neighbouring pixels of an edge of the block hardly differ."""
    last = _BLOCK - 1
    for start in range(_BLOCK - _SEGMENT + 1):
        stop = start + _SEGMENT
        if (
            _deviation(block[0, start:stop]) < _IMPAIRED
            or _deviation(block[start:stop, last]) < _IMPAIRED
            or _deviation(block[last, start:stop]) < _IMPAIRED
            or _deviation(block[start:stop, 0]) < _IMPAIRED
        ):
            return True
    return False


@kernel
def _deviation(values: Floats) -> float:
    mean = 0.0
    for value in values:
        mean += value
    mean /= values.size
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    return math.sqrt(squares / (values.size - 1))
