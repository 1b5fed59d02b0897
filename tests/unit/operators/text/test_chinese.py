"""Rules for Chinese: every one on a text counted by hand, and every measure against plain Python."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.text.heuristic_oracle import measured, rejected_by
from winnowry.operators.text.chinese import Chinese

# Article 1 of the Universal Declaration of Human Rights in both scripts
SIMPLIFIED = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"
TRADITIONAL = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。"
PIECES = st.lists(
    st.sampled_from(["中文", "国", "國", "a", "A", "\n", " ", "\u3000", "。", "〇", "𠀀", "ab", "é", "” \n"]),
    max_size=40,
).map("".join)


def expected(text: str, gram: int) -> dict[str, Any]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    visible = "".join(text.split())
    visible = "".join(character.lower() if character.isascii() else character for character in visible)
    grams = Counter(visible[i : i + gram] for i in range(len(visible) - gram + 1))
    size, told = len(text), text.count("国") + text.count("國")
    return {
        "n_chars": size,
        "mean_line_chars": size / (text.count("\n") + 1),
        "han_ratio": sum(character in "中文国國〇𠀀" for character in text) / size if size else 0.0,
        "traditional_ratio": text.count("國") / told if told else 0.0,
        "terminal_line_ratio": sum(line[-1] in "。”" for line in lines) / len(lines) if lines else 0.0,
        "repeated_gram_ratio": sum(n for n in grams.values() if n > 1) / grams.total() if grams else 0.0,
    }


@given(PIECES, st.integers(2, 5))
@settings(max_examples=300)
@example("Aa" * 8, 3)
def test_every_measure_is_that_of_plain_python(text: str, gram: int) -> None:
    assert measured(Chinese(gram_chars=gram), text) == expected(text, gram)


def test_script_is_told_by_the_characters_that_differ() -> None:
    # 严权们赋应关对 against 嚴權們賦並應關係對; 系 and 并 are in both character sets, 並 and 係 in one
    assert measured(Chinese(), SIMPLIFIED)["traditional_ratio"] == 0.0
    assert measured(Chinese(), TRADITIONAL)["traditional_ratio"] == 1.0
    assert measured(Chinese(), "中文")["traditional_ratio"] == 0.0


PAGE = "\n".join(f"第{number}条规定：{SIMPLIFIED[number:]}" for number in range(1, 9))


@pytest.mark.parametrize(
    ("rule", "changes", "text"),
    [
        ("min_chars", {}, SIMPLIFIED * 4),
        ("min_mean_line_chars", {}, "\n".join(SIMPLIFIED[i % 40 : i % 40 + 3] + "。" for i in range(90))),
        ("min_han_ratio", {}, PAGE + "only English follows here, of many words. " * 30),
        ("max_traditional_ratio", {"max_traditional_ratio": 0.1}, TRADITIONAL * 5),
        ("min_traditional_ratio", {"min_traditional_ratio": 0.9}, SIMPLIFIED * 5),
        ("min_terminal_line_ratio", {}, PAGE.replace("。\n", "\n").removesuffix("。")),
        ("max_repeated_gram_ratio", {}, SIMPLIFIED * 5),
    ],
)
def test_each_rule_rejects_a_text_made_for_it_and_can_be_switched_off(
    rule: str, changes: dict[str, Any], text: str
) -> None:
    assert rule in rejected_by(Chinese.model_validate(changes), text)
    limits = [name for name in Chinese.model_fields if name.startswith(("min_", "max_"))]
    only = Chinese.model_validate({name: None for name in limits if name != rule} | changes)
    assert rejected_by(only, text) == [rule]
    assert rule not in rejected_by(Chinese.model_validate({rule: None}), text)


def test_two_hundred_characters_are_too_few_and_one_more_is_enough() -> None:
    assert rejected_by(Chinese(max_repeated_gram_ratio=None), "人" * 199 + "。") == ["min_chars"]
    assert rejected_by(Chinese(max_repeated_gram_ratio=None), "人" * 200 + "。") == []


def test_null_is_null_and_empty_is_zero() -> None:
    assert set(measured(Chinese(), None).values()) == {None}
    row = measured(Chinese(), "")
    assert set(row.values()) == {0}
