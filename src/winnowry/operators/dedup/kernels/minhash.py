"""MinHash signatures and their band keys, from UTF-8 bytes to 64-bit keys without an intermediate column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.dedup.kernels.words import fold_characters, hash_words, longest, mix, most_words
from winnowry.operators.text.kernels.compile import kernel

_BASE = np.uint64(0x2545F4914F6CDD1D)


def permutations(n: int, seed: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Multipliers and addends of n hash functions ``x -> (a x + b) >> 32`` of 32-bit values, n values each.

    Drawn with SplitMix64 (Steele et al. 2014), so that they never depend on the version of a library. The family is
    strongly universal (Dietzfelbinger 1996; Thorup, "High Speed Hashing for Integers and Strings", 2015, section 3.3).
    """
    drawn = []
    state = seed
    for _ in range(2 * n):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        drawn.append(z ^ (z >> 31))
    a = np.array(drawn[:n], dtype=np.uint64) | np.uint64(1)
    return a, np.array(drawn[n:], dtype=np.uint64)


@kernel
def word_shingles(hashes: npt.NDArray[np.uint64], n: int, size: int, shingles: npt.NDArray[np.uint64]) -> int:
    """Hash every run of ``size`` words; a shorter text has one shingle, all of it.

    Args:
        hashes: hashes of the words.
        n: how many of them.
        size: words of a shingle.
        shingles: filled with 64-bit hashes, at least n values.

    Returns:
        Number of shingles; 0 for a text without words.
    """
    if n == 0:
        return 0
    if n < size:
        size = n
    power = np.uint64(1)
    rolling = np.uint64(0)
    for i in range(size):
        rolling = rolling * _BASE + hashes[i]
        power *= _BASE
    shingles[0] = mix(rolling)
    for i in range(size, n):
        rolling = rolling * _BASE + hashes[i] - power * hashes[i - size]
        shingles[i - size + 1] = mix(rolling)
    return n - size + 1


@kernel
def character_shingles(codes: npt.NDArray[np.uint32], n: int, size: int, shingles: npt.NDArray[np.uint64]) -> int:
    """Hash every run of ``size`` characters; a shorter text has one shingle, all of it. See :func:`word_shingles`."""
    if n == 0:
        return 0
    if n < size:
        size = n
    power = np.uint64(1)
    rolling = np.uint64(0)
    for i in range(size):
        rolling = rolling * _BASE + np.uint64(codes[i])
        power *= _BASE
    shingles[0] = mix(rolling)
    for i in range(size, n):
        rolling = rolling * _BASE + np.uint64(codes[i]) - power * np.uint64(codes[i - size])
        shingles[i - size + 1] = mix(rolling)
    return n - size + 1


@kernel
def _least(
    shingles: npt.NDArray[np.uint64],
    n: int,
    a: npt.NDArray[np.uint64],
    b: npt.NDArray[np.uint64],
    minima: npt.NDArray[np.uint64],
) -> None:
    """Minimum of every hash function over n shingles, four shingles a pass, so that the functions fill the vectors."""
    k = a.size
    shift = np.uint64(32)
    for j in range(k):
        minima[j] = 0xFFFFFFFF
    for s in range(0, n, 4):
        # a text's last shingle fills up the block: a minimum does not mind
        x0 = shingles[s] >> shift
        x1 = shingles[min(s + 1, n - 1)] >> shift
        x2 = shingles[min(s + 2, n - 1)] >> shift
        x3 = shingles[min(s + 3, n - 1)] >> shift
        for j in range(k):
            low = min((a[j] * x0 + b[j]) >> shift, (a[j] * x1 + b[j]) >> shift)
            lower = min((a[j] * x2 + b[j]) >> shift, (a[j] * x3 + b[j]) >> shift)
            minima[j] = min(minima[j], min(low, lower))


@kernel
def band_keys(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.uint32],
    by_word: bool,
    size: int,
    a: npt.NDArray[np.uint64],
    b: npt.NDArray[np.uint64],
    n_rows: int,
) -> npt.NDArray[np.uint64]:
    """Band keys of n texts.

    Args:
        offsets: rows, n + 1 values.
        data: UTF-8 bytes.
        valid: rows that are not null.
        fold: :func:`~winnowry.operators.dedup.kernels.words.fold_table`.
        by_word: shingles of words; else of characters.
        size: words or characters of a shingle.
        a: multipliers of the hash functions, bands times rows of them.
        b: addends.
        n_rows: hash functions of a band.

    Returns:
        uint64 of shape (n, bands); all 0 for a text without words, never 0 otherwise.
    """
    n = offsets.size - 1
    n_bands = a.size // n_rows
    out = np.zeros((n, n_bands), dtype=np.uint64)
    most = longest(offsets)
    hashes = np.empty(most_words(most) if by_word else 0, dtype=np.uint64)
    codes = np.empty(0 if by_word else most + 1, dtype=np.uint32)
    shingles = np.empty(max(hashes.size, codes.size), dtype=np.uint64)
    minima = np.empty(a.size, dtype=np.uint64)
    nowhere = np.empty(0, dtype=np.int64)
    for i in range(n):
        if not valid[i]:
            continue
        if by_word:
            n_units = hash_words(data, offsets[i], offsets[i + 1], fold, True, hashes, nowhere, nowhere)
            n_shingles = word_shingles(hashes, n_units, size, shingles)
        else:
            n_units = fold_characters(data, offsets[i], offsets[i + 1], fold, True, codes)
            n_shingles = character_shingles(codes, n_units, size, shingles)
        if n_shingles == 0:
            continue
        _least(shingles, n_shingles, a, b, minima)
        for band in range(n_bands):
            key = np.uint64(band + 1)
            for row in range(band * n_rows, (band + 1) * n_rows):
                key = mix((key ^ minima[row]) * np.uint64(0x9E3779B97F4A7C15))
            out[i, band] = key if key != 0 else 1
    return out
