"""Entropies of words and labels, heights and distances of dependency trees, over flat arrays.

The only other module here that imports numba; import it where it is used.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from winnowry.operators.scoring.kernels.columns import (
    AVG_DEP_DIS,
    AVG_DEP_HEIGHT,
    CYCLIC_HEADS,
    DEP_ENT,
    HEAD_OUT_OF_RANGE,
    LONG_SENTENCE,
    LONG_SENTENCE_TOKENS,
    NO_ROOT,
    NO_SENTENCE,
    ONE_WORD_SENTENCES,
    PARSED_CON_ENT,
    PARSED_N_WORDS,
    PARSED_POS_ENT,
    SEVERAL_ROOTS,
)

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

_UNKNOWN, _ON_PATH = -1, -2


def _mean_entropy(
    codes: Int32s, steps: Bools, counted: Bools, begin: int, end: int, window: int, counts: Int64s, met: Int32s
) -> float:
    """Entropy in bits of the counted codes of a range, or its mean over windows of so many steps.

    Codes are summed in the order in which the range meets them, so that the last bit of the result does not depend on
    how codes were numbered. ``counts`` is all 0 before and after.
    """
    windows = 0
    bits = 0.0
    at = begin
    while True:
        n_met = total = stepped = 0
        while at < end and (window == 0 or stepped < window):
            if steps[at]:
                stepped += 1
                if counted[at]:
                    code = codes[at]
                    if counts[code] == 0:
                        met[n_met] = code
                        n_met += 1
                    counts[code] += 1
                    total += 1
            at += 1
        weighted = 0.0
        for place in range(n_met):
            count = counts[met[place]]
            weighted += count * np.log2(count)
            counts[met[place]] = 0
        if windows == 0 or stepped == window:  # a rest after whole windows is too short to compare with them
            if total > 0:
                bits += max(0.0, np.log2(total) - weighted / total)
            windows += 1
        if at >= end:
            return bits / windows


def _tree(heads: Int32s, begin: int, end: int, depths: Int32s, path: Int32s) -> tuple[int, int, int, int]:
    """Height, sum of distances, number of roots, and flags of one sentence; heads count from 1, 0 is the root.

    A token's depth is found by walking up until a known depth, so each token is passed twice at most. A sentence with
    a cycle, without a root, or with a head outside itself is no tree: height -1.
    """
    size = end - begin
    distance = roots = flags = height = 0
    for token in range(size):
        head = heads[begin + token]
        if head < 0 or head > size:
            return -1, 0, 0, HEAD_OUT_OF_RANGE
        if head == 0:
            roots += 1
        else:
            distance += abs(token - (head - 1))
        depths[token] = _UNKNOWN
    if roots == 0:
        return -1, 0, 0, NO_ROOT
    for token in range(size):
        at = token
        length = 0
        while depths[at] == _UNKNOWN:
            depths[at] = _ON_PATH
            path[length] = at
            length += 1
            head = heads[begin + at]
            if head == 0:
                depths[at] = 0
                length -= 1
                break
            at = head - 1
        if depths[at] == _ON_PATH:
            return -1, 0, 0, CYCLIC_HEADS
        depth = depths[at]
        while length > 0:
            length -= 1
            depth += 1
            depths[path[length]] = depth
        height = max(height, depth)
    if roots > 1:
        flags = SEVERAL_ROOTS
    return height, distance, roots, flags


_entropy_jit = njit(cache=True, nogil=True)(_mean_entropy)
_tree_jit = njit(cache=True, nogil=True)(_tree)


def _measure_trees(
    word_offsets: Int64s,
    forms: Int32s,
    tags: Int32s,
    lettered: Bools,
    content: Bools,
    sentence_offsets: Int64s,
    token_offsets: Int64s,
    heads: Int32s,
    labels: Int32s,
    n_codes: int,
    window: int,
    one_root: bool,
    measured: npt.NDArray[np.float64],
    flags: Int32s,
) -> None:
    """Fill ``measured``, float64 (n, 6), and ``flags``, int32 (n); columns and bits as in ``kernels.columns``.

    Text i has words ``word_offsets[i:i + 2]`` and sentences ``sentence_offsets[i:i + 2]``; sentence j has tokens
    ``token_offsets[j:j + 2]``. ``n_codes`` is above every code of forms, tags and labels. With ``one_root`` the mean
    distance divides by tokens less one a sentence (paper), else by the number of arcs; they differ where a sentence
    has several roots.
    """
    counts = np.zeros(n_codes, np.int64)
    met = np.empty(n_codes, np.int32)
    every = np.ones(heads.size, np.bool_)
    longest = 1
    for sentence in range(token_offsets.size - 1):
        longest = max(longest, token_offsets[sentence + 1] - token_offsets[sentence])
    depths = np.empty(longest, np.int32)
    path = np.empty(longest, np.int32)
    for row in range(word_offsets.size - 1):
        begin, end = word_offsets[row], word_offsets[row + 1]
        first, last = sentence_offsets[row], sentence_offsets[row + 1]
        n_words = 0
        for word in range(begin, end):
            n_words += lettered[word]
        measured[row, PARSED_N_WORDS] = n_words
        measured[row, :PARSED_N_WORDS] = np.nan
        if n_words > 0 or token_offsets[last] > token_offsets[first]:
            measured[row, PARSED_POS_ENT] = _entropy_jit(tags, lettered, lettered, begin, end, window, counts, met)
            measured[row, PARSED_CON_ENT] = _entropy_jit(forms, lettered, content, begin, end, window, counts, met)
        if token_offsets[last] == token_offsets[first]:
            flags[row] |= NO_SENTENCE
            continue
        measured[row, DEP_ENT] = _entropy_jit(
            labels, every, every, token_offsets[first], token_offsets[last], window, counts, met
        )
        trees = total_height = total_distance = arcs = 0
        for sentence in range(first, last):
            start, stop = token_offsets[sentence], token_offsets[sentence + 1]
            if stop == start:
                continue
            if stop - start > LONG_SENTENCE_TOKENS:
                flags[row] |= LONG_SENTENCE
            height, distance, roots, faults = _tree_jit(heads, start, stop, depths, path)
            flags[row] |= faults
            if height < 0:
                continue
            trees += 1
            total_height += height
            total_distance += distance
            arcs += stop - start - (1 if one_root else roots)
        if trees > 0:
            measured[row, AVG_DEP_HEIGHT] = total_height / trees
            if arcs > 0:
                measured[row, AVG_DEP_DIS] = total_distance / arcs
            else:
                flags[row] |= ONE_WORD_SENTENCES


measure_trees = njit(cache=True, nogil=True)(_measure_trees)
