"""Rows that a computation fails on are found, and cost no other row its values."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.engine.isolate import Part, isolated


def rows(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int64())})


def positive(batch: pa.RecordBatch) -> list[int]:
    values: list[int] = batch.column("n").to_pylist()
    if min(values, default=0) < 0:
        raise ValueError(f"{min(values)} is negative")
    return values


def outcome(part: Part[list[int]]) -> tuple[int, int, list[int] | str | None]:
    return part.start, part.n_rows, str(part.error) if part.error is not None else part.values


def test_a_batch_that_does_not_fail_is_computed_once() -> None:
    assert [outcome(part) for part in isolated(positive, rows(1, 2, 3))] == [(0, 3, [1, 2, 3])]


def test_the_failing_row_stands_alone_and_the_others_are_computed() -> None:
    assert [outcome(part) for part in isolated(positive, rows(1, 2, 3, -4, 5))] == [
        (0, 2, [1, 2]),
        (2, 1, [3]),
        (3, 1, "-4 is negative"),
        (4, 1, [5]),
    ]


@given(st.lists(st.integers(-3, 9), max_size=40))
def test_parts_cover_every_row_once_in_order(values: list[int]) -> None:
    parts = list(isolated(positive, rows(*values)))
    assert [part.start for part in parts] == [sum(p.n_rows for p in parts[:i]) for i in range(len(parts))]
    assert sum(part.n_rows for part in parts) == len(values)
    assert [part.start for part in parts if part.error is not None] == [i for i, n in enumerate(values) if n < 0]
    assert [n for part in parts for n in part.values or []] == [n for n in values if n >= 0]


def test_parts_are_computed_only_as_they_are_asked_for() -> None:
    calls: list[list[int]] = []

    def noting(batch: pa.RecordBatch) -> list[int]:
        calls.append(batch.column("n").to_pylist())
        return positive(batch)

    assert next(isolated(noting, rows(-1, 2, 3, -4))).start == 0
    assert calls == [[-1, 2, 3, -4], [-1, 2], [-1]]


def test_rows_that_fail_only_together_are_computed_apart() -> None:
    def few(batch: pa.RecordBatch) -> list[int]:
        if batch.num_rows > 2:
            raise MemoryError("too many")
        return positive(batch)

    assert [outcome(part) for part in isolated(few, rows(1, 2, 3, 4))] == [(0, 2, [1, 2]), (2, 2, [3, 4])]


def test_a_fatal_exception_is_raised_at_once() -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        list(isolated(positive, rows(-1, 2), fatal=(ValueError,)))


def test_no_rows_that_fail_are_no_parts() -> None:
    def never(batch: pa.RecordBatch) -> list[int]:
        raise ValueError

    assert list(isolated(never, rows())) == []
