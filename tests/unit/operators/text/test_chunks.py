"""``text.chunks``: where texts are cut."""

from __future__ import annotations

import time
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.operators.test_hostile_text import HOSTILE
from winnowry.operators.text.chunks import Chunks

PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\n\n", "\n", ". ", "。", "!” ", " ", "word", "\u2029", "\r\n\r\n", "e\u0301"]),
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


def chunks(text: str | None, max_chars: int, overlap_chars: int = 0) -> list[str]:
    batch = pa.record_batch({"text": pa.array([text], pa.large_string())})
    derived = Chunks(max_chars=max_chars, overlap_chars=overlap_chars).derive(batch)
    return [str(chunk) for chunk in derived.batch["text"].to_pylist()]


@pytest.mark.parametrize(
    ("text", "max_chars", "expected"),
    [
        ("short", 10, ["short"]),
        ("exactly ten", 11, ["exactly ten"]),
        ("One para.\n\nTwo. Three.", 14, ["One para.\n\n", "Two. Three."]),  # a paragraph before a sentence
        ("One two. Three four five", 14, ["One two. ", "Three four ", "five"]),  # a sentence before a word
        ("He said “no.” She left.", 16, ["He said “no.” ", "She left."]),  # the quote belongs to its sentence
        ("Hi.\n\nA long sentence here.", 20, ["Hi.\n\nA long ", "sentence here."]),  # no chunk below half of the bound
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("今天下雨。明天晴。", 6, ["今天下雨。", "明天晴。"]),
        ("a\n\n\n\nb", 4, ["a\n\n\n", "\nb"]),  # a blank longer than the bound is cut too
        ("  ", 10, ["  "]),
        ("", 10, []),
        (None, 10, []),
    ],
)
def test_a_text_is_cut_behind_a_paragraph_else_a_sentence_else_a_word_else_a_character(
    text: str | None, max_chars: int, expected: list[str]
) -> None:
    assert chunks(text, max_chars) == expected


def test_a_chunk_repeats_the_last_characters_of_the_one_before_it() -> None:
    assert chunks("abcdefghij", 4, 1) == ["abcd", "defg", "ghij"]


@given(text=TEXTS, max_chars=st.integers(1, 40))
@settings(max_examples=200)
def test_chunks_put_together_are_the_text(text: str, max_chars: int) -> None:
    parts = chunks(text, max_chars)
    assert "".join(parts) == text
    assert all(0 < len(part) <= max_chars for part in parts)
    assert all(len(part) > max_chars // 2 for part in parts[:-1])


@given(text=TEXTS, max_chars=st.integers(1, 40), share=st.integers(0, 4))
@settings(max_examples=200)
def test_offsets_and_numbers_say_where_a_chunk_lies(text: str, max_chars: int, share: int) -> None:
    overlap = max_chars // 4 * share // 4
    batch = pa.record_batch({"text": pa.array([text], pa.large_string())})
    rows = Chunks(max_chars=max_chars, overlap_chars=overlap).derive(batch).batch.to_pylist()
    assert [row["chunk_index"] for row in rows] == list(range(len(rows)))
    assert {row["n_chunks"] for row in rows} <= {len(rows)}
    assert all(row["text"] == text[row["chunk_start"] : row["chunk_end"]] for row in rows)
    for before, after in pairwise(rows):
        assert before["chunk_end"] - after["chunk_start"] == overlap
    if rows:
        assert (rows[0]["chunk_start"], rows[-1]["chunk_end"]) == (0, len(text))


def test_an_overlap_of_more_than_a_quarter_is_refused() -> None:
    with pytest.raises(ValidationError, match="a quarter of max_chars"):
        Chunks(max_chars=100, overlap_chars=26)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_text_is_cut_in_time_that_grows_no_faster_than_it(case: str) -> None:
    def seconds(n: int) -> float:
        text = HOSTILE[case](n)
        begin = time.process_time()
        assert "".join(chunks(text, 200)) == text
        return time.process_time() - begin

    # A machine that does something else at the time has three tries; a quadratic cut takes 16 times as long in each.
    assert any(seconds(200_000) <= 9 * max(seconds(50_000), 0.02) for _ in range(3))
