"""The unit of work of stages that run operators: a range of rows of one version of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.row_bytes import row_bytes
from winnowry.core.sql import in_list
from winnowry.engine.chain import run_chain
from winnowry.engine.operator_files import OperatorFiles
from winnowry.engine.quarantine import quarantine_rows
from winnowry.lakehouse.blobs import blob_columns, blob_sizes
from winnowry.lakehouse.references import DIGEST, read_contents
from winnowry.lakehouse.view import TableView
from winnowry.operators.base import Operator
from winnowry.operators.media.operator import MediaDerivation, MediaOperator

Unit = TypeVar("Unit")

UNIT_ROWS = 2048
"""Most rows of a unit."""
_UNIT_BYTES = 64 << 20
CONTENT = "payload"
"""The column of a file's bytes, as operators read it."""
_ADDRESS = "_rowaddr"
_UNITS = 8  # of a small view: enough for the cores of one machine to end together
_MANY_ROWS, _LARGE_BYTES = 8192, 256 << 20
_LEAST_ROWS = 256  # below it, opening the table and handing the unit over cost more than its rows


@dataclass(frozen=True)
class ChainTask:
    """Run operators over rows ``offset … offset + n_rows`` of a view.

    Attributes:
        places: where ``uri`` and ``position`` of rejected rows are looked up, if the view does not have them.
        files: what :func:`~winnowry.engine.operator_files.publish_files` made of the operators; None: they read their
            files where they were declared, which only works where these are.
        refuse_empty: whether rows of which the operators leave nothing are rejected.
        not_measured: columns of the records themselves, which the quarantine does not hold once more.
    """

    view: TableView
    columns: tuple[str, ...]
    renamed: Mapping[str, str]
    operators: tuple[Operator, ...]
    offset: int
    n_rows: int
    stage: str
    fits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    places: TableView | None = None
    files: OperatorFiles | None = None
    refuse_empty: bool = False
    not_measured: frozenset[str] = frozenset()

    def operators_here(self) -> tuple[Operator, ...]:
        """The operators, reading their files on this machine; called in a worker."""
        return self.operators if self.files is None else self.files.localised(self.operators)


@dataclass(frozen=True)
class ChainResult:
    """Kept rows (None for none), quarantine rows, rows that crashed, all rows, rows of the calls of each operator."""

    kept: pa.RecordBatch | None
    quarantined: list[pa.RecordBatch]
    errors: dict[str, int]
    rows: int
    calls: dict[str, int]


def run_chain_task(task: ChainTask) -> ChainResult:
    """Read the rows, run the chain; called in a worker.

    Rows with large objects are handed to the chain a few at a time: at most :data:`_UNIT_BYTES` of them are held,
    unless one object has more, and none where no operator reads them.
    """
    kept_batches: list[pa.RecordBatch] = []
    quarantined: list[pa.RecordBatch] = []
    errors: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    rows = 0
    operators = task.operators_here()
    for batch in _batches(task):
        outcome = run_chain(operators, batch, task.fits, refuse_empty=task.refuse_empty)
        kept_batches.append(_without_content(outcome.kept))
        quarantined += [
            quarantine_rows(_placed(_without_content(rejected), task.places), reasons, task.stage, task.not_measured)
            for rejected, reasons in outcome.rejected
        ]
        errors.update(outcome.errors)
        calls.update(outcome.calls)
        rows += batch.num_rows
    whole = kept_batches[0] if len(kept_batches) == 1 else _joined(kept_batches)
    return ChainResult(whole, quarantined, dict(errors), rows, dict(calls))


def _batches(task: ChainTask) -> Iterator[pa.RecordBatch]:
    """The rows of a task: in one batch, or in a few where they have large objects."""
    dataset = task.view.dataset()
    objects = [name for name in blob_columns(task.view.schema) if name in task.columns]
    scanner = dataset.scanner(
        columns=list(task.columns), offset=task.offset, limit=task.n_rows, with_row_address=bool(objects)
    )
    table = pa.Table.from_batches(list(scanner.to_batches())).combine_chunks()
    table = table.rename_columns([task.renamed.get(name, name) for name in table.schema.names])
    if task.leave_out:
        keep = [value not in task.leave_out for value in table["record_id"].to_pylist()]
        table = table.filter(pa.array(keep, pa.bool_())).combine_chunks()
    batches = table.to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    if not objects:
        yield batch
        return
    addresses = batch.column(_ADDRESS)
    references = batch.column(CONTENT)
    sizes = blob_sizes(dataset, CONTENT, references, addresses)
    stored = batch.select([name for name in (CONTENT, DIGEST) if name in batch.schema.names])
    batch = batch.drop_columns([_ADDRESS, CONTENT]).append_column("size", sizes)
    readers = [operator for operator in task.operators if CONTENT in operator.reads().names]
    if not readers:
        yield batch
        return
    # Views of one content share what is decoded of it: its bytes are there once. Others are handed them in every row.
    shared = DIGEST in stored.schema.names and all(isinstance(one, MediaOperator | MediaDerivation) for one in readers)
    digests = stored.column(DIGEST).to_pylist() if shared else [None] * batch.num_rows
    for start, stop, first in _pieces(sizes.to_pylist(), digests):
        rows = pa.array([start + row for row in first], pa.int64())
        contents: list[bytes | None] = [None] * (stop - start)
        if first:
            read = read_contents(dataset, CONTENT, stored.take(rows), addresses.take(rows))
            for row, data in zip(first, read, strict=True):
                contents[row] = data
        yield batch.slice(start, stop - start).append_column(CONTENT, pa.array(contents, pa.large_binary()))


def _pieces(sizes: Sequence[int | None], digests: Sequence[str | None]) -> Iterator[tuple[int, int, list[int]]]:
    """First row, the one behind the last, and the rows whose content is read: the first of each that is the same."""
    start, held = 0, 0
    first: list[int] = []
    seen: set[str] = set()
    for row, (size, digest) in enumerate(zip(sizes, digests, strict=True)):
        again = digest is not None and digest in seen
        if not again and row > start and held + (size or 0) > _UNIT_BYTES:
            yield start, row, first
            start, held, first, seen = row, 0, [], set()
        if not again or row == start:
            held += size or 0
            first.append(row - start)
            if digest is not None:
                seen.add(digest)
    yield start, len(sizes), first


def _without_content(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the bytes of files, which stay in ``raw``."""
    return batch.drop_columns([CONTENT]) if CONTENT in batch.schema.names else batch


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    together = pa.Table.from_batches(batches).combine_chunks()
    return together.to_batches()[0] if together.num_rows else batches[0]


def _placed(rejected: pa.RecordBatch, places: TableView | None) -> pa.RecordBatch:
    """Rejected rows with the object and position they came from."""
    if places is None or rejected.num_rows == 0:
        return rejected
    ids = rejected.column("record_id").to_pylist()
    rows = places.to_table(columns=["record_id", "uri", "position"], where=in_list("record_id", ids)).to_pylist()
    by_id = {row["record_id"]: row for row in rows}
    for name, kind in (("uri", pa.string()), ("position", pa.int64())):
        rejected = rejected.append_column(name, pa.array([by_id[record_id][name] for record_id in ids], kind))
    return rejected


def tasks_over(view: TableView, columns: Collection[str], make: Callable[[int, int], Unit]) -> Iterator[Unit]:
    """Cut a view into units, by its rows alone: every machine and every attempt cuts the same version alike.

    An eighth of the rows, at least 256 and at most :data:`UNIT_ROWS`. Long rows make smaller units: a worker holds a
    unit at once.

    Args:
        view: what is cut.
        columns: that the units read; how long others are does not matter.
        make: a unit of its first row and how many it has.
    """
    share = -(-view.count_rows() // _UNITS)
    offset = 0
    for n_rows in _unit_sizes(view, columns, min(UNIT_ROWS, max(_LEAST_ROWS, share))):
        yield make(offset, n_rows)
        offset += n_rows


def _unit_sizes(view: TableView, columns: Collection[str], most_rows: int) -> Iterator[int]:
    """Rows of each unit: at most ``most_rows``, and at most :data:`_UNIT_BYTES` unless one row has more."""
    n_rows, n_bytes = 0, 0.0
    for fragment in view.dataset().get_fragments():
        ends = np.cumsum(_row_sizes(fragment, columns))
        at, begin = 0, 0.0
        while at < len(ends):
            fitting = int(np.searchsorted(ends, begin + _UNIT_BYTES - n_bytes, side="right")) - at
            step = min(max(fitting, 0 if n_rows else 1), most_rows - n_rows)
            if step <= 0:
                yield n_rows
                n_rows, n_bytes = 0, 0.0
                continue
            end = float(ends[at + step - 1])
            n_rows, n_bytes, at, begin = n_rows + step, n_bytes + end - begin, at + step, end
    if n_rows:
        yield n_rows


def _row_sizes(fragment: Any, columns: Collection[str]) -> npt.NDArray[np.float64]:
    """Bytes of each row that is there, as stored; of few rows also those of some columns as they are read.

    Text that repeats itself is stored in a hundredth of its length. What a stage writes ends a fragment at 128 MiB in
    memory, so that only one of few rows can hold many long ones: there the lengths are looked at.
    """
    n_rows = fragment.physical_rows - fragment.num_deletions
    stored = sum(file.file_size_bytes or 0 for file in fragment.data_files())
    sizes = np.full(n_rows, stored / max(1, fragment.physical_rows))
    if fragment.physical_rows >= _MANY_ROWS and stored <= _LARGE_BYTES:
        return sizes
    blobs = blob_columns(fragment.schema)
    names = [name for name in fragment.schema.names if name in columns and name not in blobs]
    if not names:
        return sizes
    scanner = fragment.scanner(columns=names, batch_size=UNIT_ROWS, batch_size_bytes=_UNIT_BYTES)
    lengths = [row_bytes(batch) for batch in scanner.to_batches()]
    return np.maximum(sizes, np.concatenate(lengths)) if lengths else sizes


def columns_read(operators: Sequence[Operator], available: Sequence[str], always: Sequence[str]) -> tuple[str, ...]:
    """Columns of a table that a chain needs: its own inputs and those that are carried on."""
    needed = set(always)
    for operator in operators:
        needed |= set(operator.reads().names)
    return tuple(name for name in available if name in needed)
