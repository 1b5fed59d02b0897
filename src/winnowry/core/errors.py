"""Every error winnowry raises on purpose.

WinnowryError
├── UsageError               wrong call or recipe; nothing was written (exit code 2)
│   ├── RecipeError          one or more mistakes in a recipe, all of them listed
│   ├── OtherRecipeError     a corpus is made by another recipe of the same name
│   └── NotFoundError        a corpus, table, release or record that is not there
├── StorageError             the object store said no, or cannot be reached
│   ├── BucketNotFoundError
│   ├── AccessDeniedError
│   ├── StoreUnreachableError
│   └── ObjectChangedError   a landing object changed while it was read
├── DataError                the data failed (exit code 1); tables are as they were
│   ├── EmptySourceError     a source matched no object, or its objects hold no record
│   ├── TooManyErrorsError   more rows crashed an operator than the recipe allows
│   ├── MissingPartitionsError  a corpus-wide stage lacks declared partitions
│   └── GateFailedError      a critical expectation failed or was broken
├── WorkerLostError          a process that computed for this one died
└── LakehouseError
    ├── ContractError        a batch does not match the table's schema
    ├── PromotionConflictError  another run promoted the same partition first
    └── TableFormatError     a table, or a file beside it, this version of winnowry cannot read
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WinnowryError(Exception):
    """Base of all winnowry errors; the message says what, where, what was expected and what to do.

    Args:
        message: for people.
        stage: the stage that failed, where it is known.
        table: the table that it was about, where it is known.
        partition: the partition, where it is known.
    """

    def __init__(
        self, message: str = "", *, stage: str | None = None, table: str | None = None, partition: str | None = None
    ) -> None:
        super().__init__(message)
        self.stage, self.table, self.partition = stage, table, partition

    @property
    def place(self) -> dict[str, str]:
        """What is known of ``stage``, ``table`` and ``partition``.

        >>> DataError("no rows", stage="cleaned", partition="2024").place
        {'stage': 'cleaned', 'partition': '2024'}
        """
        known = {"stage": self.stage, "table": self.table, "partition": self.partition}
        return {name: value for name, value in known.items() if value is not None}


@contextmanager
def placed(*, stage: str | None = None, table: str | None = None, partition: str | None = None) -> Iterator[None]:
    """Give errors that pass the place that they do not know themselves."""
    try:
        yield
    except WinnowryError as error:
        error.stage = error.stage or stage
        error.table = error.table or table
        error.partition = error.partition or partition
        raise


class UsageError(WinnowryError):
    """The call or the recipe is wrong; nothing was written."""


class RecipeError(UsageError):
    """One or more mistakes in a recipe.

    Args:
        problems: one line a mistake, ``file:line:col: path: message``.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class OtherRecipeError(UsageError):
    """A corpus is made by another recipe that names it too."""


class NotFoundError(UsageError):
    """A corpus, table, release or record that is not there."""


class StorageError(WinnowryError):
    """The object store refused or failed."""


class BucketNotFoundError(StorageError):
    """The bucket or folder does not exist."""


class AccessDeniedError(StorageError):
    """The credentials are wrong or lack a permission."""


class StoreUnreachableError(StorageError):
    """The endpoint does not answer, or not now, though it was asked for over a minute; it may when asked again."""


class ObjectChangedError(StorageError):
    """A landing object changed while it was being read."""


class DataError(WinnowryError):
    """The data failed; tables are as they were before the run."""


class EmptySourceError(DataError):
    """A source matched no object, or its objects hold no record."""


class TooManyErrorsError(DataError):
    """More rows crashed an operator than the recipe's limit allows."""


class MissingPartitionsError(DataError):
    """A corpus-wide stage was asked for while declared partitions are missing or stale."""


class GateFailedError(DataError):
    """A critical expectation failed, or an expectation was broken; the table is unchanged."""


class WorkerLostError(WinnowryError):
    """A process that computed for this one died."""


class LakehouseError(WinnowryError):
    """A table could not be read or written as asked."""


class ContractError(LakehouseError):
    """A batch does not match the schema of the table it is meant for."""


class PromotionConflictError(LakehouseError):
    """A candidate cannot be committed any more: another run promoted the partition first, or files of it are gone."""


class TableFormatError(LakehouseError):
    """The table, or a file beside it, was written by a newer or unknown version of the format, or is damaged.

    Args:
        message: for people.
        table: the table that it was about, where it is known.
        damaged: it is not of another format: it does not hold what was written.
    """

    def __init__(self, message: str = "", *, table: str | None = None, damaged: bool = False) -> None:
        super().__init__(message, table=table)
        self.damaged = damaged
