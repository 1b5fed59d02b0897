"""Near-duplicates found on real pages, against every pair's Jaccard similarity from sets of strings."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.operators.dedup.folding import jaccard, ngrams, words
from winnowry.cli.demo_corpus import api_models, pages_of
from winnowry.operators.dedup.minhash import MinHash, recall
from winnowry.operators.text.extract_html import ExtractHtml

BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
SEEDS = range(1, 6)


@pytest.mark.slow
def test_recall_on_the_api_reference_is_that_of_the_curve_and_what_is_found_is_similar() -> None:
    html = [str(page["html"]) for model in api_models() for page in pages_of(model)][:2500]
    texts = ExtractHtml().apply(pa.record_batch({"text": pa.array(html, pa.large_string())}))
    sets = [ngrams(words(text or ""), 5) for text in texts["text"].to_pylist()]
    holders: dict[tuple[str, ...], list[int]] = {}
    for row, grams in enumerate(sets):
        for gram in grams:
            holders.setdefault(gram, []).append(row)
    # a pair at 0.5 or more shares half of its n-grams, so most of them are not among the commonest
    candidates: Counter[tuple[int, int]] = Counter()
    for rows in holders.values():
        if len(rows) <= 200:
            candidates.update((a, b) for at, a in enumerate(rows) for b in rows[at + 1 :])
    pairs = [(a, b, jaccard(sets[a], sets[b])) for a, b in candidates]
    found: dict[int, list[float]] = {}
    precise = []
    for seed in SEEDS:
        operator = MinHash(seed=seed)
        column = operator.apply(texts)[0]
        keys = np.stack([key[0] for key in operator.keys(column)], axis=1)
        for number, (a, b, similarity) in enumerate(pairs):
            hit = bool((keys[a] == keys[b]).any())
            found.setdefault(number, []).append(hit)
            if hit:
                precise.append(similarity)
    for low, high in pairwise(BINS):
        inside = [number for number, (_, _, similarity) in enumerate(pairs) if low <= similarity < high]
        observed = np.mean([found[number] for number in inside])
        expected = recall([pairs[number][2] for number in inside], 14, 8).mean()
        assert len(inside) > 50
        assert observed == pytest.approx(expected, abs=0.06), (low, high, len(inside))
    assert np.mean(np.array(precise) >= 0.5) > 0.95
