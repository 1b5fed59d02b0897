"""Find the rows that a computation fails on: halves of halves, until those rows stand alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

Values = TypeVar("Values")


class Rows(Protocol):
    """Rows that can be cut: a batch, or a batch and what is in step with it."""

    @property
    def num_rows(self) -> int:
        """How many."""
        ...

    def slice(self, offset: int = 0, length: int | None = None) -> Self:
        """Some of the rows."""
        ...


_Rows = TypeVar("_Rows", bound=Rows)


@dataclass(frozen=True)
class Part(Generic[Values]):
    """Rows of a batch that were computed together, or one row that was not.

    Attributes:
        start: first row of the part in the batch.
        n_rows: rows of the part; 1 where it failed.
        values: what was computed; None where it failed.
        error: what the row raised; None where it did not fail.
    """

    start: int
    n_rows: int
    values: Values | None = None
    error: Exception | None = None


def isolated(
    compute: Callable[[_Rows], Values],
    batch: _Rows,
    *,
    fatal: tuple[type[Exception], ...] = (),
    start: int = 0,
) -> Iterator[Part[Values]]:
    """Compute a batch; one that raises is halved until the rows that fail alone are known.

    Rows that fail only together are computed apart, and none of them is to blame.

    Args:
        compute: the computation; called again for halves of a batch that it raised for.
        batch: n rows.
        fatal: exceptions that are no fault of a row; raised at once.
        start: of the batch in a larger one.

    Yields:
        Parts in the order of the rows, computed as they are asked for; nothing for no rows that fail.
    """
    try:
        values = compute(batch)
    except fatal:
        raise
    except Exception as raised:
        error = raised
    else:
        yield Part(start, batch.num_rows, values)
        return
    if batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from isolated(compute, batch.slice(0, half), fatal=fatal, start=start)
        yield from isolated(compute, batch.slice(half), fatal=fatal, start=start + half)
    elif batch.num_rows == 1:
        yield Part(start, 1, error=error)
