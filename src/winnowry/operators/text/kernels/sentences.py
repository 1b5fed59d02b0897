"""How many sentences a piece of text has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import BLANK, FULL_STOP
from winnowry.operators.text.kernels.characters import decode
from winnowry.operators.text.kernels.compile import at, kernel
from winnowry.operators.text.kernels.words import (
    HAS_LETTER,
    HAS_NON_SYMBOL,
    PUNCTUATION,
    TERMINATOR,
    UNICODE_WORDS,
    WordFinder,
    Words,
    split_words,
)

_ALPHANUMERIC = 1
_OTHER = 2
_SPLIT = 4
_KINDS = np.full(256, _OTHER, dtype=np.uint8)
"""What a byte is: ASCII letter or digit; other visible ASCII; a mark, white space or not ASCII."""
for _byte in range(256):
    if _byte < 33 or _byte > 126 or chr(_byte) in ".!?":
        _KINDS[_byte] = _SPLIT
    elif chr(_byte).isalnum():
        _KINDS[_byte] = _ALPHANUMERIC


@kernel
def _is_in(value: np.uint64, values: npt.NDArray[np.uint64]) -> bool:
    for k in range(values.size):  # noqa: SIM110 - compiled
        if values[k] == value:
            return True
    return False


@kernel
def count_sentences(
    data: npt.NDArray[np.uint8],
    start: np.int64,
    end: np.int64,
    table: npt.NDArray[np.uint16],
    abbreviations: npt.NDArray[np.uint64],
    words: Words,
) -> np.int64:
    """Sentences of ``data[start:end]``: 0 for white space, else 1 and one for every word after an end.

    An end is a terminator that is a word of its own, and the punctuation that follows it; a full stop that belongs to
    a word (``U.S.``), follows a word of ``abbreviations`` (hashes) or stands in a row of them is none. ``words`` is
    room for the words of the row.
    """
    starts, stops, sizes, hashes, marks = words
    finder = WordFinder(np.int64(UNICODE_WORDS), table, starts, stops)  # no spans are given
    n = np.int64(0)
    ended = False
    p = start
    while p < end:
        # words end at white space at the latest: only a piece with a mark or beyond ASCII has to be split
        q = p
        kinds = np.uint8(0)
        while q < end and at(data, q) != BLANK:
            kinds |= _KINDS[at(data, q)]
            q += 1
        piece = p
        p = q + 1
        if kinds == 0:  # a second space
            continue
        if kinds == _ALPHANUMERIC or (kinds & _SPLIT == 0 and not ended):
            n += ended or n == 0
            ended = False
            continue
        n_words = split_words(finder, data, piece, q, words, True)
        for k in range(n_words):
            n = max(n, np.int64(1))
            if not ended and marks[k] & HAS_NON_SYMBOL:
                continue
            point, _ = decode(data, starts[k], end)
            entry = np.int64(table[point])
            if entry & TERMINATOR and (sizes[k] == 1 or point != FULL_STOP):
                if (
                    point != FULL_STOP
                    or k == 0
                    or stops[k - 1] != starts[k]
                    or not _is_in(hashes[k - 1], abbreviations)
                ):
                    ended = True
            elif ended and not (entry & PUNCTUATION and not marks[k] & HAS_LETTER):
                n += 1
                ended = False
    return n
