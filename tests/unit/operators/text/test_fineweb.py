"""FineWeb quality: every rule on a text counted by hand, and every measure against plain Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.text.heuristic_oracle import measured, rejected_by
from winnowry.operators.text.fineweb import FineWeb
from winnowry.operators.text.kernels.words import TERMINATORS
from winnowry.operators.text.tokenizer import words

LONG = "This is one long line of more than thirty characters"
PIECES = st.lists(
    st.sampled_from(["a b.", "word ", "\n", "\n\n", " ", "\u3000", "x" * 31, "。", "！", '"', "\r", "中", "same.\n"]),
    max_size=30,
).map("".join)


def expected(text: str) -> dict[str, Any]:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return {"n_lines": 0, "terminal_line_ratio": 0.0, "short_line_ratio": 0.0, "duplicate_line_char_ratio": 0.0,
                "newline_word_ratio": 0.0}  # fmt: skip
    again = [line for index, line in enumerate(lines) if line in lines[:index]]
    return {
        "n_lines": len(lines),
        "terminal_line_ratio": sum(ord(line[-1]) in TERMINATORS for line in lines) / len(lines),
        "short_line_ratio": sum(len(line) <= 30 for line in lines) / len(lines),
        "duplicate_line_char_ratio": sum(map(len, again)) / len(text.replace("\n", "")),
        "newline_word_ratio": text.count("\n") / len(words(text)),
    }


@given(PIECES)
@settings(max_examples=300)
@example("same.\nsame.\n\nsame. ")
def test_every_measure_is_that_of_plain_python(text: str) -> None:
    assert measured(FineWeb(), text) == expected(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (" \n \n", "min_lines"),
        ("\n".join(f"{LONG} {i}" for i in range(9)) + f"\n{LONG}.", "min_terminal_line_ratio"),  # 0.1
        ("\n".join(f"Short line number {i}." for i in range(3)) + f"\n{LONG}.", "max_short_line_ratio"),  # 3 of 4
        ("\n".join([f"{LONG} {i}." for i in range(9)] + [f"{LONG} 0."]), "max_duplicate_line_char_ratio"),  # a tenth
        (f"{LONG} {LONG}.\n\n\n\n\n\n\n\n\n\n{LONG}.", "max_newline_word_ratio"),  # 10 / 32 words
    ],
)
def test_each_rule_rejects_a_text_made_for_it_and_no_other_rule_does(text: str, rule: str) -> None:
    assert rejected_by(FineWeb(), text)[0] == rule
    off: dict[str, Any] = {"min_lines": None, "min_terminal_line_ratio": None, rule: None}
    if rule != "min_lines":
        assert rejected_by(FineWeb(), text) == [rule]
        off = {rule: None}
    assert rejected_by(FineWeb.model_validate(off), text) == []


def test_texts_at_the_limits_are_kept() -> None:
    assert (
        rejected_by(FineWeb(), "\n".join([LONG + str(i) for i in range(22)] + [f"{LONG} {i}." for i in range(3)])) == []
    )
    assert measured(FineWeb(), f"{'x' * 30}\n{'y' * 31}")["short_line_ratio"] == 0.5  # at most 30 characters
    assert rejected_by(FineWeb(), f"Short line number one.\nShort line number two.\n{LONG}.") == []  # 2 of 3 short


def test_terminal_marks_can_be_given() -> None:
    text = 'He said "yes"\nShe went.'
    assert measured(FineWeb(), text)["terminal_line_ratio"] == 0.5
    assert measured(FineWeb(terminal_marks='."'), text)["terminal_line_ratio"] == 1.0


def test_null_is_null_and_rejected_by_every_rule() -> None:
    assert set(measured(FineWeb(), None).values()) == {None}
    assert rejected_by(FineWeb(), None) == [rule.name for rule in FineWeb().rules()]
