"""One pass over the bytes of each text: words, sentences and syllables; Chinese characters and sentences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from winnowry.operators.scoring.kernels.words import (
    _APOSTROPHE,
    _DIGIT,
    _IDEOGRAPH,
    _LETTER,
    _NEWLINE,
    _SPACE,
    _TERMINAL,
    _class_jit,
    _code_jit,
    _ends_jit,
)
from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    CAPITAL_A,
    CAPITAL_Z,
    LOWER_CASE,
    SMALL_A,
    SMALL_D,
    SMALL_E,
    SMALL_I,
    SMALL_L,
    SMALL_O,
    SMALL_S,
    SMALL_U,
    SMALL_Y,
    SMALL_Z,
    UNDERSCORE,
)

READING = ("words", "sentences", "syllables", "complex", "letters", "ascii_words")
"""What :func:`count_reading` counts, in order."""


@njit(cache=True, nogil=True)
def _is_vowel(code: int) -> bool:
    low = code | LOWER_CASE if code < 0x80 or 0xC0 <= code < 0xE0 else code
    if low < 0x80:
        return low in (SMALL_A, SMALL_E, SMALL_I, SMALL_O, SMALL_U, SMALL_Y)
    return 0xE0 <= low < 0x100 and low not in (0xE7, 0xF0, 0xF1, 0xF7, 0xFE)


@njit(cache=True, nogil=True)
def count_syllables(data: npt.NDArray[np.uint8], at: int, end: int) -> int:
    """Syllables of an English word: runs of vowels, without the silent ones at its end; at least 1.

    Silent are a final ``e`` after a consonant (but not in consonant + ``le``), ``ed`` after a consonant other than t
    and d, and ``es`` after a consonant other than s, x, z, c, g and h.
    """
    runs = 0
    vowel = False
    last = before = third = 0  # the last three letters, lower case
    fourth = 0
    while at < end:
        code, width = _code_jit(data, at, end)
        at += width
        if code == APOSTROPHE or code == 0x2019:
            vowel = False
            continue
        low = code | LOWER_CASE if CAPITAL_A <= code <= CAPITAL_Z else code
        fourth, third, before, last = third, before, last, low
        now = _is_vowel(code)
        if now and not vowel:
            runs += 1
        vowel = now
    if runs > 1:
        if last == SMALL_E and not _is_vowel(before):
            if not (before == SMALL_L and third != 0 and not _is_vowel(third)):
                runs -= 1
        elif last == SMALL_D and before == SMALL_E and third != 0 and not _is_vowel(third):
            if third != 116 and third != 100:
                runs -= 1
        elif last == SMALL_S and before == SMALL_E and third != 0 and not _is_vowel(third):
            pronounced = third in (115, 120, 122, 99, 103, 104)
            le = third == 108 and fourth != 0 and not _is_vowel(fourth)
            if not pronounced and not le:
                runs -= 1
    return max(1, runs)


@njit(cache=True, nogil=True)
def _word_end(data: npt.NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int, bool]:
    """Behind the word that begins at a byte; its letters and digits, its digits, whether it has an ASCII letter."""
    n = n_digits = 0
    ascii_letter = False
    while at < end:
        code, width = _code_jit(data, at, end)
        kind = _class_jit(code)
        if kind == _APOSTROPHE:
            if at + width >= end:
                break
            following, _ = _code_jit(data, at + width, end)
            if n == 0 or _class_jit(following) != _LETTER:
                break
        elif kind in (_LETTER, _DIGIT):
            n += 1
            n_digits += kind == _DIGIT
            if kind == _LETTER and width == 1 and code != UNDERSCORE:
                ascii_letter = True
        elif kind == _IDEOGRAPH and n == 0:
            return at + width, 1, 0, False
        else:
            break
        at += width
    return at, n, n_digits, ascii_letter


@njit(cache=True, nogil=True)
def _skip_break(data: npt.NDArray[np.uint8], at: int, end: int) -> tuple[int, bool]:
    """Behind a line break and the blanks after it, and whether it ends a sentence (see ``kernels.words``)."""
    blank = False
    following = 0
    while at < end:
        following, width = _code_jit(data, at, end)
        kind = _class_jit(following)
        if kind == _NEWLINE:
            blank = True
        elif kind != _SPACE:
            break
        at += width
    return at, blank or at >= end or not (following >= SMALL_A and following <= SMALL_Z)


@njit(cache=True, nogil=True)
def count_reading(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Counts of :data:`READING`, int64 of shape (6, n); words have a letter, complex ones three syllables or more.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
    """
    out = np.zeros((6, offsets.size - 1), np.int64)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        in_sentence = 0
        while at < end:
            code, width = _code_jit(data, at, end)
            kind = _class_jit(code)
            if kind in (_LETTER, _DIGIT, _IDEOGRAPH):
                stop, n, n_digits, has_ascii = _word_end(data, at, end)
                if n_digits < n:
                    syllables = count_syllables(data, at, stop) if has_ascii else 1
                    out[0, row] += 1
                    out[2, row] += syllables
                    out[3, row] += syllables >= 3
                    out[4, row] += n
                    out[5, row] += has_ascii
                    in_sentence += 1
                at = stop
                continue
            at += width
            if in_sentence == 0:
                continue
            if kind == _TERMINAL:
                if (code >= 0x80 and code != 0x2026) or _ends_jit(data, at, end):
                    out[1, row] += 1
                    in_sentence = 0
            elif kind == _NEWLINE:
                at, over = _skip_break(data, at, end)
                if over:
                    out[1, row] += 1
                    in_sentence = 0
        if in_sentence > 0:
            out[1, row] += 1
    return out


@njit(cache=True, nogil=True)
def count_chinese_reading(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], common: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Characters that are no space, ideographs, common ones, sentences, marks: int64 of shape (5, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        common: for every code point whether it is a common character.
    """
    out = np.zeros((5, offsets.size - 1), np.int64)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        in_sentence = False
        while at < end:
            code, width = _code_jit(data, at, end)
            at += width
            kind = _class_jit(code)
            if kind == _SPACE:
                continue
            if kind in (_NEWLINE, _TERMINAL) or code == 0xFF1B:
                out[3, row] += in_sentence
                in_sentence = False
                if kind == _NEWLINE:
                    continue
            out[0, row] += 1
            if kind == _IDEOGRAPH:
                out[1, row] += 1
                out[2, row] += common[code]
                in_sentence = True
            elif kind in (_LETTER, _DIGIT):
                in_sentence = True
            else:
                out[4, row] += 1
        out[3, row] += in_sentence
    return out
