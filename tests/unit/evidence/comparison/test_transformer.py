"""The transformer proxy, where PyTorch is installed; without it, that it says so."""

from __future__ import annotations

import importlib.util
import random
import sys

import numpy as np
import pyarrow as pa
import pytest

from winnowry.core.errors import UsageError
from winnowry.evidence.comparison.transformer import train_transformer
from winnowry.operators.scoring.ngram_tokens import encoded
from winnowry.recipe.comparison import TransformerProxy

TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not TORCH, reason="torch is not installed: pip install 'winnowry[torch]'")
TINY = TransformerProxy(
    kind="transformer", layers=2, width=32, heads=2, context=32, batch=8, vocabulary=600, learning_rate=5e-3
)

NOUNS = ("bank", "market", "company", "report", "river", "price")
VERBS = ("raised", "lowered", "watched", "crossed", "ignored")


def sentences(n: int, seed: int) -> list[str]:
    """Texts of a tiny grammar: the article is always followed by a noun, the noun by a verb."""
    rng = random.Random(seed)
    return [
        " ".join(f"the {rng.choice(NOUNS)} {rng.choice(VERBS)} the {rng.choice(NOUNS)}." for _ in range(6))
        for _ in range(n)
    ]


def shuffled(texts: list[str], seed: int) -> list[str]:
    rng = random.Random(seed)
    mixed = []
    for text in texts:
        words = text.split()
        rng.shuffle(words)
        mixed.append(" ".join(words))
    return mixed


def held(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    found = encoded(pa.array(texts, pa.large_string()), "qwen")
    return found.token_ids, found.offsets


def test_without_torch_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="pip install 'winnowry\\[torch\\]'"):
        train_transformer(TINY, *held(sentences(5, 1)), seed=0)


@needs_torch
@pytest.mark.torch
def test_it_learns_what_order_words_have() -> None:
    """Trained on the grammar it predicts new texts of it better than the same words shuffled, by a wide margin."""
    model = train_transformer(TINY, *held(sentences(400, 1)), seed=0)
    new = sentences(20, 2)
    own, other = (model.document_bits(*held(texts)).sum() for texts in (new, shuffled(new, 3)))
    assert own < 0.8 * other
    untrained = train_transformer(TINY, *held(shuffled(sentences(400, 1), 4)), seed=0)
    assert untrained.document_bits(*held(new)).sum() > own


@needs_torch
@pytest.mark.torch
def test_a_seed_gives_the_same_model_and_another_seed_another() -> None:
    texts, new = held(sentences(60, 1)), held(sentences(5, 2))
    bits = [train_transformer(TINY, *texts, seed=seed).document_bits(*new) for seed in (1, 1, 2)]
    assert np.array_equal(bits[0], bits[1])
    assert not np.allclose(bits[0], bits[2])


@needs_torch
@pytest.mark.torch
def test_bits_are_those_of_the_probabilities_and_cover_every_byte() -> None:
    """Unknown tokens are spelled by bytes: the symbols of a text say all of it, and each has its code length."""
    import torch

    model = train_transformer(TINY, *held(sentences(60, 1)), seed=0)
    text = "the bank watched Zürich."
    token_ids, offsets = held([text])
    symbols = model._vocabulary.symbols(token_ids)
    assert (symbols < 256).any()
    line = torch.tensor([256, *symbols.tolist(), 256])
    with torch.no_grad():
        logits = model._network(line[None, :-1])[0].double()
    expected = -sum(float(torch.log_softmax(row, 0)[symbol]) for row, symbol in zip(logits, line[1:], strict=True))
    (bits,) = model.document_bits(token_ids, offsets)
    assert bits == pytest.approx(expected / np.log(2), rel=1e-4)


@needs_torch
@pytest.mark.torch
def test_a_long_document_counts_every_symbol_once() -> None:
    """Of windows that overlap by half each symbol is charged in one only: twice the text has about twice the bits."""
    model = train_transformer(TINY, *held(sentences(200, 1)), seed=0)
    once = " ".join(sentences(10, 5))
    single, double = (float(model.document_bits(*held([text]))[0]) for text in (once, f"{once} {once}"))
    assert 1.9 < double / single < 2.1


@needs_torch
@pytest.mark.torch
def test_a_document_has_the_same_bits_alone_and_among_others() -> None:
    """Windows of many documents go through the network at once, padded to the longest."""
    model = train_transformer(TINY, *held(sentences(60, 1)), seed=0)
    texts = ["the bank", " ".join(sentences(10, 5)), "", *sentences(40, 6), "the price raised the river. the"]
    alone = [float(model.document_bits(*held([text]))[0]) for text in texts]
    assert model.document_bits(*held(texts)) == pytest.approx(alone, rel=1e-4)


@needs_torch
@pytest.mark.torch
def test_too_short_a_selection_is_refused() -> None:
    with pytest.raises(UsageError, match="shorter than a sequence of 32"):
        train_transformer(TINY, *held(["two words"]), seed=0)
