"""Kernels against independent Python: every number is exact, for any Unicode text."""

from __future__ import annotations

import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.operators.base import Operator
from winnowry.operators.text.characters import Characters
from winnowry.operators.text.kernels.words import TERMINATORS
from winnowry.operators.text.length import Length
from winnowry.operators.text.lines import Lines

_PIECES = [
    "\n",
    " ",
    "\u3000",
    "\u00a0",
    "\x1c",
    "\x85",
    "\u200b",
    "...",
    "…",
    "• ",
    "- a",
    "中文。",
    "Ab1",
    "٣",
    "ǅ",
    "e\u0301",
]
QUOTES = "…⋯；\"'”’»›“‘«‹」』﹂﹄｣〞〟＂＇"
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=4)), max_size=30).map("".join)


def measure(operator: Operator, *texts: str | None) -> list[dict[str, Any]]:
    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    rows: list[dict[str, Any]] = operator.apply(batch).to_pylist()
    return rows


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def is_terminated(line: str) -> bool:
    """With sets of characters: a sentence's end or a quotation mark, closing brackets aside."""
    while line and unicodedata.category(line[-1]) == "Pe" and line[-1] not in QUOTES:
        line = line[:-1]
    return bool(line) and (line[-1] in QUOTES or ord(line[-1]) in TERMINATORS)


def expected_lines(text: str, short: int) -> dict[str, Any]:
    lines = lines_of(text)
    n = len(lines)
    seen: set[str] = set()
    repeated = 0
    for line in lines:
        repeated += len(line) if line in seen else 0
        seen.add(line)

    def share(count: int) -> float:
        return count / n if n else 0.0

    return {
        "n_lines": n,
        "bullet_line_ratio": share(sum(line[0] in "•‣◦●▪*-" for line in lines)),
        "ellipsis_line_ratio": share(sum(line.endswith(("...", "…")) for line in lines)),
        "short_line_ratio": share(sum(len(line) <= short for line in lines)),
        "terminal_line_ratio": share(sum(is_terminated(line) for line in lines)),
        "duplicate_line_char_ratio": repeated / sum(map(len, lines)) if n else 0.0,
    }


@given(TEXTS)
@settings(max_examples=200)
@example("a\u3000b\u00a0c\u2028d\x1ce")
def test_characters_and_words_are_those_of_len_and_split(text: str) -> None:
    assert measure(Length(), text) == [{"n_chars": len(text), "n_words": len(text.split())}]


@given(TEXTS)
@settings(max_examples=200)
def test_character_ratios_are_those_of_general_categories(text: str) -> None:
    visible = [character for character in text if not character.isspace()]
    categories = [unicodedata.category(character) for character in visible]
    n = len(visible)

    def share(count: int) -> float:
        return count / n if n else 0.0

    assert measure(Characters(), text) == [
        {
            "alpha_ratio": share(sum(category[0] in "LM" for category in categories)),
            "digit_ratio": share(categories.count("Nd")),
            "upper_ratio": share(categories.count("Lu") + categories.count("Lt")),
            "symbol_ratio": share(sum(category[0] in "PS" for category in categories)),
        }
    ]


@given(TEXTS, st.integers(0, 5))
@settings(max_examples=200)
@example("- a\n- a\n\n  - a \n", 3)
def test_line_ratios_are_those_of_split_and_strip(text: str, short: int) -> None:
    assert measure(Lines(short_line_chars=short), text) == [expected_lines(text, short)]


@pytest.mark.parametrize(
    ("line", "terminated"),
    [
        # one sentence in each script whose sentences have marks of their own (Unicode's Sentence_Terminal)
        ("भारत एक विशाल देश है।", 1),
        ("یہ اردو زبان کا جملہ ہے۔", 1),
        ("كيف حالك اليوم؟", 1),
        ("Սա հայերեն նախադասություն է։", 1),
        ("ይህ የአማርኛ ዓረፍተ ነገር ነው።", 1),
        ("នេះជាប្រយោគខ្មែរ។", 1),
        ("ဒါဟာမြန်မာစာကြောင်းပါ။", 1),
        ("这是一个中文句子。", 1),
        ("半角の句点｡", 1),
        ("Really⁈", 1),
        # quotation marks and brackets after the mark
        ("He said: “Yes.”", 1),
        ("„Ja.“", 1),
        ("« Oui. »", 1),
        ("»Ja!«", 1),
        ("彼は「はい。」", 1),
        ("(That is all.)", 1),
        ("（完了。）", 1),
        ("[See above?])", 1),
        # ellipses
        ("And so on…", 1),
        ("And so on...", 1),
        ("等等……", 1),
        # no end of a sentence
        ("The following:", 0),
        ("apples, pears,", 0),
        ("Click here (more)", 0),
        ("f(x)", 0),
        (")", 0),
        ("A heading", 0),
        ("以下：", 0),
        ("Price 5 €", 0),
    ],
)
def test_a_sentence_of_any_script_ends_its_line(line: str, terminated: int) -> None:
    assert measure(Lines(), line)[0]["terminal_line_ratio"] == terminated


def test_line_ratios_of_a_page_counted_by_hand() -> None:
    page = "• one\n• one\n\nRead more...\nThis is a sentence.\n"
    # 4 lines of 5, 5, 12, 19 characters; 2 bullets; the second "• one" repeats; two lines end with a full stop
    assert measure(Lines(short_line_chars=12), page) == [
        {
            "n_lines": 4,
            "bullet_line_ratio": 2 / 4,
            "ellipsis_line_ratio": 1 / 4,
            "short_line_ratio": 3 / 4,
            "terminal_line_ratio": 2 / 4,
            "duplicate_line_char_ratio": 5 / 41,
        }
    ]


@pytest.mark.parametrize("operator", [Length(), Characters(), Lines()], ids=lambda operator: operator.op)
def test_a_null_text_has_null_measures_and_an_empty_one_zeros(operator: Operator) -> None:
    null, empty = measure(operator, None, "")
    assert set(null.values()) == {None}
    assert set(empty.values()) == {0}


def test_every_code_point_is_classified_as_python_does() -> None:
    from winnowry.operators.text.kernels import characters as kernels

    table = kernels.character_classes()
    for point in [*range(0x3000), *range(0x3000, 0x110000, 37)]:
        if 0xD800 <= point < 0xE000:
            continue
        character = chr(point)
        category = unicodedata.category(character)
        assert bool(table[point] & kernels.SPACE) == character.isspace(), hex(point)
        assert bool(table[point] & kernels.LETTER) == (category[0] in "LM"), hex(point)
        assert bool(table[point] & kernels.DIGIT) == (category == "Nd"), hex(point)
        assert bool(table[point] & kernels.UPPER) == (category in {"Lu", "Lt"}), hex(point)
        assert bool(table[point] & kernels.SYMBOL) == (category[0] in "PS"), hex(point)


def test_only_limits_that_are_set_become_rules() -> None:
    assert [rule.name for rule in Length().rules()] == ["min_words", "max_words"]
    assert Length(min_words=None, max_words=None).rules() == ()
    assert Characters().rules() == ()
    assert Lines().rules() == ()
    (rule,) = Lines(max_bullet_line_ratio=0.9).rules()
    assert (rule.column, rule.comparison, rule.threshold) == ("bullet_line_ratio", "<=", 0.9)


def test_as_prefixes_columns_and_rules() -> None:
    operator = Length.model_validate({"as": "title"})
    assert operator.writes().names == ["title_n_chars", "title_n_words"]
    assert {rule.column for rule in operator.rules()} == {"title_n_words"}
    assert measure(operator, "a b") == [{"title_n_chars": 3, "title_n_words": 2}]
