"""Aho-Corasick automaton over folded code points: all terms of all word lists in one pass over a text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.ascii import CAPITAL_A, CAPITAL_Z, NINE, SMALL_A, SMALL_Z, ZERO
from winnowry.operators.text.kernels.characters import DIGIT, LETTER, SPACE, character_classes, decode
from winnowry.operators.text.kernels.compile import inline, kernel

MOST_WORDS = 64
"""Longest term, in words."""

# scripts written without spaces between words: every character counts as a word
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029)),
    *((0x3031, 0x3035), (0x3038, 0x303C), (0x3040, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0xA4CF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B2FF), (0x20000, 0x3FFFF)),
)


@cache
def word_kinds() -> npt.NDArray[np.uint8]:
    """Kind of every code point: 0 mark or symbol, 1 letter or digit of a script with spaces, 2 without, 3 white space.

    With spaces: Latin, Cyrillic, Arabic, Hangul and so on; without: Han, kana, bopomofo, Thai, Lao, Myanmar, Khmer, Yi.
    """
    classes = character_classes()
    kinds = (classes & (LETTER | DIGIT) != 0).astype(np.uint8)
    for first, last in _UNSPACED:
        kinds[first : last + 1] *= 2
    kinds[classes & SPACE != 0] = 3
    return kinds


@cache
def _lower() -> npt.NDArray[np.int32]:
    """The lower-case code point of every code point, itself where lower case is more than one."""
    lower = np.arange(sys.maxunicode + 1, dtype=np.int32)
    for point in range(0x1FFFF):
        character = chr(point)
        folded = character.lower()
        if folded != character and len(folded) == 1:
            lower[point] = ord(folded)
    return lower


@dataclass(frozen=True)
class Automaton:
    """Terms of up to 64 categories, compiled.

    Attributes:
        symbols: int32 by code point: its symbol, 0 where no term has it. White space is one symbol.
        root: int32 by symbol: the state after it at the beginning of a term.
        edges: uint64, open addressing, a power of two slots: ``state * len(root) + symbol`` of an edge above
            24 bits with the state it leads to; 0 where free.
        fails: int32 by state: its longest proper suffix that begins a term, and a word.
        links: int32 by state: its longest proper suffix that is a term; 0 for none.
        lengths: int32 by state: its length in symbols.
        categories: uint64 by state: bit c is set where the state is a term of category c.
    """

    symbols: npt.NDArray[np.int32]
    root: npt.NDArray[np.int32]
    edges: npt.NDArray[np.uint64]
    fails: npt.NDArray[np.int32]
    links: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    categories: npt.NDArray[np.uint64]


def n_words(term: str) -> int:
    """Words of a term as :func:`count_terms` counts them."""
    kinds = word_kinds()[[ord(character) for character in term]]
    before = np.concatenate([[0], kinds[:-1]])
    return int(((kinds == 2) | ((kinds == 1) & (before != 1))).sum())


def compile_terms(lists: Sequence[Sequence[str]], *, match_case: bool) -> Automaton:
    """Compile the terms of some categories.

    Args:
        lists: terms of each category, at least one term in all; words parted by one space, none empty.
        match_case: whether ``Word`` and ``word`` differ.

    Raises:
        ValueError: the terms have more than 16.7 million characters in all.
    """
    fold = np.arange(sys.maxunicode + 1, dtype=np.int32) if match_case else _lower()
    points = [np.array([ord(character) for character in term], dtype=np.int64) for terms in lists for term in terms]
    category = np.repeat(np.arange(len(lists)), [len(terms) for terms in lists])
    flat = fold[np.concatenate(points)]
    if flat.size >= 1 << 24:
        raise ValueError(f"the terms of all lists have {flat.size} characters; at most {(1 << 24) - 1} fit")
    alphabet, folded = np.unique(flat, return_inverse=True)
    of_folded = np.zeros(sys.maxunicode + 1, dtype=np.int32)
    of_folded[alphabet] = np.arange(1, alphabet.size + 1)
    symbols = of_folded[fold]
    symbols[word_kinds() == 3] = of_folded[ord(" ")]
    ends = np.cumsum([term.size for term in points])
    kinds = np.concatenate([[0], word_kinds()[alphabet]]).astype(np.uint8)
    return Automaton(symbols, *_build(folded.astype(np.int64) + 1, ends, category.astype(np.int64), kinds))


@inline
def _slot(key: np.int64, n_slots: np.int64) -> np.int64:
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (n_slots - 1)


@kernel
def _next(edges: npt.NDArray[np.uint64], key: np.int64) -> np.int64:
    """The state an edge leads to, or 0."""
    slot = _slot(key, edges.size)
    while edges[slot]:
        if np.int64(edges[slot] >> np.uint64(24)) == key:
            return np.int64(edges[slot] & np.uint64(0xFFFFFF))
        slot = (slot + 1) & (edges.size - 1)
    return np.int64(0)


@kernel
def _build(
    flat: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    category: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
) -> tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.uint64],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.uint64],
]:
    """The arrays of :class:`Automaton` from the symbols of all terms, where each ends, its category; kinds of symbols.

    A suffix that begins within a word is left out of the failure links: no term can stand there.
    """
    n_symbols = kinds.size
    n_slots = 16
    while n_slots < 2 * flat.size + 2:
        n_slots *= 2
    edges = np.zeros(n_slots, dtype=np.uint64)
    most = flat.size + 1
    parents = np.zeros(most, dtype=np.int32)
    last = np.zeros(most, dtype=np.int64)
    lengths = np.zeros(most, dtype=np.int32)
    categories = np.zeros(most, dtype=np.uint64)
    n_states = 1
    k = 0
    for term in range(ends.size):
        state = np.int64(0)
        while k < ends[term]:
            key = state * n_symbols + flat[k]
            target = _next(edges, key)
            if target == 0:
                target = np.int64(n_states)
                n_states += 1
                slot = _slot(key, n_slots)
                while edges[slot]:
                    slot = (slot + 1) & (n_slots - 1)
                edges[slot] = (np.uint64(key) << np.uint64(24)) | np.uint64(target)
                parents[target] = state
                last[target] = flat[k]
                lengths[target] = lengths[state] + 1
            state = target
            k += 1
        categories[state] |= np.uint64(1) << np.uint64(category[term])
    root = np.zeros(n_symbols, dtype=np.int32)
    for symbol in range(n_symbols):
        root[symbol] = _next(edges, np.int64(symbol))
    fails = np.zeros(n_states, dtype=np.int32)
    links = np.zeros(n_states, dtype=np.int32)
    # shorter states first: a failure leads to a shorter one
    for state in np.argsort(lengths[:n_states], kind="mergesort"):
        if lengths[state] > 1:
            symbol = last[state]
            f = np.int64(parents[state])
            target = np.int64(0)
            while f != 0 and target == 0:
                f = np.int64(fails[f])
                if f != 0:
                    target = _next(edges, f * n_symbols + symbol)
                elif not (kinds[symbol] == 1 and kinds[last[parents[state]]] == 1):
                    target = np.int64(root[symbol])
            fails[state] = target
            links[state] = target if categories[target] else links[target]
    return root, edges, fails, links, lengths[:n_states].copy(), categories[:n_states].copy()


@kernel
def _end_of_word(data: npt.NDArray[np.uint8], p: np.int64, end: np.int64) -> np.int64:
    """The first byte from ``p`` on that is no ASCII letter or digit; on its own, so that the loop stays tight."""
    while p < end:
        byte = data[p]
        if not (SMALL_A <= byte <= SMALL_Z or ZERO <= byte <= NINE or CAPITAL_A <= byte <= CAPITAL_Z):
            break
        p += 1
    return p


@kernel
def count_terms(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    kinds: npt.NDArray[np.uint8],
    n_categories: int,
    symbols: npt.NDArray[np.int32],
    root: npt.NDArray[np.int32],
    edges: npt.NDArray[np.uint64],
    fails: npt.NDArray[np.int32],
    links: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    categories: npt.NDArray[np.uint64],
) -> npt.NDArray[np.int64]:
    """Find whole words and phrases: int64 of shape (2 + n_categories, n).

    A term stands where neither its beginning nor its end cuts a word of a script with spaces; a run of white space is
    as good as one space.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        kinds: :func:`word_kinds`.
        n_categories: at most 64.
        symbols: as in :class:`Automaton`.
        root: as there.
        edges: as there.
        fails: as there.
        links: as there.
        lengths: as there.
        categories: as there.

    Returns:
        Words; words covered by terms of any category; and of each category the largest number of occurrences that do
        not overlap.
    """
    n = offsets.size - 1
    out = np.zeros((2 + n_categories, n), dtype=np.int64)
    ring = np.int64(2)
    while ring <= lengths.max():
        ring *= 2
    begun = np.zeros(ring, dtype=np.int64)  # words before each of the last symbols
    free_from = np.zeros(n_categories, dtype=np.int64)
    n_symbols = root.size
    for i in range(n):
        p = offsets[i]
        end = offsets[i + 1]
        free_from[:] = 0
        state = np.int64(0)
        at = np.int64(0)
        words = np.int64(0)
        covered = np.int64(0)
        window = np.uint64(0)  # bit k: word `window_end - 1 - k` is covered
        window_end = np.int64(0)
        before = 0
        while p <= end:
            kind = 0
            symbol = np.int64(0)
            if p < end:
                point, width = decode(data, p, end)
                p += width
                kind = kinds[point]
                if kind == 3 and before == 3:
                    continue
                symbol = np.int64(symbols[point])
            else:
                p += 1
            boundary = not (kind == 1 and before == 1)
            if boundary and state:
                node = state if categories[state] else np.int64(links[state])
                while node:
                    start = at - lengths[node]
                    for c in range(n_categories):
                        if (categories[node] >> np.uint64(c)) & np.uint64(1) and start >= free_from[c]:
                            out[2 + c, i] += 1
                            free_from[c] = at
                    shift = words - window_end
                    window = window << np.uint64(shift) if shift < 64 else np.uint64(0)
                    window_end = words
                    for k in range(words - begun[start & (ring - 1)]):
                        bit = np.uint64(1) << np.uint64(k)
                        if not window & bit:
                            window |= bit
                            covered += 1
                    node = np.int64(links[node])
            begun[at & (ring - 1)] = words
            if kind == 2 or (kind == 1 and before != 1):
                words += 1
            at += 1
            before = kind
            target = np.int64(0)
            if symbol == 0:
                state = np.int64(0)
            while state != 0:
                target = _next(edges, state * n_symbols + symbol)
                if target != 0:
                    break
                state = np.int64(fails[state])
            state = target
            if state == 0 and boundary:
                state = np.int64(root[symbol])
            if state == 0 and kind == 1:
                q = _end_of_word(data, p, end)
                at += q - p
                p = q
        out[0, i] = words
        out[1, i] = covered
    return out
