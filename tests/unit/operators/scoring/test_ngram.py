from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.operators.scoring.ngram_reference import Reference
from winnowry.core.errors import UsageError
from winnowry.operators.scoring.ngram import NgramModel

Documents = list[list[int]]


def flat(documents: Documents) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return np.array([token for document in documents for token in document], np.int32), offsets


def corpus(seed: int, n_documents: int = 60, vocabulary: int = 12) -> Documents:
    """Zipf-like text with repeated phrases, so that all counts of counts exist at low orders."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocabulary + 1)
    lengths = rng.integers(0, 25, n_documents)
    return [rng.choice(vocabulary, n, p=weights / weights.sum()).tolist() for n in lengths]


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_code_lengths_equal_the_formulas_evaluated_with_dictionaries(order: int, seed: int) -> None:
    train, unseen = corpus(seed), [*corpus(seed + 100), [14, 14, 3], [], [13]]
    model = NgramModel.train(*flat(train), order=order, vocabulary_size=15)
    reference = Reference(train, order, 15)
    for documents in (train, unseen):
        expected = [reference.bits(document) for document in documents]
        np.testing.assert_allclose(model.document_bits(*flat(documents)), expected, rtol=1e-12)
    estimated = [row for row in model.discounts[:, 1:].tolist() if row != [0.5, 1.0, 1.5]]
    assert order == 1 or estimated  # at least one order has discounts of its own, not the fallback
    np.testing.assert_allclose(model.discounts[:, 1:], reference.discounts, rtol=1e-12)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 4), max_size=8), max_size=8),
    st.lists(st.integers(0, 5), max_size=6),
    st.integers(1, 5),
)
def test_any_documents_and_any_text_agree_with_the_formulas(documents: Documents, text: list[int], order: int) -> None:
    model = NgramModel.train(*flat(documents), order=order, vocabulary_size=6)
    expected = Reference(documents, order, 6).bits(text)
    np.testing.assert_allclose(model.document_bits(*flat([text])), [expected], rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("context", [[], [0], [3, 1], [14], [0, 14, 0], [2, 0, 1, 0, 0, 5]])
def test_probabilities_of_all_symbols_sum_to_one(order: int, context: list[int]) -> None:
    model = NgramModel.train(*flat(corpus(3)), order=order, vocabulary_size=15)
    probabilities = model.probabilities(np.array(context, np.int32))
    assert len(probabilities) == 16
    assert (probabilities > 0).all()
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_bigram_model_worked_by_hand() -> None:
    # Documents `a b` and `a c`, vocabulary {a, b, c, d}; so few n-grams that the discounts are 0.5, 1 and 1.5.
    # Bigrams: <s>a 2, ab 1, ac 1, b</s> 1, c</s> 1. Unigrams by distinct predecessors: a 1, b 1, c 1, </s> 2; sum 5.
    # p(x) = (count - D)/5 + (0.5 * 3 + 1)/5 * 1/5: a, b, c 0.1 + 0.1, </s> 0.2 + 0.1, d 0.1.
    model = NgramModel.train(np.array([0, 1, 0, 2], np.int32), np.array([0, 2, 4]), order=2, vocabulary_size=4)
    # p(a|<s>) = (2 - 1)/2 + 1/2 * 0.2 = 0.6; the others 1/2 * p(x).
    np.testing.assert_allclose(model.probabilities(np.array([])), [0.6, 0.1, 0.1, 0.05, 0.15])
    # p(b|a) = (1 - 0.5)/2 + (0.5 + 0.5)/2 * 0.2 = 0.35
    np.testing.assert_allclose(model.probabilities(np.array([0])), [0.1, 0.35, 0.35, 0.05, 0.15])
    # never seen as a context: the unigrams
    np.testing.assert_allclose(model.probabilities(np.array([3])), [0.2, 0.2, 0.2, 0.1, 0.3])
    bits = model.token_bits(np.array([0, 1], np.int32), np.array([0, 2]))
    # p(</s>|b) = (1 - 0.5)/1 + 0.5/1 * 0.3 = 0.65
    np.testing.assert_allclose(2.0**-bits, [0.6, 0.35, 0.65])


def test_an_untrained_model_spreads_evenly() -> None:
    model = NgramModel.train(np.array([], np.int32), np.array([0]), order=3, vocabulary_size=7)
    np.testing.assert_allclose(model.document_bits(*flat([[1, 2], []])), [9.0, 3.0])


def test_the_order_of_documents_does_not_change_the_model() -> None:
    documents = corpus(5)
    shuffled = [documents[n] for n in np.random.default_rng(0).permutation(len(documents))]
    hashes = {NgramModel.train(*flat(d), vocabulary_size=12).content_hash() for d in (documents, shuffled)}
    other = NgramModel.train(*flat([*documents, [1]]), vocabulary_size=12).content_hash()
    assert len(hashes) == 1
    assert other not in hashes


def test_a_stored_or_pickled_model_gives_the_same_bits() -> None:
    model = NgramModel.train(*flat(corpus(6)), order=4, vocabulary_size=12)
    expected = model.document_bits(*flat(corpus(7)))
    assert model.to_bytes() == model.to_bytes()
    for copy in (NgramModel.from_bytes(model.to_bytes()), pickle.loads(pickle.dumps(model))):
        assert copy.content_hash() == model.content_hash()
        np.testing.assert_array_equal(copy.document_bits(*flat(corpus(7))), expected)


def test_bits_of_a_document_are_those_of_its_tokens_and_do_not_depend_on_its_neighbours() -> None:
    model = NgramModel.train(*flat(corpus(8)), vocabulary_size=12)
    documents = [[1, 2, 3], [], [0, 0]]
    bits = model.document_bits(*flat(documents))
    by_token = model.token_bits(*flat(documents))
    np.testing.assert_allclose(bits, [by_token[:4].sum(), by_token[4], by_token[5:].sum()])
    alone = [model.document_bits(*flat([document]))[0] for document in documents]
    np.testing.assert_array_equal(bits, alone)
    tokens, offsets = flat([[9, 9], *documents, [9]])
    np.testing.assert_array_equal(model.document_bits(tokens, offsets[1:5]), bits)


@pytest.mark.parametrize(
    ("tokens", "offsets", "order", "said"),
    [
        ([0, 5], [0, 2], 3, "token id 5 is not in"),
        ([0, -1], [0, 2], 3, "token id -1 is not in"),
        ([0, 1], [0, 3], 3, "offsets"),
        ([0, 1], [1, 0], 3, "offsets"),
        ([0, 1], [0, 2], 6, "order 6"),
        ([0.5], [0, 1], 2, "float64"),
    ],
)
def test_wrong_input_is_named(tokens: list[float], offsets: list[int], order: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        NgramModel.train(np.array(tokens), np.array(offsets), order=order, vocabulary_size=5)
