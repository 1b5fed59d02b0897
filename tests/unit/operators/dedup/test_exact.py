from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from winnowry.operators.dedup.exact import ExactDuplicates, content_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello World", "hello world"),
        ("a  b\n\tc ", " a b c"),
        ("a\u3000b\u00a0c", "a b c"),
        ("cafe\u0301", "CAF\u00c9"),
        ("", " \n"),
    ],
)
def test_case_white_space_and_composition_do_not_matter(one: str, other: str) -> None:
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("a, b", "a b"), ("1", "2"), ("e", "é"), ("ﬁ", "fi")])
def test_everything_else_matters(one: str, other: str) -> None:
    assert content_key(one) != content_key(other)


def test_the_key_is_the_beginning_of_sha256() -> None:
    assert content_key(" Ab \n c") == hashlib.sha256(b"ab c").hexdigest()[:32]


@given(st.text())
def test_white_space_around_words_never_changes_the_key(text: str) -> None:
    assert content_key("\n" + "\u2003".join(text.split()) + " ") == content_key(text)


def test_null_has_no_key_and_as_names_the_column() -> None:
    operator = ExactDuplicates.model_validate({"as": "key"})
    batch = pa.record_batch([pa.array([None, "a"], pa.large_string())], names=["text"])
    assert operator.apply(batch).to_pydict() == {"key": [None, content_key("a")]}
    assert operator.rules() == ()


_TRICKY = [
    "Σ",
    "ΑΣ",
    "İ",
    "ẞ",
    "Ⱥ",
    "\u0301",
    "e\u0301",
    "\u1100\u1161",
    "가",
    "\u212b",
    "\u2126",
    "ǅ",
    "Ꭰ",
    "𐐀",
    "\x1f",
    "\x85",
]


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=8), st.lists(st.sampled_from([*_TRICKY, " ", "A"])).map("".join)))
)
@settings(max_examples=300)
@example(_TRICKY)
def test_the_compiled_form_gives_the_key_of_the_plain_one(texts: list[str | None]) -> None:
    written = ExactDuplicates().apply(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    assert written[0].to_pylist() == [None if text is None else content_key(text) for text in texts]


@given(st.lists(st.text("AZaz@[`{09 \n\x1f\x00\x7fé\u3000", min_size=8, max_size=60), max_size=6))
@settings(max_examples=300)
@example(["ABCDEFGHIJKLMNOPQRSTUVWXYZ[@`{", "seven78  nine", "        x       y", "eight678 ", " eight678"])
def test_eight_bytes_at_once_give_the_key_of_the_plain_form(texts: list[str]) -> None:
    written = ExactDuplicates().apply(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    assert written[0].to_pylist() == [content_key(text) for text in texts]


def test_every_character_has_the_key_of_the_plain_form() -> None:
    texts = [f"A {chr(point)}B" for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    written = ExactDuplicates().apply(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    wrong = [text for text, key in zip(texts, written[0].to_pylist(), strict=True) if key != content_key(text)]
    assert wrong == []


def test_keys_are_decoded_for_the_join() -> None:
    operator = ExactDuplicates()
    column = operator.apply(pa.record_batch({"text": pa.array(["a", None, "b"], pa.large_string())}))[0]
    ((first, last),) = operator.keys(column.slice(1))
    assert f"{first[1]:016x}{last[1]:016x}" == content_key("b")
    assert first[0] == 0
