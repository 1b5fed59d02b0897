"""What the pages of a Parquet file will take in memory, told from their headers as the file is read.

The footer says how large the columns are, and may lie. So does nothing else: a page is decompressed into as many bytes
as its header says. The headers are looked at in the bytes that Arrow reads, before Arrow sees them.

By hand on purpose: Arrow shows no header of a page, and has no memory pool with a bound.

Source: Apache Parquet, ``parquet.thrift`` (PageHeader); Apache Thrift, compact protocol.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO

_HEADER_BYTES = 1 << 20  # statistics of a page are the longest part of one
_DEEPEST = 16
_PAGE_BYTES, _STORED_BYTES = 2, 3
_DATA, _DICTIONARY, _DATA_2 = 5, 7, 8  # fields of a page's header, of which it has one
_N_VALUES = 1
_ENCODING = {_DATA: 2, _DATA_2: 4}
_DELTA_BYTE_ARRAY = 7  # a value repeats the beginning of the one before it
_LEVELS_BYTES = 4  # of a value in a list: whether it is there, and where its list begins
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT96": 12}


class PagesTooLargeError(Exception):
    """What has to be decoded at once is larger than allowed; the argument is how large."""


@dataclass(frozen=True)
class _Chunk:
    """One column of a row group.

    Attributes:
        start: where its pages begin in the file.
        end: where they end.
        in_list_bytes: what a value takes beside its page where a row can have many; else 0.
        repeated: how often the longest value can stand in one batch.
        by_dictionary: whether Arrow keeps its values apart from how often they stand.
    """

    start: int
    end: int
    in_list_bytes: int
    repeated: int
    by_dictionary: bool


@dataclass
class _Reader:
    """The way through the pages of a column."""

    chunk: _Chunk
    at: int
    ahead: bytearray = field(default_factory=bytearray)
    skip: int = 0
    dictionary_bytes: int = 0


class WatchedFile(io.RawIOBase):
    """A Parquet file that stops Arrow where it would decode too much at once.

    Args:
        stream: the file.
        most_bytes: of pages that begin between two calls of :meth:`start_batch`.
    """

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        super().__init__()
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        self._most_bytes = most_bytes
        self._chunks: list[_Chunk] = []
        self._readers: list[_Reader] = []
        self._n_bytes = 0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    def watch(self, group: Any, columns: Sequence[Any], by_dictionary: Sequence[bool], n_rows: int) -> None:
        """Expect the columns of a row group to be read.

        Args:
            group: Arrow's ``RowGroupMetaData``.
            columns: Arrow's ``ColumnSchema`` of each column.
            by_dictionary: of each column, whether it is read as a dictionary and numbers.
            n_rows: rows of a batch.

        Raises:
            ValueError: columns overlap, so that it cannot be told whose pages are read.
        """
        self._chunks, self._readers, self._n_bytes = [], [], 0
        for number in range(group.num_columns):
            column, leaf = group.column(number), columns[number]
            starts = (column.dictionary_page_offset, column.data_page_offset)
            start = min(offset for offset in starts if offset is not None and offset > 0)
            in_list = leaf.max_repetition_level > 0
            self._chunks.append(
                _Chunk(
                    start,
                    start + column.total_compressed_size,
                    _WIDTHS.get(leaf.physical_type, max(leaf.length, 8)) + _LEVELS_BYTES if in_list else 0,
                    n_rows * max(1, -(-column.num_values // max(group.num_rows, 1))),
                    by_dictionary[number] or leaf.physical_type != "BYTE_ARRAY",
                )
            )
        ordered = sorted(self._chunks, key=lambda chunk: chunk.start)
        if any(first.end > second.start for first, second in pairwise(ordered)):
            raise ValueError("two columns lie in the same bytes")

    def start_batch(self) -> None:
        """Count anew: what was decoded is handed over."""
        self._n_bytes = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._stream.tell()

    def read(self, size: int = -1, /) -> bytes:
        """As of any file.

        Raises:
            PagesTooLargeError: a page begins in these bytes with which the batch would be too large.
            ValueError: the bytes are no page.
        """
        at = self._stream.tell()
        left = max(self._size - at, 0)
        data = self._stream.read(left if size < 0 else min(size, left))
        if data and self._chunks:
            self._look(at, data)
        return data

    def _look(self, at: int, data: bytes) -> None:
        reader = next((reader for reader in self._readers if reader.at == at < reader.chunk.end), None)
        if reader is None:
            chunk = next((chunk for chunk in self._chunks if chunk.start == at), None)
            if chunk is None:
                return  # no page: an index or a Bloom filter
            reader = _Reader(chunk, at)
            self._readers.append(reader)
        data = data[: max(reader.chunk.end - at, 0)]
        reader.at += len(data)
        passed = min(reader.skip, len(data))
        reader.skip -= passed
        reader.ahead += memoryview(data)[passed:]
        begin = 0
        while begin < len(reader.ahead):
            try:
                header, end = read_struct(reader.ahead, begin)
            except IndexError:
                if len(reader.ahead) - begin > _HEADER_BYTES:
                    raise ValueError("a page has no end of its header") from None
                break
            begin = end + self._count(header, reader)
        reader.skip += max(begin - len(reader.ahead), 0)
        del reader.ahead[:begin]

    def _count(self, header: Mapping[int, Any], reader: _Reader) -> int:
        """Add a page to what the batch takes; the bytes it has in the file."""
        n_bytes, stored = header.get(_PAGE_BYTES), header.get(_STORED_BYTES)
        if type(n_bytes) is not int or type(stored) is not int or n_bytes < 0 or stored < 0:
            raise ValueError("a page has no size")
        self._n_bytes += n_bytes
        kind = next((kind for kind in (_DICTIONARY, _DATA, _DATA_2) if isinstance(header.get(kind), dict)), None)
        if kind == _DICTIONARY:
            reader.dictionary_bytes = n_bytes
        elif kind is not None:
            n_values = header[kind].get(_N_VALUES)
            n_values = n_values if type(n_values) is int else 0
            self._n_bytes += n_values * reader.chunk.in_list_bytes
            repeated = min(n_values, reader.chunk.repeated)
            if header[kind].get(_ENCODING[kind]) == _DELTA_BYTE_ARRAY:
                self._n_bytes += n_bytes * repeated
            elif not reader.chunk.by_dictionary:
                self._n_bytes += reader.dictionary_bytes * repeated
        if self._n_bytes > self._most_bytes:
            raise PagesTooLargeError(self._n_bytes)
        return stored


def read_struct(data: bytes | bytearray, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol: its fields by number, and where it ends.

    Args:
        data: bytes that begin with it at ``at``; they may end inside it.
        at: where it begins.
        depth: structs around it.

    Raises:
        IndexError: the bytes end inside it.
        ValueError: it is none.

    >>> read_struct(bytes.fromhex("15 02 15 90 03 00"), 0)
    ({1: 1, 2: 200}, 6)
    """
    if depth > _DEEPEST:
        raise ValueError("a page has a header without end")
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if head == 0:
            return fields, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        fields[number], at = _value(data, at, head & 0x0F, depth)


def _value(data: bytes | bytearray, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _zigzag(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        return None, at + length
    if kind in (9, 10):
        return _list(data, at, depth)
    if kind == 12:
        return read_struct(data, at, depth + 1)
    raise ValueError(f"a page has a header with a field of type {kind}")


def _list(data: bytes | bytearray, at: int, depth: int) -> tuple[None, int]:
    if depth > _DEEPEST:
        raise ValueError("a page has a header without end")
    head = data[at]
    at, length = at + 1, head >> 4
    if length == 15:
        length, at = _varint(data, at)
    for _ in range(length):
        if head & 0x0F in (1, 2):
            at += 1  # inside a list a boolean has a byte
        else:
            _, at = _value(data, at, head & 0x0F, depth + 1)
        if at > len(data):
            raise IndexError(at)
    return None, at


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = 0
    for number in range(10):
        byte = data[at + number]
        value |= (byte & 0x7F) << (7 * number)
        if not byte & 0x80:
            return value, at + number + 1
    raise ValueError("a page has a header with a number without end")


def _zigzag(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
