"""Counts over the lines of a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import NEWLINE
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel

ENDS = 1
"""A character with which a sentence ends."""
CLOSES = 2
"""A closing bracket: what stands before it decides."""

N_COUNTS = 7
"""Non-blank lines, bullet lines, ellipsis lines, short lines, terminated lines, characters, repeated characters."""


@kernel
def _ends_with(data: npt.NDArray[np.uint8], first: np.int64, last: np.int64, ending: npt.NDArray[np.uint8]) -> bool:
    size = ending.size
    if last - first < size:
        return False
    for k in range(size):  # noqa: SIM110 - compiled
        if data[last - size + k] != ending[k]:
            return False
    return True


@kernel
def _same(data: npt.NDArray[np.uint8], a: np.int64, b: np.int64, size: np.int64) -> bool:
    for k in range(size):  # noqa: SIM110 - compiled
        if data[a + k] != data[b + k]:
            return False
    return True


@kernel
def _is_terminated(
    data: npt.NDArray[np.uint8], first: np.int64, last: np.int64, end_marks: npt.NDArray[np.uint8]
) -> bool:
    while last > first:
        p = last - 1
        while p > first and data[p] & 0xC0 == 0x80:
            p -= 1
        point, _ = decode(data, p, last)
        if end_marks[point] != CLOSES:
            return bool(end_marks[point] == ENDS)
        last = p
    return False


@kernel
def count_lines(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.uint8],
    bullets: npt.NDArray[np.int64],
    end_marks: npt.NDArray[np.uint8],
    short: int,
) -> npt.NDArray[np.int64]:
    """Count lines: int64 of shape (7, n), see :data:`N_COUNTS`.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        classes: character classes by code point.
        bullets: code points that make a bullet line when they come first.
        end_marks: what each code point is at the end of a line, :data:`ENDS`, :data:`CLOSES` or 0.
        short: a line of at most so many characters is short.
    """
    n = offsets.size - 1
    out = np.zeros((7, n), dtype=np.int64)
    dots = np.array([46, 46, 46], dtype=np.uint8)
    for i in range(n):
        start = offsets[i]
        end = offsets[i + 1]
        n_lines = np.int64(1)
        for k in range(start + 1, end):
            if data[k] == NEWLINE and data[k - 1] != NEWLINE:  # empty lines take no slot
                n_lines += 1
        n_slots = np.int64(4)
        while n_slots < 2 * n_lines:
            n_slots *= 2
        slot_start = np.full(n_slots, -1, dtype=np.int64)
        slot_size = np.zeros(n_slots, dtype=np.int64)
        slot_hash = np.zeros(n_slots, dtype=np.uint64)
        p = start
        while p < end:
            # one line, from its first to its last visible character
            first = np.int64(-1)
            last = np.int64(-1)
            first_point = np.int64(0)
            last_point = np.int64(0)
            n_chars = np.int64(0)
            n_pending = np.int64(0)
            while p < end:
                point, width = decode(data, p, end)
                if point == NEWLINE:
                    p += 1
                    break
                if classes[point] & 1:
                    if first >= 0:
                        n_pending += 1
                else:
                    if first < 0:
                        first = p
                        first_point = point
                    last = np.int64(p + width)
                    last_point = point
                    n_chars += n_pending + 1
                    n_pending = np.int64(0)
                p += width
            if first < 0:
                continue
            out[0, i] += 1
            for k in range(bullets.size):
                if first_point == bullets[k]:
                    out[1, i] += 1
                    break
            if last_point == 0x2026 or _ends_with(data, first, last, dots):
                out[2, i] += 1
            if n_chars <= short:
                out[3, i] += 1
            out[4, i] += _is_terminated(data, first, last, end_marks)
            out[5, i] += n_chars
            size = last - first
            mixed = np.uint64(14695981039346656037)
            for k in range(first, last):
                mixed = (mixed ^ np.uint64(data[k])) * np.uint64(1099511628211)
            mixed ^= mixed >> np.uint64(32)
            slot = np.int64(mixed & np.uint64(n_slots - 1))
            while True:
                if slot_start[slot] < 0:
                    slot_start[slot] = first
                    slot_size[slot] = size
                    slot_hash[slot] = mixed
                    break
                if slot_hash[slot] == mixed and slot_size[slot] == size and _same(data, slot_start[slot], first, size):
                    out[6, i] += n_chars
                    break
                slot = (slot + 1) & (n_slots - 1)
    return out
