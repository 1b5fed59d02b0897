"""Classes of Unicode characters as one lookup table, and decoding of UTF-8 inside kernels."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import at, inline, kernel

SPACE = 1
"""``str.isspace``: the characters on which ``str.split()`` splits (29 code points)."""
LETTER = 2
"""General category L* (letters) or M* (marks, which spell words in many scripts)."""
DIGIT = 4
"""General category Nd (decimal digits of any script)."""
UPPER = 8
"""General category Lu or Lt (upper and title case)."""
SYMBOL = 16
"""General category P* (punctuation) or S* (symbols)."""
NONSTARTER = 32
"""Canonical combining class other than 0."""

_ASSIGNED = (range(0x40000), range(0xE0000, 0xE0200))  # the rest is unassigned or private: no class
_CATEGORIES = (
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
    "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
)  # fmt: skip
_CLASSES = {
    "L": LETTER, "M": LETTER, "Lu": LETTER | UPPER, "Lt": LETTER | UPPER, "Nd": DIGIT, "P": SYMBOL, "S": SYMBOL,
}  # fmt: skip


_SPACES_ARE = ("Zs", "Zl", "Zp", "Cc")
_COMBINING_ARE = ("Mn", "Mc", "Me")


@cache
def character_classes() -> npt.NDArray[np.uint8]:
    """Classes of every code point (uint8, 1,114,112 values), from Python's own Unicode database."""
    table = by_category(_CLASSES).astype(np.uint8)
    table[white_space()] |= SPACE
    combining = [point for point in of_categories(_COMBINING_ARE) if unicodedata.combining(chr(point))]
    table[combining] |= NONSTARTER
    return table


def white_space() -> list[int]:
    """Code points for which ``str.isspace`` holds."""
    return [point for point in of_categories(_SPACES_ARE) if chr(point).isspace()]


def by_category(values: Mapping[str, int]) -> npt.NDArray[np.uint16]:
    """A value for every code point (1,114,112): of its general category, else of the category's first letter, else 0.

    Code points that are unassigned or private have 0.
    """
    of_category = np.array([values.get(name, values.get(name[0], 0)) for name in _CATEGORIES], dtype=np.uint16)
    table = np.zeros(0x110000, dtype=np.uint16)
    for block, categories in zip(_ASSIGNED, _categories(), strict=True):
        table[block.start : block.stop] = of_category[categories]
    return table


def of_categories(names: tuple[str, ...]) -> list[int]:
    """Code points of some general categories, rising within a block."""
    wanted = [_CATEGORIES.index(name) for name in names]
    ranges = (
        block.start + np.flatnonzero(np.isin(categories, wanted))
        for block, categories in zip(_ASSIGNED, _categories(), strict=True)
    )
    return [point for points in ranges for point in points.tolist()]


@cache
def _categories() -> tuple[npt.NDArray[np.uint8], ...]:
    """For each block of assigned code points their general categories, as places in a list: asked for once."""
    places = {name: place for place, name in enumerate(_CATEGORIES)}
    return tuple(
        np.fromiter(map(places.__getitem__, map(unicodedata.category, map(chr, block))), np.uint8, len(block))
        for block in _ASSIGNED
    )


@inline
def decode(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64) -> tuple[np.int64, np.int64]:
    """Code point and width in bytes of the character at ``p``; a malformed byte is U+FFFD, one byte wide."""
    lead = np.int64(at(data, p))
    point = np.int64(0xFFFD)
    width = np.int64(1)
    if lead < 0x80:
        point = lead
    elif 0xC2 <= lead < 0xE0 and p + 2 <= end:
        point = ((lead & 0x1F) << 6) | (np.int64(at(data, p + 1)) & 0x3F)
        width = np.int64(2)
    elif 0xE0 <= lead < 0xF0 and p + 3 <= end:
        point = ((lead & 0x0F) << 12) | ((np.int64(at(data, p + 1)) & 0x3F) << 6) | (np.int64(at(data, p + 2)) & 0x3F)
        width = np.int64(3)
    elif 0xF0 <= lead < 0xF5 and p + 4 <= end:
        point = (
            ((lead & 0x07) << 18)
            | ((np.int64(at(data, p + 1)) & 0x3F) << 12)
            | ((np.int64(at(data, p + 2)) & 0x3F) << 6)
            | (np.int64(at(data, p + 3)) & 0x3F)
        )
        width = np.int64(4)
        if point > 0x10FFFF:
            point = np.int64(0xFFFD)
    return point, width


@kernel
def count_lengths(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    """Characters and words of each row: int64 of shape (2, n)."""
    n = offsets.size - 1
    out = np.zeros((2, n), dtype=np.int64)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        n_chars = np.int64(0)
        n_words = np.int64(0)
        in_word = False
        while p < end:
            point, width = decode(data, p, end)
            p += width
            n_chars += 1
            if at(classes, point) & 1:
                in_word = False
            elif not in_word:
                in_word = True
                n_words += 1
        out[0, i] = n_chars
        out[1, i] = n_words
    return out


@kernel
def count_classes(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int64]:
    """Visible characters, letters, digits, upper-case letters, symbols of each row: int64 of shape (5, n)."""
    n = offsets.size - 1
    out = np.zeros((5, n), dtype=np.int64)
    histogram = np.zeros(256, dtype=np.int64)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        histogram[:] = 0
        while p < end:
            point, width = decode(data, p, end)
            p += width
            histogram[at(classes, point)] += 1
        for combination in range(256):
            count = histogram[combination]
            if count and not combination & 1:
                out[0, i] += count
                if combination & 2:
                    out[1, i] += count
                if combination & 4:
                    out[2, i] += count
                if combination & 8:
                    out[3, i] += count
                if combination & 16:
                    out[4, i] += count
    return out
