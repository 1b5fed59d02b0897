"""Computes a column for one fragment and writes its file; called in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.columns.limit import time_limit
from winnowry.columns.python_function import check_same, check_trusted, same_function
from winnowry.columns.spec import ColumnSpec, operator_of
from winnowry.core.errors import ContractError, DataError, UsageError, WinnowryError
from winnowry.core.retry import Retry
from winnowry.engine.base import Engine
from winnowry.engine.isolate import isolated
from winnowry.engine.operator_files import OperatorFiles, publish_files, publish_paths
from winnowry.engine.registry import engine_named
from winnowry.lakehouse.blobs import blob_columns, open_blobs, read_blobs
from winnowry.lakehouse.columns import ColumnFile, fragment_key, live_batches, write_column_file
from winnowry.lakehouse.table import Table
from winnowry.operators.base import Operator
from winnowry.operators.input_path import InputPath
from winnowry.storage.objects import ObjectStore

Places = np.ndarray[Any, np.dtype[np.int64]]
BATCH_ROWS = 1024
"""Rows of a call of a function, unless the column sets another number."""
_CALLS = Retry(attempts=4, first_wait_s=0.5, longest_wait_s=2.0, jitter=False)
_FAILED_KEPT = 100  # of a fragment
_ERROR_CHARACTERS = 300
BLOB_BATCH_ROWS = 32
_ADDRESS = "_rowaddr"
_WORTH_PROCESSES = 20_000  # rows


@dataclass(frozen=True)
class ColumnCode:
    """What computes a column, for a worker anywhere.

    Attributes:
        operator: the operator and the one of its columns that is meant; None for other kinds.
        files: files that it reads, or the Python file; None where there are none.
    """

    operator: tuple[Operator, str] | None = None
    files: OperatorFiles | None = None


@dataclass(frozen=True)
class ColumnTask:
    """Compute a column for one fragment of one version of a table."""

    table: Table
    version: int
    fragment_id: int
    spec: ColumnSpec
    code: ColumnCode


def publish_code(store: ObjectStore, spec: ColumnSpec) -> ColumnCode:
    """Make ready for workers what computes a column; called where tasks are made.

    Raises:
        UsageError: the operator is not installed, or a file is gone, or changed since the column was added, or is not
            where code of this machine lies.
    """
    if spec.kind == "operator":
        operator, column = operator_of(spec)
        return ColumnCode((operator, column), publish_files(store, [operator]))
    if spec.kind == "python":
        file, _, _ = spec.source.rpartition(":")
        check_same(Path(file), spec.code)
        check_trusted(Path(file), spec.code, store.root)
        return ColumnCode(files=publish_paths(store, [InputPath(file)]))
    return ColumnCode()


def engine_for(spec: ColumnSpec, fragments: Iterable[Any], engine: Engine | None = None) -> Engine:
    """The engine that computes a column.

    Lance answers SQL on all cores by itself, and a few rows are done before a process starts: they stay in this one.

    Args:
        spec: the column; a number of workers that it names is kept to, by processes of this machine.
        fragments: what is to be computed.
        engine: what computes many rows; None: the one that the environment names.
    """
    if spec.resources.workers is not None:
        return engine_named(f"local[{spec.resources.workers}]")
    rows = sum(fragment.physical_rows for fragment in fragments)
    if spec.kind == "sql" or rows < _WORTH_PROCESSES:
        return engine_named("local[1]")
    return engine if engine is not None else engine_named()


def run_column_task(task: ColumnTask) -> ColumnFile:
    """Compute and write; nothing refers to the file yet.

    Raises:
        DataError: the function failed; with the fragment and, where one row is to blame, the row.
        ContractError: the values have another type, or are more or fewer than the rows.
    """
    dataset = task.table.dataset(task.version)
    fragment = dataset.get_fragment(task.fragment_id)
    key = fragment_key(dataset, fragment, task.spec.inputs)
    failed: list[tuple[str, str]] = []
    parts = _parts(task, dataset, fragment, failed)
    file = write_column_file(task.table, fragment, task.spec.field, parts, key)
    return replace(file, n_failed=len(failed), failed=tuple(failed[:_FAILED_KEPT]))


def _parts(
    task: ColumnTask, dataset: Any, fragment: Any, failed: list[tuple[str, str]]
) -> Iterator[tuple[Places, pa.Array]]:
    spec = task.spec
    if spec.kind == "sql":
        for places, batch in live_batches(fragment, {spec.name: spec.source}, batch_rows=BATCH_ROWS, where=spec.where):
            yield places, batch.column(0)
        return
    objects = [name for name in blob_columns(dataset.schema) if name in spec.inputs]
    compute = _function(task, dataset, objects)
    names = [name for name in spec.inputs if name not in objects]
    names += ["record_id"] if "record_id" not in names and "record_id" in fragment.schema.names else []
    rows = spec.resources.batch_rows or (BLOB_BATCH_ROWS if objects else BATCH_ROWS)
    for places, batch in live_batches(fragment, names, batch_rows=rows, where=spec.where):
        if objects:
            batch = batch.append_column(_ADDRESS, pa.array(places + (fragment.fragment_id << 32), pa.uint64()))
        try:
            values = _with_retries(compute, batch)
        except WinnowryError:
            raise
        except ImportError as error:  # no row is to blame
            raise DataError(
                f"column {spec.name}: {spec.source.rpartition('/')[2]} needs a package that is not installed here: "
                f"{error}. Nothing became visible; install it where winnowry runs and try again"
            ) from error
        except Exception as error:
            if spec.on_error == "fail":
                raise DataError(_failure_message(spec, compute, batch, fragment.fragment_id, error)) from error
            values = _values_or_null(spec, compute, batch, failed)
        yield places, values


def _with_retries(compute: Callable[[pa.RecordBatch], pa.Array], batch: pa.RecordBatch) -> pa.Array:
    """Compute; try again after an error of the network or of a store."""
    for attempt in _CALLS.attempts_on(_is_transient, raise_last=True):
        with attempt:
            return compute(batch)
    raise AssertionError("unreachable")


def _is_transient(error: Exception) -> bool:
    return isinstance(error, ConnectionError | TimeoutError)


def _values_or_null(
    spec: ColumnSpec,
    compute: Callable[[pa.RecordBatch], pa.Array],
    batch: pa.RecordBatch,
    failed: list[tuple[str, str]],
) -> pa.Array:
    """The values of a batch, null where the function fails on a row alone.

    Raises:
        ContractError: another type or number of values than rows; that is no fault of a row.
    """
    parts = [pa.nulls(0, spec.field.type)]
    for part in isolated(compute, batch, fatal=(WinnowryError,)):
        values = part.values
        if values is None:
            name = batch.column("record_id")[part.start].as_py() if "record_id" in batch.schema.names else "?"
            failed.append((str(name), f"{type(part.error).__name__}: {part.error}"[:_ERROR_CHARACTERS]))
            parts.append(pa.nulls(1, spec.field.type))
            continue
        if len(values) != part.n_rows or values.type != spec.field.type:
            raise ContractError(
                f"{spec.name}: the function was given {part.n_rows} rows and returned {len(values)} values of "
                f"{values.type}; the column is {spec.field.type}"
            )
        parts.append(values)
    return pa.concat_arrays(parts)


def _function(task: ColumnTask, dataset: Any, objects: list[str]) -> Callable[[pa.RecordBatch], pa.Array]:
    """What computes a batch; large objects are opened by the addresses of its rows."""
    spec, code = task.spec, task.code
    places = code.files.local_places() if code.files is not None else {}
    if code.operator is not None:
        operator, column = code.operator
        here = operator.with_input_paths(places)
        reads = operator.reads().names

        def apply(batch: pa.RecordBatch) -> pa.Array:
            for name in objects:
                contents = read_blobs(dataset, name, batch.column(_ADDRESS))
                batch = batch.append_column(name, pa.array(contents, pa.large_binary()))
            return here.apply(batch.select(reads)).column(column)

        return apply
    file, _, name = spec.source.rpartition(":")
    function = same_function(Path(places.get(file, file)), name, spec.code)

    def compute(batch: pa.RecordBatch) -> pa.Array:
        inputs = {column: batch.column(column) for column in spec.inputs if column not in objects}
        inputs |= {column: open_blobs(dataset, column, batch.column(_ADDRESS)) for column in objects}
        with time_limit(spec.resources.timeout_s, f"column {spec.name}: {_rows_text(spec, batch)}"):
            values = function(**inputs)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not isinstance(values, pa.Array):
            try:
                values = pa.array(values, type=spec.field.type)
            except (TypeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise UsageError(f"{spec.source}: its values cannot be {spec.field.type}: {error}") from error
        return values

    return compute


def _rows_text(spec: ColumnSpec, batch: pa.RecordBatch) -> str:
    text = f"{spec.source.rpartition('/')[2]} of {batch.num_rows} rows of {spec.table}"
    if "record_id" not in batch.schema.names:
        return text
    ids = batch.column("record_id")
    return f"{text}, records {ids[0].as_py()} to {ids[-1].as_py()}"


def _failure_message(
    spec: ColumnSpec,
    compute: Callable[[pa.RecordBatch], pa.Array],
    batch: pa.RecordBatch,
    fragment_id: int,
    error: Exception,
) -> str:
    """What failed, and the first row that fails alone, where there is one."""
    where = f"fragment {fragment_id} of {spec.table}"
    for part in isolated(compute, batch):
        if part.error is not None:
            error = part.error
            if "record_id" in batch.schema.names:
                where += f", record {batch.column('record_id')[part.start].as_py()}"
            break
    return (
        f"column {spec.name}: {spec.source.rpartition('/')[2]} failed on {where}: {type(error).__name__}: {error}. "
        "Nothing became visible; files of finished fragments are kept for the next try"
    )
