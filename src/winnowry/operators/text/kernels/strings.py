"""Counts behind the string filters: characters by kind, addresses, lines, paragraphs and words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    BEYOND_ASCII,
    CAPITAL_A,
    CAPITAL_F,
    CAPITAL_Z,
    COLON,
    EXCLAMATION_MARK,
    FULL_STOP,
    HYPHEN,
    LEFT_BRACKET,
    NEWLINE,
    NINE,
    NUMBER_SIGN,
    PERCENT,
    QUESTION_MARK,
    QUOTATION_MARK,
    RIGHT_BRACKET,
    SLASH,
    SMALL_A,
    SMALL_F,
    SMALL_H,
    SMALL_P,
    SMALL_S,
    SMALL_T,
    ZERO,
)
from winnowry.operators.text.kernels.c4 import find_phrases
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import kernel
from winnowry.operators.text.kernels.words import (
    DIGIT,
    GIVEN_SPANS,
    HAS_LETTER,
    SPACE,
    WordFinder,
    Words,
    longest_row,
    split_words,
)

BOILERPLATE = 1
WHOLE_TEXT = 2

# What a character is, as bits of the table given to :func:`count_characters`.
PLAIN = 1
BLANK = 2
BRACKET = 4
ADDRESS = 8


@kernel
def count_strings(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    kinds: npt.NDArray[np.uint8],
    bullets: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Count characters by kind and lines by their ends: int64 of shape (10, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        kinds: bits of this module for each ASCII character (128 values).
        bullets: for every code point, whether it makes a bullet line.

    Returns:
        Characters; those that are not plain; digits; characters of addresses (``http://…``); white space; brackets;
        lines that are not blank; bullet lines; lines without an end mark; lines that end with an ellipsis.
    """
    n = offsets.size - 1
    out = np.zeros((10, n), dtype=np.int64)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        n_chars = np.int64(0)
        first = np.int64(-1)  # first visible character of the line
        last = np.int64(-1)  # the byte after its last visible one
        last_point = np.int64(0)
        address_end = np.int64(-1)
        while p < end:
            point, width = decode(data, p, end)
            n_chars += 1
            kind = np.int64(kinds[point]) if point < BEYOND_ASCII else np.int64(0)
            if not kind & PLAIN:
                out[1, i] += 1
            if kind & BLANK:
                out[4, i] += 1
            if kind & BRACKET or point == 0x27E8 or point == 0x27E9:
                out[5, i] += 1
            entry = np.int64(table[point])
            if entry & 15 == DIGIT:
                out[2, i] += 1
            if point == SMALL_H and p >= address_end:
                stop = _address(data, p, end, kinds)
                if stop > p:
                    out[3, i] += stop - p  # addresses are ASCII
                    address_end = stop
            if point == NEWLINE:
                if first >= 0:
                    _finish_line(data, first, last, last_point, bullets, out, i)
                first = np.int64(-1)
            elif entry & 15 != SPACE:
                if first < 0:
                    first = p
                last = p + width
                last_point = point
            p += width
        if first >= 0:
            _finish_line(data, first, last, last_point, bullets, out, i)
        out[0, i] = n_chars
    return out


@kernel
def _address(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, kinds: npt.NDArray[np.uint8]) -> np.int64:
    """Where the address that begins at ``p`` ends; ``p`` where there is none."""
    if p + 8 > end or data[p + 1] != SMALL_T or data[p + 2] != SMALL_T or data[p + 3] != SMALL_P:
        return p
    q = p + 4
    if data[q] == SMALL_S:
        q += 1
    if q + 3 > end or data[q] != COLON or data[q + 1] != SLASH or data[q + 2] != SLASH:
        return p
    q += 3
    start = q
    while q < end:
        byte = data[q]
        if byte < BEYOND_ASCII and kinds[byte] & ADDRESS:
            q += 1
        elif byte == PERCENT and q + 2 < end and _is_hexadecimal(data[q + 1]) and _is_hexadecimal(data[q + 2]):
            q += 3
        else:
            break
    return q if q > start else p


@kernel
def _is_hexadecimal(byte: np.uint8) -> bool:
    return bool(ZERO <= byte <= NINE or CAPITAL_A <= byte <= CAPITAL_F or SMALL_A <= byte <= SMALL_F)


@kernel
def _ends(data: npt.NDArray[np.uint8], first: np.int64, last: np.int64, lower: str) -> bool:
    size = len(lower)
    if last - first < size:
        return False
    for k in range(size):
        byte = data[last - size + k]
        if CAPITAL_A <= byte <= CAPITAL_Z:
            byte += np.uint8(32)
        if byte != ord(lower[k]):
            return False
    return True


@kernel
def _finish_line(
    data: npt.NDArray[np.uint8],
    first: np.int64,
    last: np.int64,
    last_point: np.int64,
    bullets: npt.NDArray[np.bool_],
    out: npt.NDArray[np.int64],
    i: int,
) -> None:
    out[6, i] += 1
    point, _ = decode(data, first, last)
    out[7, i] += bullets[point]
    if last_point not in (FULL_STOP, QUESTION_MARK, EXCLAMATION_MARK, QUOTATION_MARK, APOSTROPHE):
        out[8, i] += 1
    if (
        last_point == 0x2026
        or _ends(data, first, last, "...")
        or _ends(data, first, last, "[...]")
        or _ends(data, first, last, "(...)")
        or _ends(data, first, last, "read more")
        or _ends(data, first, last, "read more..")
        or (last_point == RIGHT_BRACKET and last - first >= 5 and data[last - 4] == 0xE2 and data[last - 2] == 0xA6
            and data[last - 3] == 0x80 and data[last - 5] == LEFT_BRACKET)
        or (last_point == 0xBB and last - first >= 3 and data[last - 3] == HYPHEN)
    ):  # fmt: skip
        out[9, i] += 1


@kernel
def count_string_words(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    how: int,
    rows: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    common: npt.NDArray[np.uint64],
    ellipses: npt.NDArray[np.uint64],
) -> npt.NDArray[np.int64]:
    """Count words: int64 of shape (6, n).

    Returns:
        Words; their characters; the longest; those with a letter; those that are common; those that are an ellipsis
        or more than half number signs.
    """
    n = offsets.size - 1
    out = np.zeros((6, n), dtype=np.int64)
    longest = longest_row(how, offsets, rows)
    word_starts = np.empty(longest, dtype=np.int64)
    word_stops = np.empty(longest, dtype=np.int64)
    sizes = np.empty(longest, dtype=np.int32)
    hashes = np.empty(longest, dtype=np.uint64)
    marks = np.empty(longest, dtype=np.uint8)
    finder = WordFinder(how, table, starts, stops)
    words = Words(word_starts, word_stops, sizes, hashes, marks)
    for i in range(n):
        first = rows[i] if how == GIVEN_SPANS else offsets[i]
        limit = rows[i + 1] if how == GIVEN_SPANS else offsets[i + 1]
        n_words = split_words(finder, data, first, limit, words, True)
        out[0, i] = n_words
        for w in range(n_words):
            size = np.int64(sizes[w])
            mixed = hashes[w]
            out[1, i] += size
            out[2, i] = max(out[2, i], size)
            if marks[w] & HAS_LETTER:
                out[3, i] += 1
            for k in range(common.size):
                if common[k] == mixed:
                    out[4, i] += 1
                    break
            n_runs = np.int64(0)
            in_hashes = False
            # runs of number signs, as the published expression finds them
            for k in range(word_starts[w], word_stops[w]):
                if data[k] == NUMBER_SIGN and not in_hashes:
                    n_runs += 1
                in_hashes = data[k] == NUMBER_SIGN
            symbolic = 2 * n_runs > size
            for k in range(ellipses.size):
                symbolic |= ellipses[k] == mixed
            out[5, i] += symbolic
    return out


@kernel
def count_boilerplate(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    spelled: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    triggers: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Paragraphs (between two newlines), those with a boilerplate phrase, those with one that damns all: (3, n)."""
    n = offsets.size - 1
    out = np.zeros((3, n), dtype=np.int64)
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        while True:
            q = p
            while q < end and not (data[q] == NEWLINE and q + 1 < end and data[q + 1] == NEWLINE):
                q += 1
            phrases = find_phrases(data, p, q, spelled, places, triggers)
            out[0, i] += 1
            out[1, i] += phrases & BOILERPLATE
            out[2, i] += (phrases & WHOLE_TEXT) >> 1
            if q >= end:
                break
            p = q + 2
    return out
