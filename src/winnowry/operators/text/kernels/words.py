"""Words of a text: tables of character properties, and splitting a row into words inside a kernel."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    BEYOND_ASCII,
    BLANK,
    CAPITAL_A,
    CAPITAL_Z,
    COLON,
    COMMA,
    DELETE,
    EXCLAMATION_MARK,
    FULL_STOP,
    GREATER_THAN,
    HYPHEN,
    LESS_THAN,
    NEWLINE,
    QUESTION_MARK,
    QUOTATION_MARK,
    RIGHT_BRACKET,
    RIGHT_PARENTHESIS,
    SEMICOLON,
    SLASH,
    SMALL_A,
    SMALL_Z,
)
from winnowry.operators.text.kernels.characters import by_category, decode, white_space
from winnowry.operators.text.kernels.compile import at, inline, kernel

# Word classes, in the low four bits of an entry of :func:`word_table`; the names follow Unicode Standard Annex #29.
OTHER = 0
SPACE = 1
LETTER = 2
DIGIT = 3
IDEOGRAPH = 4
KATAKANA = 5
EXTEND = 6
MID_BOTH = 7
MID_LETTER = 8
MID_NUMBER = 9
CONNECTOR = 10

# Properties, in the bits above.
ALPHABETIC = 16
"""``str.isalpha``: general category L*."""
SYMBOL = 32
"""A character of :data:`SYMBOLS` or :data:`TERMINATORS`."""
TERMINATOR = 64
"""A character of :data:`TERMINATORS`."""
LINE_BREAK = 128
"""A character at which ``str.splitlines`` breaks."""
PUNCTUATION = 256
"""General category P*."""

# Sets of word classes, as bits.
_LETTER_OR_DIGIT = 1 << LETTER | 1 << DIGIT
_RUN = _LETTER_OR_DIGIT | 1 << KATAKANA | 1 << CONNECTOR
_IN_WORD = 1 << MID_BOTH | 1 << MID_LETTER
_IN_NUMBER = 1 << MID_BOTH | 1 << MID_NUMBER

# How words are found.
WHITESPACE_RUNS = 0
UNICODE_WORDS = 1
GIVEN_SPANS = 2

# Marks of a word, see :class:`Words`.
HAS_LETTER = 1
HAS_NON_SYMBOL = 2


_PLAIN = np.zeros(256, dtype=np.uint8)  # for ASCII letters and digits, whether they are letters or digits
for _byte in range(128):
    if chr(_byte).isalnum():
        _PLAIN[_byte] = ALPHABETIC if chr(_byte).isalpha() else 1


def _points(ranges: str) -> frozenset[int]:
    """Code points of a list of hexadecimal ranges."""
    points: set[int] = set()
    for item in ranges.split():
        first, _, last = item.partition("-")
        points.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(points)


TERMINATORS = _points(
    "21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 17D4-17D6 "
    "17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 "
    "2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB "
    "FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 "
    "111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 "
    "1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 "
    "16B37-16B38 16B44 16E98 1BC9F 1DA88"
)
"""Characters that end a sentence: Unicode's Sentence_Terminal as of version 15, and three Khmer signs."""

SYMBOLS = _points(
    "0-8 B-1F 21-2F 3A-40 5B-60 7B-9F AB B4 BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001-3002 3008-300D "
    "3010-3011 FF01 FF05 FF08-FF09 FF0C FF0E FF11 FF1A-FF1B FF1F FF5E"
)
"""Characters of which a *symbol word* consists (with :data:`TERMINATORS`): the punctuation set that CCNet (Wenzek et
al. 2020) normalises, with the control characters; FineWeb's Gopher filter counts no word made of them alone."""

_MID_BOTH = frozenset(map(ord, ".'\u2018\u2019\u2024\ufe52\uff07\uff0e"))
_MID_LETTER = frozenset(map(ord, ":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a"))
_MID_NUMBER = frozenset(map(ord, ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b"))
_LINE_BREAKS = frozenset(map(ord, "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))

_HAN = (
    range(0x4E00, 0xA000), range(0x3400, 0x4DC0), range(0x20000, 0x323B0), range(0xF900, 0xFB00),
    range(0x3005, 0x3006), range(0x3007, 0x3008),
)  # fmt: skip


def is_han(point: int) -> bool:
    """Whether a code point is a Chinese character: a CJK ideograph of any block, or the ideographic zero."""
    return any(point in block for block in _HAN)


_WORD_CLASSES = {"M": EXTEND, "Cf": EXTEND, "Nd": DIGIT, "Pc": CONNECTOR, "L": LETTER, "Nl": LETTER}
_KATAKANA = (range(0x30A1, 0x3100), range(0x31F0, 0x3200), range(0xFF66, 0xFFA0))
_HIRAGANA = range(0x3041, 0x30A0)


@cache
def word_table() -> npt.NDArray[np.uint16]:
    """Word class and properties of every code point (uint16, 1,114,112 values), from Python's Unicode database."""
    table = by_category(_WORD_CLASSES)
    properties = by_category({"L": ALPHABETIC, "P": PUNCTUATION})
    for script in _KATAKANA:
        own = table[script.start : script.stop]
        letters = properties[script.start : script.stop] == ALPHABETIC
        own[(own == LETTER) | (own == OTHER)] = OTHER
        own[letters] = KATAKANA
    for script in (*_HAN, _HIRAGANA):
        own = table[script.start : script.stop]
        own[(own == LETTER) | (own == OTHER)] = IDEOGRAPH
    for members, word_class in ((_MID_NUMBER, MID_NUMBER), (_MID_LETTER, MID_LETTER), (_MID_BOTH, MID_BOTH)):
        table[list(members)] = word_class
    table[white_space()] = SPACE
    table |= properties
    for point in SYMBOLS | TERMINATORS:
        table[point] |= SYMBOL
    for point in TERMINATORS:
        table[point] |= TERMINATOR
    for point in _LINE_BREAKS:
        table[point] |= LINE_BREAK
    return table


@inline
def _mixed(mixed: np.uint64, lane: np.uint64) -> np.uint64:
    mixed = (mixed ^ lane) * np.uint64(0xD6E8FEB86659FD93)
    return mixed ^ (mixed >> np.uint64(32))


@kernel
def hash_word(data: npt.NDArray[np.uint8], start: np.int64, stop: np.int64) -> np.uint64:
    """The hash that :func:`split_words` gives a word."""
    mixed = np.uint64(0x9E3779B97F4A7C15)
    lane = np.uint64(0)
    for k in range(start, stop):
        lane = lane << np.uint64(8) | np.uint64(at(data, k))
        if (k - start) & 7 == 7:
            mixed = _mixed(mixed, lane)
            lane = np.uint64(0)
    return _mixed(mixed + np.uint64(stop - start), lane)


@kernel
def _address_stop(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64) -> np.int64:
    """Where an address ends whose scheme ends at ``p``; 0 where ``://`` and a visible ASCII character do not follow."""
    if p + 3 >= end or data[p + 1] != SLASH or data[p + 2] != SLASH:
        return np.int64(0)
    q = p + 3
    while q < end:
        byte = data[q]
        if byte <= BLANK or byte >= DELETE or byte in (QUOTATION_MARK, LESS_THAN, GREATER_THAN):
            break
        q += 1
    while q > p + 3:
        if data[q - 1] not in (
            FULL_STOP, COMMA, COLON, SEMICOLON, EXCLAMATION_MARK, QUESTION_MARK, APOSTROPHE, RIGHT_PARENTHESIS,
            RIGHT_BRACKET,
        ):  # fmt: skip
            break  # what ends a sentence or closes a bracket is no part of it
        q -= 1
    return q if q > p + 3 else np.int64(0)


@kernel
def _keeps_stop(data: npt.NDArray[np.uint8], p: np.int64, q: np.int64, end: np.int64) -> bool:
    """Whether the full stop at ``q`` is part of the word before it: an initial (``J.``) or ``U.S.``, ``e.g.``."""
    if q + 1 < end and data[q + 1] == FULL_STOP:
        return False
    last = data[q - 1]
    if q - p == 1:
        return bool(CAPITAL_A <= last <= CAPITAL_Z)
    return bool(
        q - p >= 3 and data[q - 2] == FULL_STOP and (CAPITAL_A <= last <= CAPITAL_Z or SMALL_A <= last <= SMALL_Z)
    )


class WordFinder(NamedTuple):
    """How kernels find the words of a row.

    Attributes:
        how: one of the three ways of this module.
        table: see :func:`word_table`.
        starts: with ``GIVEN_SPANS`` the first byte of each word.
        stops: with ``GIVEN_SPANS`` the byte after each word.
    """

    how: int
    table: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]


class Words(NamedTuple):
    """Room for the words of a row: one entry a byte suffices, and memory that no row reaches is not touched.

    Attributes:
        starts: for the first byte of each word.
        stops: for the byte after it.
        sizes: for its characters.
        hashes: for a 64-bit hash of its bytes.
        marks: for ``HAS_LETTER`` and ``HAS_NON_SYMBOL``.
    """

    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]
    marks: npt.NDArray[np.uint8]


@kernel
def split_words(
    finder: WordFinder, data: npt.NDArray[np.uint8], p: np.int64, end: np.int64, words: Words, keep_spans: bool
) -> np.int64:
    """Split a row into words.

    Args:
        finder: how words are found.
        data: UTF-8 bytes.
        p: first byte of the row; with ``GIVEN_SPANS`` the number of its first span.
        end: where the row ends, in the same unit.
        words: where to write them.
        keep_spans: whether to write ``words.starts`` and ``words.stops``.

    Returns:
        How many words there are.
    """
    how, table, given_starts, given_stops = finder
    starts, stops, sizes, hashes, marks = words
    n = np.int64(0)
    if how == GIVEN_SPANS:
        for span in range(p, end):
            _describe(data, given_starts[span], given_stops[span], table, n, words)
            if keep_spans:
                starts[n] = given_starts[span]
                stops[n] = given_stops[span]
            n += 1
        return n
    while p < end:
        first = np.int64(at(data, p))
        width = np.int64(1)
        if first >= BEYOND_ASCII:
            first, width = decode(data, p, end)
        entry = np.int64(at(table, first))
        before = entry & 15
        if before == SPACE:
            p += width
            continue
        letter = entry
        symbol = entry
        mixed = np.uint64(0x9E3779B97F4A7C15)
        lane = np.uint64(0)
        in_run = 1 << before & _RUN != 0
        q = p + width
        n_bytes = width
        n_more = width - 1  # bytes that continue a character
        if first < BEYOND_ASCII:
            lane = np.uint64(first)
            if 1 << before & _LETTER_OR_DIGIT:
                # most words are nothing else
                while q < end:
                    byte = at(data, q)
                    plain = _PLAIN[byte]
                    if plain == 0:
                        break
                    letter |= plain
                    lane = lane << np.uint64(8) | np.uint64(byte)
                    q += 1
                    n_bytes += 1
                    if n_bytes & 7 == 0:
                        mixed = _mixed(mixed, lane)
                        lane = np.uint64(0)
                before = np.int64(table[at(data, q - 1)]) & 15
                symbol = np.int64(0)
        else:
            for k in range(p, q):
                lane = lane << np.uint64(8) | np.uint64(at(data, k))
        address_stop = np.int64(0)
        open_word = q < end and at(data, q) != BLANK and at(data, q) != NEWLINE
        if open_word and at(data, q) == COLON and before == LETTER and how == UNICODE_WORDS:
            address_stop = _address_stop(data, q, end)
        while open_word and q < end:
            point = np.int64(at(data, q))
            width = np.int64(1)
            if point >= BEYOND_ASCII:
                point, width = decode(data, q, end)
            entry = np.int64(at(table, point))
            kind = entry & 15
            if how == WHITESPACE_RUNS:
                if kind == SPACE:
                    break
            elif q < address_stop or kind == EXTEND:
                pass
            elif address_stop:
                break
            elif not in_run:
                if point != first or before == IDEOGRAPH:
                    break
            elif 1 << kind & _LETTER_OR_DIGIT:
                if before == KATAKANA:
                    break
                before = kind
            elif kind == CONNECTOR:
                before = kind
            elif kind == KATAKANA:
                if before != KATAKANA and before != CONNECTOR:
                    break
                before = kind
            else:
                inside = (before == LETTER and 1 << kind & _IN_WORD != 0) or (
                    before == DIGIT and (1 << kind & _IN_NUMBER != 0 or point in (HYPHEN, SLASH, COLON))
                )
                if not inside or q + width >= end:
                    break
                after, _ = decode(data, q + width, end)
                if np.int64(at(table, after)) & 15 != before:
                    break
            letter |= entry
            symbol &= entry
            n_more += width - 1
            for k in range(q, q + width):
                lane = lane << np.uint64(8) | np.uint64(at(data, k))
                n_bytes += 1
                if n_bytes & 7 == 0:
                    mixed = _mixed(mixed, lane)
                    lane = np.uint64(0)
            q += width
        if open_word and q < end and at(data, q) == FULL_STOP and how == UNICODE_WORDS and _keeps_stop(data, p, q, end):
            lane = lane << np.uint64(8) | np.uint64(46)
            n_bytes += 1
            if n_bytes & 7 == 0:
                mixed = _mixed(mixed, lane)
                lane = np.uint64(0)
            q += 1
        if keep_spans:
            starts[n] = p
            stops[n] = q
        sizes[n] = n_bytes - n_more
        hashes[n] = _mixed(mixed + np.uint64(n_bytes), lane)
        marks[n] = ((letter & ALPHABETIC) >> 4) | (0 if symbol & SYMBOL else HAS_NON_SYMBOL)
        n += 1
        p = q
    return n


@kernel
def _describe(
    data: npt.NDArray[np.uint8],
    start: np.int64,
    stop: np.int64,
    table: npt.NDArray[np.uint16],
    n: np.int64,
    words: Words,
) -> None:
    """Write the size, hash and marks of the ``n``-th word, which is ``data[start:stop]``."""
    letter = np.int64(0)
    symbol = np.int64(SYMBOL)
    size = np.int32(0)
    p = start
    while p < stop:
        point, width = decode(data, p, stop)
        entry = np.int64(table[point])
        letter |= entry
        symbol &= entry
        size += np.int32(1)
        p += width
    words.sizes[n] = size
    words.hashes[n] = hash_word(data, start, stop)
    words.marks[n] = ((letter & ALPHABETIC) >> 4) | (0 if symbol & SYMBOL else HAS_NON_SYMBOL)


@kernel
def longest_row(how: int, offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> np.int64:
    """Most words that a row can have: its spans where they are given, else its bytes."""
    bounds = rows if how == GIVEN_SPANS else offsets
    longest = np.int64(0)
    for i in range(offsets.size - 1):
        longest = max(longest, bounds[i + 1] - bounds[i])
    return longest


@kernel
def find_words(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    how: int,
    table: npt.NDArray[np.uint16],
    rows: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the words of all rows begin and end; writes into ``rows[1:]`` how many there are, cumulated."""
    most = offsets[-1] - offsets[0]
    longest = longest_row(how, offsets, rows)
    starts = np.empty(most, dtype=np.int64)
    stops = np.empty(most, dtype=np.int64)
    sizes = np.empty(longest, dtype=np.int32)
    hashes = np.empty(longest, dtype=np.uint64)
    marks = np.empty(longest, dtype=np.uint8)
    none = np.empty(0, dtype=np.int64)
    finder = WordFinder(how, table, none, none)
    total = np.int64(0)
    for i in range(offsets.size - 1):
        words = Words(starts[total:], stops[total:], sizes, hashes, marks)
        total += split_words(finder, data, offsets[i], offsets[i + 1], words, True)
        rows[i + 1] = total
    return starts[:total].copy(), stops[:total].copy()


@kernel
def hash_words(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The hash of each row taken as one word: uint64 of n rows."""
    out = np.zeros(offsets.size - 1, dtype=np.uint64)
    for i in range(offsets.size - 1):
        out[i] = hash_word(data, offsets[i], offsets[i + 1])
    return out
