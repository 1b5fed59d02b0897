"""Counts behind the quality and repetition rules of Gopher."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import CARRIAGE_RETURN, FULL_STOP, NEWLINE, NUMBER_SIGN
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import at, kernel
from winnowry.operators.text.kernels.segments import (
    count_characters,
    count_repeats,
    split_at_newlines,
    strip,
)
from winnowry.operators.text.kernels.words import (
    GIVEN_SPANS,
    HAS_LETTER,
    HAS_NON_SYMBOL,
    LINE_BREAK,
    WordFinder,
    Words,
    longest_row,
    split_words,
)

LONGEST_GRAM = 10

# Bytes that are neither a line break nor a number sign nor part of an ellipsis, nor begin such a character.
_PASSED = np.ones(256, dtype=np.bool_)
_PASSED[[10, 11, 12, 13, 28, 29, 30, 35, 46, 0xC2, 0xE2]] = False


@kernel
def count_quality(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    how: int,
    rows: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    stop_words: npt.NDArray[np.uint64],
    bullets: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Count words, symbols and lines: int64 of shape (10, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        how: how words are found, see ``WordFinder``.
        rows: with given spans, the spans of each row (n + 1 values).
        starts: with given spans, their first bytes.
        stops: with given spans, the bytes after them.
        stop_words: hashes of the stop words.
        bullets: code points that make a bullet line when they come first.

    Returns:
        All words; words that are not made of symbols alone; the characters of these; words with a letter; distinct
        stop words; number signs; ellipses; lines; bullet lines; lines that end with an ellipsis.
    """
    n = offsets.size - 1
    out = np.zeros((10, n), dtype=np.int64)
    buckets = np.zeros(256, dtype=np.bool_)
    for k in range(stop_words.size):
        buckets[np.int64(stop_words[k] & np.uint64(255))] = True
    seen = np.zeros(stop_words.size, dtype=np.int64)
    longest = longest_row(how, offsets, rows)
    sizes = np.empty(longest, dtype=np.int32)
    hashes = np.empty(longest, dtype=np.uint64)
    marks = np.empty(longest, dtype=np.uint8)
    finder = WordFinder(how, table, starts, stops)
    words = Words(starts, stops, sizes, hashes, marks)  # spans are not kept
    for i in range(n):
        first = rows[i] if how == GIVEN_SPANS else offsets[i]
        limit = rows[i + 1] if how == GIVEN_SPANS else offsets[i + 1]
        n_words = split_words(finder, data, first, limit, words, False)
        n_real = np.int64(0)
        n_chars = np.int64(0)
        n_alphabetic = np.int64(0)
        n_stop_words = np.int64(0)
        for k in range(n_words):
            if marks[k] & HAS_NON_SYMBOL:
                n_real += 1
                n_chars += sizes[k]
            n_alphabetic += marks[k] & HAS_LETTER
        for k in range(n_words):
            mixed = hashes[k]
            if buckets[np.int64(mixed & np.uint64(255))]:
                for j in range(stop_words.size):
                    if stop_words[j] == mixed and seen[j] != i + 1:
                        seen[j] = i + 1
                        n_stop_words += 1
        out[0, i] = n_words
        out[1, i] = n_real
        out[2, i] = n_chars
        out[3, i] = n_alphabetic
        out[4, i] = n_stop_words
        _count_symbols_and_lines(data, offsets[i], offsets[i + 1], table, bullets, out, i)
    return out


@kernel
def _line_ends(
    data: npt.NDArray[np.uint8],
    start: np.int64,
    stop: np.int64,
    table: npt.NDArray[np.uint16],
    bullets: npt.NDArray[np.int64],
) -> tuple[bool, bool]:
    """Whether a line begins with a bullet, and whether it ends with an ellipsis."""
    first, last = strip(data, start, stop, table)
    if first == last:
        return False, False
    point, _ = decode(data, first, last)
    bullet = False
    for k in range(bullets.size):
        bullet |= bullets[k] == point
    ellipsis = last - first >= 3 and (
        (data[last - 1] == FULL_STOP and data[last - 2] == FULL_STOP and data[last - 3] == FULL_STOP)
        or (data[last - 1] == 0xA6 and data[last - 2] == 0x80 and data[last - 3] == 0xE2)
    )
    return bullet, bool(ellipsis)


@kernel
def _count_symbols_and_lines(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    end: np.int64,
    table: npt.NDArray[np.uint16],
    bullets: npt.NDArray[np.int64],
    out: npt.NDArray[np.int64],
    i: int,
) -> None:
    n_hashes = np.int64(0)
    n_ellipses = np.int64(0)
    n_lines = np.int64(0)
    n_bullets = np.int64(0)
    n_ellipsis_lines = np.int64(0)
    line = p
    run = np.int64(0)  # full stops in a row
    for k in range(p, end):
        byte = at(data, k)
        if _PASSED[byte]:
            continue
        q = np.int64(k)
        if byte == FULL_STOP:
            run = run + 1 if q > p and data[q - 1] == FULL_STOP else np.int64(1)
            n_ellipses += run % 3 == 0
            continue
        point, width = decode(data, q, end)
        if not table[point] & LINE_BREAK:
            n_hashes += point == NUMBER_SIGN
            n_ellipses += point == 0x2026
            continue
        if byte == CARRIAGE_RETURN and q + 1 < end and data[q + 1] == NEWLINE:
            continue  # the next byte ends the line
        n_lines += 1
        bullet, ellipsis = _line_ends(data, line, q, table, bullets)
        n_bullets += bullet
        n_ellipsis_lines += ellipsis
        line = np.int64(q + width)
    if line < end:
        n_lines += 1
        bullet, ellipsis = _line_ends(data, line, end, table, bullets)
        n_bullets += bullet
        n_ellipsis_lines += ellipsis
    out[5, i] = n_hashes
    out[6, i] = n_ellipses
    out[7, i] = n_lines
    out[8, i] = n_bullets
    out[9, i] = n_ellipsis_lines


@kernel
def count_grams(
    grams: npt.NDArray[np.uint64],
    candidates: npt.NDArray[np.int32],
    n: np.int64,
    slots: npt.NDArray[np.int32],
    first: npt.NDArray[np.int32],
    times: npt.NDArray[np.int32],
) -> None:
    """Where the gram at each candidate position came first, and there how often it comes."""
    n_slots = np.int64(16)
    while 2 * n_slots < 3 * n:  # at most two thirds full
        n_slots *= 2
    slots[:n_slots] = -1
    mask = np.uint64(n_slots - 1)
    for j in range(n):
        position = at(candidates, j)
        gram = at(grams, position)
        mixed = gram * np.uint64(0x9E3779B97F4A7C15)
        slot = np.int64((mixed ^ (mixed >> np.uint64(32))) & mask)
        while True:
            earlier = at(slots, slot)
            if earlier < 0:
                slots[slot] = position
                first[position] = position
                times[position] = 1
                break
            if at(grams, earlier) == gram:
                first[position] = earlier
                times[earlier] += 1
                break
            slot = (slot + 1) & np.int64(mask)


@kernel
def count_repetition(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    how: int,
    rows: npt.NDArray[np.int64],
    word_starts: npt.NDArray[np.int64],
    word_stops: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Measure repeated paragraphs, lines and word n-grams: int64 of shape (7 + 9, n).

    N-grams are compared by a 64-bit hash of the hashes of their words. A longer n-gram can only repeat where both
    shorter ones inside it do, so each order looks at what the order before left over.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        how: how words are found, see ``WordFinder``.
        rows: with given spans, the spans of each row (n + 1 values).
        word_starts: with given spans, their first bytes.
        word_stops: with given spans, the bytes after them.

    Returns:
        Characters; paragraphs; repeated ones; their characters; lines; repeated ones; their characters. Then for
        n = 2, 3, 4 the characters of all occurrences of the most frequent n-gram, its spaces included; for
        n = 5 … 10 the characters of n-grams that came before, without spaces, no character twice.
    """
    n = offsets.size - 1
    out = np.zeros((16, n), dtype=np.int64)
    longest = longest_row(how, offsets, rows)
    most_newlines = np.int64(0)
    for i in range(n):
        newlines = np.int64(0)
        for k in range(offsets[i], offsets[i + 1]):
            newlines += at(data, k) == NEWLINE
        most_newlines = max(most_newlines, newlines)
    line_starts = np.empty(most_newlines + 1, dtype=np.int64)
    line_stops = np.empty(most_newlines + 1, dtype=np.int64)
    paragraph_starts = np.empty(most_newlines + 1, dtype=np.int64)
    paragraph_stops = np.empty(most_newlines + 1, dtype=np.int64)
    # sized for a word a byte; memory that no row reaches is never touched
    sizes = np.empty(longest + 1, dtype=np.int32)
    marks = np.empty(longest + 1, dtype=np.uint8)
    hashes = np.empty(longest + 1, dtype=np.uint64)
    grams = np.empty(longest + 1, dtype=np.uint64)
    ends = np.empty(longest + 2, dtype=np.int64)
    candidates = np.empty(longest + 1, dtype=np.int32)
    first = np.empty(longest + 1, dtype=np.int32)
    times = np.empty(longest + 1, dtype=np.int32)
    n_slots = np.int64(16)
    while 2 * n_slots < 3 * longest:
        n_slots *= 2
    slots = np.empty(n_slots, dtype=np.int32)
    finder = WordFinder(how, table, word_starts, word_stops)
    words = Words(word_starts, word_stops, sizes, hashes, marks)  # spans are not kept
    for i in range(n):
        start = offsets[i]
        end = offsets[i + 1]
        out[0, i] = count_characters(data, start, end)
        if start == end:
            continue
        first_visible, last_visible = strip(data, start, end, table)
        n_lines, n_paragraphs = split_at_newlines(
            data, start, end, first_visible, last_visible, line_starts, line_stops, paragraph_starts, paragraph_stops
        )
        out[1, i] = n_paragraphs
        out[2, i], out[3, i] = count_repeats(data, paragraph_starts, paragraph_stops, n_paragraphs)
        out[4, i] = n_lines
        out[5, i], out[6, i] = count_repeats(data, line_starts, line_stops, n_lines)

        from_word = rows[i] if how == GIVEN_SPANS else start
        limit = rows[i + 1] if how == GIVEN_SPANS else end
        n_words = split_words(finder, data, from_word, limit, words, False)
        ends[0] = 0
        for k in range(n_words):
            grams[k] = hashes[k]
            candidates[k] = k
            ends[k + 1] = ends[k] + sizes[k]
        n_candidates = n_words
        for order in range(2, LONGEST_GRAM + 1):
            if n_words < order:
                break
            kept = np.int64(0)
            for j in range(n_candidates):
                position = at(candidates, j)
                if order == 2:
                    inside = position + 1 < n_words
                else:
                    inside = j + 1 < n_candidates and at(candidates, j + 1) == position + 1
                if inside:
                    grams[position] = at(grams, position) * np.uint64(0xD1342543DE82EF95) + at(
                        hashes, position + order - 1
                    )
                    candidates[kept] = position
                    kept += 1
            n_candidates = kept
            count_grams(grams, candidates, n_candidates, slots, first, times)
            if order <= 4:
                most = np.int64(1)
                top = np.int64(0)
                for j in range(n_candidates):
                    position = at(candidates, j)
                    if at(first, position) == position and at(times, position) > most:
                        most = times[position]
                        top = position
                out[5 + order, i] = most * (ends[top + order] - ends[top] + order - 1)
            kept = np.int64(0)
            for j in range(n_candidates):
                position = at(candidates, j)
                if at(times, at(first, position)) > 1:
                    candidates[kept] = position
                    kept += 1
            n_candidates = kept
            if order >= 5:
                free = np.int64(0)
                for j in range(n_candidates):
                    position = at(candidates, j)
                    if position < free:
                        continue
                    if times[at(first, position)] < 0:
                        out[5 + order, i] += ends[position + order] - ends[position]
                        free = position + order
                    else:
                        times[at(first, position)] = -1
            if n_candidates == 0 and order >= 4:
                break
    return out
