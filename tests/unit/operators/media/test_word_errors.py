"""``speech.wer`` counts what a person counts who lays two transcripts side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.operators.media.word_errors import WordErrorRate
from winnowry.operators.text.kernels.edit_distance import edit_distance


def measured(reference: str | None, hypothesis: str | None, **parameters: Any) -> tuple[Any, ...]:
    texts = {"text": pa.array([reference], pa.large_string()), "asr": pa.array([hypothesis], pa.string())}
    (row,) = WordErrorRate(hypothesis="asr", **parameters).apply(pa.record_batch(texts)).to_pylist()
    return row["wer"], row["word_errors"], row["reference_words"]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "words"),
    [
        ("hello world", "hello duck", 1, 2),  # a substitution
        ("the cat sat on the mat", "the cat sit on mat", 2, 6),  # a substitution and a deletion
        ("a b c", "a b c d e f g", 4, 3),  # insertions: more errors than words
        ("a b c", "", 3, 3),
        ("one two three", "two three one", 2, 3),  # moved: deleted here, inserted there
        ("Hello, World", "hello world", 2, 2),  # as they are written
        ("caf\u00e9", "cafe\u0301", 0, 1),  # one letter, composed and not
        ("  a \n b\t", "a b", 0, 2),
        ("a a a a", "a a", 2, 4),
        ("1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8 9 10", 0, 10),
    ],
)
def test_errors_are_the_least_substitutions_deletions_and_insertions(
    reference: str, hypothesis: str, errors: int, words: int
) -> None:
    assert measured(reference, hypothesis) == (errors / words, errors, words)


def test_without_a_transcript_or_a_word_there_is_no_rate() -> None:
    assert measured(None, "a") == (None, None, None)
    assert measured("a", None) == (None, None, None)
    assert measured("", "") == (None, 0, 0)
    assert measured(" ", "two words") == (None, 2, 0)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "characters"),
    [("今天天气好", "今天天汽好", 1, 5), ("今天 天气好", "今天天气好", 0, 5), ("", "", 0, 0), ("abc", "abxc", 1, 3)],
)
def test_characters_are_compared_without_white_space(
    reference: str, hypothesis: str, errors: int, characters: int
) -> None:
    assert measured(reference, hypothesis, unit="character")[1:] == (errors, characters)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "words"),
    [
        ("Don't stop, please.", "don't stop please", 0, 3),
        ("It\u2019s", "it's", 0, 1),
        ("'quoted' words", "quoted words", 0, 2),
        ("well-known", "well known", 0, 2),
        ("Straße!", "STRASSE", 0, 1),
        ("Yes.", "No.", 1, 1),
    ],
)
def test_case_and_punctuation_can_count_for_nothing(reference: str, hypothesis: str, errors: int, words: int) -> None:
    assert measured(reference, hypothesis, ignore_case_and_punctuation=True)[1:] == (errors, words)


def test_a_record_without_a_rate_does_not_meet_a_limit() -> None:
    (rule,) = WordErrorRate(hypothesis="asr", max_wer=0.5).rules()
    assert rule.keeps(pa.array([0.5, 0.51, None, 0.0])).to_pylist() == [True, False, False, True]
    assert WordErrorRate(hypothesis="asr").rules() == ()


def by_definition(left: list[int], right: list[int]) -> int:
    """The recurrence of Wagner and Fischer, as a table."""
    table = np.zeros((len(left) + 1, len(right) + 1), int)
    table[:, 0], table[0, :] = range(len(left) + 1), range(len(right) + 1)
    for i, a in enumerate(left, start=1):
        for j, b in enumerate(right, start=1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b))
    return int(table[-1, -1])


SYMBOLS = st.lists(st.integers(0, 3), max_size=12)


@given(left=SYMBOLS, right=SYMBOLS)
def test_the_compiled_distance_is_that_of_the_table(left: list[int], right: list[int]) -> None:
    assert edit_distance(np.array(left, np.int64), np.array(right, np.int64)) == by_definition(left, right)
