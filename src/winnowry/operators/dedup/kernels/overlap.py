"""Runs of words that texts share with a reference: a table of hashes and a search in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.dedup.kernels.words import hash_words, longest, mix, most_words
from winnowry.operators.text.kernels.compile import kernel

_BASE = np.uint64(0x2545F4914F6CDD1D)


@kernel
def _hash_run(hashes: npt.NDArray[np.uint64], first: int, size: int) -> np.uint64:
    rolling = np.uint64(0)
    for k in range(first, first + size):
        rolling = rolling * _BASE + hashes[k]
    mixed = mix(rolling + np.uint64(size))
    return mixed if mixed != 0 else np.uint64(1)


@kernel
def reference_runs(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    fold: npt.NDArray[np.uint32],
    fewest: npt.NDArray[np.int64],
    most: npt.NDArray[np.int64],
    whole: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Runs of words that betray a reference text: any of ``most`` words, or the whole text when it is shorter.

    Args:
        offsets: reference texts, n + 1 values.
        data: UTF-8 bytes.
        fold: folded characters.
        fewest: texts of fewer words betray nothing, n values.
        most: words of a run, n values.
        whole: texts of which only the first run counts, n values.

    Returns:
        Hash, words and text of every run.
    """
    n = offsets.size - 1
    nowhere = np.empty(0, dtype=np.int64)
    words = np.empty(most_words(longest(offsets)), dtype=np.uint64)
    total = 0
    for i in range(n):
        total += most_words(offsets[i + 1] - offsets[i])
    keys = np.empty(total, dtype=np.uint64)
    sizes = np.empty(total, dtype=np.int64)
    texts = np.empty(total, dtype=np.int64)
    at = 0
    for i in range(n):
        n_words = hash_words(data, offsets[i], offsets[i + 1], fold, False, words, nowhere, nowhere)
        if n_words < fewest[i] or n_words == 0:
            continue
        size = min(n_words, most[i])
        for first in range(1 if whole[i] else n_words - size + 1):
            keys[at] = _hash_run(words, first, size)
            sizes[at] = size
            texts[at] = i
            at += 1
    return keys[:at], sizes[:at], texts[:at]


@kernel
def make_table(
    keys: npt.NDArray[np.uint64], values: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Open-addressing table, at most half full; of equal keys the first stays."""
    n_slots = 16
    while n_slots < 2 * keys.size:
        n_slots *= 2
    slots = np.zeros(n_slots, dtype=np.uint64)
    held = np.zeros(n_slots, dtype=np.int32)
    for i in range(keys.size):
        slot = np.int64(keys[i] & np.uint64(n_slots - 1))
        while slots[slot] != 0 and slots[slot] != keys[i]:
            slot = (slot + 1) & (n_slots - 1)
        if slots[slot] == 0:
            slots[slot] = keys[i]
            held[slot] = values[i]
    return slots, held


@kernel
def make_filter(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """One bit of 16 a key, by the key's first bits: it fits a cache that the table does not fit."""
    n_bits = 64
    while n_bits < 16 * keys.size:
        n_bits *= 2
    bits = np.zeros(n_bits // 8, dtype=np.uint8)
    shift = np.uint64(64)
    while n_bits > 1:
        n_bits //= 2
        shift -= np.uint64(1)
    for i in range(keys.size):
        bit = keys[i] >> shift
        bits[bit >> np.uint64(3)] |= np.uint8(1 << np.int64(bit & np.uint64(7)))
    return bits


@kernel
def find_overlap(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.uint32],
    sizes: npt.NDArray[np.int64],
    slots: npt.NDArray[np.uint64],
    held: npt.NDArray[np.int32],
    bits: npt.NDArray[np.uint8],
) -> npt.NDArray[np.int64]:
    """Where texts hold runs of words of the reference.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        valid: rows that are not null.
        fold: folded characters.
        sizes: lengths of the runs in the table, in words, longest first.
        slots: hashes, see :func:`make_table`.
        held: what each slot stands for.
        bits: see :func:`make_filter`.

    Returns:
        int64 of shape (4, n): positions in the text where a run begins; what the longest stretch of them stands for,
        or -1; its first character, and the one after its last, or -1.
    """
    n = offsets.size - 1
    out = np.full((4, n), -1, dtype=np.int64)
    out[0] = 0
    room = most_words(longest(offsets))
    words = np.empty(room, dtype=np.uint64)
    begins = np.empty(room, dtype=np.int64)
    ends = np.empty(room, dtype=np.int64)
    powers = np.ones(sizes.size, dtype=np.uint64)
    for k in range(sizes.size):
        for _ in range(sizes[k]):
            powers[k] *= _BASE
    prefix = np.zeros(room + 1, dtype=np.uint64)
    mask = np.uint64(slots.size - 1)
    shift = np.uint64(64)
    n_bits = bits.size * 8
    while n_bits > 1:
        n_bits //= 2
        shift -= np.uint64(1)
    for i in range(n):
        if not valid[i]:
            continue
        n_words = hash_words(data, offsets[i], offsets[i + 1], fold, False, words, begins, ends)
        for k in range(n_words):
            prefix[k + 1] = prefix[k] * _BASE + words[k]
        longest_span = 0
        span_first = -1  # words of the stretch being built: [span_first, span_end)
        span_end = -1
        span_held = -1
        for first in range(n_words):
            for k in range(sizes.size):
                size = sizes[k]
                if first + size > n_words:
                    continue
                key = mix(prefix[first + size] - prefix[first] * powers[k] + np.uint64(size))
                if key == 0:
                    key = np.uint64(1)
                bit = key >> shift
                if not (bits[bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7))) & 1:
                    continue
                slot = np.int64(key & mask)
                while slots[slot] != 0 and slots[slot] != key:
                    slot = np.int64((np.uint64(slot) + np.uint64(1)) & mask)
                if slots[slot] == 0:
                    continue
                out[0, i] += 1
                if first <= span_end and span_held == held[slot]:
                    span_end = max(span_end, first + size)
                else:
                    span_first = first
                    span_end = first + size
                    span_held = held[slot]
                if span_end - span_first > longest_span:
                    longest_span = span_end - span_first
                    out[1, i] = span_held
                    out[2, i] = begins[span_first]
                    out[3, i] = ends[span_end - 1]
                break
    return out
