"""What a column may be called."""

from __future__ import annotations

import pytest

from winnowry.core.column_names import wrong_name, wrong_word

NO_NAMES = [
    "", " ", "\t", " x", "x ", "a\nb", "a\x00b", "a.b", ".", "..", 'a"b', "a'b", "a`b", "a\\b", "_rowid", "_RowAddr",
    "_rowoffset", "_row_created_at_version", "_row_last_updated_at_version", "_distance", "a" * 129, "中" * 43,
    "a\u202eb", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_no_column_is_called_so(name: str) -> None:
    assert wrong_name(name) is not None
    assert wrong_word(name) is not None


@pytest.mark.parametrize("name", ["a", "Ab_1", "select", "é", "日期", "a" * 128, "中" * 42])
def test_a_column_may_be_called_so(name: str) -> None:
    assert wrong_name(name) is None
    assert wrong_word(name) is None


@pytest.mark.parametrize("name", ["page title", "content-type", "_id", "1st", "a;b", "(x)"])
def test_a_field_may_be_called_so_and_what_a_user_names_may_not(name: str) -> None:
    assert wrong_name(name) is None
    assert wrong_word(name) is not None
