"""Repeated lines and paragraphs, counted by hand."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.operators.dedup.repeats import RepeatedLines, RepeatedParagraphs


def lines(text: str | None, **parameters: Any) -> tuple[Any, ...]:
    return _apply(RepeatedLines.model_validate({"min_chars": 3, **parameters}), text)


def paragraphs(text: str | None, **parameters: Any) -> tuple[Any, ...]:
    return _apply(RepeatedParagraphs.model_validate({"min_chars": 3, **parameters}), text)


def _apply(operator: RepeatedLines | RepeatedParagraphs, text: str | None) -> tuple[Any, ...]:
    return tuple(operator.apply(pa.record_batch({"text": pa.array([text], pa.large_string())})).to_pylist()[0].values())


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        ("one\ntwo\none\nthree", "one\ntwo\nthree", 1),
        ("one\none\none", "one", 2),
        ("one\none\n", "one\n", 1),
        ("One  line\n one LINE \nend", "One  line\nend", 1),
        ("}\n}\n---\n---\n", "}\n}\n---\n---\n", 0),  # nothing to tell them by
        ("ab\nab", "ab\nab", 0),  # shorter than three characters
        ("\n\nabc\n\nabc\n\n", "\n\nabc\n\n\n", 1),  # blank lines stay
        ("École\nÉCOLE\nfin de page", "École\nfin de page", 1),
        ("自由平等\n自由平等", "自由平等", 1),
        ("", "", 0),
    ],
)
def test_a_repeated_line_goes_with_the_newline_before_it(text: str, expected: str, removed: int) -> None:
    assert lines(text)[:2] == (expected, removed)


@pytest.mark.parametrize(
    ("text", "expected", "removed"),
    [
        (
            "first one\nof two lines\n\nother\n\nFIRST one\nof two  lines\n\nend",
            "first one\nof two lines\n\nother\n\nend",
            1,
        ),
        ("same\n \n\nsame\n\n\nsame\n\n", "same\n\n", 2),
        ("same\nsame", "same\nsame", 0),  # one paragraph
        ("\n\nabc\n\nabc", "\n\nabc", 1),
    ],
)
def test_a_repeated_paragraph_goes_with_the_blank_lines_before_it(text: str, expected: str, removed: int) -> None:
    assert paragraphs(text)[:2] == (expected, removed)


def test_the_share_is_of_characters() -> None:
    assert lines("four\nfour\nfour\nnone")[2] == 8 / 19


def test_a_null_text_stays_null() -> None:
    assert lines(None) == (None, None, None)


def test_the_rule_rejects_what_repeats_itself_too_much() -> None:
    operator = RepeatedLines(max_removed_ratio=0.4)
    (rule,) = operator.rules()
    assert rule.keeps(pa.array([0.4, 0.5, None])).to_pylist() == [True, False, False]
    assert RepeatedLines().rules() == ()


@given(st.lists(st.sampled_from(["alpha", "beta", "ALPHA", "x", "", "gam ma", "gam  ma"]), max_size=12))
def test_lines_are_those_that_a_set_would_leave(drawn: list[str]) -> None:
    seen: set[str] = set()
    kept = []
    for line in drawn:
        form = " ".join(line.lower().split())
        if form not in seen or len(form) < 3:
            kept.append(line)
        if len(form) >= 3:
            seen.add(form)
    assert lines("\n".join(drawn))[0] == "\n".join(kept)
    assert lines("\n".join(kept))[0] == "\n".join(kept)  # once is enough
