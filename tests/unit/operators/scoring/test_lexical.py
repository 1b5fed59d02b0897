from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnowry.operators.scoring.function_words import FUNCTION_WORDS
from winnowry.operators.scoring.lexical import lexical_components


def measured(text: str | None) -> list[float]:
    return lexical_components(pa.array([text], pa.large_string()))[0].tolist()


@pytest.mark.parametrize(
    ("text", "con_ent"),
    [
        ("dog dog cat bird", 1.5),  # 2, 1, 1 of 4
        ("dog dog dog", 0.0),
        ("dog Dog", 1.0),  # surface forms: case kept
        ("the dog of the house", 1.0),  # the and of are function words
        ("a b c d e f g h", math.log2(7)),  # a is an article
    ],
)
def test_con_ent_is_the_entropy_of_content_words_in_bits(text: str, con_ent: float) -> None:
    assert measured(text)[0] == pytest.approx(con_ent, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "pos_ent"),
    [
        ("The dog and the cat of a house", math.log2(5) - 2 / 5),  # the x2, and, of, a
        ("DON’T and don't", math.log2(3) - 2 / 3),  # one contraction, whatever its case and apostrophe
        ("dog cat", 0.0),
    ],
)
def test_pos_ent_is_the_entropy_of_function_words_in_lower_case(text: str, pos_ent: float) -> None:
    assert measured(text)[1] == pytest.approx(pos_ent, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "n_words", "n_sentences"),
    [
        ("Dogs bark. Cats sleep.", 4, 2),
        ("See e.g. the manual at 3.5 or amazon.com today.", 10, 1),  # e and g count, 3.5 does not
        ('He said "Stop!" Then he left.', 6, 2),
        ("Title\nFirst line goes on\nhere. Last", 7, 3),
        ("Title\n\nlower case", 3, 2),  # a blank line ends a sentence
        ("Really?! Yes...", 2, 2),
        ("12 34 56", 0, 0),
        ("well-known user's put_object", 4, 1),
        ("我们爱你。他走了。", 7, 2),
        ("...", 0, 0),
    ],
)
def test_words_and_sentences_are_counted_as_a_reader_would(text: str, n_words: int, n_sentences: int) -> None:
    _, _, sent_len, counted = measured(text)
    assert counted == n_words
    if n_words == 0:
        assert math.isnan(sent_len)
    else:
        assert sent_len == pytest.approx(math.log(n_words / n_sentences))


def test_null_has_no_measure_and_empty_text_no_words() -> None:
    assert np.isnan(measured(None)).all()
    assert np.isnan(measured("")).tolist() == [True, True, True, False]


def test_text_in_another_script_has_no_function_words_to_measure() -> None:
    con_ent, pos_ent, sent_len, n_words = measured("привет большой мир")
    assert (con_ent, n_words) == (math.log2(3), 3)
    assert math.isnan(pos_ent)
    assert sent_len == pytest.approx(math.log(3))


def test_function_words_are_lower_case_ascii_and_hold_every_closed_class() -> None:
    assert all(re.fullmatch(r"[a-z']+", word) for word in FUNCTION_WORDS)
    assert {"the", "because", "between", "herself", "could", "isn't", "you'll", "not"} <= set(FUNCTION_WORDS)
    assert not {"dog", "run", "good", "quickly"} & set(FUNCTION_WORDS)


def _entropy(counts: Counter[str]) -> float:
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values()) if total else 0.0


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["the", "The", "of", "dog", "Dog", "it's", "put_object", "x1", "42", "café"])))
def test_the_kernel_agrees_with_a_count_in_plain_python(words: list[str]) -> None:
    con_ent, pos_ent, sent_len, n_words = measured(" ".join(words))
    worded = [word for word in words if any(character.isalpha() for character in word)]
    assert n_words == len(worded)
    if worded:
        functional = [word.lower() for word in worded if word.lower() in set(FUNCTION_WORDS)]
        content = [word for word in worded if word.lower() not in set(FUNCTION_WORDS)]
        assert con_ent == pytest.approx(_entropy(Counter(content)), abs=1e-9)
        assert pos_ent == pytest.approx(_entropy(Counter(functional)), abs=1e-9)
        assert sent_len == pytest.approx(math.log(len(worded)))


def test_a_text_of_many_different_words_outgrows_the_first_table() -> None:
    text = " ".join(f"w{number}" for number in range(50_000))
    assert measured(text)[0] == pytest.approx(math.log2(50_000))


@given(st.lists(st.one_of(st.none(), st.text()), max_size=8), st.integers(0, 8))
def test_measures_do_not_depend_on_how_rows_are_cut(texts: list[str | None], cut: int) -> None:
    column = pa.array(texts, pa.large_string())
    whole = lexical_components(column)
    parts = np.concatenate([lexical_components(column[:cut]), lexical_components(column[cut:])])
    assert whole.tobytes() == parts.tobytes()


@given(st.binary(max_size=200))
def test_any_bytes_are_measured(octets: bytes) -> None:
    column = pa.array([octets], pa.large_binary()).view(pa.large_string())
    n_words = lexical_components(column)[0, 3]
    assert n_words >= 0


def test_entropies_over_windows_are_means_of_whole_windows() -> None:
    # words in fours: "the cat a cat" (cat 2; the, a), "Dog dog the the" (2 forms; the 2), rest "of owl" left out
    text = pa.array(["the cat a cat Dog dog the the of owl", "the cat a cat", "cat", None])
    rows = lexical_components(text, window=4)
    assert rows[0].tolist() == [(0.0 + 1.0) / 2, (1.0 + 0.0) / 2, np.log(10), 10]
    assert rows[1, :2].tolist() == [0.0, 1.0]
    assert rows[2, :2].tolist() == [0.0, 0.0]
    assert np.isnan(rows[3]).all()
    assert rows[0, 2:].tolist() == lexical_components(text)[0, 2:].tolist()


def test_windows_of_many_texts_do_not_mix() -> None:
    words = [f"w{n % 37}" for n in range(5000)] + [f"v{n}" for n in range(5000)]
    texts = pa.array([" ".join(words[at : at + size]) for at, size in ((0, 5000), (100, 399), (5000, 5000), (0, 12))])
    together = lexical_components(texts, window=200)
    alone = [lexical_components(texts.slice(row, 1), window=200)[0] for row in range(4)]
    assert together.tobytes() == np.array(alone).tobytes()
    assert together[2, 0] == pytest.approx(np.log2(200))
    assert together[3, 0] == pytest.approx(np.log2(12))
