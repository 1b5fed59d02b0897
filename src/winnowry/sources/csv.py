"""CSV and tab-separated values: one row a record, the first row names the fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import BinaryIO, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.lines import Line, split_lines
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.csv"
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r?', re.IGNORECASE | re.DOTALL)
_FIRST_LINE_BYTES = 64 << 10  # looked at to tell how lines end

Quoting = Literal["double", "none"]


class Csv(SourceFormat):
    """Reads CSV as RFC 4180 has it (quotes doubled; line breaks inside quotes).

    Every value is a string, white space and NUL included. Positions count rows after the header, blank ones included.
    Lines end with LF or CRLF; with CR where the first line of the file does. A first line ``sep=;``, as spreadsheets
    write it, names the separator of its file and is no row.

    Tab-separated values have no quotes (IANA, text/tab-separated-values): with a tab as the delimiter ``quoting`` is
    ``none`` unless the recipe says ``double``.
    """

    name: ClassVar[str] = "csv"
    opens_zip: ClassVar[bool] = True

    delimiter: str = Field(default=",", min_length=1, max_length=1, description="field separator")
    quoting: Quoting | None = Field(
        default=None,
        description="`double`: fields may stand in quotes, in which a quote is written twice; `none`: a quote is a "
        "character like any other, and a line is a row. Unset: `none` where the delimiter is a tab, else `double`",
    )
    header: bool | None = Field(
        default=None, description="whether the first row names the fields; unset: it does, unless `columns` are given"
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="names of the fields, for files without a header; with `header: true` in place of those it has",
    )
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

    @field_validator("columns")
    @classmethod
    def _differ(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        repeated = _repeated(value or ())
        if repeated:
            raise ValueError(f"repeated field names {repeated}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.header is False and self.columns is None:
            raise ValueError("`header: false` needs `columns`, the names of the fields")
        if self.delimiter == "\t" and self.quoting is None:
            # Said in the specification: rows of such a source changed when this became the default.
            object.__setattr__(self, "quoting", "none")
            self.__pydantic_fields_set__.add("quoting")
        return self

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_csv`` (quotes; the value says how many lines it takes in), ``wrong_field_count``, ``bad_header``
        (then nothing else is read), ``repeated_header`` (a first row with the names of ``columns``), ``bad_utf8``,
        ``over_long_record``, and those of :class:`~winnowry.sources.streams.BrokenStreamError`. A quote that is
        never closed takes in the following rows, up to the longest record allowed.
        """
        # A process-wide setting of Python's; only ever raised, so that readers in other threads are not disturbed.
        csv.field_size_limit(max(csv.field_size_limit(), limits.max_record_bytes))
        chunks = _with_line_feeds(iter(text_chunks(stream, self.encoding, limits)))
        delimiter, remaining = _separator_line(split_lines(chunks, limits.max_record_bytes), self.delimiter)
        lines = _RecordLines(remaining, limits)
        quoting = self.quoting or ("none" if delimiter == "\t" else "double")
        rows = _rows(lines, delimiter, quoting)
        named = self.columns
        expects_header = named is None if self.header is None else self.header
        header: list[str] | None = None if expects_header else list(named or ())
        position = -1 if expects_header else 0
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
                more = f"; {lines.n_lines} lines of the file in one row" if lines.n_lines > 1 else ""
                item = replace(lines.unreadable(position, "bad_csv", f"{error}{more}"), ends_object=cut)
            else:
                if header is None:
                    wrong = _wrong_header(row, named)
                    if wrong is None:
                        header, position = list(named or row), 0
                        continue
                    item = lines.unreadable(0, "bad_header", wrong)
                elif not row:
                    position += 1
                    continue
                elif any(not field.isascii() and _is_broken(field) for field in row):
                    item = lines.unreadable(position, "bad_utf8")
                elif len(row) != len(header):
                    item = lines.unreadable(position, "wrong_field_count", str(len(row)), str(len(header)))
                elif position == 0 and not expects_header and row == header:
                    value = "the first row has the names of `columns`: say `header: true`"
                    item = lines.unreadable(0, "repeated_header", value)
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
        self.n_lines = 0

    def start_record(self) -> None:
        self._seen.clear()
        self._n_bytes = self._n_kept = self.n_lines = 0

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.n_lines += 1
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


def _rows(lines: _RecordLines, delimiter: str, quoting: Quoting) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, strict=True) if quoting == "double" else _Split(lines, delimiter)


class _Split:
    """A row a line: quotes are characters like any other. It goes on after an error, as a generator would not."""

    def __init__(self, lines: _RecordLines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter

    def __iter__(self) -> _Split:
        return self

    def __next__(self) -> list[str]:
        text = next(self._lines).removesuffix("\n").removesuffix("\r")
        return text.split(self._delimiter) if text else []


def _separator_line(lines: Iterator[Line], delimiter: str) -> tuple[str, Iterator[Line]]:
    """The separator that the first line of a file names, and the lines after it; else the given one and all lines."""
    first = next(lines, None)
    if first is None:
        return delimiter, lines
    match = _SEPARATOR_LINE.fullmatch(first.data)
    if match is None or match[1] in b'"\r\n' or first.broken is not None:
        return delimiter, chain([first], lines)
    return match[1].decode("latin-1"), lines


def _with_line_feeds(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The stream, with line feeds for carriage returns where its first line ends with a carriage return alone."""
    head, end = b"", None
    try:
        while end is None and len(head) < _FIRST_LINE_BYTES and (chunk := next(chunks, None)) is not None:
            head += chunk
            end = re.search(rb"\r\n|\r(?=.)|\n", head, re.DOTALL)
    except BrokenStreamError:
        yield head
        raise
    if end is not None and end[0] == b"\r":
        yield from _replaced(chain([head], chunks))
    else:
        yield head
        yield from chunks


def _replaced(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        whole = held + chunk
        held = b"\r" if whole.endswith(b"\r") else b""  # a line feed may follow in the next chunk
        yield whole.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    yield b"\n" if held else b""


def _is_broken(field: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in field)


def _wrong_header(row: list[str], named: tuple[str, ...] | None) -> str | None:
    if not row:
        return "the first row is blank; it must name the fields"
    if named is not None:
        return None if len(row) == len(named) else f"{len(row)} field names for {len(named)} `columns`"
    if any(_is_broken(name) for name in row):
        return "the field names are not UTF-8"
    repeated = _repeated(row)
    return f"repeated field names {repeated}; name all with `columns` and `header: true`" if repeated else None


def _repeated(names: list[str] | tuple[str, ...]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
