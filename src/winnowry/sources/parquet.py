"""Parquet: one row a record, one row group in memory at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

import pyarrow as pa

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.file_kinds import kind_of

_OPERATOR = "source.parquet"
_BATCH_ROWS = 256
_SPOOLED_BYTES = 64 << 20


class Parquet(SourceFormat):
    """Reads Parquet; a damaged row group is one unreadable place, the next row group goes on at its own position."""

    name: ClassVar[str] = "parquet"
    opens_zip: ClassVar[bool] = True

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_parquet`` (its value says how many rows it stands for), ``over_long_record``, ``bad_utf8`` and
        ``bad_value`` (a value Python has no form for, such as a time before the year 1).
        """
        if not stream.seekable():
            with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as spooled:
                shutil.copyfileobj(stream, spooled)
                spooled.seek(0)
                yield from _rows(spooled, limits)  # type: ignore[arg-type]
        else:
            yield from _rows(stream, limits)


def _rows(stream: BinaryIO, limits: ReadLimits) -> Iterator[Record | Unreadable]:
    import pyarrow.parquet as pq  # loads slowly; a recipe is read without it

    try:
        file = pq.ParquetFile(pa.PythonFile(stream, mode="r"), pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        stream.seek(0)
        beginning = stream.read(4096)
        kind = kind_of(beginning)
        what = error if kind is None or beginning.startswith(b"PAR1") else f"{kind.name} ({kind.remedy})"
        yield unreadable(0, _OPERATOR, "bad_parquet", beginning, f"whole file: {what}", ends_object=True)
        return
    first = 0
    for group in range(file.num_row_groups):
        n_rows = file.metadata.row_group(group).num_rows
        position = first
        try:
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], use_threads=False):
                yield from _records(batch, position, limits)
                position += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
            value = f"{first + n_rows - position} rows of row group {group}: {error}"
            last = group == file.num_row_groups - 1
            yield unreadable(position, _OPERATOR, "bad_parquet", b"", value, ends_object=last)
        first += n_rows


def _records(batch: pa.RecordBatch, first: int, limits: ReadLimits) -> Iterator[Record | Unreadable]:
    may_be_too_long = batch.nbytes > limits.max_record_bytes
    names = batch.schema.names
    for row in range(batch.num_rows):
        one = batch.slice(row, 1)
        if may_be_too_long and one.nbytes > limits.max_record_bytes:
            threshold = str(limits.max_record_bytes)
            yield unreadable(first + row, _OPERATOR, "over_long_record", _beginning(one), str(one.nbytes), threshold)
            continue
        try:
            data = {name: one.column(i)[0].as_py() for i, name in enumerate(names)}
        except UnicodeDecodeError as error:
            yield unreadable(first + row, _OPERATOR, "bad_utf8", _beginning(one), str(error.reason))
            continue
        except (ValueError, OverflowError) as error:  # e.g. a time before the year 1
            yield unreadable(first + row, _OPERATOR, "bad_value", _beginning(one), str(error))
            continue
        yield Record(first + row, data)


def _beginning(row: pa.RecordBatch) -> bytes:
    """The start of the longest string or binary value of a row: enough to recognise it."""
    values = [column[0].as_buffer() for column in row.columns if hasattr(column[0], "as_buffer")]
    longest = max((value for value in values if value is not None), key=len, default=None)
    return b"" if longest is None else longest.slice(0, min(len(longest), 1 << 20)).to_pybytes()
