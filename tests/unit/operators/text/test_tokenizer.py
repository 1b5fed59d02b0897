"""Words: counted by hand, and against the default word boundaries of the package regex."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from winnowry.core.errors import UsageError
from winnowry.operators.text.tokenizer import word_spans, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t\u3000", []),
        ("The cat sat.", ["The", "cat", "sat", "."]),
        ("It's 3.5 % of $5,000.00!", ["It's", "3.5", "%", "of", "$", "5,000.00", "!"]),
        ("e.g. U.S. J. x. a.b.com.", ["e.g.", "U.S.", "J.", "x", ".", "a.b.com", "."]),
        ("U.S... 3.5.", ["U.S", "...", "3.5", "."]),
        ("10/12/2006 6:15pm 3-4 3- 4", ["10/12/2006", "6:15pm", "3-4", "3", "-", "4"]),
        (
            "see http://a.b/c?d=e-f, (https://x.y). ftp://",
            ["see", "http://a.b/c?d=e-f", ",", "(", "https://x.y", ")", ".", "ftp", ":", "//"],
        ),
        ("well-known a--b ... ?!", ["well", "-", "known", "a", "--", "b", "...", "?", "!"]),
        ("foo_bar a1b2 3,a 3. 4", ["foo_bar", "a1b2", "3", ",", "a", "3", ".", "4"]),
        ("哈哈 中文。", ["哈", "哈", "中", "文", "。"]),
        ("カタカナ ひら", ["カタカナ", "ひ", "ら"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("👍🏽x", ["👍", "🏽", "x"]),
    ],
)
def test_unicode_words_are_these(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(alphabet="aé1. ,\n_$中β", max_size=40))
@settings(max_examples=1000)
def test_unicode_words_are_the_default_boundaries_with_our_joins(
    text: str,
) -> None:
    pieces = [piece for piece in regex.split(r"(?w)\b", text, flags=regex.VERSION1) if piece.strip()]
    joined: list[str] = []
    position = 0
    last_end = -1
    for piece in pieces:
        start = text.index(piece, position)
        position = start + len(piece)
        stripped = piece.strip()
        adjoins = joined and last_end == start
        run = adjoins and len(set(joined[-1] + stripped)) == 1 and stripped in ".,$"
        acronym = adjoins and stripped == "." and regex.search(r"\S\.[a-z]$", joined[-1]) and text[position:][:1] != "."
        if run or acronym:
            joined[-1] += stripped
        else:
            joined.append(stripped)
        last_end = start + len(piece)
    assert words(text) == joined


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_whitespace_words_are_those_of_split(text: str) -> None:
    assert words(text, "whitespace") == text.split()


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_unicode_words_cover_every_character_but_white_space_once(text: str) -> None:
    assert "".join(words(text)).split() == ["".join(text.split())] or not text.split()


def test_jieba_words_are_dictionary_words() -> None:
    pytest.importorskip("rjieba", reason="the extra 'chinese' is not installed")
    # the example of jieba's own documentation
    assert words("我来到北京清华大学", "jieba") == ["我", "来到", "北京", "清华大学"]
    assert words(" \n", "jieba") == []


def test_spans_are_byte_offsets_of_the_column_and_null_has_none() -> None:
    column = pa.array(["skip", "中文 a", None, "b"], pa.large_string()).slice(1)
    spans = word_spans(column)
    assert spans.rows.tolist() == [0, 3, 3, 4]
    assert list(zip(spans.starts.tolist(), spans.stops.tolist(), strict=True)) == [(4, 7), (7, 10), (11, 12), (12, 13)]


def test_a_missing_segmenter_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(UsageError, match=r"winnowry\[chinese\]"):
        words("中文", "jieba")
