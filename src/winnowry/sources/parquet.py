"""Parquet: one row a record; what is decoded at once has a bound."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa

from winnowry.sources.arrow_lengths import batch_lengths
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.file_kinds import kind_of
from winnowry.sources.parquet_pages import PagesTooLargeError, WatchedFile
from winnowry.sources.streams import BrokenStreamError, CompressionRatio

_OPERATOR = "source.parquet"
_BATCH_ROWS = 256
_BATCH_ROWS_OF_DELTAS = 32  # where a value of a few bytes can be as long as its page
_DECODED_BYTES = 1 << 30
"""Of the pages that one batch of rows is decoded from."""
_BUFFER_BYTES = 64 << 10  # of a column; what is read ahead counts as decoded
_SPOOLED_BYTES = 64 << 20


class Parquet(SourceFormat):
    """Reads Parquet; a damaged row group is one unreadable place, the next row group goes on at its own position."""

    name: ClassVar[str] = "parquet"
    opens_zip: ClassVar[bool] = True

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_parquet`` (its value says how many rows it stands for), ``over_long_record``, ``bad_utf8``,
        ``bad_value`` (a value Python has no form for, such as a time before the year 1), ``pages_too_large`` (a row of
        the group cannot be decoded within the bound) and ``compression_ratio``: values are stored once and may stand
        in many rows.
        """
        if not stream.seekable():
            with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as spooled:
                shutil.copyfileobj(stream, spooled)
                spooled.seek(0)
                yield from _rows(spooled, limits)  # type: ignore[arg-type]
        else:
            yield from _rows(stream, limits)


def _rows(stream: BinaryIO, limits: ReadLimits) -> Iterator[Record | Unreadable]:
    try:
        file = _File(stream)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        stream.seek(0)
        beginning = stream.read(4096)
        kind = kind_of(beginning)
        what = error if kind is None or beginning.startswith(b"PAR1") else f"{kind.name} ({kind.remedy})"
        yield unreadable(0, _OPERATOR, "bad_parquet", beginning, f"whole file: {what}", ends_object=True)
        return
    ratio = CompressionRatio(limits)
    ratio.add(file.n_bytes, 0)
    first = 0
    for group in range(file.n_groups):
        n_rows = file.rows_of(group)
        position = first
        reason, threshold = "bad_parquet", None
        try:
            for batch in file.batches(group):
                sizes = batch_lengths(batch)
                ratio.add(0, int(sizes.sum()))
                yield from _records(batch, sizes.tolist(), position, limits)
                position += batch.num_rows
            first += n_rows
            continue
        except BrokenStreamError as broken:
            yield unreadable(position, _OPERATOR, broken.reason, b"", broken.value, broken.threshold, ends_object=True)
            return
        except PagesTooLargeError as error:
            reason, threshold = "pages_too_large", f"{_DECODED_BYTES} bytes; write smaller pages and row groups"
            what = f"{error} bytes for one row"
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
            what = str(error)
        value = f"{first + n_rows - position} rows of row group {group}: {what}"
        last = group == file.n_groups - 1
        yield unreadable(position, _OPERATOR, reason, b"", value, threshold, ends_object=last)
        first += n_rows


class _File:
    """A Parquet file of which no more than a bound is decoded at once.

    Values of text are read as what there is and as numbers of it: one value may stand in every row, and be long.

    Raises:
        ArrowException, OSError, ValueError: it is none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow.parquet as pq  # loads slowly; a recipe is read without it

        self._watched = WatchedFile(stream, _DECODED_BYTES)
        metadata = pq.read_metadata(pa.PythonFile(self._watched, mode="r"))
        self._columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        texts = {
            column.path
            for number, column in enumerate(self._columns)
            if column.physical_type == "BYTE_ARRAY" and not any(_has_deltas(group.column(number)) for group in groups)
        }
        self._file = pq.ParquetFile(
            pa.PythonFile(self._watched, mode="r"),
            metadata=metadata,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            read_dictionary=sorted(texts),
        )
        leaves = [leaf for field in self._file.schema_arrow for leaf in _leaves(field.type)]
        same = len(leaves) == len(self._columns)
        self._by_dictionary = [same and pa.types.is_dictionary(leaf) for leaf in leaves[: len(self._columns)]]
        self._by_dictionary += [False] * (len(self._columns) - len(self._by_dictionary))

    @property
    def n_bytes(self) -> int:
        """Bytes of the file."""
        return self._watched.size

    @property
    def n_groups(self) -> int:
        """Row groups."""
        return int(self._file.num_row_groups)

    def rows_of(self, group: int) -> int:
        """Rows of a row group, as the footer says."""
        return int(self._file.metadata.row_group(group).num_rows)

    def batches(self, group: int) -> Iterator[pa.RecordBatch]:
        """Rows of a row group: some at a time, and one at a time from where some together are too large.

        Raises:
            PagesTooLargeError: one row is too large.
        """
        n_rows = 0
        try:
            for batch in self._batches(group, self._rows_at_once(group)):
                yield batch
                n_rows += batch.num_rows
        except PagesTooLargeError:
            for number, row in enumerate(self._batches(group, 1)):
                if number >= n_rows:
                    yield row

    def _batches(self, group: int, n_rows: int) -> Iterator[pa.RecordBatch]:
        watched = self._watched
        watched.watch(self._file.metadata.row_group(group), self._columns, self._by_dictionary, n_rows)
        batches = self._file.iter_batches(n_rows, row_groups=[group], use_threads=False)
        for batch in batches:
            yield batch
            watched.start_batch()

    def _rows_at_once(self, group: int) -> int:
        """So few that values of a fixed length fit, too."""
        columns = [self._file.metadata.row_group(group).column(number) for number in range(len(self._columns))]
        rows = _BATCH_ROWS_OF_DELTAS if any(map(_has_deltas, columns)) else _BATCH_ROWS
        fixed = sum(max(int(column.length), 0) for column in self._columns)
        return max(1, min(rows, _DECODED_BYTES // (4 * max(fixed, 1))))  # Arrow copies them as it goes


def _has_deltas(column: Any) -> bool:
    """Whether Arrow, which then reads no dictionary, may find values that repeat the one before them."""
    return any(encoding.startswith("DELTA_") and encoding.endswith("BYTE_ARRAY") for encoding in column.encodings)


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    """What the columns of a file are read as, in their order."""
    if isinstance(kind, pa.BaseExtensionType):
        yield from _leaves(kind.storage_type)
    elif pa.types.is_dictionary(kind) or not kind.num_fields:
        yield kind
    else:
        for number in range(kind.num_fields):
            yield from _leaves(kind.field(number).type)


def _records(batch: pa.RecordBatch, sizes: list[int], first: int, limits: ReadLimits) -> Iterator[Record | Unreadable]:
    names = batch.schema.names
    for row, size in enumerate(sizes):
        if size > limits.max_record_bytes:
            beginning, threshold = _beginning(batch, row), str(limits.max_record_bytes)
            yield unreadable(first + row, _OPERATOR, "over_long_record", beginning, str(size), threshold)
            continue
        try:
            data = {name: batch.column(i)[row].as_py() for i, name in enumerate(names)}
        except UnicodeDecodeError as error:
            yield unreadable(first + row, _OPERATOR, "bad_utf8", _beginning(batch, row), str(error.reason))
            continue
        except (ValueError, OverflowError) as error:  # e.g. a time before the year 1
            yield unreadable(first + row, _OPERATOR, "bad_value", _beginning(batch, row), str(error))
            continue
        yield Record(first + row, data)


def _beginning(batch: pa.RecordBatch, row: int) -> bytes:
    """The start of the longest string or binary value of a row: enough to recognise it."""
    values: list[Any] = [column[row] for column in batch.columns]
    plain = [value.value if isinstance(value, pa.DictionaryScalar) else value for value in values]
    buffers = [value.as_buffer() for value in plain if hasattr(value, "as_buffer")]
    longest = max((buffer for buffer in buffers if buffer is not None), key=len, default=None)
    return b"" if longest is None else longest.slice(0, min(len(longest), 1 << 20)).to_pybytes()
