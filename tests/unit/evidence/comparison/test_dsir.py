"""Importance by hashed n-grams, against a dictionary of counts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from winnowry.evidence.comparison.dsir import BUCKETS, _buckets, log_importance


def test_importance_is_the_log_ratio_of_bucket_shares_summed_over_a_document() -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 50, n).astype(np.int32) for n in (5, 1, 0, 30)]
    target = [rng.integers(25, 60, n).astype(np.int32) for n in (20, 10)]

    def flat(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(parts), np.concatenate([[0], np.cumsum([len(part) for part in parts])])

    found = log_importance(*flat(documents), *flat(target))

    def shares(parts: list[np.ndarray]) -> Counter[int]:
        counts = Counter(int(bucket) for part in parts for bucket in _buckets(part))
        total = sum(counts.values())
        return Counter({bucket: count / total for bucket, count in counts.items()})  # type: ignore[misc]

    pool, wanted = shares(documents), shares(target)
    for document, value in zip(documents, found, strict=True):
        by_hand = sum(math.log(wanted[int(b)] + 1e-8) - math.log(pool[int(b)] + 1e-8) for b in _buckets(document))
        assert math.isclose(value, by_hand, rel_tol=1e-9, abs_tol=1e-9)
    assert found[2] == 0.0


def test_a_document_has_a_bucket_for_each_unigram_and_bigram_and_the_same_gram_the_same_one() -> None:
    found = _buckets(np.array([7, 8, 7, 8], np.int32))
    assert len(found) == 4 + 3
    assert found[0] == found[2]
    assert found[4] == found[6] != found[5]
    assert ((found >= 0) & (found < BUCKETS)).all()
    spread = _buckets(np.arange(5000, dtype=np.int32))
    assert len(set(spread[:5000].tolist())) > 3500  # 5000 draws of 10000 buckets meet 3935 on average
