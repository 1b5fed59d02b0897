"""Roots on S3 that stores and Lance read differently are refused before anything is written."""

from __future__ import annotations

import pytest

from winnowry.core.errors import UsageError
from winnowry.storage.s3 import S3Store
from winnowry.storage.settings import StorageSettings

SETTINGS = StorageSettings(endpoint="http://127.0.0.1:9", region="us-east-1")


@pytest.mark.parametrize(
    ("root", "what"),
    [
        ("s3://b/back\\slash", "a backslash"),
        ("s3://b/a//b", "two slashes in a row"),
        ("s3://b//a", "two slashes in a row"),
        ("s3://b/a/./b", "the component '.'"),
        ("s3://b/..", "the component '..'"),
        ("s3://b/a/../b", "the component '..'"),
        ("s3://b/tab\tx", "a control character"),
        ("s3://b/new\nline", "a control character"),
        ("s3://b/del\x7f", "a control character"),
    ],
)
def test_it_is_named_what_a_root_must_not_have(root: str, what: str) -> None:
    with pytest.raises(UsageError, match=what.replace(".", r"\.")):
        S3Store(root, SETTINGS)


@pytest.mark.parametrize("root", ["s3://b", "s3://b/", "s3://b/a/", "s3://b/.hidden/x..y", "s3://b/湖 #1?100%"])
def test_any_other_root_is_taken_as_it_is_written(root: str) -> None:
    assert S3Store(root, SETTINGS).root == root.rstrip("/")
