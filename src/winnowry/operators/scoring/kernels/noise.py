"""One pass over the bytes of each text: what is debris, and what was typed wrongly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from winnowry.operators.scoring.kernels.knowledge import _lowered_hash
from winnowry.operators.scoring.kernels.reading import _word_end
from winnowry.operators.scoring.kernels.words import (
    _APOSTROPHE,
    _DIGIT,
    _IDEOGRAPH,
    _LETTER,
    _NEWLINE,
    _SPACE,
    UInt64s,
    _class_jit,
    _code_jit,
)
from winnowry.operators.text.kernels.ascii import (
    AMPERSAND,
    BEYOND_ASCII,
    BLANK,
    CAPITAL_A,
    CAPITAL_Z,
    COMMA,
    EXCLAMATION_MARK,
    FULL_STOP,
    GREATER_THAN,
    LEFT_BRACE,
    LEFT_BRACKET,
    LEFT_PARENTHESIS,
    LESS_THAN,
    LOWER_CASE,
    NEWLINE,
    NINE,
    NUMBER_SIGN,
    QUESTION_MARK,
    RIGHT_BRACE,
    RIGHT_BRACKET,
    RIGHT_PARENTHESIS,
    SEMICOLON,
    SLASH,
    SMALL_A,
    SMALL_I,
    SMALL_W,
    SMALL_Z,
    ZERO,
)

NOISE = ("characters", "broken", "markup", "marks", "capitals", "long_words", "brackets")
"""What :func:`count_noise` counts, in order."""
TYPING = ("words", "ascii_words", "doubled", "stretched", "spacing", "small_i")
"""What :func:`count_typing_faults` counts, in order."""
_N_BRACKETS = 9


@njit(cache=True, nogil=True)
def count_noise(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Characters and noisy ones by kind, :data:`NOISE`, int64 of shape (7, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.

    Returns:
        Characters; replacement characters, controls and UTF-8 read as Windows-1252 or Latin-1; markup (``<tag>``,
        ``&name;``); marks that are neither letter, digit nor space in runs of four or more; words of four or more
        capitals; words longer than 40 letters; brackets without a partner (a closing one behind up to three letters
        or digits, ``1)`` or ``iv)``, is an item of a list).
    """
    out = np.zeros((7, offsets.size - 1), np.int64)
    depth = np.zeros(_N_BRACKETS, np.int64)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        depth[:] = 0
        run = 0
        fresh = True  # nothing but a blank or a line break before
        item = np.int64(-1)  # where a short word that may number an item has ended
        while at < end:
            code, width = _code_jit(data, at, end)
            n_bytes, n_misread = _misread_length(data, at, end, code) if code >= 0xC2 else (0, 0)
            if n_misread > 0:
                out[3, row] += run if run >= 4 else 0
                run = 0
                out[0, row] += n_misread
                out[1, row] += n_misread
                at += n_bytes
                fresh = False
                continue
            kind = _class_jit(code)
            if kind in (_LETTER, _DIGIT):
                out[3, row] += run if run >= 4 else 0
                run = 0
                start, n, capitals = at, 0, 0
                while at < end:
                    code, width = _code_jit(data, at, end)
                    kind = _class_jit(code)
                    if kind not in (_LETTER, _DIGIT):
                        break
                    if code >= 0xC2 and _misread_length(data, at, end, code)[1] > 0:
                        break
                    n += 1
                    capitals += CAPITAL_A <= code <= CAPITAL_Z
                    at += width
                out[0, row] += n
                if n > 40:
                    out[5, row] += n
                elif n >= 4 and capitals == n and at - start == n:
                    out[4, row] += n
                item = at if fresh and n <= 3 else np.int64(-1)
                fresh = False
                continue
            markup = _markup_length(data, at, end) if code in (LESS_THAN, AMPERSAND) else 0
            if markup > 0:
                out[3, row] += run if run >= 4 else 0
                run = 0
                out[0, row] += markup
                out[2, row] += markup
                at += markup
                fresh = False
                continue
            out[0, row] += 1
            if code == 0xFFFD or (code < BLANK and kind != _SPACE and kind != _NEWLINE) or 0x7F <= code < 0xA0:
                out[1, row] += 1
            if kind in (_SPACE, _NEWLINE, _IDEOGRAPH):
                out[3, row] += run if run >= 4 else 0
                run = 0
                fresh = kind != _IDEOGRAPH
            else:
                run += 1
                fresh = False
                bracket = _bracket(code)
                if bracket >= 0:
                    pair = bracket >> 1
                    if bracket & 1 == 0:
                        depth[pair] += 1
                    elif depth[pair] > 0:
                        depth[pair] -= 1
                    elif at != item:
                        out[6, row] += 1
            at += width
        out[3, row] += run if run >= 4 else 0
        out[6, row] += depth.sum()
    return out


@njit(cache=True, nogil=True)
def _bracket(code: int) -> int:
    """Twice the number of a pair of brackets, and one more for the closing one; -1: no bracket."""
    if code < 0x80:
        if code in (LEFT_PARENTHESIS, RIGHT_PARENTHESIS):
            return code - LEFT_PARENTHESIS
        if code in (LEFT_BRACKET, RIGHT_BRACKET):
            return 2 + (code == RIGHT_BRACKET)
        return 4 + (code == RIGHT_BRACE) if code in (LEFT_BRACE, RIGHT_BRACE) else -1
    if 0x3008 <= code <= 0x3011:  # 〈〉《》「」『』【】
        return 6 + code - 0x3008
    return 16 + (code == 0xFF09) if code == 0xFF08 or code == 0xFF09 else -1


@njit(cache=True, nogil=True)
def _continues(code: int) -> bool:
    """Whether Latin-1 or Windows-1252 read this character out of a byte from 0x80 to 0xBF."""
    if code < 0xC0:
        return code >= 0x80
    return code in (
        0x20AC, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x017D, 0x2018,
        0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x017E, 0x0178,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _misread_length(data: npt.NDArray[np.uint8], at: int, end: int, code: int) -> tuple[int, int]:
    """Bytes and characters of one character of UTF-8 that was read as Windows-1252 or Latin-1; 0 where there is none.

    Only what text written properly has no use for: Latin-1, Latin Extended-A and Cyrillic letters, general
    punctuation and symbols, emoji and the byte order mark. Other sequences (``à`` before two marks) may be meant.
    """
    if code == 0xC2 or code == 0xC3 or code == 0xC4 or code == 0xC5 or code == 0xD0 or code == 0xD1:
        n = 2
    elif code == 0xE2 or code == 0xEF:
        n = 3
    elif code == 0xF0:
        n = 4
    else:
        return 0, 0
    place = at + _code_jit(data, at, end)[1]
    for index in range(1, n):
        if place >= end:
            return 0, 0
        following, width = _code_jit(data, place, end)
        if not _continues(following):
            return 0, 0
        if (index == 1 and not _is_second(code, following)) or (index == 2 and code == 0xEF and following != 0xBF):
            return 0, 0
        place += width
    return place - at, n


@njit(cache=True, nogil=True)
def _is_second(lead: int, code: int) -> bool:
    """Whether a character that continues is a believable second one behind a first one."""
    if lead == 0xC4 or lead == 0xC5:  # Ä and Å end Swedish words in capitals: before a quotation mark, say
        return code not in (0xA0, 0xBB, 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026)
    if lead == 0xE2:  # up to U+27FF; the blocks behind are rare, and â ends words before a blank or guillemet
        return not 0xA0 <= code < 0xC0
    if lead == 0xEF:
        return code == 0xBB
    return lead != 0xF0 or code == 0x9F or code == 0x0178


@njit(cache=True, nogil=True)
def _in_entity(byte: int) -> bool:
    return ZERO <= byte <= NINE or SMALL_A <= (byte | LOWER_CASE) <= SMALL_Z or byte == NUMBER_SIGN


@njit(cache=True, nogil=True)
def _markup_length(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Bytes of an ASCII tag or entity that begins here, at most 200; 0 where there is none."""
    stop = min(end, at + 200)
    place = at + 1
    if data[at] == AMPERSAND:  # &amp; &#39;
        while place < stop and place - at <= 12 and _in_entity(data[place]):
            place += 1
        return place + 1 - at if place < stop and data[place] == SEMICOLON and place > at + 2 else 0
    if place < stop and data[place] == SLASH:
        place += 1
    if place >= stop or not SMALL_A <= (data[place] | LOWER_CASE) <= SMALL_Z:
        return 0
    while place < stop and data[place] != GREATER_THAN:
        if data[place] == LESS_THAN or data[place] >= BEYOND_ASCII or data[place] == NEWLINE:
            return 0
        place += 1
    return place + 1 - at if place < stop else 0


@njit(cache=True, nogil=True)
def count_typing_faults(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    known: UInt64s,
    numbers: npt.NDArray[np.int32],
    may_double: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Counts of :data:`TYPING`, int64 of shape (6, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        known: hashes of the function words, see ``kernels.words.function_word_table``.
        numbers: their numbers.
        may_double: by number, whether a function word may stand twice in a row (``had had``).

    Returns:
        Words with a letter; those with an ASCII letter; function words written twice; words with a letter three times
        in a row beside other letters; a comma or semicolon between two letters, a mark that ends sentences between a
        small letter and a capital before a small one, and a comma, semicolon or stop between two blanks; the word
        ``i``, also with an apostrophe.
    """
    mask = known.size - 1
    out = np.zeros((6, offsets.size - 1), np.int64)
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        at = begin
        before = np.uint64(0)  # hash of the function word just before, blanks between; 0: none
        while at < end:
            code, width = _code_jit(data, at, end)
            kind = _class_jit(code)
            if kind in (_LETTER, _DIGIT, _IDEOGRAPH):
                stop, n, n_digits, has_ascii = _word_end(data, at, end)
                if n_digits == n:
                    before = np.uint64(0)
                    at = stop
                    continue
                out[0, row] += 1
                out[1, row] += has_ascii
                hashed = np.uint64(0)
                if has_ascii and stop - at <= 16:
                    lowered = _lowered_hash(data, at, stop, end)
                    slot = np.int64(lowered & np.uint64(mask))
                    while numbers[slot] >= 0:
                        if known[slot] == lowered:
                            hashed = np.uint64(0) if may_double[numbers[slot]] else lowered
                            break
                        slot = (slot + 1) & mask
                out[2, row] += hashed != np.uint64(0) and hashed == before
                before = hashed
                out[3, row] += _is_stretched(data, at, stop)
                if code == SMALL_I and (n == 1 or _class_jit(_code_jit(data, at + 1, end)[0]) == _APOSTROPHE):
                    # not i.e., an index, an item of a list or the end of an address
                    alone = at == begin or data[at - 1] == BLANK or data[at - 1] == NEWLINE
                    follows = data[stop] if stop < end else BLANK
                    out[5, row] += alone and follows in (BLANK, NEWLINE, COMMA)
                at = stop
                continue
            if kind != _SPACE and kind != _NEWLINE:
                before = np.uint64(0)
                out[4, row] += _is_misspaced(data, begin, at, end)
            at += width
    return out


@njit(cache=True, nogil=True)
def _is_stretched(data: npt.NDArray[np.uint8], at: int, stop: int) -> bool:
    """Whether a word of small ASCII letters (the first may be a capital) has a letter thrice in a row and another."""
    run = longest = 1
    others = False
    for place in range(at, stop):
        if not SMALL_A <= (data[place] | LOWER_CASE if place == at else data[place]) <= SMALL_Z:
            return False
        if place > at:
            same = data[place] | LOWER_CASE == data[place - 1] | LOWER_CASE
            run = run + 1 if same else 1
            longest = max(longest, run)
            others = others or not same
    web = data[at] | LOWER_CASE == SMALL_W and longest >= 3 and data[at + 1] == SMALL_W and data[at + 2] == SMALL_W
    return bool(longest >= 3 and others and not web)


@njit(cache=True, nogil=True)
def _is_misspaced(data: npt.NDArray[np.uint8], begin: int, at: int, end: int) -> bool:
    """Whether a mark has no space behind it, between letters, or one before it."""
    mark = data[at]
    if mark not in (COMMA, SEMICOLON, EXCLAMATION_MARK, QUESTION_MARK, FULL_STOP) or at == begin or at + 1 >= end:
        return False
    left, right = data[at - 1], data[at + 1]
    if left == BLANK and right in (BLANK, NEWLINE):
        return bool(
            mark in (COMMA, SEMICOLON, FULL_STOP)
            and at - 1 > begin
            and SMALL_A <= (data[at - 2] | LOWER_CASE) <= SMALL_Z
        )
    if mark in (FULL_STOP, EXCLAMATION_MARK, QUESTION_MARK):  # no `a?b` of addresses
        return bool(
            SMALL_A <= left <= SMALL_Z
            and CAPITAL_A <= right <= CAPITAL_Z
            and at + 2 < end
            and SMALL_A <= data[at + 2] <= SMALL_Z
        )
    return bool(SMALL_A <= (left | LOWER_CASE) <= SMALL_Z and SMALL_A <= (right | LOWER_CASE) <= SMALL_Z)
