"""Tar archives: their files one after the other, as the objects of another format.

By hand on purpose. Python's ``tarfile`` ends at a damaged header as it does at the end of an archive, without an error.
Here what cannot be read is reported, with the bytes of the header.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import BinaryIO

from winnowry.sources.archived import in_archive
from winnowry.sources.base import Reader, ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.compression import decompressed
from winnowry.sources.file_kinds import kind_of
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.tar_headers import (
    BLOCK_BYTES,
    FILES,
    LONGEST_NAME_BYTES,
    checksum_holds,
    name_in,
    number,
    pax_value,
)

_OPERATOR = "source.tar"
_LONG_NAME, _PAX, _PAX_ALL = b"L", b"x", b"g"


class Tar:
    """Reads the files of tar archives (ustar, GNU and pax long names), plain or compressed; nothing is unpacked.

    Records get the field ``member``, the path of the file in the archive. Positions run on over all files.

    Args:
        content: reads each file.
        members: glob of the paths to read, ``*`` matching ``/`` too; other files are skipped.

    Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
    """

    def __init__(self, content: Reader, members: str) -> None:
        self._content = content
        self._members = members

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_tar`` (the rest of the archive is not read), ``truncated_tar``, those of the format of the
        files, and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        tape = _Tape(decompressed(stream, limits))
        position = 0
        try:
            for name, contents in _files(tape):
                if not fnmatchcase(name, self._members):
                    continue
                first = position
                for item in self._content.read(contents, f"{uri}#{name}", limits):  # type: ignore[arg-type]
                    position = first + item.position + 1
                    yield in_archive(item, first, name)
                if tape.broken is not None:
                    return
        except BrokenStreamError as broken:
            yield unreadable(
                position, _OPERATOR, broken.reason, broken.beginning, broken.value, broken.threshold, ends_object=True
            )
        except _BadTarError as wrong:
            yield unreadable(position, _OPERATOR, wrong.reason, wrong.payload, str(wrong), ends_object=True)


class _BadTarError(Exception):
    def __init__(self, reason: str, message: str, payload: bytes = b"") -> None:
        self.reason, self.payload = reason, payload
        super().__init__(message)


class _Tape:
    """Reads exact numbers of bytes from chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""
        self.broken: BrokenStreamError | None = None

    def some(self, most: int) -> bytes:
        """At most ``most`` bytes, at least one; empty at the end."""
        while not self._left:
            try:
                chunk = next(self._chunks, None)
            except BrokenStreamError as error:
                self.broken = error
                raise
            if chunk is None:
                return b""
            self._left = chunk
        data, self._left = self._left[:most], self._left[most:]
        return data

    def exactly(self, n_bytes: int) -> bytes:
        """``n_bytes`` bytes, fewer at the end."""
        data = bytearray()
        while len(data) < n_bytes and (part := self.some(n_bytes - len(data))):
            data += part
        return bytes(data)


class _Contents(io.RawIOBase):
    """One file of the archive as a stream."""

    def __init__(self, tape: _Tape, n_bytes: int) -> None:
        self._tape = tape
        self._n_left = n_bytes
        self._n_padding = -n_bytes % BLOCK_BYTES

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, all of them where it is negative; empty at the end of the file."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        data = self._tape.some(min(size, self._n_left)) if self._n_left else b""
        if not data and self._n_left:
            n_missing, self._n_left = self._n_left, 0  # said once
            raise BrokenStreamError("truncated_tar", f"{n_missing} bytes of the file are missing")
        self._n_left -= len(data)
        return data

    def skip(self) -> None:
        """Skip what was not read, and the padding, which the end of an archive may lack."""
        while self._n_left:
            self.read(1 << 20)
        n_bytes = self._n_padding
        while n_bytes and (part := self._tape.some(n_bytes)):
            n_bytes -= len(part)


def _files(tape: _Tape) -> Iterator[tuple[str, _Contents]]:
    """Names and contents of regular files; what is left unread of one is skipped."""
    long_name: str | None = None
    while header := tape.exactly(BLOCK_BYTES):
        if len(header) < BLOCK_BYTES:
            raise _BadTarError("truncated_tar", "the archive ends inside a header", header)
        if not header.strip(b"\0"):
            while tape.some(1 << 20):  # whether the stream is whole shows at its end
                pass
            return
        if not checksum_holds(header):
            kind = kind_of(header) if header[257:262] != b"ustar" else None
            what = "the checksum of a header is wrong" if kind is None else f"this is {kind.name}"
            raise _BadTarError("bad_tar", what, header)
        n_bytes = number(header[124:136])
        if n_bytes is None:
            raise _BadTarError("bad_tar", "a header has no size", header)
        entry = header[156:157]
        if entry in (_LONG_NAME, _PAX):
            if n_bytes > LONGEST_NAME_BYTES:
                raise _BadTarError("bad_tar", f"a name header of {n_bytes} bytes", header)
            block = tape.exactly(n_bytes + -n_bytes % BLOCK_BYTES)[:n_bytes]
            path = block.rstrip(b"\0") if entry == _LONG_NAME else pax_value(block, b"path")
            long_name = path.decode("utf-8", "replace") if path else long_name
            continue
        name, long_name = long_name or name_in(header), None if entry != _PAX_ALL else long_name
        contents = _Contents(tape, n_bytes)
        if entry in FILES and not name.endswith("/"):
            yield name, contents
        contents.skip()
