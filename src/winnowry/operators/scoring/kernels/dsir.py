r"""Hashed unigrams and bigrams of lower-case texts: counted into buckets, or summed over a table of log ratios.

Imports numba; import it where it is used. Tokens are those of ``\w+|[^\w\s]+``: a table gives the class of every
code point, so that they are the same as Python's regular expressions find.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

UInt8s = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

_SPACE, _WORD, _OTHER = 0, 1, 2
_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@cache
def character_classes() -> UInt8s:
    """Class of every code point: 0 white space, 1 word character, 2 anything else."""
    classes = np.full(sys.maxunicode + 1, _OTHER, np.uint8)
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    for kind, pattern in ((_WORD, r"\w+"), (_SPACE, r"\s+")):
        for run in re.finditer(pattern, every):
            classes[run.start() : run.end()] = kind
    return classes


def _mixed(word: Any) -> Any:
    """The splitmix64 finaliser."""
    word ^= word >> np.uint64(30)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


_mixed_jit = njit(cache=True, nogil=True)(_mixed)


def _sum_grams(
    offsets: Int64s, data: UInt8s, classes: UInt8s, table: Float64s, counts: Int64s, sums: Float64s, n_words: Int64s
) -> None:
    """Fill the sum of ``table`` over the grams of each text and its number of tokens; add the grams to ``counts``.

    ``data`` is valid UTF-8; ``table`` and ``counts`` have one entry a bucket.
    """
    n_buckets = np.uint64(table.size)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        total = 0.0
        words = 0
        before = np.uint64(0)
        hashed = _OFFSET
        kind = _SPACE
        while at <= end:
            kind_here = _SPACE
            width = 1
            if at < end:
                lead = data[at]
                code = np.int64(lead)
                if lead >= 0xF0:
                    width = 4
                    code = lead & 0x07
                elif lead >= 0xE0:
                    width = 3
                    code = lead & 0x0F
                elif lead >= 0xC0:
                    width = 2
                    code = lead & 0x1F
                for step in range(1, width):
                    code = (code << 6) | (data[at + step] & 0x3F)
                kind_here = classes[code]
            if kind_here != kind and kind != _SPACE:
                unigram = _mixed_jit(hashed)
                bucket = np.int64(unigram % n_buckets)
                counts[bucket] += 1
                total += table[bucket]
                if words > 0:
                    bucket = np.int64(_mixed_jit(before * _GOLDEN + unigram) % n_buckets)
                    counts[bucket] += 1
                    total += table[bucket]
                before = unigram
                words += 1
                hashed = _OFFSET
            kind = kind_here
            if at < end and kind != _SPACE:
                for step in range(width):
                    hashed = (hashed ^ np.uint64(data[at + step])) * _PRIME
            at += width
        sums[row] = total
        n_words[row] = words


sum_grams = njit(cache=True, nogil=True)(_sum_grams)
