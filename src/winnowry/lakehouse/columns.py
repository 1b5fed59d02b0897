"""Columns added to a table in use. Each is computed once per fragment and becomes visible in one commit.

A column is a data file beside each fragment's other files; no existing file is rewritten. The files are written first,
outside the table. A *detached* ``Merge`` shows the table as it will be: the gates judge that version. The same
``Merge`` is then committed as a compare-and-set. When another writer was first, the commit is planned again with the
existing files, and only new fragments are computed.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import ContractError, LakehouseError
from winnowry.core.formats import to_bytes, to_document
from winnowry.core.retry import Retry
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.table import Table, fragment_metadata, is_conflict

logger = logging.getLogger(__name__)

_PROPERTY = "winnowry.column"
_DROPS = Retry(attempts=200, first_wait_s=0.005, longest_wait_s=0.64)
_UNREAD = -2
_OFFSET_BITS = (1 << 32) - 1  # of a row address: the row's place in its fragment


@dataclass(frozen=True)
class ColumnFile:
    """The values of one column in one fragment, written and not yet part of the table.

    Attributes:
        key: what the values depend on; see :func:`fragment_key`.
        path: name of the file in the table's data folder.
        rows: rows of the fragment, deleted ones included (null there): Lance does not check this.
        nulls: live rows whose value is null or NaN, of those that should have one.
        type: Arrow type as text.
        n_failed: rows that the function failed on and that have no value therefore.
        failed: the first of them: record id (or place) and error.
        unknown_keys: what a newer version wrote beside these.
    """

    key: str
    path: str
    rows: int
    nulls: int
    type: str
    n_failed: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def fragment_key(dataset: Any, fragment: Any, inputs: tuple[str, ...]) -> str:
    """Identity of a fragment as far as a column depends on it: its place, its rows and the files of its inputs.

    A deletion keeps it (the rows stay where they are), a compaction or a rewritten input does not.
    """
    wanted = {number for field in dataset.lance_schema.fields() if field.name() in inputs for number in _ids(field)}
    files = sorted(file.path for file in fragment.data_files() if wanted & set(file.fields))
    return f"{fragment.fragment_id}-{fragment.physical_rows}-" + "+".join(name.removesuffix(".lance") for name in files)


def _ids(field: Any) -> Iterator[int]:
    """Ids of a field and of the fields inside it: files name either."""
    yield field.id()
    for child in field.children():
        yield from _ids(child)


def live_batches(
    fragment: Any, columns: list[str] | dict[str, str], *, batch_rows: int, where: str | None = None
) -> Iterator[tuple[np.ndarray[Any, np.dtype[np.int64]], pa.RecordBatch]]:
    """Batches of a fragment's live rows with their places in it.

    Args:
        fragment: the fragment.
        columns: names, or names with the SQL expressions that give them.
        batch_rows: rows of a batch.
        where: only these rows.

    Yields:
        n places, ascending, and n rows with the columns.
    """
    scanner = fragment.scanner(columns=columns, with_row_address=True, batch_size=batch_rows, filter=where)
    for batch in scanner.to_batches():
        places = batch.column("_rowaddr").to_numpy(zero_copy_only=False).astype(np.int64) & _OFFSET_BITS
        yield places, batch.select([name for name in batch.schema.names if name != "_rowaddr"])


def write_column_file(
    table: Table,
    fragment: Any,
    field: pa.Field,
    parts: Iterator[tuple[np.ndarray[Any, np.dtype[np.int64]], pa.Array]],
    key: str,
) -> ColumnFile:
    """Write the values of a column for one fragment.

    Args:
        table: the table.
        fragment: the fragment, at the version the values were computed from.
        field: name and type of the column.
        parts: places and values, in ascending places; rows that are not named are null.
        key: see :func:`fragment_key`.

    Raises:
        ContractError: values of another type than the field's, or in another number than their places.
    """
    from lance.file import LanceFileWriter

    path = f"{uuid.uuid4().hex}.lance"
    schema = pa.schema([field])
    version = table.dataset().data_storage_version
    total, at, nulls = int(fragment.physical_rows), 0, 0
    options = dict(table.storage_options) or None
    place = lance_uri(f"{table.uri}/data/{path}")
    with LanceFileWriter(place, schema, version=version, storage_options=options) as writer:
        for places, values in parts:
            if len(values) != len(places):
                raise ContractError(f"{field.name}: {len(places)} rows were given, {len(values)} values came back")
            if values.type != field.type:
                raise ContractError(f"{field.name}: values are {values.type}, the column is {field.type}")
            if len(places) == 0:
                continue
            nulls += _without_value(values)
            for start, stop in _pieces(at, int(places[-1]) + 1):
                inside = (places >= start) & (places < stop)
                index = np.full(stop - start, -1, np.int64)
                index[places[inside] - start] = np.flatnonzero(inside)
                placed = values.take(pa.array(index, mask=index < 0))
                writer.write_batch(pa.record_batch([placed], schema=schema))
            at = int(places[-1]) + 1
        for start, stop in _pieces(at, total):
            writer.write_batch(pa.record_batch([pa.nulls(stop - start, field.type)], schema=schema))
    return ColumnFile(key, path, total, nulls, str(field.type))


def _without_value(values: pa.Array) -> int:
    """Values that are null or NaN."""
    if not pa.types.is_floating(values.type):
        return int(values.null_count)
    return int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0)


def _pieces(start: int, stop: int, rows: int = 1 << 16) -> Iterator[tuple[int, int]]:
    """Cut a range, so that a hole of a million deleted rows is not one allocation."""
    while start < stop:
        yield start, min(stop, start + rows)
        start = min(stop, start + rows)


@dataclass(frozen=True)
class ColumnPlan:
    """A column as one commit on one version of a table.

    Attributes:
        version: the version it builds on.
        template: the column's entry in a fragment's list of files, as Lance writes it; without its path.
    """

    version: int
    operation: Any
    template: dict[str, Any]


def plan_column(dataset: Any, field: pa.Field, files: Mapping[int, ColumnFile]) -> ColumnPlan:
    """Plan the commit of a column that the table does not have.

    Args:
        dataset: the version to build on.
        field: the column.
        files: its file for every fragment.

    Raises:
        LakehouseError: a fragment has no file, or one of another length: Lance would accept it, and the table could
            not be read any more.
    """
    import lance

    _check_files(dataset, field, files)
    template, schema = _with_field(dataset, field)
    fragments = []
    for fragment in dataset.get_fragments():
        described = fragment.metadata.to_json()
        described["files"].append({**template, "path": files[fragment.fragment_id].path})
        fragments.append(described)
    operation = lance.LanceOperation.Merge(fragment_metadata(fragments), schema)
    return ColumnPlan(int(dataset.version), operation, template)


def plan_replacement(
    dataset: Any, field: pa.Field, files: Mapping[int, ColumnFile], template: Mapping[str, Any]
) -> ColumnPlan:
    """Plan a commit that puts other values in the place of a column's present ones.

    Args:
        dataset: the version to build on.
        field: the column, of the type it has.
        files: its new file for every fragment.
        template: the column's entry, from :func:`plan_column`.

    Raises:
        LakehouseError: a fragment has no file, or one of another length; or an index is built on the old values, and
            would go on to answer with them.
    """
    import lance

    _check_files(dataset, field, files)
    indexed = [index.name for index in dataset.describe_indices() if field.name in index.field_names]
    if indexed:
        raise LakehouseError(
            f"column {field.name}: index {', '.join(indexed)} is built on the present values; drop it first "
            "(lance: drop_index). Nothing was changed"
        )
    ids = set(template["fields"])
    fragments = []
    for fragment in dataset.get_fragments():
        described = fragment.metadata.to_json()
        other_files = []
        for file in described["files"]:
            # A file that holds other columns too, as compaction writes them, stays: -2 is Lance's mark of a column
            # that is no longer read from it.
            fields = [_UNREAD if number in ids else number for number in file["fields"]]
            if any(number != _UNREAD for number in fields):
                other_files.append({**file, "fields": fields})
        described["files"] = [*other_files, {**template, "path": files[fragment.fragment_id].path}]
        fragments.append(described)
    operation = lance.LanceOperation.Merge(fragment_metadata(fragments), dataset.lance_schema)
    return ColumnPlan(int(dataset.version), operation, dict(template))


def _check_files(dataset: Any, field: pa.Field, files: Mapping[int, ColumnFile]) -> None:
    wrong = [
        f"{fragment.fragment_id} ({'no file' if fragment.fragment_id not in files else 'rows'})"
        for fragment in dataset.get_fragments()
        if fragment.fragment_id not in files or files[fragment.fragment_id].rows != fragment.physical_rows
    ]
    if wrong:
        raise LakehouseError(f"column {field.name}: files do not fit fragments {', '.join(wrong)}; nothing was changed")


def _with_field(dataset: Any, field: pa.Field) -> tuple[dict[str, Any], Any]:
    """How Lance itself would add the column: the entry of its file, and the schema with the right field ids.

    Made by adding nulls to the smallest fragment, uncommitted: ``LanceSchema.from_pyarrow`` numbers the fields anew,
    which is wrong once a column has been dropped.
    """
    smallest = min(dataset.get_fragments(), key=lambda fragment: fragment.physical_rows)
    schema = pa.schema([field])
    nulls = pa.record_batch([pa.nulls(smallest.count_rows(), field.type)], schema=schema)
    metadata, merged = smallest.merge_columns(pa.RecordBatchReader.from_batches(schema, [nulls]))
    template = metadata.to_json()["files"][-1]
    return {**template, "file_size_bytes": None}, merged


def stage_column(dataset: Any, plan: ColumnPlan) -> int:
    """Commit a plan detached and return its version, which only the gates read."""
    import lance

    transaction = lance.Transaction(read_version=plan.version, operation=plan.operation)
    return int(lance.LanceDataset.commit(dataset, transaction, detached=True).version)


def commit_column(dataset: Any, plan: ColumnPlan, column_version: str) -> int | None:
    """Commit a plan if nothing has happened since its version; None where another writer was first."""
    import lance

    transaction = lance.Transaction(
        read_version=plan.version, operation=plan.operation, transaction_properties={_PROPERTY: column_version}
    )
    barrier.reach("column:planned")
    try:
        return int(lance.LanceDataset.commit(dataset, transaction, max_retries=0).version)
    except OSError as error:
        if not is_conflict(error):
            raise
        logger.debug("column not committed, planning again: %s", error)
        return None


def attach_files(fragments: list[dict[str, Any]], template: Mapping[str, Any], files: list[ColumnFile]) -> None:
    """Give fragments that are not committed yet the files of a column the table already has.

    Args:
        fragments: metadata as JSON; changed in place.
        template: the column's entry, from :func:`plan_column`.
        files: one per fragment, in order.
    """
    for fragment, file in zip(fragments, files, strict=True):
        if file.rows != fragment["physical_rows"]:
            raise LakehouseError(f"column file of {file.rows} rows for a fragment of {fragment['physical_rows']}")
        fragment["files"].append({**template, "path": file.path})


def drop_column(table: Table, name: str) -> bool:
    """Take a column out of a table's schema; False where it is not there. Older versions and tags keep it.

    Raises:
        LakehouseError: other writers won every attempt.
    """
    for attempt in _DROPS.attempts_on(is_conflict):
        dataset = table.dataset()
        if name not in dataset.schema.names:
            return attempt.number > 0
        with attempt:
            dataset.drop_columns([name])
            table.settle()
            return True
    raise LakehouseError(
        f"{table.uri}: dropping {name} was refused {_DROPS.attempts} times because other writers kept winning",
        table=table.name,
    )


def column_versions(table: Table, dataset: Any, since: int) -> Iterator[tuple[int, str]]:
    """Versions after ``since`` that added a column, newest first, with the version of the column."""
    for version in range(int(dataset.version), since, -1):
        transaction = table.transaction(dataset, version)
        if transaction is None:
            return
        column_version = (transaction.transaction_properties or {}).get(_PROPERTY)
        if column_version:
            yield version, column_version


def column_file_json(file: ColumnFile) -> bytes:
    """A column file as JSON."""
    return to_bytes("column file", to_document(file))


def dataset_of(base: Any, fragments: list[dict[str, Any]]) -> Any:
    """Fragments that are written and not committed, as a dataset (a detached version) with their rows and no others.

    Args:
        base: a version of the table with their columns.
        fragments: metadata as JSON.
    """
    import lance

    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[fragment.fragment_id for fragment in base.get_fragments()],
        updated_fragments=[],
        new_fragments=fragment_metadata(fragments),
        fields_modified=[],
    )
    transaction = lance.Transaction(read_version=base.version, operation=operation)
    return lance.LanceDataset.commit(base, transaction, detached=True)
