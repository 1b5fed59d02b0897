"""Remove what a text says again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.dedup.kernels.exact import INTRICATE
from winnowry.operators.dedup.kernels.words import mix
from winnowry.operators.text.kernels.ascii import NEWLINE
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel

_INTRICATE = np.uint32(INTRICATE)


@kernel
def _line_end(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64) -> np.int64:
    while p < end and data[p] != NEWLINE:
        p += 1
    return p


@kernel
def _is_blank(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, classes: npt.NDArray[np.uint8]) -> bool:
    while p < end:
        point, width = decode(data, p, end)
        if not classes[point] & 1:
            return False
        p += width
    return True


@kernel
def _unit_end(
    data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, classes: npt.NDArray[np.uint8], paragraphs: bool
) -> tuple[np.int64, np.int64]:
    """End of the unit that starts at ``p``, and start of the next one: what lies between separates them."""
    stop = _line_end(data, p, end)
    if not paragraphs:
        return stop, min(np.int64(stop + 1), end)
    while stop < end:
        after = _line_end(data, np.int64(stop + 1), end)
        if _is_blank(data, np.int64(stop + 1), after, classes):
            following = min(np.int64(after + 1), end)
            while following < end:
                after = _line_end(data, following, end)
                if not _is_blank(data, following, after, classes):
                    break
                following = min(np.int64(after + 1), end)
            return stop, following
        stop = after
    return stop, end


@kernel
def _hash_unit(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    end: np.int64,
    classes: npt.NDArray[np.uint8],
    lower: npt.NDArray[np.uint32],
) -> tuple[np.uint64, int, int]:
    """Hash of a unit without regard to case and white space, its characters, and those that are letters or digits."""
    state = np.uint64(0)
    n = 0
    telling = 0
    space = False
    while p < end:
        point, width = decode(data, p, end)
        p += width
        if classes[point] & 1:
            space = n > 0
            continue
        if space:
            state = mix(state ^ np.uint64(32))
            n += 1
            space = False
        folded = lower[point]
        state = mix(state ^ np.uint64(point if folded == _INTRICATE else folded))
        n += 1
        if classes[point] & 6:
            telling += 1
    return state, n, telling


@kernel
def remove_repeats(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    classes: npt.NDArray[np.uint8],
    lower: npt.NDArray[np.uint32],
    paragraphs: bool,
    shortest: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Copy texts without the lines or paragraphs that repeat an earlier one of the same text.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        classes: character classes by code point.
        lower: lower case by code point.
        paragraphs: units end at blank lines; else at newlines.
        shortest: units of fewer characters always stay.

    Returns:
        Offsets (n + 1 values), bytes, removed units of each row, and their characters in the form compared.
    """
    n = offsets.size - 1
    bounds = np.zeros(n + 1, dtype=np.int64)
    out = np.empty(offsets[n] - offsets[0], dtype=np.uint8)
    removed = np.zeros(n, dtype=np.int64)
    removed_chars = np.zeros(n, dtype=np.int64)
    at = 0
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        n_newlines = 1
        for k in range(p, end):
            if data[k] == NEWLINE:
                n_newlines += 1
        n_slots = 4
        while n_slots < 2 * n_newlines:
            n_slots *= 2
        slots = np.zeros(n_slots, dtype=np.uint64)
        copied_to = p  # a unit goes together with what separates it from the one before
        while p < end:
            stop, following = _unit_end(data, p, end, classes, paragraphs)
            key, n_chars, telling = _hash_unit(data, p, stop, classes, lower)
            again = False
            if telling > 0 and n_chars >= shortest:
                if key == 0:
                    key = np.uint64(1)
                slot = np.int64(key & np.uint64(n_slots - 1))
                while slots[slot] != 0 and slots[slot] != key:
                    slot = (slot + 1) & (n_slots - 1)
                again = slots[slot] == key
                slots[slot] = key
            if again:
                removed[i] += 1
                removed_chars[i] += n_chars
            else:
                for k in range(copied_to, stop):
                    out[at] = data[k]
                    at += 1
            copied_to = stop
            p = following
        for k in range(copied_to, end):
            out[at] = data[k]
            at += 1
        bounds[i + 1] = at
    return bounds, out[:at], removed, removed_chars
