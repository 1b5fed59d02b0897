"""CSV: one row a record, the first row names the fields."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, ClassVar

from pydantic import Field, field_validator

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.lines import Line, split_lines
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.csv"


class Csv(SourceFormat):
    """Reads CSV as RFC 4180 has it (quotes doubled; line breaks inside quotes).

    Every value is a string. Positions count rows after the header, blank ones included.
    """

    name: ClassVar[str] = "csv"
    opens_zip: ClassVar[bool] = True

    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator")
    encoding: Encoding | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; UTF-8 unless set or said by a byte-order mark",
    )

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, value: str) -> str:
        if value in '"\r\n':
            raise ValueError(f"delimiter {value!r}: expected one character, not a quote or line break")
        return value

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_csv`` (quotes), ``wrong_field_count``, ``bad_header`` (then nothing else is read), ``bad_utf8``,
        ``over_long_record``, and those of :class:`~winnowry.sources.streams.BrokenStreamError`. A quote that is
        never closed takes in the following rows, up to the longest record allowed.
        """
        # A process-wide setting of Python's; only ever raised, so that readers in other threads are not disturbed.
        csv.field_size_limit(max(csv.field_size_limit(), limits.max_record_bytes))
        chunks = text_chunks(stream, self.encoding, limits)
        lines = _RecordLines(split_lines(chunks, limits.max_record_bytes), limits)
        rows = csv.reader(lines, delimiter=self.delimiter, strict=True)
        header: list[str] | None = None
        position = -1
        while True:
            lines.start_record()
            try:
                row = next(rows)
            except StopIteration:
                return
            except _TooLongError as error:
                item = lines.unreadable(position, "over_long_record", str(error), str(limits.max_record_bytes))
            except BrokenStreamError as broken:
                item = lines.unreadable(max(position, 0), broken.reason, broken.value, broken.threshold)
                yield replace(item, ends_object=True)
                return
            except csv.Error as error:
                cut = str(error) == "unexpected end of data"
                item = replace(lines.unreadable(position, "bad_csv", str(error)), ends_object=cut)
            else:
                if header is None:
                    wrong = _wrong_header(row)
                    if wrong is None:
                        header, position = row, 0
                        continue
                    item = lines.unreadable(0, "bad_header", wrong)
                elif not row:
                    position += 1
                    continue
                elif any(not field.isascii() and _is_broken(field) for field in row):
                    item = lines.unreadable(position, "bad_utf8")
                elif len(row) != len(header):
                    item = lines.unreadable(position, "wrong_field_count", str(len(row)), str(len(header)))
                else:
                    yield Record(position, dict(zip(header, row, strict=True)))
                    position += 1
                    continue
            if header is None:
                value = item.value or item.reason
                yield unreadable(0, _OPERATOR, "bad_header", item.payload, value, ends_object=True)
                return
            yield item
            position += 1


class _TooLongError(Exception):
    pass


class _RecordLines:
    """Feeds decoded lines to the CSV reader and remembers the bytes of the record it is in."""

    def __init__(self, lines: Iterator[Line], limits: ReadLimits) -> None:
        self._lines = lines
        self._limits = limits
        self._seen: list[bytes] = []
        self._n_bytes = self._n_kept = 0

    def start_record(self) -> None:
        self._seen.clear()
        self._n_bytes = self._n_kept = 0

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._n_bytes += line.n_bytes
        if self._n_kept < PAYLOAD_KEPT_BYTES:
            self._seen.append(line.data[: PAYLOAD_KEPT_BYTES - self._n_kept] + b"\n")
            self._n_kept += len(self._seen[-1])
        if line.broken is not None:
            raise line.broken
        if line.too_long or self._n_bytes > self._limits.max_record_bytes:
            raise _TooLongError(str(self._n_bytes))
        return line.data.decode("utf-8", "surrogateescape") + "\n"

    def unreadable(
        self, position: int, reason: str, value: str | None = None, threshold: str | None = None
    ) -> Unreadable:
        payload = b"".join(self._seen).removesuffix(b"\n")
        return unreadable(position, _OPERATOR, reason, payload, value, threshold)


def _is_broken(field: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in field)


def _wrong_header(row: list[str]) -> str | None:
    if not row:
        return "the first row is blank; it must name the fields"
    if any(_is_broken(name) for name in row):
        return "the field names are not UTF-8"
    repeated = sorted({name for name in row if row.count(name) > 1})
    return f"repeated field names {repeated}" if repeated else None
