"""Texts in the form in which equal ones are equal, written into one buffer."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import BEYOND_ASCII, BLANK
from winnowry.operators.text.kernels.blocks import load_block, store_block
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import inline, kernel

SPACE = 0x20
"""Folded form of every white space."""
INTRICATE = 0xFFFFFFFF
"""Lower case or composition depends on its neighbours, or does not fit in the bytes of the character."""

_ALTERED = (
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7B0, 0xE000),
    range(0xF900, 0x20000),
    range(0x2F800, 0x2FA20),
)


@cache
def lower_table() -> npt.NDArray[np.uint32]:
    """Lower case of every code point (uint32 of 1,114,112 values), :data:`SPACE` or :data:`INTRICATE`."""
    table = np.arange(0x110000, dtype=np.uint32)
    seconds = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # jamo that compose with what precedes them
    for block in _ALTERED:
        for point in block:
            character = chr(point)
            if character.isspace():
                table[point] = SPACE
                continue
            lower = character.lower()
            parts = unicodedata.decomposition(character)
            if parts and parts[0] != "<":
                seconds.update(int(part, 16) for part in parts.split()[1:])
            if (
                len(lower) != 1
                or point == 0x3A3  # sigma: its lower case depends on where in a word it stands
                or 0xD800 <= point < 0xE000
                or unicodedata.combining(character)
                or (parts and parts[0] != "<" and not unicodedata.is_normalized("NFC", character))
                or len(lower.encode("utf-8")) > len(character.encode("utf-8"))
            ):
                table[point] = INTRICATE
            else:
                table[point] = ord(lower)
    table[sorted(seconds)] = INTRICATE
    table.flags.writeable = False
    return table


_ONES = np.uint64(0x0101010101010101)
_TOPS = np.uint64(0x8080808080808080)
_FIRST_SPACE = np.uint64(0x80)


@inline
def is_printable(block: np.uint64) -> bool:
    """Whether all eight bytes are ASCII and none is a control character below the space."""
    return bool(((block | (block - _ONES * np.uint64(0x20))) & _TOPS) == 0)


@inline
def block_spaces(block: np.uint64) -> np.uint64:
    """The top bit of each byte that is a space."""
    apart = block ^ (_ONES * np.uint64(0x20))
    low = _ONES * np.uint64(0x7F)
    return ~(((apart & low) + low) | apart | low)


@inline
def lower_block(block: np.uint64) -> np.uint64:
    """Lower case of eight ASCII bytes."""
    upper = ((block + _ONES * np.uint64(0x80 - 65)) ^ (block + _ONES * np.uint64(0x80 - 91))) & _TOPS
    return block | (upper >> np.uint64(2))


@inline
def lower_ascii(row: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> bool:
    """Write the lower case of bytes, white space as spaces; whether all of them are ASCII.

    No branch, and places that cannot be negative: the compiler handles many bytes at once.
    """
    seen = np.uint8(0)
    for k in range(row.size):
        byte = row[k]
        seen |= byte
        upper = np.uint8(np.uint8(byte - np.uint8(65)) < np.uint8(26))
        tab = np.uint8(np.uint8(byte - np.uint8(9)) < np.uint8(5))
        separator = np.uint8(np.uint8(byte - np.uint8(28)) < np.uint8(4))
        blank = np.uint8(np.uint8(0) - np.uint8(tab | separator))  # all bits or none
        out[k] = np.uint8(np.uint8(byte | np.uint8(upper << np.uint8(5))) & ~blank) | np.uint8(np.uint8(32) & blank)
    return bool(seen < BEYOND_ASCII)


@inline
def collapse(row: npt.NDArray[np.uint8]) -> np.int64:
    """Make each run of spaces one, none at the ends, in place; how many bytes are left."""
    n = np.uint64(row.size)
    at = np.uint64(0)
    k = np.uint64(0)
    space = np.uint64(1)  # as if a space came before: none is left at the start
    while k < n:
        if k + np.uint64(8) <= n:
            block = load_block(row, k)
            gap = block_spaces(block)
            if (gap & ((gap << np.uint64(8)) | (space << np.uint64(7)))) == 0:
                store_block(row, at, block)  # at most up to what was read
                at += np.uint64(8)
                k += np.uint64(8)
                space = gap >> np.uint64(63)
                continue
        stop = min(k + np.uint64(8), n)
        while k < stop:
            byte = row[k]
            row[at] = byte  # overwritten when it was a space after a space
            again = np.uint64(byte == np.uint8(32))
            at += np.uint64(1) - (again & space)
            space = again
            k += np.uint64(1)
    return np.int64(at - np.uint64(1)) if at > 0 and space == 1 else np.int64(at)


@kernel
def lower_and_collapse(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], table: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Lower case, each run of white space one space, none at the ends.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: :func:`lower_table`.

    Returns:
        Offsets (n + 1 values), bytes, and whether each row is too intricate to be judged here (it is empty then).
    """
    n = offsets.size - 1
    out = np.empty(offsets[n] - offsets[0] + 1, dtype=np.uint8)
    ascii_table = table[:128].astype(np.uint8)
    bounds = np.zeros(n + 1, dtype=np.int64)
    intricate = np.zeros(n, dtype=np.bool_)
    at = np.int64(0)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        start = at
        if lower_ascii(data[p:end], out[at : at + end - p]):
            at += collapse(out[at : at + end - p])
            bounds[i + 1] = at
            continue
        space = True  # as if white space came before: none is written at the start
        while p < end:
            while p + 8 <= end:
                block = load_block(data, np.uint64(p))
                gap = block_spaces(block)
                touching = gap & ((gap << np.uint64(8)) | (_FIRST_SPACE if space else np.uint64(0)))
                if touching or not is_printable(block):
                    break
                store_block(out, np.uint64(at), lower_block(block))
                at += 8
                p += 8
                space = bool(gap >> np.uint64(63))
            # Without a branch a byte: what is written is overwritten when it was white space after white space.
            stop = min(np.int64(p + 8), end)
            while p < stop and data[p] < BEYOND_ASCII:
                folded_byte = ascii_table[data[p]]
                out[at] = folded_byte
                again = bool(folded_byte == BLANK)
                at += 1 - np.int64(again & space)
                space = again
                p += 1
            if p == stop:
                continue
            point, width = decode(data, p, end)
            if width == 1:  # malformed
                intricate[i] = True
                break
            p += width
            folded = table[point]
            if folded == 0xFFFFFFFF:
                intricate[i] = True
                break
            if folded == BLANK:
                if not space:
                    out[at] = BLANK
                    at += 1
                space = True
                continue
            space = False
            if folded < 0x80:
                out[at] = np.uint8(folded)
                at += 1
            elif folded < 0x800:
                out[at] = np.uint8(0xC0 | (folded >> 6))
                out[at + 1] = np.uint8(0x80 | (folded & 0x3F))
                at += 2
            elif folded < 0x10000:
                out[at] = np.uint8(0xE0 | (folded >> 12))
                out[at + 1] = np.uint8(0x80 | ((folded >> 6) & 0x3F))
                out[at + 2] = np.uint8(0x80 | (folded & 0x3F))
                at += 3
            else:
                out[at] = np.uint8(0xF0 | (folded >> 18))
                out[at + 1] = np.uint8(0x80 | ((folded >> 12) & 0x3F))
                out[at + 2] = np.uint8(0x80 | ((folded >> 6) & 0x3F))
                out[at + 3] = np.uint8(0x80 | (folded & 0x3F))
                at += 4
        if at > start and space:
            at -= 1
        if intricate[i]:
            at = start
        bounds[i + 1] = at
    return bounds, out[:at], intricate
