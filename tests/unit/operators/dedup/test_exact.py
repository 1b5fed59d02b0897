from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
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
