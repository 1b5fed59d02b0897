"""Importance of documents for a target by hashed n-grams (DSIR), over token ids.

Source: Xie et al. (2023), Data selection for language models via importance resampling. The released
code hashes lower-case WordPunct words; here the n-grams are of the tokens that the proxies are trained on, which every
language has.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

BUCKETS = 10_000
_EPSILON = 1e-8
_CHUNK = 1 << 22
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def log_importance(token_ids: Int32s, offsets: Int64s, target_ids: Int32s, target_offsets: Int64s) -> Float64s:
    """Log of how much likelier each document is in the target than in the pool.

    With counts c of a document's hashed unigrams and bigrams, ``sum_b c(b) (ln(p_target(b) + e) - ln(p_pool(b) + e))``,
    e = 1e-8 and p the share of a bucket among all n-grams.

    Args:
        token_ids: ids of the pool's documents one after the other.
        offsets: document i is ``token_ids[offsets[i]:offsets[i + 1]]``; n + 1 of them.
        target_ids: ids of the target.
        target_offsets: of its documents.

    Returns:
        n floats. A sum: longer documents lie further out on both sides.
    """
    pool, target = _distribution(token_ids, offsets), _distribution(target_ids, target_offsets)
    weight = np.log(target + _EPSILON) - np.log(pool + _EPSILON)
    importance = np.zeros(len(offsets) - 1)
    for document in range(len(importance)):
        importance[document] = weight[_buckets(token_ids[offsets[document] : offsets[document + 1]])].sum()
    return importance


def _distribution(token_ids: Int32s, offsets: Int64s) -> Float64s:
    counts = np.zeros(BUCKETS)
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        for at in range(start, stop, _CHUNK):
            counts += np.bincount(_buckets(token_ids[at : min(stop, at + _CHUNK)]), minlength=BUCKETS)
    total = counts.sum()
    return counts / total if total else counts


def _buckets(ids: Int32s) -> Int64s:
    """Buckets of the unigrams and bigrams of one document."""
    words = np.asarray(ids).astype(np.uint64) + np.uint64(1)
    pairs = words[:-1] * np.uint64(1 << 32) + words[1:] if len(words) > 1 else words[:0]
    both = np.concatenate([words, pairs])
    both = (both ^ (both >> np.uint64(29))) * _MULTIPLIER
    buckets: Int64s = ((both >> np.uint64(32)) % np.uint64(BUCKETS)).astype(np.int64)
    return buckets
