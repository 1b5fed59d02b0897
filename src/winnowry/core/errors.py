"""Every error winnowry raises on purpose.

WinnowryError
├── UsageError               wrong call or recipe; nothing was written (exit code 2)
│   ├── RecipeError          one or more mistakes in a recipe, all of them listed
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


class WinnowryError(Exception):
    """Base of all winnowry errors; the message says what, where, what was expected and what to do."""


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


class NotFoundError(UsageError):
    """A corpus, table, release or record that is not there."""


class StorageError(WinnowryError):
    """The object store refused or failed."""


class BucketNotFoundError(StorageError):
    """The bucket or folder does not exist."""


class AccessDeniedError(StorageError):
    """The credentials are wrong or lack a permission."""


class StoreUnreachableError(StorageError):
    """The endpoint does not answer."""


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
    """Another run promoted the same partition of the same table first."""


class TableFormatError(LakehouseError):
    """The table, or a file beside it, was written by a newer or unknown version of the format."""
