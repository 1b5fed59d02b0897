"""Loops of the n-gram model: the statistics of every context, and the probabilities of a stream of tokens.

Imports numba; import it where it is used. A model is a trie laid out breadth first in
sorted order: node ``g`` has the children ``first_child[g]`` to ``first_child[g + 1]``, ascending by word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]


def _context_statistics(
    first_child: Int64s,
    counts: Int32s,
    discounts: Float64s,
    level_of_children: Int64s,
    totals: Float64s,
    backoffs: Float64s,
) -> None:
    """Fill the sum of adjusted counts and the interpolation weight of every context; 0 and 1 where it has no child.

    ``level_of_children`` holds where the contexts of each level end; the children of level k use ``discounts[k]``.
    """
    level = 1
    for context in range(first_child.size - 1):
        while context >= level_of_children[level - 1]:
            level += 1
        total = 0
        saved = 0.0
        for child in range(first_child[context], first_child[context + 1]):
            count = counts[child]
            total += count
            saved += discounts[level, min(count, 3)]
        totals[context] = total
        backoffs[context] = saved / total if total > 0 else 1.0


context_statistics = njit(cache=True, nogil=True)(_context_statistics)


def _score(
    tokens: Int32s,
    offsets: Int64s,
    begin: int,
    end: int,
    order: int,
    unigrams: Float64s,
    words: Int32s,
    counts: Int32s,
    first_child: Int64s,
    totals: Float64s,
    backoffs: Float64s,
    discounts: Float64s,
    document_bits: Float64s,
    token_bits: Float64s,
) -> None:
    """Bits of every token and end symbol, and their sums by document.

    ``token_bits`` has room for all tokens and one end symbol a document, or is empty where they are not wanted.
    """
    n_contexts = totals.size
    state = np.empty(max(order, 2), np.int64)  # state[k]: node of the last k tokens, -1 where never seen
    wanted = token_bits.size > 0
    out = 0
    for document in range(offsets.size - 1):
        state[:] = -1
        state[1] = begin
        bits = 0.0
        for at in range(offsets[document], offsets[document + 1] + 1):
            word = end if at == offsets[document + 1] else tokens[at]
            p = unigrams[word]
            context = state[1]
            state[1] = word
            level = 2
            while level <= order:
                following = state[level] if level < order else -1
                if context < 0 or context >= n_contexts:
                    for longer in range(level, order):
                        state[longer] = -1
                    break
                low, stop = first_child[context], first_child[context + 1]
                node = -1
                high = stop
                while low < high:
                    middle = (low + high) >> 1
                    if words[middle] < word:
                        low = middle + 1
                    else:
                        high = middle
                if low < stop and words[low] == word:
                    node = low
                p *= backoffs[context]
                if node >= 0:
                    count = counts[node]
                    p += (count - discounts[level - 1, min(count, 3)]) / totals[context]
                if level < order:
                    state[level] = node
                context = following
                level += 1
            surprise = -np.log2(p)
            bits += surprise
            if wanted:
                token_bits[out] = surprise
                out += 1
        document_bits[document] = bits


score = njit(cache=True, nogil=True)(_score)
