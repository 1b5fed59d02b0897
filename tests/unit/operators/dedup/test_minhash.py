"""Band keys: what theory says of them, and what the specification promises."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tests.unit.operators.dedup.folding import jaccard, ngrams, words
from winnowry.operators.dedup.minhash import MinHash, recall


def keys(texts: list[str | None], **parameters: object) -> list[list[int] | None]:
    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    found: list[list[int] | None] = MinHash.model_validate(parameters).apply(batch)[0].to_pylist()
    return found


def shared(one: list[int] | None, other: list[int] | None) -> int:
    assert one is not None
    assert other is not None
    return sum(a == b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("bands", "rows", "expected"),
    [  # 1 - (1 - s^rows)^bands, rounded to three digits
        (14, 8, (0.211, 0.565, 0.772, 0.924, 0.988, 1.000)),
        (20, 13, (0.026, 0.177, 0.382, 0.677, 0.924, 0.997)),
    ],
)
def test_expected_recall_is_that_of_the_published_settings(bands: int, rows: int, expected: tuple[float, ...]) -> None:
    assert recall([0.6, 0.7, 0.75, 0.8, 0.85, 0.9], bands, rows) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("preset", "threshold"), [("fineweb", 0.719), ("nemo", 0.794)])
def test_presets_have_the_published_threshold(preset: str, threshold: float) -> None:
    forecast = MinHash.model_validate({"preset": preset}).forecast()
    assert forecast.threshold == pytest.approx(threshold, abs=5e-4)
    assert (forecast.bands, forecast.rows, forecast.ngram) == {"fineweb": (14, 8, 5), "nemo": (20, 13, 24)}[preset]


def invented(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=10))


def test_a_band_matches_with_probability_similarity_to_the_power_of_rows() -> None:
    rng = random.Random(3)
    bands, rows, n = 64, 4, 150
    for target in (0.55, 0.75, 0.9):
        matched, expected, variance = 0, 0.0, 0.0
        for _ in range(n):
            one = [invented(rng) for _ in range(120)]
            other = [word if rng.random() < target**0.5 else invented(rng) for word in one]
            similarity = jaccard(ngrams(one, 1), ngrams(other, 1))
            seed = rng.randrange(2**32)
            first, second = keys([" ".join(one), " ".join(other)], ngram=1, bands=bands, rows=rows, seed=seed)
            matched += shared(first, second)
            p = similarity**rows
            expected += bands * p
            variance += bands * p * (1 - p)
        assert abs(matched - expected) < 4 * variance**0.5, target


def test_estimated_similarity_is_right_on_average() -> None:
    operator = MinHash(bands=200, rows=1)
    assert operator.similarity(np.array([100, 200])).tolist() == [0.5, 1.0]
    assert MinHash().similarity(np.array([14, 7])).tolist() == pytest.approx([1.0, 0.5 ** (1 / 8)])


TEXT = "The quick brown fox jumps over 12 lazy dogs, and the naïve hen watches them from her roof."


@pytest.mark.parametrize("preset", ["fineweb", "nemo"])
def test_texts_that_fold_alike_share_every_key(preset: str) -> None:
    one, other = keys([TEXT, TEXT.upper().replace(" ", "\n ").replace("12", "7.5").replace("Ï", "I")], preset=preset)
    assert one == other


@pytest.mark.parametrize("preset", ["fineweb", "nemo"])
def test_unlike_texts_share_no_key(preset: str) -> None:
    other_text = "Something else entirely was written here by somebody who never saw the first."
    one, other = keys([TEXT, other_text], preset=preset)
    assert shared(one, other) == 0


def test_the_order_of_words_matters_and_repetition_does_not() -> None:
    a, b, c = keys(["one two three four five six", "six five four three two one", "one two three four five six"])
    assert a == c
    assert shared(a, b) == 0
    once, thrice = keys(["x y " * 4, "x y " * 40], ngram=2)
    assert once == thrice


@pytest.mark.parametrize("empty", [None, "", " \n", "!!! --- …"])
def test_a_text_without_words_has_no_keys(empty: str | None) -> None:
    assert keys([empty, "word"])[0] is None


def test_a_text_shorter_than_an_ngram_is_one() -> None:
    one, same, other = keys(["Two words", "two WORDS.", "two words more"])
    assert one == same
    assert shared(one, other) == 0


def test_chinese_is_cut_into_characters() -> None:
    text = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"
    one, other = keys([text, text.replace("，", " ").replace("精神", "心意")])
    similarity = jaccard(ngrams(words(text), 5), ngrams(words(text.replace("精神", "心意")), 5))
    assert similarity == 30 / 40  # 39 characters make 35 five-grams, of which five hold a changed one
    assert 0 < shared(one, other) < 14


def test_seeds_have_nothing_in_common_and_are_the_same_everywhere() -> None:
    (one,), (other,) = keys([TEXT]), keys([TEXT], seed=2)
    assert shared(one, other) == 0
    # SplitMix64 of seed 0, from the authors' reference implementation (prng.di.unimi.it/splitmix64.c)
    from winnowry.operators.dedup.kernels.minhash import permutations

    a, b = permutations(1, 0)
    assert (int(a[0]), int(b[0])) == (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4)


def test_keys_are_decoded_for_the_join() -> None:
    operator = MinHash()
    batch = pa.record_batch([pa.array([TEXT, None, "word"], pa.large_string())], names=["text"])
    column = operator.apply(batch)[0]
    decoded = np.stack([words[0] for words in operator.keys(column.slice(1))], axis=1)
    assert decoded.tolist() == [[0] * 14, column[2].as_py()]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bands": 1000, "rows": 100}, "at most 16,384"),
        ({"keep": "best"}, "need each other"),
        ({"by": "language_score"}, "need each other"),
        ({"preset": "gpt"}, "fineweb"),
    ],
)
def test_a_mistake_in_the_recipe_is_named(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MinHash.model_validate(parameters)
