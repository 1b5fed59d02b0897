"""Counts behind the rules for Chinese texts."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import CAPITAL_A, CAPITAL_Z, LOWER_CASE, NEWLINE
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.gopher import count_grams
from winnowry.operators.text.kernels.words import SPACE, is_han

HAN = 1
SIMPLIFIED = 2
"""A Chinese character that GB 2312 has and Big5 has not: written so only where characters are simplified."""
TRADITIONAL = 4
"""A Chinese character that Big5 has and GB 2312 has not."""


def _has(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@cache
def han_table() -> npt.NDArray[np.uint8]:
    """What kind of Chinese character a code point is (uint8, 1,114,112 values), a sum of the flags of this module."""
    table = np.zeros(0x110000, dtype=np.uint8)
    for point in [*range(0x3000, 0xA000), *range(0xF900, 0xFB00), *range(0x20000, 0x323B0)]:
        if is_han(point):
            table[point] = HAN
    for point in range(0x4E00, 0xA000):
        simplified, traditional = _has(chr(point), "gb2312"), _has(chr(point), "big5")
        if simplified != traditional:
            table[point] |= SIMPLIFIED if simplified else TRADITIONAL
    return table


@kernel
def count_chinese(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    han: npt.NDArray[np.uint8],
    terminators: npt.NDArray[np.bool_],
    gram: int,
) -> npt.NDArray[np.int64]:
    """Count characters and lines: int64 of shape (9, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        han: see :func:`han_table`.
        terminators: for every code point, whether it ends a line as a sentence ends.
        gram: how many characters make a repeated sequence.

    Returns:
        Characters; Chinese ones; simplified only; traditional only; lines between newlines; lines that are not blank;
        those that end with a terminator; sequences of ``gram`` visible characters; those that come more than once.
    """
    n = offsets.size - 1
    out = np.zeros((9, n), dtype=np.int64)
    longest = np.int64(0)
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    points = np.empty(longest + 1, dtype=np.uint64)
    candidates = np.empty(longest + 1, dtype=np.int32)
    first = np.empty(longest + 1, dtype=np.int32)
    times = np.empty(longest + 1, dtype=np.int32)
    n_slots = np.int64(16)
    while 2 * n_slots < 3 * longest:
        n_slots *= 2
    slots = np.empty(n_slots, dtype=np.int32)
    base = np.uint64(0xD1342543DE82EF95)
    leaving = np.uint64(1)
    for _ in range(gram):
        leaving *= base
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        last = np.int64(-1)
        n_visible = np.int64(0)
        if p < end:
            out[4, i] = 1
        while p < end:
            point, width = decode(data, p, end)
            p += width
            out[0, i] += 1
            kind = han[point]
            if kind:
                out[1, i] += kind & HAN
                out[2, i] += (kind & SIMPLIFIED) >> 1
                out[3, i] += (kind & TRADITIONAL) >> 2
            if point == NEWLINE:
                out[4, i] += 1
                if last >= 0:
                    out[5, i] += 1
                    out[6, i] += terminators[last]
                last = np.int64(-1)
            elif table[point] & 15 != SPACE:
                last = point
                if CAPITAL_A <= point <= CAPITAL_Z:
                    point += LOWER_CASE
                mixed = (np.uint64(point) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
                points[n_visible] = mixed ^ (mixed >> np.uint64(31))
                n_visible += 1
        if last >= 0:
            out[5, i] += 1
            out[6, i] += terminators[last]
        n_grams = n_visible - gram + 1
        if n_grams < 2:
            out[7, i] = max(np.int64(0), n_grams)
            continue
        # The hash of a sequence takes the place of its first character: a long text needs the room once.
        rolling = np.uint64(0)
        gone = np.uint64(0)
        for j in range(n_visible):
            rolling = rolling * base + points[j]
            if j >= gram:
                rolling -= gone * leaving
            if j >= gram - 1:
                gone = points[j - gram + 1]
                points[j - gram + 1] = rolling
                candidates[j - gram + 1] = j - gram + 1
        count_grams(points, candidates, n_grams, slots, first, times)
        out[7, i] = n_grams
        for j in range(n_grams):
            out[8, i] += times[first[j]] > 1
    return out
