"""A reader that raises: one row with the name of the exception; what is no fault of the object passes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from winnowry.core.errors import DataError, ObjectChangedError, StorageError
from winnowry.sources.base import Record, Unreadable
from winnowry.sources.guarded import guarded


def failing(error: BaseException) -> Iterator[Record | Unreadable]:
    yield Record(0, {"text": "a"})
    yield Record(4, {"text": "b"})
    raise error


class PanicException(BaseException):
    """As extensions in Rust raise it."""


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (ValueError("Exceeds the limit (4300 digits)"), "ValueError: Exceeds the limit (4300 digits)"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), "UnicodeEncodeError: "),
        (PanicException("index out of bounds"), "PanicException: index out of bounds"),
        (OSError("bad magic"), "OSError: bad magic"),
        (KeyError("\ud800"), "KeyError: "),
    ],
)
def test_an_exception_becomes_the_last_row_after_the_records_before_it(error: BaseException, value: str) -> None:
    *records, last = guarded(failing(error), "source.jsonl", "a")
    assert [record.position for record in records] == [0, 4]
    assert isinstance(last, Unreadable)
    assert (last.position, last.operator, last.reason, last.ends_object) == (5, "source.jsonl", "reader_failed", True)
    assert str(last.value).startswith(value)
    str(last.value).encode()


@pytest.mark.parametrize("error", [StorageError("s"), ObjectChangedError("o"), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_object_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        list(guarded(failing(error), "source.jsonl", "a"))


def test_too_little_memory_stops_the_run_and_names_the_object() -> None:
    with pytest.raises(DataError, match=r"in/a.zst: too little memory to read it: a window of 2 GiB\. Run where"):
        list(guarded(failing(MemoryError("a window of 2 GiB")), "source.jsonl", "in/a.zst"))


def test_a_reader_that_recurses_without_end_is_survived() -> None:
    def endless(depth: int) -> int:
        return endless(depth + 1)

    def reader() -> Iterator[Record | Unreadable]:
        yield Record(endless(0), {})

    [item] = guarded(reader(), "source.deep", "a")
    assert isinstance(item, Unreadable)
    assert "RecursionError" in str(item.value)
    assert sys.getrecursionlimit() >= 1000
