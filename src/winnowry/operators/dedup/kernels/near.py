"""Codes that differ in a few bits: candidates by equal or nearly equal pieces of a code, each compared as a whole."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from winnowry.operators.dedup.kernels.bits import bits_set
from winnowry.operators.dedup.kernels.forest import Numbers, unite
from winnowry.operators.text.kernels.compile import kernel

PIECE_BITS = 16
BUCKETS = 1 << PIECE_BITS
PIECES_OF_A_WORD = 4

Codes = npt.NDArray[np.uint64]
"""n codes of one or more words, shape (n, words)."""
Places = npt.NDArray[np.int64]


def probes(n_words: int, max_distance: int) -> npt.NDArray[np.int64]:
    """What a piece of a code may differ by when the whole differs by at most ``max_distance`` bits.

    A code has m pieces of 16 bits. Of two codes that differ in d bits, one piece differs in no more than d // m
    (the pigeonhole principle), so looking at all pieces with up to so many bits changed misses no pair.

    Returns:
        Values to combine with a piece by exclusive or; 0, which changes nothing, first.
    """
    most = max_distance // (n_words * PIECES_OF_A_WORD)
    changes = [sum(1 << bit for bit in bits) for n in range(most + 1) for bits in combinations(range(PIECE_BITS), n)]
    return np.array(changes, dtype=np.int64)


@kernel
def distances(a: Codes, b: Codes) -> npt.NDArray[np.int64]:
    """In how many bits each of n pairs of codes differs."""
    n, n_words = a.shape
    differing = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for word in range(n_words):
            differing[i] += np.int64(bits_set(a[i, word] ^ b[i, word]))
    return differing


@kernel
def sorted_by_piece(codes: Codes, piece: int) -> tuple[Places, Places]:
    """Places of codes in the order of one piece, and where each value of the piece begins among them."""
    n = codes.shape[0]
    word, shift = piece // PIECES_OF_A_WORD, np.uint64(PIECE_BITS * (piece % PIECES_OF_A_WORD))
    mask = np.uint64(BUCKETS - 1)
    starts = np.zeros(BUCKETS + 1, dtype=np.int64)
    for i in range(n):
        starts[np.int64((codes[i, word] >> shift) & mask) + 1] += 1
    for value in range(BUCKETS):
        starts[value + 1] += starts[value]
    free = starts[:-1].copy()
    order = np.empty(n, dtype=np.int64)
    for i in range(n):
        value = np.int64((codes[i, word] >> shift) & mask)
        order[free[value]] = i
        free[value] += 1
    return order, starts


@kernel
def _may_be_near(word: np.uint64, words: npt.NDArray[np.uint64], start: int, stop: int, most: np.uint64) -> bool:
    """Whether a first word is near one of others; without a jump in its loop, so that many are compared at a time."""
    n_near = 0
    for j in range(start, stop):
        n_near += bits_set(word ^ words[j]) <= most
    return n_near > 0


@kernel
def link_near(codes: Codes, rows: Places, max_distance: int, changes: Places, parent: Numbers) -> None:
    """Unite the records whose codes differ in at most ``max_distance`` bits; none is missed.

    Args:
        codes: different codes, sorted in any way.
        rows: a record that has each code.
        max_distance: bits.
        changes: see :func:`probes`.
        parent: the union-find forest over all records, changed in place.
    """
    n_words = codes.shape[1]
    most = np.uint64(max_distance)
    for piece in range(n_words * PIECES_OF_A_WORD):
        order, starts = sorted_by_piece(codes, piece)
        near = codes[order]  # one bucket's codes lie side by side
        first = near[:, 0].copy()
        for value in range(BUCKETS):
            if starts[value] == starts[value + 1]:
                continue
            for change in changes:
                other = value ^ change
                if other < value:
                    continue  # the two have met
                for i in range(starts[value], starts[value + 1]):
                    start = i + 1 if other == value else starts[other]
                    if not _may_be_near(first[i], first, start, starts[other + 1], most):
                        continue
                    for j in range(start, starts[other + 1]):
                        differing = np.uint64(0)
                        for word in range(n_words):
                            differing += bits_set(near[i, word] ^ near[j, word])
                        if differing <= most:
                            unite(parent, rows[order[i]], rows[order[j]])
