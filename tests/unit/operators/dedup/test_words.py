"""Words of a text, against the same specification written with strings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.dedup.folding import words
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.dedup.kernels.words import fold_characters, fold_table, hash_words, most_words

TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["Word", "word", "WÖRD", "wo\u0308rd", "naïve", "1,234.5", "1.2.3", "٣٫٥", "１２", "a1b", "\u200b",
             "ς", "Σ", "İ", "ß", "한국어", "人人生而自由", "ひらがなカー", "ﾊﾝｶｸ", "ภาษาไทย", "x² ½", "don't",
             "e-mail", "$5", "\u0301", "\U0001f600", "\U00020000", "𝟘", "\x85", "\u00a0", "　", ".", "-", "\n"]
        ),
        st.text(st.characters(max_codepoint=0x2FF), max_size=6),
    ),
    max_size=12,
).map(" ".join)  # fmt: skip


def found(text: str, *, one_number: bool) -> tuple[list[int], list[str]]:
    buffers = utf8_buffers(pa.array([text], pa.large_string()))
    room = most_words(len(text.encode()))
    hashes, begins, ends = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    n = hash_words(buffers.data, buffers.offsets[0], buffers.offsets[1], fold_table(), one_number, hashes, begins, ends)
    return hashes[:n].tolist(), [text[begin:end] for begin, end in zip(begins[:n], ends[:n], strict=True)]


@pytest.mark.parametrize("one_number", [True, False])
@given(text=TEXTS)
@settings(max_examples=300)
@example(text="")
@example(text="12,5 and 12,x and 1,2,3 a12.5b")
def test_words_are_found_where_they_stand_and_hash_alike_when_they_fold_alike(text: str, one_number: bool) -> None:
    hashes, spelled = found(text, one_number=one_number)
    expected = words(text, one_number=one_number)
    assert [word for part in spelled for word in words(part, one_number=one_number)] == expected
    by_word = dict(zip(expected, hashes, strict=True))
    assert hashes == [by_word[word] for word in expected]
    assert len(set(by_word.values())) == len(by_word)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème BRÛLÉE!", "creme brulee"),
        ("a\tb\n c", "a b c"),
        ("3.14 km", "2 km"),
        ("ΟΔΟΣ", "οδος"),
        ("co\u00adop", "coop"),
    ],
)
def test_case_diacritics_punctuation_white_space_and_numbers_do_not_matter(one: str, other: str) -> None:
    assert found(one, one_number=True)[0] == found(other, one_number=True)[0]


def test_numbers_matter_where_they_are_asked_for() -> None:
    assert found("3.14 km", one_number=False)[0] != found("2 km", one_number=False)[0]
    assert found("٣ km", one_number=False)[0] == found("3 km", one_number=False)[0]


@given(text=TEXTS)
@settings(max_examples=200)
@example(text=" a  b ")
@example(text="0\u00ad0")
def test_folded_characters_are_the_words_with_one_space_between(text: str) -> None:
    buffers = utf8_buffers(pa.array([text], pa.large_string()))
    codes = np.empty(len(text.encode()) + 1, np.uint32)
    n = fold_characters(buffers.data, buffers.offsets[0], buffers.offsets[1], fold_table(), True, codes)
    spelled = "".join(map(chr, codes[:n].tolist()))
    assert words(spelled, one_number=False) == words(text)
    assert "  " not in spelled
    assert spelled == spelled.strip(" ")
