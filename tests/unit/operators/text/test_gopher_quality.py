"""Gopher quality: every rule on a text counted by hand, and every measure against plain Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.text.heuristic_oracle import measured, rejected_by
from winnowry.operators.text.gopher_quality import GopherQuality
from winnowry.operators.text.kernels.words import SYMBOLS, TERMINATORS
from winnowry.operators.text.tokenizer import words

# 10 words of 3, 3, 3, 2, 3, 3, 4, 3, 3, 3 letters; "the" and "with" are stop words; 11 with the full stop
SENTENCE = "the cat sat on the mat with its red hat. "
PROSE = SENTENCE * 6

SYMBOL_POINTS = {chr(point) for point in SYMBOLS | TERMINATORS}
PIECES = st.lists(
    st.one_of(
        st.sampled_from(["the ", "of", " and", "#", "...", "…", ".", "\n", "\r\n", "\u2028", "\x85", " - ", "• a", "1",
                         "中", "\x1c", "\x1f", "\t", "é"]),
        st.text(max_size=3),
    ),
    max_size=25,
).map("".join)  # fmt: skip


def expected(text: str) -> dict[str, Any]:
    found = words(text)
    real = [word for word in found if any(character not in SYMBOL_POINTS for character in word)]
    lines = text.splitlines()

    def per(count: int, whole: int) -> float:
        return count / whole if whole else 0.0

    return {
        "n_words": len(real),
        "mean_word_chars": per(sum(map(len, real)), len(real)),
        "hash_word_ratio": per(text.count("#"), len(found)),
        "ellipsis_word_ratio": per(text.count("...") + text.count("…"), len(found)),
        "bullet_line_ratio": per(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_line_ratio": per(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_word_ratio": per(sum(any(map(str.isalpha, word)) for word in found), len(found)),
        "n_stop_words": len({"the", "be", "to", "of", "and", "that", "have", "with"} & set(found)),
    }


@given(PIECES)
@settings(max_examples=300)
@example("....\n. . .\n.. .\n...... \n…\x1f")
@example("\n\n- a\r\n\r• b\x1c- c")
def test_every_measure_is_that_of_plain_python(text: str) -> None:
    assert measured(GopherQuality(), text) == expected(text)


def test_a_text_counted_by_hand() -> None:
    assert measured(GopherQuality(), "• The cat #1 sat...\n- of the mat!\n\nEnd …") == {
        # • The cat # 1 sat ... | - of the mat ! | End …: 14 words, without # ... - ! … nine, • is none of the symbols
        "n_words": 9,
        "mean_word_chars": (1 + 3 + 3 + 1 + 3 + 2 + 3 + 3 + 3) / 9,
        "hash_word_ratio": 1 / 14,
        "ellipsis_word_ratio": 2 / 14,
        "bullet_line_ratio": 2 / 4,
        "ellipsis_line_ratio": 2 / 4,
        "alpha_word_ratio": 7 / 14,
        "n_stop_words": 2,
    }


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (SENTENCE * 4 + "the cat sat on the mat with its red", "min_words"),  # 49 words; 50 pass, see below
        (SENTENCE * 10_000 + "cat", "max_words"),  # 100,001
        ("the with on it is a " * 10 + "at of to be", "min_mean_word_chars"),  # 60 words, 17 letters in each 6
        ("the with " + "extraordinary " * 50, "max_mean_word_chars"),
        (PROSE + "#" * 8, "max_hash_word_ratio"),  # 8 / 67 words, "########" being one
        (PROSE + "… " * 8 + "end", "max_ellipsis_word_ratio"),  # 8 / 75
        ("- " + PROSE.replace("hat. ", "hat.\n- ") + "end", "max_bullet_line_ratio"),  # all 7 lines
        (PROSE.replace("hat. ", "hat.\n").replace("hat.\n", "hat...\n", 2), "max_ellipsis_line_ratio"),  # 2 of 6
        (PROSE + "1234 " * 10, "min_alpha_word_ratio"),  # 60 / 76
        (PROSE.replace("with", "both"), "min_stop_words"),  # "the" alone
    ],
)
def test_each_rule_rejects_a_text_made_for_it_and_no_other_rule_does(text: str, rule: str) -> None:
    assert rejected_by(GopherQuality(), text) == [rule]
    assert rejected_by(GopherQuality.model_validate({rule: None}), text) == []


def test_a_text_at_the_limits_is_kept() -> None:
    assert rejected_by(GopherQuality(), SENTENCE * 5) == []  # 50 words, the least
    assert rejected_by(GopherQuality(), SENTENCE * 10_000) == []  # 100,000 words, the most
    assert rejected_by(GopherQuality(), "the with " + "abcdefghijk " * 7 + "abcdefghij " * 49) == []  # 574 / 58 letters
    assert rejected_by(GopherQuality(), PROSE + "1234 " * 6) == []  # 60 / 72


def test_reasons_come_in_the_order_of_the_published_filter() -> None:
    assert [rule.name for rule in GopherQuality().rules()] == [
        "min_words", "max_words", "min_mean_word_chars", "max_mean_word_chars", "max_hash_word_ratio",
        "max_ellipsis_word_ratio", "max_bullet_line_ratio", "max_ellipsis_line_ratio", "min_alpha_word_ratio",
        "min_stop_words",
    ]  # fmt: skip


def test_words_are_those_of_the_tokeniser_asked_for() -> None:
    assert measured(GopherQuality(tokenizer="whitespace"), "the, of and")["n_stop_words"] == 2
    assert measured(GopherQuality(), "the, of and")["n_stop_words"] == 3
    assert GopherQuality(tokenizer="whitespace").fingerprint()["tokenizer"] == "whitespace"


def test_stop_words_and_bullets_of_another_language_can_be_given() -> None:
    operator = GopherQuality(stop_words=("的", "了"), bullets="·")
    assert measured(operator, "· 我的书\n的")["n_stop_words"] == 1
    assert measured(operator, "· 我的书\n的")["bullet_line_ratio"] == 0.5


def test_null_is_null_and_empty_is_zero() -> None:
    assert set(measured(GopherQuality(), None).values()) == {None}
    assert set(measured(GopherQuality(), "").values()) == {0}
