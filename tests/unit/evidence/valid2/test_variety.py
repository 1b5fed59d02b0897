"""Variety of a release: the Vendi score and clusters of embeddings against closed forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.evidence.valid2.test_card import SETTING, found, lake
from winnowry.evidence.valid2.card import make_card
from winnowry.evidence.valid2.variety import effective_clusters, vendi_score, word_vectors
from winnowry.recipe.valid2 import Valid2Gate


def entropy(shares: list[float]) -> float:
    return -sum(share * math.log(share) for share in shares)


@pytest.mark.parametrize("width", [3, 50])
def test_groups_of_equal_items_count_as_the_exponential_of_their_entropy(width: int) -> None:
    vectors = np.zeros((10, width))
    vectors[:7, 0] = vectors[7:9, 1] = vectors[9:, 2] = 1
    assert vendi_score(vectors) == pytest.approx(math.exp(entropy([0.7, 0.2, 0.1])))


def test_two_items_of_a_known_cosine() -> None:
    # The eigenvalues of [[1, c], [c, 1]] / 2 are (1 + c) / 2 and (1 - c) / 2.
    vectors = np.array([[1.0, 0.0], [0.6, 0.8]])
    assert vendi_score(vectors) == pytest.approx(math.exp(entropy([0.8, 0.2])))


def test_words_are_counted_whatever_their_case_and_a_text_without_any_is_left_out() -> None:
    same, other, none = "Rates rise", "rates RISE!", " \n"
    vectors = word_vectors([same, other, none, "rates fall"])
    assert vectors.shape[0] == 3
    cosines = vectors @ vectors.T
    assert cosines[0, 1] == pytest.approx(1)
    assert cosines[0, 2] == pytest.approx(1 / 3)  # one of three: rates, rise, "rates rise"


def test_clusters_that_lie_apart_are_found() -> None:
    generator = np.random.default_rng(3)
    sizes = [400, 200, 100, 100]
    vectors = np.concatenate([
        np.eye(8)[place] + generator.normal(0, 0.01, (size, 8)) for place, size in enumerate(sizes)
    ])  # fmt: skip
    effective, occupied = effective_clusters(vectors, 4)
    assert occupied == 4
    assert effective == pytest.approx(math.exp(entropy([size / 800 for size in sizes])))


def test_fewer_different_vectors_than_clusters() -> None:
    assert effective_clusters(np.repeat(np.eye(2), 8, axis=0), 5) == (pytest.approx(2), 2)


TEXTS = [f"{word} grows." for word in ("maize", "barley", "millet", "rye") for _ in range(25)]


def card_of(root: Path, gate: Valid2Gate, **columns: Any) -> dict[str, dict[str, Any]]:
    return found(make_card(lake(root, TEXTS, **columns), gate, SETTING))


def test_without_embeddings_words_are_compared(tmp_path: Path) -> None:
    measured = card_of(tmp_path, Valid2Gate())
    # Four groups of 25 texts: within one the cosine is 1, between two 1/3 (grows, of three n-grams). K/n has the
    # eigenvalues (1 + 3/3) / 4 and three times (1 - 1/3) / 4.
    assert measured["vendi_score"]["value"] == pytest.approx(math.exp(entropy([1 / 2, 1 / 6, 1 / 6, 1 / 6])))
    assert measured["vendi_score"]["note"] == "of 100 texts; cosines of words and pairs of words"
    assert measured["effective_clusters"]["value"] is None
    assert measured["effective_clusters"]["why"] == "the gate names no column of embeddings"


@pytest.mark.parametrize("kind", [pa.list_(pa.float32(), 4), pa.list_(pa.float64())])
def test_a_column_of_embeddings_is_what_is_compared(tmp_path: Path, kind: pa.DataType) -> None:
    rows = [[2.0 * (i % 4 == k) for k in range(4)] for i in range(98)] + [None, [0.0] * 4]  # lengths do not count
    gate = Valid2Gate(embedding="vector", thresholds={"effective_clusters": 5})
    measured = card_of(tmp_path, gate, vector=pa.array(rows, kind))
    assert measured["vendi_score"]["value"] == pytest.approx(math.exp(entropy([25 / 98] * 2 + [24 / 98] * 2)))
    assert measured["effective_clusters"]["value"] == pytest.approx(math.exp(entropy([25 / 98] * 2 + [24 / 98] * 2)))
    assert measured["effective_clusters"]["records"] == 98
    assert measured["effective_clusters"]["passed"] is False
    assert "4 occupied" in measured["effective_clusters"]["note"]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (None, "the release has no column `vector`"),
        (pa.array([1.0] * 100), "`vector` is double; expected a list of floats"),
        (pa.array([[1.0]] * 99 + [[1.0, 2.0]]), "`vector` holds vectors of 2 lengths"),
        (pa.array([None] * 100, pa.list_(pa.float32())), "`vector` is empty in what was drawn"),
        (pa.array([[0.0, 0.0]] * 50 + [[math.nan, 1.0]] * 50), "no vector of `vector` has a length"),
    ],
)
def test_what_is_no_embedding_is_told_and_scores_nothing(tmp_path: Path, column: pa.Array | None, says: str) -> None:
    columns = {} if column is None else {"vector": column}
    gate = Valid2Gate(embedding="vector", thresholds={"vendi_score": 2})
    measured = card_of(tmp_path, gate, **columns)
    assert measured["vendi_score"]["why"] == measured["effective_clusters"]["why"] == says
    assert measured["vendi_score"]["score"] == 0.0  # it was asked for
    assert measured["effective_clusters"]["score"] is None
