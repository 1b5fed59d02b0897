"""Columns that a table is to get with a promotion: nothing of them is seen before it is committed.

A candidate with new columns is staged on a *detached* version of the table that has them. The live table gets them
when the promotion is committed, with the same field ids, because Lance numbers the fields of the same version alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from winnowry.core.errors import PromotionConflictError
from winnowry.lakehouse.table import Table


def widened(table: Table, dataset: Any, schema: pa.Schema) -> Any:
    """A version with the columns of a schema that it lacks; detached, so that no reader sees it.

    Args:
        table: the table.
        dataset: the version to build on.
        schema: the columns that are to be there.

    Returns:
        The version itself where it lacks none.

    Raises:
        ContractError: the table has a column of another type, or of a name that differs in case only.
    """
    import lance

    missing = table.missing(dataset, schema)
    if not missing:
        return dataset
    fragments = dataset.get_fragments()
    operation: Any
    if fragments:
        # `LanceSchema.from_pyarrow` numbers the fields anew, which is wrong once a column has been dropped: Lance
        # itself numbers them when a fragment gets them. The file of nulls that this writes is never committed.
        smallest = min(fragments, key=lambda fragment: int(fragment.physical_rows))
        added = pa.schema(missing)
        nulls = pa.record_batch([pa.nulls(smallest.count_rows(), column.type) for column in missing], schema=added)
        _, wide = smallest.merge_columns(pa.RecordBatchReader.from_batches(added, [nulls]))
        operation = lance.LanceOperation.Merge([fragment.metadata for fragment in fragments], wide)
    else:
        operation = lance.LanceOperation.Overwrite(pa.schema([*dataset.schema, *missing]), [])
    transaction = lance.Transaction(read_version=dataset.version, operation=operation)
    detached = lance.LanceDataset.commit(dataset, transaction, detached=True)
    if fragments or field_ids(dataset).items() <= field_ids(detached).items():
        return detached
    table.create(schema)  # a table without rows that has lost a column: a new schema would number the others anew
    return table.dataset()


def widen(table: Table, dataset: Any, candidate_version: int) -> bool:
    """Give the live table the columns of a candidate that is about to be committed to it.

    Args:
        table: the table.
        dataset: its latest version.
        candidate_version: the detached version of the candidate.

    Returns:
        Whether it lacked some: it has a newer version then.

    Raises:
        PromotionConflictError: another writer's columns have the field ids of the candidate's.
    """
    candidate = table.dataset_or_none(candidate_version)
    if candidate is None:  # upkeep has removed it, and what it was made of is judged elsewhere
        return False
    added = bool(table.create(pa.schema([column.with_nullable(True) for column in candidate.schema])))
    refuse_other_ids(table, candidate, table.dataset() if added else dataset)
    return added


def refuse_other_ids(table: Table, written: Any, base: Any) -> None:
    """Refuse data files that call a column by other field ids than a version of the table does.

    Args:
        table: the table.
        written: the version that the files were written for.
        base: the version that they are to become part of.

    Raises:
        PromotionConflictError: run again, and the files are written anew.
    """
    ids = field_ids(base)
    other = sorted(name for name, numbers in field_ids(written).items() if name in ids and ids[name] != numbers)
    if other:
        raise PromotionConflictError(
            f"{table.uri}: another writer added columns ({', '.join(other)}) while rows were being written. Nothing "
            "was changed; run the stage again.",
            table=table.name,
        )


def field_ids(dataset: Any) -> dict[str, tuple[int, ...]]:
    """The numbers by which data files name each column and the fields inside it."""
    return {field.name(): tuple(_ids(field)) for field in dataset.lance_schema.fields()}


def _ids(field: Any) -> Iterator[int]:
    yield field.id()
    for child in field.children():
        yield from _ids(child)
