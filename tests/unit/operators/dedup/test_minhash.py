"""Band keys: what theory says of them, and what the specification promises."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tests.unit.operators.dedup.folding import jaccard, ngrams, words
from winnowry.core.errors import DataError
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
    assert operator.similarity(np.array([100, 201])).tolist() == [0.5, 1.0]
    assert MinHash().similarity(np.array([15, 7])).tolist() == pytest.approx([1.0, 0.5 ** (1 / 8)])
    assert 13 / 14 < MinHash().similarity(np.array([14]))[0] ** 8 < 1


TEXT = "The quick brown fox jumps over 12 lazy dogs, and the naïve hen watches them from her roof."
LONG = " ".join([TEXT, "Nobody else was there to see it that day, since the farm lay far from the road to town and the",
                 "river had risen 3 feet over night, as it does in spring."] )  # fmt: skip


@pytest.mark.parametrize("preset", ["fineweb", "nemo"])
def test_texts_that_fold_alike_share_every_key(preset: str) -> None:
    texts = [LONG, LONG.upper().replace(" ", "\n ").replace("12", "7.5").replace("Ï", "I")]
    one, other = keys(texts, preset=preset)
    assert shared(one, other) == len(MinHash(preset=preset).keys(pa.array([one], pa.list_(pa.uint64())))) - 1
    assert one == keys([LONG])[0] or preset == "nemo"
    unfolded = keys(texts, preset=preset, fold=[])
    assert shared(*unfolded) < shared(one, other)


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
    assert shared(once, thrice) == 14


@pytest.mark.parametrize("empty", [None, "", " \n", "!!! --- …"])
def test_a_text_without_words_has_no_keys(empty: str | None) -> None:
    assert keys([empty, "word"])[0] is None


def test_a_text_shorter_than_an_ngram_is_one() -> None:
    one, same, marked, other = keys(["Two words", "two\nWORDS", "two words.", "two words more"])
    assert shared(one, same) == 14
    assert shared(one, marked) == 0
    assert shared(one, other) == 0


def test_chinese_is_cut_into_characters() -> None:
    text = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"
    one, other = keys([text, text.replace("，", " ").replace("精神", "心意")])
    similarity = jaccard(ngrams(words(text), 5), ngrams(words(text.replace("精神", "心意")), 5))
    assert similarity == 30 / 40  # 39 characters make 35 five-grams, of which five hold a changed one
    assert len(words(text)) >= 35  # so that marks do not count
    assert 0 < shared(one, other) < 14


def test_seeds_have_nothing_in_common_and_are_the_same_everywhere() -> None:
    (one,), (other,) = keys([TEXT]), keys([TEXT], seed=2)
    assert one is not None
    assert other is not None
    assert shared(one[:-1], other[:-1]) == 0
    # SplitMix64 of seed 0, from the authors' reference implementation (prng.di.unimi.it/splitmix64.c)
    from winnowry.operators.dedup.kernels.minhash import permutations

    a, b = permutations(1, 0)
    assert (int(a[0]), int(b[0])) == (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4)


def test_keys_are_decoded_for_the_join() -> None:
    operator = MinHash()
    batch = pa.record_batch([pa.array([TEXT, None, "word"], pa.large_string())], names=["text"])
    column = operator.apply(batch)[0]
    decoded = np.stack([words[0] for words in operator.keys(column.slice(1))], axis=1)
    assert decoded.tolist() == [[0] * 15, column[2].as_py()]


def test_keys_of_another_version_are_refused() -> None:
    of_version_1 = pa.array([list(range(14))] * 15, pa.list_(pa.uint64()))
    with pytest.raises(DataError, match="clean the partitions again"):
        MinHash().keys(of_version_1)


DIFFERENT = [
    # what is folded away in a long text is all that tells these apart
    ("Question: what is 139 + 584?\nAnswer: 723", "Question: what is 263 - 122?\nAnswer: 141"),
    ("2 * 3", "2 / 3"),
    ("x = -1", "x = 1"),
    ("not (a && b)", "not (a || b)"),
    ("SELECT * FROM t WHERE a < 10 AND b = 'x'", "SELECT * FROM t WHERE a >= 10 AND b <> 'x'"),
    ("for (i = 0; i < n; i++) sum += a[i];", "for (i = 0; i < n; i--) sum -= a[i];"),
    ("C", "C++"),
    ("C++", "C#"),
    ("int *p = &x;", "int p = x;"),
    ("ma", "má"),
    ("Bán nhà", "Bạn nhà"),
    ("année", "annee"),
    ("pip install torch==2.1.0", "pip install torch==2.2.1"),
    ("Due on 2024-01-05", "Due on 2024-02-06"),
    ("Temperature: 5 °C", "Temperature: −8 °C"),
    ("¬p", "p"),
    ("I love it 🙂", "I love it 🙁"),
    ("Really?", "Really!"),
    ("€ 5", "$ 5"),
    ("١٢", "١٣"),
    ("ไม่", "ไม้"),
    ("1. e4 e5 2. Nf3", "1. d4 d5 2. Nf3"),
]


@pytest.mark.parametrize("preset", ["fineweb", "nemo"])
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_short_texts_are_told_apart_by_numbers_marks_and_diacritics(one: str, other: str, preset: str) -> None:
    assert shared(*keys([one, other], preset=preset)) == 0
    assert shared(*keys([one, other], preset=preset, fold_from=0)) >= 14 or "e4" in one  # e4, d4 are words


SAME = [
    ("Bán nhà", "ba\u0301n  nha\u0300"),
    ("I ❤ NY", "I ❤\ufe0f ny"),
    ("2+2 = 4", "2 + 2 = 4"),
    ("١٢ days", "12 days"),
    ("a\u200db", "ab"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_case_white_space_and_composition_do_not_tell_short_texts_apart(one: str, other: str) -> None:
    first, second = keys([one, other])
    assert shared(first, second) == 14
    assert MinHash().similarity(np.array([14]))[0] < 1.0


def test_a_changed_mark_is_little_in_a_text_just_short_of_folding() -> None:
    text = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGH")  # 34 words
    text = text.replace("wordA", "firsta").replace("wordB", "firstb")
    one, other = keys([text, text + "."])
    assert 0 < shared(one, other) < 14  # 30 of 31 five-grams


@pytest.mark.parametrize(("n_words", "n_shared"), [(34, 0), (35, 14)])
def test_the_length_from_which_on_texts_are_folded_is_that_of_the_curve(n_words: int, n_shared: int) -> None:
    # (m - 5) / (m + 5) with m = n - 4 five-grams: 25 / 35 = 0.714 and 26 / 36 = 0.722 around the threshold of 0.719
    numbers = " ".join(map(str, range(n_words))), " ".join(map(str, range(100, 100 + n_words)))
    assert shared(*keys(list(numbers))) == n_shared


def test_folding_can_be_switched_kind_by_kind() -> None:
    numbers = LONG.replace("12", "13").replace("3 feet", "4 feet")
    marks = LONG.replace(",", ";").replace(".", "!")
    diacritics = LONG.replace("naïve", "naive")
    for fold, others in {
        ("numbers",): (numbers,), ("marks",): (marks,), ("diacritics",): (diacritics,),
        ("numbers", "marks", "diacritics"): (numbers, marks, diacritics),
    }.items():  # fmt: skip
        for other in (numbers, marks, diacritics):
            assert (shared(*keys([LONG, other], fold=fold)) == 14) == (other in others)


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
