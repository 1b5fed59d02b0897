"""Gopher repetition: every rule on a text counted by hand, and every measure against plain Python."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.text.heuristic_oracle import measured, rejected_by
from winnowry.operators.text.gopher_repetition import GopherRepetition
from winnowry.operators.text.tokenizer import words

PIECES = st.lists(
    st.sampled_from(["a ", "b ", "a b ", "c", "\n", "\n\n", "\n\n\n", " ", "é", "中", "\u3000", "ab cd ef gh ij kl "]),
    max_size=60,
).map("".join)


def repeats(parts: list[str]) -> tuple[int, int]:
    again = [part for index, part in enumerate(parts) if part in parts[:index]]
    return len(again), sum(map(len, again))


def top(found: list[str], n: int) -> int:
    grams = Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    if not grams:
        return 0
    gram, times = grams.most_common(1)[0]  # of equals the first met
    return len(" ".join(gram)) * times


def duplicated(found: list[str], n: int) -> int:
    """Walk over the words; an n-gram met before counts and is jumped over."""
    seen = set()
    total = i = 0
    while i <= len(found) - n:
        gram = tuple(found[i : i + n])
        if gram in seen:
            total += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return total


def expected(text: str) -> dict[str, Any]:
    found = words(text)
    paragraphs = re.split(r"\n{2,}", text.strip())
    lines = re.split(r"\n+", text)
    size = len(text)
    if not size:
        return dict.fromkeys(measured(GopherRepetition(), ""), 0)
    return {
        "n_chars": size,
        "duplicate_paragraph_ratio": repeats(paragraphs)[0] / len(paragraphs),
        "duplicate_paragraph_char_ratio": repeats(paragraphs)[1] / size,
        "duplicate_line_ratio": repeats(lines)[0] / len(lines),
        "duplicate_line_char_ratio": repeats(lines)[1] / size,
        **{f"top_{n}_gram_char_ratio": top(found, n) / size for n in (2, 3, 4)},
        **{f"duplicate_{n}_gram_char_ratio": duplicated(found, n) / size for n in range(5, 11)},
    }


@given(PIECES)
@settings(max_examples=400)
@example("a " * 50)
@example("a b c d e f g h i j k l " * 4)
@example("\n a\n\n\na\n\n a ")
def test_every_measure_is_that_of_plain_python(text: str) -> None:
    assert measured(GopherRepetition(), text) == expected(text)


def test_a_text_counted_by_hand() -> None:
    text = "one two three\none two three\n\nfour\n\nfour"
    row = measured(GopherRepetition(), text)
    assert row["n_chars"] == 39
    assert row["duplicate_paragraph_ratio"] == 1 / 3  # "four"
    assert row["duplicate_paragraph_char_ratio"] == 4 / 39
    assert row["duplicate_line_ratio"] == 2 / 4
    assert row["duplicate_line_char_ratio"] == (13 + 4) / 39
    assert row["top_2_gram_char_ratio"] == 2 * len("one two") / 39  # before "two three", as frequent
    assert row["top_3_gram_char_ratio"] == 2 * len("one two three") / 39
    assert row["top_4_gram_char_ratio"] == len("one two three one") / 39
    assert row["duplicate_5_gram_char_ratio"] == 0


def test_a_repeated_n_gram_counts_once_and_is_jumped_over() -> None:
    # ten words of one letter, twice: the second ten hold two 5-grams, one 6-gram, … that came before
    text = "a b c d e f g h i j " * 2
    row = measured(GopherRepetition(), text)
    assert [row[f"duplicate_{n}_gram_char_ratio"] for n in range(5, 11)] == [
        10 / 40, 6 / 40, 7 / 40, 8 / 40, 9 / 40, 10 / 40,
    ]  # fmt: skip


FILLER = " ".join(f"w{i}" for i in range(40))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("max_duplicate_paragraph_ratio", f"{FILLER} {FILLER.upper()}\n\nx\n\nx\n\nx"),
        ("max_duplicate_paragraph_char_ratio", "\n\n".join([FILLER, FILLER.upper(), FILLER.replace("w", "v"), FILLER])),
        ("max_duplicate_line_ratio", f"{FILLER} {FILLER.upper()}\nx\nx\nx"),
        ("max_duplicate_line_char_ratio", "\n".join([FILLER, FILLER.upper(), FILLER.replace("w", "v"), FILLER])),
        ("max_top_2_gram_char_ratio", " ".join(f"alpha beta w{i} v{i}" for i in range(20))),
        ("max_top_3_gram_char_ratio", " ".join(f"a b c w{i}" for i in range(20))),
        ("max_top_4_gram_char_ratio", " ".join(f"a b c d w{i}" for i in range(20))),
        *(
            (
                f"max_duplicate_{n}_gram_char_ratio",
                " ".join(f"{' '.join(f'g{k}' for k in range(n))} w{i}" for i in range(20)),
            )
            for n in range(5, 11)
        ),
    ],
)
def test_each_rule_rejects_a_text_made_for_it_and_alone_decides(rule: str, text: str) -> None:
    off: dict[str, Any] = {name: None for name in GopherRepetition.model_fields if name.startswith("max_")}
    only = GopherRepetition.model_validate({name: value for name, value in off.items() if name != rule})
    assert rejected_by(only, text) == [rule]
    assert rejected_by(only, FILLER) == []
    assert rule in rejected_by(GopherRepetition(), text)
    assert rejected_by(GopherRepetition.model_validate(off), text) == []


def test_thresholds_are_those_of_table_a1() -> None:
    limits = {rule.name: rule.threshold for rule in GopherRepetition().rules()}
    assert limits == {
        "min_chars": 1,
        "max_duplicate_line_ratio": 0.30, "max_duplicate_paragraph_ratio": 0.30,
        "max_duplicate_line_char_ratio": 0.20, "max_duplicate_paragraph_char_ratio": 0.20,
        "max_top_2_gram_char_ratio": 0.20, "max_top_3_gram_char_ratio": 0.18, "max_top_4_gram_char_ratio": 0.16,
        "max_duplicate_5_gram_char_ratio": 0.15, "max_duplicate_6_gram_char_ratio": 0.14,
        "max_duplicate_7_gram_char_ratio": 0.13, "max_duplicate_8_gram_char_ratio": 0.12,
        "max_duplicate_9_gram_char_ratio": 0.11, "max_duplicate_10_gram_char_ratio": 0.10,
    }  # fmt: skip


def test_an_empty_text_is_rejected_and_a_null_one_too() -> None:
    assert rejected_by(GopherRepetition(), "") == ["min_chars"]
    assert rejected_by(GopherRepetition(), None) == [rule.name for rule in GopherRepetition().rules()]
    assert set(measured(GopherRepetition(), None).values()) == {None}
