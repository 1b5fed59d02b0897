"""One pass that tells which texts need repair, so that the clean ones cost nothing more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import BEYOND_ASCII, BLANK, DELETE, FILE_SEPARATOR, NEWLINE, TAB
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import inline, kernel

NON_ASCII = 1
"""A character above U+007F: may be composed differently or decoded wrongly."""
CONTROL = 2
"""A control character other than newline and tab, a line or paragraph separator, or a byte order mark."""
TRAILING_SPACE = 4
"""White space before a newline or at the end."""


@inline
def look_at_ascii(row: npt.NDArray[np.uint8]) -> np.int64:
    """Flags of a text without a character above U+007F, or -1 where there is one.

    No branch, no state but the byte before, and places that cannot be negative: the compiler looks at many bytes at
    once.
    """
    seen = np.uint8(0)
    control = np.uint8(0)
    trailing = np.uint8(0)
    for p in range(row.size):
        byte = row[p]
        seen |= byte
        low = np.uint8(byte < np.uint8(BLANK)) & np.uint8(byte != np.uint8(TAB)) & np.uint8(byte != np.uint8(NEWLINE))
        control |= low | np.uint8(byte == np.uint8(DELETE))
    after = row[1:]
    for p in range(after.size):
        trailing |= np.uint8(after[p] == np.uint8(NEWLINE)) & is_blank(row[p])
    if seen >= BEYOND_ASCII:
        return np.int64(-1)
    if row.size:
        trailing |= is_blank(row[-1])
    return np.int64(CONTROL) * np.int64(control) + np.int64(TRAILING_SPACE) * np.int64(trailing)


@inline
def is_blank(byte: np.uint8) -> np.uint8:
    """1 for ASCII white space other than newline."""
    tab = np.uint8(np.uint8(byte - np.uint8(TAB)) < np.uint8(5)) & np.uint8(byte != np.uint8(NEWLINE))
    return np.uint8(tab | np.uint8(np.uint8(byte - np.uint8(FILE_SEPARATOR)) < np.uint8(5)))


@kernel
def strip_line_ends(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], flags: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Take spaces and tabs from the ends of the lines of some rows; the others stay as they are.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        flags: n rows; those of exactly :data:`TRAILING_SPACE` are stripped.

    Returns:
        Offsets (n + 1 values) and bytes.
    """
    n = offsets.size - 1
    out = np.empty(offsets[n] - offsets[0], dtype=np.uint8)
    bounds = np.zeros(n + 1, dtype=np.int64)
    at = np.int64(0)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        if flags[i] != TRAILING_SPACE:
            out[at : at + end - p] = data[p:end]
            at += end - p
        while flags[i] == TRAILING_SPACE and p < end:
            stop = p
            while stop < end and data[stop] != NEWLINE:
                stop += 1
            kept = stop
            while kept > p and (data[kept - 1] == BLANK or data[kept - 1] == TAB):
                kept -= 1
            out[at : at + kept - p] = data[p:kept]
            at += kept - p
            if stop < end:
                out[at] = NEWLINE
                at += 1
            p = stop + 1
        bounds[i + 1] = at
    return bounds, out[:at]


@kernel
def find_suspects(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """What each row has to be repaired for: uint8 of n rows, a sum of the flags of this module."""
    n = offsets.size - 1
    out = np.zeros(n, dtype=np.uint8)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        plain = look_at_ascii(data[p:end])
        if plain >= 0:
            out[i] = plain
            continue
        flags = 0
        after_space = False
        while p < end:
            point, width = decode(data, p, end)
            p += width
            if point == NEWLINE:
                if after_space:
                    flags |= TRAILING_SPACE
                after_space = False
                continue
            after_space = classes[point] & 1 != 0
            if point >= BEYOND_ASCII:
                flags |= NON_ASCII
                if point < 160 or point == 0x2028 or point == 0x2029 or point == 0xFEFF:
                    flags |= CONTROL
            elif (point < BLANK and point != TAB) or point == DELETE:
                flags |= CONTROL
        if after_space:
            flags |= TRAILING_SPACE
        out[i] = flags
    return out
