"""Words as near-duplicate detection sees them: folded, hashed and placed, in one pass over UTF-8."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import BEYOND_ASCII
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import inline, kernel

SEPARATOR = 0
"""White space, punctuation, symbols and control characters end a word."""
DROPPED = 1
"""Combining marks and format characters leave no trace."""
DIGIT = 1 << 24
"""A decimal digit of any script; the low bits are the ASCII digit."""
ALONE = 1 << 25
"""A character of a script written without spaces: a word of its own."""

_POINT = (1 << 24) - 1
_ALTERED = (
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7A4, 0xD800),
    range(0xF900, 0x20000),
    range(0xE0000, 0xE0200),
)
"""Blocks in which folding changes something; elsewhere are ideographs, Hangul, private and unassigned characters."""

_UNSPACED = (
    range(0x0E00, 0x0E80), range(0x0E80, 0x0F00), range(0x0F00, 0x1000), range(0x1000, 0x10A0), range(0x1780, 0x1800),
    range(0x2E80, 0x2FE0), range(0x3005, 0x3008), range(0x3040, 0x3100), range(0x31F0, 0x3200), range(0x3400, 0x4DC0),
    range(0x4E00, 0xA000), range(0xF900, 0xFB00), range(0xFF66, 0xFF9E), range(0x20000, 0x32000),
)  # fmt: skip
"""Thai, Lao, Tibetan, Myanmar, Khmer, Han, Hiragana and Katakana."""


@cache
def fold_table() -> npt.NDArray[np.uint32]:
    """What each code point counts as: uint32 of 1,114,112 values, a code point with flags, or one of the two markers.

    Folded: lower case, no diacritics (canonical decomposition without its non-spacing marks), digits of any script as
    ASCII ones, both forms of the Greek sigma as one. Surrogates and unassigned characters stand for themselves.
    """
    table = np.arange(0x110000, dtype=np.uint32)
    for block in _ALTERED:
        for point in block:
            table[point] = _folded(point)
    for block in _UNSPACED:
        alone = table[block.start : block.stop]
        alone[(alone > DROPPED) & (alone & DIGIT == 0)] |= ALONE
    table.flags.writeable = False
    return table


def _folded(point: int) -> int:
    character = chr(point)
    category = unicodedata.category(character)
    if category in ("Lo", "Cn") and not unicodedata.decomposition(character):
        return point
    if category[0] in "PSZ" or category == "Cc":
        return SEPARATOR
    if category in ("Mn", "Me", "Cf"):
        return DROPPED
    if category == "Nd":
        return DIGIT | (48 + unicodedata.digit(character))
    decomposed = unicodedata.normalize("NFD", character.lower())
    if len(decomposed) > 1:
        decomposed = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    folded = ord(decomposed) if len(decomposed) == 1 else point
    return 0x3C3 if folded == 0x3C2 else max(folded, 2)


@inline
def mix(value: np.uint64) -> np.uint64:
    """Finalise a 64-bit hash so that every bit depends on every other (MurmurHash3 fmix64, Appleby 2011)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


@inline
def _absorb(state: np.uint64, point: np.uint64) -> np.uint64:
    state = (state ^ point) * np.uint64(0x9E3779B97F4A7C15)
    return state ^ (state >> np.uint64(29))


@kernel
def _number_end(
    data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, fold: npt.NDArray[np.uint32]
) -> tuple[np.int64, int]:
    """End of the digits at ``p`` with at most one decimal part, in bytes, and how many characters that is."""
    n_chars = 0
    n_parts = 0
    while True:
        while p < end:
            point, width = decode(data, p, end)
            if fold[point] & DIGIT == 0:
                break
            p += width
            n_chars += 1
        n_parts += 1
        if n_parts == 2 or p >= end:
            return p, n_chars
        point, width = decode(data, p, end)
        # full stop, comma, Arabic comma and decimal separator, ideographic and full-width comma
        if point not in (0x2E, 0x2C, 0x60C, 0x66B, 0x3001, 0xFF0C):
            return p, n_chars
        if p + width >= end:
            return p, n_chars
        after, _ = decode(data, p + width, end)
        if fold[after] & DIGIT == 0:
            return p, n_chars
        p += width
        n_chars += 1


@kernel
def hash_words(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    end: np.int64,
    fold: npt.NDArray[np.uint32],
    one_number: bool,
    hashes: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> int:
    """Hash the words of the text ``data[p:end]``.

    Args:
        data: UTF-8 bytes.
        p: first byte of the text.
        end: byte after the text.
        fold: :func:`fold_table`.
        one_number: whether every number, with a decimal part, counts as ``0``.
        hashes: filled with the hash of each word; at least :func:`most_words` long.
        begins: filled with the position of each word's first character, or empty when nobody asks.
        ends: filled with the position after each word's last character, or empty.

    Returns:
        Number of words.
    """
    placed = begins.size > 0
    n = 0
    at = 0
    in_word = False
    state = np.uint64(0)
    while p < end:
        lead = data[p]
        if lead < BEYOND_ASCII:
            folded = fold[lead]
            width = np.int64(1)
        else:
            point, width = decode(data, p, end)
            folded = fold[point]
        step = 1
        if folded <= DROPPED:
            if folded == SEPARATOR and in_word:
                hashes[n] = mix(state)
                if placed:
                    ends[n] = at
                n += 1
                in_word = False
        elif folded & ALONE:
            if in_word:
                hashes[n] = mix(state)
                if placed:
                    ends[n] = at
                n += 1
                in_word = False
            hashes[n] = mix(_absorb(np.uint64(0), np.uint64(folded & _POINT)))
            if placed:
                begins[n] = at
                ends[n] = at + 1
            n += 1
        else:
            code = np.uint64(folded & _POINT)
            if one_number and folded & DIGIT:
                after, step = _number_end(data, p, end, fold)
                width = after - p
                code = np.uint64(48)
            if not in_word:
                in_word = True
                state = np.uint64(0)
                if placed:
                    begins[n] = at
            state = _absorb(state, code)
        p += width
        at += step
    if in_word:
        hashes[n] = mix(state)
        if placed:
            ends[n] = at
        n += 1
    return n


@kernel
def fold_characters(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    end: np.int64,
    fold: npt.NDArray[np.uint32],
    one_number: bool,
    codes: npt.NDArray[np.uint32],
) -> int:
    """Folded characters of a text, words separated by one space.

    Args:
        data: UTF-8 bytes.
        p: first byte of the text.
        end: byte after the text.
        fold: :func:`fold_table`.
        one_number: whether every number counts as ``0``.
        codes: filled with folded code points; at least one longer than the text has bytes.

    Returns:
        Number of characters.
    """
    n = 0
    space = False
    while p < end:
        point, width = decode(data, p, end)
        folded = fold[point]
        if folded == SEPARATOR:
            space = n > 0
        elif folded != DROPPED:
            code = np.uint32(folded & _POINT)
            if one_number and folded & DIGIT:
                after, _ = _number_end(data, p, end, fold)
                width = after - p
                code = np.uint32(48)
            if space:
                codes[n] = 32
                n += 1
                space = False
            codes[n] = code
            n += 1
        p += width
    return n


@inline
def most_words(n_bytes: int) -> int:
    """Words that a text of so many bytes can have: ``a b c``; characters that are words take two bytes or more."""
    return n_bytes // 2 + 1


@kernel
def longest(offsets: npt.NDArray[np.int64]) -> int:
    """Bytes of the longest row."""
    most = 0
    for i in range(offsets.size - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most
