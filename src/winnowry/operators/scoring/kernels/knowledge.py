"""One pass over the bytes of each text: words that carry information, and word sequences that do not come again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from winnowry.operators.scoring.kernels.reading import _skip_break, _word_end
from winnowry.operators.scoring.kernels.words import (
    _DIGIT,
    _IDEOGRAPH,
    _LETTER,
    _NEWLINE,
    _OFFSET,
    _PRIME,
    _TERMINAL,
    UInt64s,
    _class_jit,
    _code_jit,
    _ends_jit,
    _mixed_jit,
)
from winnowry.operators.text.kernels.ascii import APOSTROPHE, CAPITAL_A, CAPITAL_Z, LOWER_CASE

KNOWLEDGE = ("words", "content", "numbers", "names", "ascii_words", "density")
"""What :func:`count_knowledge` measures, in order."""
CHINESE_KNOWLEDGE = ("units", "ideographs", "content", "numbers", "density")
"""What :func:`count_chinese_knowledge` measures, in order."""
LARGEST_WINDOW = 256
_SLOTS = 2 * LARGEST_WINDOW


@njit(cache=True, nogil=True)
def _lowered_hash(data: npt.NDArray[np.uint8], at: int, stop: int, end: int) -> np.uint64:
    """Hash of a word, ASCII capitals as small letters and a curly apostrophe as a straight one."""
    lowered = _OFFSET
    while at < stop:
        letter, step = _code_jit(data, at, end)
        if letter == 0x2019:
            letter = APOSTROPHE
        low = letter | LOWER_CASE if CAPITAL_A <= letter <= CAPITAL_Z else letter
        lowered = (lowered ^ np.uint64(low)) * _PRIME
        at += step
    return np.uint64(_mixed_jit(lowered))


@njit(cache=True, nogil=True)
def _is_new(seen: UInt64s, epochs: npt.NDArray[np.int64], epoch: int, hashed: np.uint64) -> bool:
    """Put a hash into the table of the window numbered ``epoch``; whether it was not there."""
    slot = np.int64(hashed & np.uint64(_SLOTS - 1))
    while epochs[slot] == epoch:
        if seen[slot] == hashed:
            return False
        slot = (slot + 1) & (_SLOTS - 1)
    epochs[slot] = epoch
    seen[slot] = hashed
    return True


@njit(cache=True, nogil=True)
def count_knowledge(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    known: UInt64s,
    numbers: npt.NDArray[np.int32],
    window: int,
) -> npt.NDArray[np.float64]:
    """Measures of :data:`KNOWLEDGE`, float64 of shape (6, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        known: hashes of the function words, see ``kernels.words.function_word_table``.
        numbers: their numbers.
        window: words of a window, at most 256.

    Returns:
        Words and numbers; content words; numbers; names (capitalised words that do not begin a sentence); words with
        an ASCII letter; the mean over whole windows of the number of different content words and numbers in each, for
        a hundred words (a text shorter than a window is one; a rest is left out; NaN without words).
    """
    mask = known.size - 1
    out = np.zeros((6, offsets.size - 1), np.float64)
    seen = np.zeros(_SLOTS, np.uint64)
    epochs = np.zeros(_SLOTS, np.int64)
    epoch = 0
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        epoch += 1
        distinct = in_window = n_windows = 0
        total = 0.0
        starts = True
        while at < end:
            code, width = _code_jit(data, at, end)
            kind = _class_jit(code)
            if kind not in (_LETTER, _DIGIT, _IDEOGRAPH):
                at += width
                if kind == _TERMINAL:
                    starts = starts or (code >= 0x80 and code != 0x2026) or _ends_jit(data, at, end)
                elif kind == _NEWLINE:
                    at, over = _skip_break(data, at, end)
                    starts = starts or over
                continue
            stop, _, n_digits, has_ascii = _word_end(data, at, end)
            lowered = _lowered_hash(data, at, stop, end)
            function = False
            if has_ascii and stop - at <= 16:
                slot = np.int64(lowered & np.uint64(mask))
                while numbers[slot] >= 0:
                    if known[slot] == lowered:
                        function = True
                        break
                    slot = (slot + 1) & mask
            out[0, row] += 1
            in_window += 1
            if has_ascii:
                out[4, row] += 1
                out[3, row] += not starts and not function and CAPITAL_A <= code <= CAPITAL_Z
            elif n_digits > 0:
                out[2, row] += 1
            if not function:
                if has_ascii or n_digits == 0:
                    out[1, row] += 1
                distinct += _is_new(seen, epochs, epoch, lowered)
            starts = False
            at = stop
            if in_window == window:
                total += distinct / window
                n_windows += 1
                distinct = in_window = 0
                epoch += 1
        if n_windows == 0:
            out[5, row] = 100.0 * distinct / in_window if in_window > 0 else np.nan
        else:
            out[5, row] = 100.0 * total / n_windows
    return out


@njit(cache=True, nogil=True)
def count_chinese_knowledge(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], function: npt.NDArray[np.bool_], window: int
) -> npt.NDArray[np.float64]:
    """Measures of :data:`CHINESE_KNOWLEDGE`, float64 of shape (5, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        function: for every code point whether it is a function character.
        window: units of a window, at most 256.

    Returns:
        Units: ideographs, and words and numbers in letters and digits; ideographs; those that are no function
        characters; numbers; the mean over whole windows of the number of different pairs of adjacent content
        ideographs, words and numbers in each, for a hundred units (rests and short texts as in
        :func:`count_knowledge`; NaN without units).
    """
    out = np.zeros((5, offsets.size - 1), np.float64)
    seen = np.zeros(_SLOTS, np.uint64)
    epochs = np.zeros(_SLOTS, np.int64)
    epoch = 0
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        epoch += 1
        distinct = in_window = n_windows = 0
        total = 0.0
        before = 0  # the content ideograph just before, 0: none
        while at < end:
            code, width = _code_jit(data, at, end)
            kind = _class_jit(code)
            if kind == _IDEOGRAPH:
                at += width
                out[1, row] += 1
                content = not function[code]
                out[2, row] += content
                if content and before > 0:
                    pair = _mixed_jit(np.uint64(before) << np.uint64(32) | np.uint64(code))
                    distinct += _is_new(seen, epochs, epoch, pair)
                before = code if content else 0
            elif kind in (_LETTER, _DIGIT):
                stop, n, n_digits, _ = _word_end(data, at, end)
                out[3, row] += n_digits == n
                distinct += _is_new(seen, epochs, epoch, _lowered_hash(data, at, stop, end))
                before = 0
                at = stop
            else:
                at += width
                before = 0
                continue
            out[0, row] += 1
            in_window += 1
            if in_window == window:
                total += distinct / window
                n_windows += 1
                distinct = in_window = 0
                before = 0  # a pair belongs to one window
                epoch += 1
        if n_windows == 0:
            out[4, row] = 100.0 * distinct / in_window if in_window > 0 else np.nan
        else:
            out[4, row] = 100.0 * total / n_windows
    return out


@njit(cache=True, nogil=True)
def distinct_ngrams(
    offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], size: int, window: int
) -> npt.NDArray[np.float64]:
    """Share of different word sequences among all, mean over windows: n floats, NaN where there is no sequence.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        size: words of a sequence, 1 to 8.
        window: words of a window, ``size`` to 256; no sequence reaches over its border, a rest behind whole windows is
            left out, a shorter text is one window.
    """
    out = np.full(offsets.size - 1, np.nan)
    seen = np.zeros(_SLOTS, np.uint64)
    epochs = np.zeros(_SLOTS, np.int64)
    recent = np.zeros(size, np.uint64)  # hashes of the last words, a ring
    epoch = 0
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        epoch += 1
        distinct = in_window = n_windows = 0
        total = 0.0
        while at < end:
            code, width = _code_jit(data, at, end)
            if _class_jit(code) not in (_LETTER, _DIGIT, _IDEOGRAPH):
                at += width
                continue
            stop, _, _, _ = _word_end(data, at, end)
            recent[in_window % size] = _lowered_hash(data, at, stop, end)
            at = stop
            in_window += 1
            if in_window >= size:
                sequence = _OFFSET
                for place in range(in_window - size, in_window):
                    sequence = _mixed_jit((sequence ^ recent[place % size]) * _PRIME)
                distinct += _is_new(seen, epochs, epoch, sequence)
            if in_window == window:
                total += distinct / (window - size + 1)
                n_windows += 1
                distinct = in_window = 0
                epoch += 1
        if n_windows > 0:
            out[row] = total / n_windows
        elif in_window >= size:
            out[row] = distinct / (in_window - size + 1)
    return out
