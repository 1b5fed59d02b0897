"""Counts behind FineWeb's own quality rules."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import NEWLINE
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import at, kernel
from winnowry.operators.text.kernels.segments import count_characters, count_repeats
from winnowry.operators.text.kernels.words import GIVEN_SPANS, SPACE, WordFinder, Words, longest_row, split_words


@kernel
def count_fineweb(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    how: int,
    rows: npt.NDArray[np.int64],
    word_starts: npt.NDArray[np.int64],
    word_stops: npt.NDArray[np.int64],
    terminators: npt.NDArray[np.bool_],
    short: int,
) -> npt.NDArray[np.int64]:
    """Count lines, newlines and words: int64 of shape (7, n).

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        how: how words are found, see ``WordFinder``.
        rows: with given spans, the spans of each row (n + 1 values).
        word_starts: with given spans, their first bytes.
        word_stops: with given spans, the bytes after them.
        terminators: for every code point, whether it ends a sentence.
        short: a line of at most so many characters is short.

    Returns:
        Lines that are not blank; those that end with a terminator; short ones; characters of those equal to an
        earlier one; characters other than newlines; newlines; words.
    """
    n = offsets.size - 1
    out = np.zeros((7, n), dtype=np.int64)
    most_newlines = np.int64(0)
    for i in range(n):
        newlines = np.int64(0)
        for k in range(offsets[i], offsets[i + 1]):
            newlines += at(data, k) == NEWLINE
        out[5, i] = newlines
        most_newlines = max(most_newlines, newlines)
    longest = longest_row(how, offsets, rows)
    sizes = np.empty(longest, dtype=np.int32)
    hashes = np.empty(longest, dtype=np.uint64)
    marks = np.empty(longest, dtype=np.uint8)
    starts = np.empty(most_newlines + 1, dtype=np.int64)
    stops = np.empty(most_newlines + 1, dtype=np.int64)
    finder = WordFinder(how, table, word_starts, word_stops)
    words = Words(word_starts, word_stops, sizes, hashes, marks)  # spans are not kept
    for i in range(n):
        end = offsets[i + 1]
        p = offsets[i]
        n_lines = np.int64(0)
        n_chars = np.int64(0)
        while p < end:
            q = p
            while q < end and at(data, q) != NEWLINE:
                q += 1
            size = count_characters(data, p, q)
            n_chars += size
            visible = p
            while visible < q:
                point, width = decode(data, visible, q)
                if table[point] & 15 != SPACE:
                    break
                visible += width
            if visible < q:
                starts[n_lines] = p
                stops[n_lines] = q
                n_lines += 1
                out[2, i] += size <= short
                last = q - 1
                while last > p and (data[last] & 0xC0) == 0x80:
                    last -= 1
                point, _ = decode(data, last, q)
                out[1, i] += terminators[point]
            p = q + 1
        out[0, i] = n_lines
        _, out[3, i] = count_repeats(data, starts, stops, n_lines)
        out[4, i] = n_chars
        first = rows[i] if how == GIVEN_SPANS else offsets[i]
        limit = rows[i + 1] if how == GIVEN_SPANS else end
        out[6, i] = split_words(finder, data, first, limit, words, False)
    return out
