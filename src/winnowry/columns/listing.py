"""The state of added columns, and dropping them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from winnowry.columns.definitions import Definition, Definitions
from winnowry.columns.fill import rows_without_value, without_value
from winnowry.columns.spec import ColumnSpec
from winnowry.core.errors import UsageError
from winnowry.lakehouse.columns import drop_column, fragment_key
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.messages import did_you_mean


@dataclass(frozen=True)
class PartitionState:
    """Rows of a partition, and those that should have a value and have none."""

    partition: str
    rows: int
    null_rows: int


@dataclass(frozen=True)
class EarlierVersion:
    """A specification that was replaced; ``table_version`` is the version of the table that brought it."""

    column_version: str
    kind: str
    source: str
    table_version: int | None


@dataclass(frozen=True)
class ListedColumn:
    """An added column.

    Attributes:
        state: ``live``, ``filling`` while its files are being computed, or ``failed``.
        inputs: columns it reads.
        column_version: hash of everything its values depend on.
        table_version: version of the table that brought it.
        rows: rows of the table.
        null_rows: rows that should have a value and have none; None while it is filling.
        fragments: of the table.
        fragments_computed: of them, those whose file is written.
        error: why it failed; where another specification was to take its place, why that failed.
        partitions: for every partition, ``rows`` and ``null_rows``; empty while it is filling.
        earlier: specifications it had before, the newest first.
    """

    table: str
    column: str
    type: str
    state: Literal["filling", "failed", "live"]
    kind: str
    source: str
    inputs: list[str]
    where: str | None
    column_version: str
    table_version: int | None
    rows: int
    null_rows: int | None
    fragments: int
    fragments_computed: int
    error: str | None
    partitions: list[PartitionState]
    earlier: list[EarlierVersion]


def list_columns(ws: Workspace, corpus: str, table: str | None = None) -> list[ListedColumn]:
    """Columns that were added to the tables of a corpus.

    Raises:
        NotFoundError: no such corpus or table.
    """
    if table is None:
        ws.lake.check_corpus(corpus)
    else:
        ws.lake.check_table(corpus, table)
    tables = ws.lake.tables(corpus) if table is None else [table]
    definitions = Definitions(ws, corpus)
    return [_listed(ws, corpus, definitions, definition) for name in tables for definition in definitions.of(name)]


def _listed(ws: Workspace, corpus: str, definitions: Definitions, definition: Definition) -> ListedColumn:
    spec = definition.spec
    view = ws.lake.open(corpus, spec.table)
    dataset = view.dataset()
    there = spec.name in dataset.schema.names
    present = dataset.get_fragments()
    if there:
        computed = len(present)
    else:
        written = definitions.files(spec)
        computed = sum(fragment_key(dataset, fragment, spec.inputs) in written for fragment in present)
    return ListedColumn(
        table=spec.table,
        column=spec.name,
        type=str(spec.field.type),
        state="live" if there else definition.state if definition.state == "failed" else "filling",
        kind=spec.kind,
        source=_short(spec),
        inputs=list(spec.inputs),
        where=spec.where,
        column_version=spec.version,
        table_version=definition.table_version,
        rows=dataset.count_rows(),
        null_rows=rows_without_value(view, spec) if there else None,
        fragments=len(present),
        fragments_computed=computed,
        error=definition.error,
        partitions=_by_partition(view, spec) if there else [],
        earlier=[EarlierVersion(old.version, old.kind, _short(old), at) for old, at in definition.earlier],
    )


def _by_partition(view: TableView, spec: ColumnSpec) -> list[PartitionState]:
    """Counted from two scans of the partition key, one of them filtered; no values are read into memory."""
    rows, nulls = (_partition_counts(view, where) for where in (None, without_value(spec)))
    return [PartitionState(key, rows[key], nulls.get(key, 0)) for key in sorted(rows)]


def _partition_counts(view: TableView, where: str | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for batch in view.scan(["partition"], where):
        for entry in batch.column("partition").value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
    return counts


def _short(spec: ColumnSpec) -> str:
    return str(json.loads(spec.source)["operator"]["op"]) if spec.kind == "operator" else spec.source


def drop(ws: Workspace, corpus: str, table: str, name: str) -> int:
    """Drop an added column, or give up one that is being added.

    Returns:
        The version of the table without it.

    Raises:
        UsageError: no such column was added: a stage's own columns cannot be dropped, or another one reads it.
    """
    definitions = Definitions(ws, corpus)
    specs = [definition.spec for definition in definitions.of(table)]
    if name not in {spec.name for spec in specs}:
        listed = ", ".join(spec.name for spec in specs) or "none"
        near = did_you_mean(name, [spec.name for spec in specs])
        raise UsageError(f"no column {name!r} was added to {corpus}.{table}{near}; added: {listed}")
    readers = [spec.name for spec in specs if name in spec.inputs and spec.name != name]
    if readers:
        raise UsageError(f"{name} is read by {', '.join(readers)}: drop that first")
    handle = ws.lake.table(corpus, table)
    # The column first: rows written between the two steps would need values of a column that is not defined.
    drop_column(handle, name)
    definitions.forget(table, name)
    return int(handle.dataset().version)
