"""C4's line rules as one pass that writes the lines it keeps."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import (
    APOSTROPHE,
    CAPITAL_A,
    CAPITAL_Z,
    CARRIAGE_RETURN,
    EXCLAMATION_MARK,
    FULL_STOP,
    LEFT_BRACE,
    LEFT_BRACKET,
    NEWLINE,
    QUESTION_MARK,
    QUOTATION_MARK,
    RIGHT_BRACKET,
)
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import at, kernel
from winnowry.operators.text.kernels.segments import count_characters, strip
from winnowry.operators.text.kernels.sentences import count_sentences
from winnowry.operators.text.kernels.words import DIGIT, LINE_BREAK, SPACE, Words

# What a phrase does to the line that contains it, as a bit.
LOREM_IPSUM = 1
JAVASCRIPT = 2
POLICY = 4

N_COUNTS = 9
"""Sentences and lines kept; lines dropped for a long word, their ending, too few words, javascript, a policy; kept or
dropped lines with lorem ipsum, with a curly bracket."""

# Bytes of visible ASCII characters other than brackets, and bytes that continue a character.
_PASSED = np.zeros(256, dtype=np.bool_)
_PASSED[33:192] = True
_PASSED[[91, 123, 127]] = False

_RAREST_FIRST = "zqjxkvbpygfwmucldrhsnioate"


@cache
def phrase_arrays(
    phrases: tuple[tuple[str, int], ...],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Phrases for :func:`find_phrases`, each searched for where its rarest letter is.

    Returns:
        All bytes (lower case); for each phrase (shape (n, 4)) where it begins and ends in them, its effect, and
        where its rarest byte is; for each byte of a text (256 values) the bits of the phrases to try there.
    """
    data = b""
    places = np.zeros((len(phrases), 4), dtype=np.int64)
    triggers = np.zeros(256, dtype=np.int64)
    for k, (phrase, effect) in enumerate(phrases):
        spelled = phrase.lower().encode()
        rarity = [_RAREST_FIRST.find(chr(byte)) if chr(byte) in _RAREST_FIRST else 99 for byte in spelled]
        rarest = rarity.index(min(rarity))
        places[k] = (len(data), len(data) + len(spelled), effect, rarest)
        for variant in {spelled[rarest], chr(spelled[rarest]).upper().encode("latin-1", "ignore")[0]}:
            triggers[variant] |= 1 << k
        data += spelled
    return np.frombuffer(data or b"\0", dtype=np.uint8), places, triggers


@kernel
def find_phrases(
    data: npt.NDArray[np.uint8],
    start: np.int64,
    stop: np.int64,
    spelled: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    triggers: npt.NDArray[np.int64],
) -> np.int64:
    """Effects of all phrases in ``data[start:stop]``, as bits; ASCII letters match in either case."""
    phrases = np.int64(0)
    for p in range(start, stop):
        bits = triggers[at(data, p)]
        if bits == 0:
            continue
        k = -1
        while bits:
            k += 1
            tried = bits & 1
            bits >>= 1
            if not tried:
                continue
            first = p - places[k, 3]
            size = places[k, 1] - places[k, 0]
            if first < start or first + size > stop:
                continue
            same = True
            for j in range(size):
                byte = at(data, first + j)
                if CAPITAL_A <= byte <= CAPITAL_Z:
                    byte += np.uint8(32)
                if byte != spelled[places[k, 0] + j]:
                    same = False
                    break
            if same:
                phrases |= places[k, 2]
    return phrases


@kernel
def _citation(
    data: npt.NDArray[np.uint8],
    p: np.int64,
    end: np.int64,
    table: npt.NDArray[np.uint16],
    words: npt.NDArray[np.uint8],
) -> np.int64:
    """Length of the citation mark at ``p`` (an opening bracket), 0 where there is none."""
    q = p + 1
    while q < end:
        if data[q] == RIGHT_BRACKET:
            return q + 1 - p
        point, width = decode(data, q, end)
        if table[point] & 15 != DIGIT:
            break
        q += width
    for first, size in ((0, 6), (6, 17)):
        if p + size <= end:
            same = True
            for j in range(size):
                if data[p + j] != words[first + j]:
                    same = False
                    break
            if same:
                return np.int64(size)
    return np.int64(0)


@kernel
def clean_lines(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    table: npt.NDArray[np.uint16],
    spelled: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int64],
    triggers: npt.NDArray[np.int64],
    abbreviations: npt.NDArray[np.uint64],
    marks: npt.NDArray[np.uint8],
    max_word_chars: int,
    min_words: int,
    remove_citations: bool,
    need_terminator: bool,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Keep the lines that pass.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        table: character properties, see ``word_table``.
        spelled: see :func:`phrase_arrays`, as the two that follow.
        places: which phrases to look for.
        triggers: where to look for them.
        abbreviations: hashes of words whose full stop ends no sentence.
        marks: ``[edit][citation needed]``.
        max_word_chars: longest word of a kept line; negative: any.
        min_words: fewest words of a kept line; negative: any.
        remove_citations: whether to cut ``[1]``, ``[edit]``, ``[citation needed]`` out.
        need_terminator: whether a kept line must end with one of ``. ? ! " '`` and not with ``...``.

    Returns:
        Counts (int64, shape (9, n), see :data:`N_COUNTS`); offsets (n + 1) and bytes of the cleaned rows.
    """
    n = offsets.size - 1
    counts = np.zeros((9, n), dtype=np.int64)
    new_offsets = np.zeros(n + 1, dtype=np.int64)
    out = np.empty(offsets[n] - offsets[0] + 1, dtype=np.uint8)
    w = np.int64(0)
    longest = np.int64(0)
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    words = Words(
        np.empty(longest, dtype=np.int64),
        np.empty(longest, dtype=np.int64),
        np.empty(longest, dtype=np.int32),
        np.empty(longest, dtype=np.uint64),
        np.empty(longest, dtype=np.uint8),
    )
    for i in range(n):
        row = w
        end = offsets[i + 1]
        p = offsets[i]
        any_line = False
        while p < end:
            # one pass: str.splitlines, str.strip, str.split, and whether a bracket needs a closer look
            first = np.int64(-1)
            last = p
            n_words = np.int64(0)
            too_long = False
            square = False
            curly = False
            word = p
            while p < end:
                byte = at(data, p)
                if _PASSED[byte]:
                    p += 1
                    continue
                if byte in (LEFT_BRACKET, LEFT_BRACE):
                    square |= byte == LEFT_BRACKET
                    curly |= byte == LEFT_BRACE
                    p += 1
                    continue
                point, width = decode(data, p, end)
                entry = at(table, point)
                if entry & 15 == SPACE:
                    if p > word:
                        n_words += 1
                        last = p
                        if first < 0:
                            first = word
                        if p - word > max_word_chars and count_characters(data, word, p) > max_word_chars:
                            too_long = True
                    word = p + width
                    if entry & LINE_BREAK:
                        break
                p += width
            if p >= end:
                if p > word:
                    n_words += 1
                    last = p
                    if first < 0:
                        first = word
                    if p - word > max_word_chars and count_characters(data, word, p) > max_word_chars:
                        too_long = True
            elif data[p] == CARRIAGE_RETURN and p + 1 < end and data[p + 1] == NEWLINE:
                p += 2
            else:
                p = word
            if first < 0:
                first = last
            if max_word_chars >= 0 and too_long:
                counts[2, i] += 1
                continue
            line = w + 1 if any_line else w  # one byte for the newline between lines
            z = line
            q = first
            if not square or not remove_citations:
                z += last - first
                out[line:z] = data[first:last]
                q = last
            while q < last:
                if data[q] == LEFT_BRACKET:
                    size = _citation(data, q, last, table, marks)
                    if size:
                        q += size
                        continue
                out[z] = data[q]
                z += 1
                q += 1
            if need_terminator:
                final = out[z - 1] if z > line else np.uint8(0)
                ellipsis = z - line >= 3 and final == FULL_STOP and out[z - 2] == FULL_STOP and out[z - 3] == FULL_STOP
                if ellipsis or final not in (FULL_STOP, QUESTION_MARK, EXCLAMATION_MARK, QUOTATION_MARK, APOSTROPHE):
                    counts[3, i] += 1
                    continue
            if n_words < min_words:
                counts[4, i] += 1
                continue
            phrases = find_phrases(out, line, z, spelled, places, triggers)
            if phrases & LOREM_IPSUM:
                counts[7, i] += 1
            if phrases & JAVASCRIPT:
                counts[5, i] += 1
                continue
            counts[8, i] += curly
            if phrases & POLICY:
                counts[6, i] += 1
                continue
            counts[0, i] += max(
                np.int64(1),
                count_sentences(out, line, z, table, abbreviations, words),
            )
            counts[1, i] += 1
            if any_line:
                out[w] = NEWLINE
            any_line = True
            w = z
        # str.strip of the whole: a removed citation may leave white space at the ends
        first, w = strip(out, row, w, table)
        if first > row:
            for k in range(w - first):
                out[row + k] = out[first + k]
            w -= first - row
        new_offsets[i + 1] = w
    return counts, new_offsets, out[:w]


@kernel
def measure_paragraphs(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], rank: int) -> npt.NDArray[np.int64]:
    """Lines between newlines, and the characters of the longest but ``rank - 1`` (0 if there are fewer): (2, n)."""
    n = offsets.size - 1
    out = np.zeros((2, n), dtype=np.int64)
    longest = np.zeros(rank, dtype=np.int64)  # descending
    for i in range(n):
        longest[:] = 0
        p = offsets[i]
        end = offsets[i + 1]
        while True:
            q = p
            while q < end and at(data, q) != NEWLINE:
                q += 1
            size = count_characters(data, p, q)
            out[0, i] += 1
            for k in range(rank):
                if size > longest[k]:
                    for j in range(rank - 1, k, -1):
                        longest[j] = longest[j - 1]
                    longest[k] = size
                    break
            if q >= end:
                break
            p = q + 1
        if out[0, i] >= rank:
            out[1, i] = longest[rank - 1]
    return out
