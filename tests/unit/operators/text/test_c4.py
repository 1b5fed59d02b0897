"""C4: every rule on lines counted by hand, and the cleaned text against plain Python."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.operators.text.heuristic_oracle import measured, rejected_by
from winnowry.operators.text.c4 import ABBREVIATIONS, C4
from winnowry.operators.text.c4_paragraph import C4Paragraph
from winnowry.operators.text.kernels.words import TERMINATORS
from winnowry.operators.text.tokenizer import words

FIVE = "One line is here. Two of them are. Three of them are. Four of them are. Five of them are."
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
PIECES = st.lists(
    st.sampled_from(["a b c.", "word ", "\n", "\r\n", "\x85", "\u2028", "\x1c", "[1]", "[edit]", "[citation needed]",
                     "[x]", "[", "]", "[١]", "...", "!", '"', "javaScript ", "Lorem Ipsum ", "{", "use Cookies ", " ",
                     "\u3000", "x" * 12, "中"]),
    max_size=30,
).map("".join)  # fmt: skip


def expected(text: str, longest: int) -> dict[str, Any]:
    counts = dict.fromkeys(
        ("n_lines", "n_long_word_lines", "n_unterminated_lines", "n_few_word_lines", "n_javascript_lines",
         "n_policy_lines", "n_lorem_ipsum_lines", "n_curly_bracket_lines"), 0,
    )  # fmt: skip
    kept = []
    for whole in text.splitlines():
        found = whole.split()
        line = whole.strip()
        if any(len(word) > longest for word in found):
            counts["n_long_word_lines"] += 1
            continue
        line = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
        lower = line.lower()
        if not line.endswith((".", "?", "!", '"', "'")) or line.endswith("..."):
            counts["n_unterminated_lines"] += 1
        elif len(found) < 3:
            counts["n_few_word_lines"] += 1
        else:
            counts["n_lorem_ipsum_lines"] += "lorem ipsum" in lower
            if "javascript" in lower:
                counts["n_javascript_lines"] += 1
                continue
            counts["n_curly_bracket_lines"] += "{" in line
            if any(phrase in lower for phrase in POLICY):
                counts["n_policy_lines"] += 1
            else:
                counts["n_lines"] += 1
                kept.append(line)
    return {"text": "\n".join(kept).strip(), **counts}


@given(PIECES)
@settings(max_examples=400)
@example("[1] a b c.\n\n[edit] d e f. \n")
@example("a b c[1111][[1]].")
def test_the_cleaned_text_and_the_counts_are_those_of_plain_python(text: str) -> None:
    row = measured(C4(max_word_chars=11), text)
    del row["n_sentences"]
    assert row == expected(text, 11)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (f"A word of {'x' * 1001} characters.", "n_long_word_lines"),
        ("This line has no end", "n_unterminated_lines"),
        ("This line trails off...", "n_unterminated_lines"),
        ("Two words.", "n_few_word_lines"),
        ("Please enable JavaScript now.", "n_javascript_lines"),
        *((f"Read our {phrase.title()} here.", "n_policy_lines") for phrase in POLICY),
    ],
)
def test_a_line_is_dropped_and_counted_for_its_reason(line: str, count: str) -> None:
    row = measured(C4(), f"{FIVE}\n{line}\nA last line stays!")
    assert row["text"] == f"{FIVE}\nA last line stays!"
    assert {name: value for name, value in row.items() if name.endswith("_lines") and value} == {"n_lines": 2, count: 1}


def test_a_line_rule_can_be_switched_off() -> None:
    text = f"no end\nTwo words.\nSome javascript here.\nThe cookie policy applies.\n{'x' * 1001} is long here."
    operator = C4(
        max_word_chars=None, drop_unterminated_lines=False, min_words_per_line=None, drop_javascript_lines=False,
        policy_phrases=(), min_sentences=None,
    )  # fmt: skip
    assert measured(operator, text)["text"] == text
    assert operator.rules() == C4(min_sentences=None).rules()


def test_a_word_of_exactly_the_longest_length_is_kept() -> None:
    line = f"A word of {'x' * 999}."
    assert measured(C4(), line)["text"] == line


def test_citations_are_cut_out_of_a_line() -> None:
    assert measured(C4(), "The sky[12] is[edit] blue.[citation needed]")["text"] == "The sky is blue."
    assert measured(C4(), "The sky [] is [a] blue.")["text"] == "The sky  is [a] blue."
    assert measured(C4(remove_citations=False), "The sky[12] is blue.")["text"] == "The sky[12] is blue."
    # a mark after a space leaves the space at the end of the line: no end mark, as in the published code
    assert measured(C4(), "The sky is blue. [3]")["n_unterminated_lines"] == 1


@pytest.mark.parametrize(
    ("addition", "rule"),
    [("\nHere is Lorem Ipsum text.", "drop_lorem_ipsum"), ("\nA { in a line.", "drop_curly_bracket")],
)
def test_a_line_can_speak_against_the_whole_text(addition: str, rule: str) -> None:
    assert rejected_by(C4(), FIVE) == []
    assert rejected_by(C4(), FIVE + addition) == [rule]
    assert rejected_by(C4.model_validate({rule: False}), FIVE + addition) == []
    # not so in a line that an earlier rule drops
    assert rejected_by(C4(), FIVE + addition.removesuffix(".")) == []


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("One is here. Two is here! Is three here? Yes it is.", 4),
        ("He said so. 'Really?!' she asked him.", 3),
        ("Mr. Smith met J. R. Jones of the U.S. Senate at 3.5 p.m. today.", 1),
        ("Wait... what is this. New one here.", 2),
        ("他来了。她走了！ 谁在那里.", 3),
        ("one two three", 0),
    ],
)
def test_sentences_are_these(text: str, n: int) -> None:
    assert measured(C4(min_words_per_line=2), text)["n_sentences"] == n


def sentences(text: str) -> int:
    n, ended, before = 0, False, ""
    for piece in text.split():
        before = ""
        for word in words(piece):
            n = n or 1
            if ord(word[0]) in TERMINATORS and (len(word) == 1 or word[0] != "."):
                ended = ended or word != "." or before not in ABBREVIATIONS
            elif ended and (unicodedata.category(word[0])[0] != "P" or any(map(str.isalpha, word))):
                n, ended = n + 1, False
            before = word
    return n


@given(
    st.lists(
        st.sampled_from(
            [
                "Mr",
                ".",
                "...",
                "!",
                "?!",
                " ",
                "\u3000",
                "a",
                "J.",
                "U.S.",
                "1",
                "3.5",
                "。",
                "中",
                '"',
                ")",
                "(",
                "-",
                "_",
                "http://a.b?c ",
                "Inc.",
                "\x1c",
                "é",
                " ",
                " A",
            ]
        ),
        max_size=25,
    )
)
@settings(max_examples=500)
def test_sentences_are_counted_as_they_are_defined(pieces: list[str]) -> None:
    line = "".join(pieces).replace("\x1c", "\x1f")  # no line break
    operator = C4.model_validate({"drop_unterminated_lines": False, "min_words_per_line": None, "policy_phrases": ()})
    assert measured(operator, line)["n_sentences"] == (max(1, sentences(line)) if line else 0)


def test_every_mark_ends_a_sentence_where_asked() -> None:
    assert measured(C4(sentences="marks"), "Mr. Smith met J. Jones.")["n_sentences"] == 2


def test_fewer_than_five_sentences_are_rejected() -> None:
    assert rejected_by(C4(), FIVE) == []
    assert rejected_by(C4(), FIVE.removesuffix(" Five of them are.")) == ["min_sentences"]
    assert rejected_by(C4(min_sentences=None), "Short but kept here.") == []


def test_null_stays_null_and_what_keeps_no_line_becomes_empty() -> None:
    assert set(measured(C4(), None).values()) == {None}
    assert measured(C4(), "nothing here")["text"] == ""
    assert rejected_by(C4(), "nothing here") == ["min_sentences"]


@pytest.mark.parametrize(
    ("lines", "third", "kept"),
    [
        ([200, 200, 200], 200, True),
        ([199, 300, 300], 199, False),
        ([500, 500], 0, False),
        ([1, 250, 2, 201, 300], 201, True),
    ],
)
def test_the_third_longest_line_decides(lines: list[int], third: int, kept: bool) -> None:
    text = "\n".join("é" * size for size in lines)
    assert measured(C4Paragraph(), text) == {"n_lines": len(lines), "paragraph_chars": third}
    assert rejected_by(C4Paragraph(), text) == ([] if kept else ["min_paragraph_chars"])
    assert rejected_by(C4Paragraph(min_paragraph_chars=None), text) == []


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 4))
@settings(max_examples=100)
def test_the_longest_but_some_is_that_of_sorting(sizes: list[int], rank: int) -> None:
    lines = ["x" * size for size in sizes] or [""]
    expected_size = sorted(map(len, lines), reverse=True)[rank - 1] if len(lines) >= rank else 0
    assert measured(C4Paragraph(paragraphs=rank), "\n".join(lines))["paragraph_chars"] == expected_size
