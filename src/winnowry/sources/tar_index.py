"""Which files a plain tar archive holds and where they lie: its headers alone are read, and data are skipped."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from winnowry.sources.file_kinds import kind_of
from winnowry.sources.streams import BrokenStreamError, first_bytes
from winnowry.sources.tar_headers import (
    BLOCK_BYTES,
    FILES,
    LONGEST_NAME_BYTES,
    checksum_holds,
    name_in,
    number,
    pax_value,
)

_ZEROS_AT_ONCE = 1 << 20
_LONG_NAME, _LONG_LINK, _PAX = b"L", b"K", b"x"
_HARD_LINK, _FOLDER = b"1", b"5"
_OF_ARCHIVE = (b"g", b"V", b"M", b"N", b"X")
"""Entries that say something of the archive and are no files: pax values for all, label, volumes, old name lists."""
_NO_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
_CALLED = {b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a named pipe", b"S": "a sparse file"}


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    Attributes:
        name: as the archive writes it.
        offset: of its first byte in the archive.
        size: bytes.
        obstacle: what it is where it is no file that can be read, in words; None where it can.
    """

    name: str
    offset: int
    size: int
    obstacle: str | None = None


@dataclass(frozen=True)
class Fault:
    """Where the headers of an archive end too early.

    Attributes:
        reason: ``truncated_tar`` or ``bad_tar``.
        value: what is there.
        payload: the bytes of the header.
        offset: of the first byte that was not understood.
        name: of the file that is cut off, if one is.
    """

    reason: str
    value: str
    payload: bytes
    offset: int
    name: str | None = None


@dataclass(frozen=True)
class TarIndex:
    """The files of an archive in its order, folders left out, and why it ends too early, if it does."""

    members: tuple[Member, ...]
    fault: Fault | None = None


class _BadHeaderError(Exception):
    def __init__(self, reason: str, message: str, payload: bytes = b"", name: str | None = None) -> None:
        self.reason, self.payload, self.name = reason, payload, name
        super().__init__(message)


class _Headers:
    """Walks the headers of an archive.

    Attributes:
        at: where the next header lies.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._end = stream.seek(0, io.SEEK_END)
        self.at = 0
        self.members: list[Member] = []
        self._places: dict[str, Member] = {}

    def walk(self) -> None:
        """Note every member.

        Raises:
            _BadHeaderError: a header that is none, or what it announces lies beyond the end.
        """
        values: dict[bytes, bytes] = {}
        while header := self._block(BLOCK_BYTES):
            if not header.strip(b"\0"):
                self._skip_zeros()  # the end; another archive may follow, as `cat` leaves it
                continue
            size, entry = self._checked(header), header[156:157]
            start = self.at + BLOCK_BYTES
            if entry in (_LONG_NAME, _LONG_LINK, _PAX):
                values |= self._extended(entry, start, size, header)
                self.at = start + size + -size % BLOCK_BYTES
                continue
            name = _path(values.get(b"GNU.sparse.name") or values.get(b"path")) or name_in(header)
            size = int(values.get(b"size", b"")) if values.get(b"size", b"").isdigit() else size
            held = 0 if entry in _NO_DATA else size
            if start + held > self._end:
                missing = start + held - self._end
                raise _BadHeaderError("truncated_tar", f"{missing} bytes of {name} are missing", header, name)
            self._note(name, entry, start, size, values, header)
            self.at = start + held + -held % BLOCK_BYTES
            values = {}

    def _skip_zeros(self) -> None:
        self._stream.seek(self.at)
        while piece := first_bytes(self._stream, _ZEROS_AT_ONCE):
            n_left = len(piece.lstrip(b"\0"))
            self.at += (len(piece) - n_left) // BLOCK_BYTES * BLOCK_BYTES if n_left else len(piece)
            if n_left:
                return

    def _block(self, n_bytes: int) -> bytes:
        self._stream.seek(self.at)
        block = first_bytes(self._stream, n_bytes)
        if 0 < len(block) < n_bytes and block.strip(b"\0"):
            raise _BadHeaderError("truncated_tar", "the archive ends inside a header", block)
        return block

    def _checked(self, header: bytes) -> int:
        """The size that a header announces."""
        if not checksum_holds(header):
            if self.members and self._after_end():
                raise _BadHeaderError("trailing_garbage", "after the end of the archive", header)
            kind = kind_of(header) if header[257:262] != b"ustar" else None
            what = "the checksum of a header is wrong" if kind is None else f"this is {kind.name}"
            raise _BadHeaderError("bad_tar", what, header)
        size = number(header[124:136])
        if size is None:
            raise _BadHeaderError("bad_tar", "a header has no size", header)
        return size

    def _after_end(self) -> bool:
        self._stream.seek(self.at - BLOCK_BYTES)
        return not first_bytes(self._stream, BLOCK_BYTES).strip(b"\0")

    def _extended(self, entry: bytes, start: int, size: int, header: bytes) -> dict[bytes, bytes]:
        """What an entry says of the one behind it."""
        if size > LONGEST_NAME_BYTES:
            raise _BadHeaderError("bad_tar", f"a name header of {size} bytes", header)
        self._stream.seek(start)
        block = first_bytes(self._stream, size)
        if len(block) < size:
            raise _BadHeaderError("truncated_tar", "the archive ends inside a name header", header)
        if entry != _PAX:
            return {b"path" if entry == _LONG_NAME else b"linkpath": block.rstrip(b"\0")}
        names = (b"path", b"linkpath", b"size", b"GNU.sparse.major", b"GNU.sparse.map", b"GNU.sparse.name")
        return {name: value for name in names if (value := pax_value(block, name)) is not None}

    def _note(self, name: str, entry: bytes, start: int, size: int, values: dict[bytes, bytes], header: bytes) -> None:
        if entry == _FOLDER or entry in _OF_ARCHIVE or name.endswith("/"):
            return
        if entry == _HARD_LINK:
            linked = _path(values.get(b"linkpath")) or header[157:257].partition(b"\0")[0].decode("utf-8", "replace")
            target = self._places.get(linked)
            member = (
                Member(name, target.offset, target.size, target.obstacle)
                if target is not None
                else Member(name, start, 0, f"a link to {linked}, which the archive does not hold before it")
            )
        else:
            sparse = any(key.startswith(b"GNU.sparse") for key in values)
            regular = entry in FILES and not sparse
            called = "a sparse file" if sparse else _CALLED.get(entry, f"an entry of type {entry!r}")
            member = Member(name, start, size, None if regular else called)
        self.members.append(member)
        self._places[name] = member


def tar_index(stream: BinaryIO) -> TarIndex:
    """The files of an archive.

    A hard link is the file that it leads to. Where the headers break off, the files before that place are there.

    Args:
        stream: the archive, plain and seekable.
    """
    headers = _Headers(stream)
    try:
        headers.walk()
    except _BadHeaderError as wrong:
        fault = Fault(wrong.reason, str(wrong), wrong.payload, headers.at, wrong.name)
        return TarIndex(tuple(headers.members), fault)
    return TarIndex(tuple(headers.members))


class MemberBytes(io.RawIOBase):
    """The bytes of one file of a plain archive as a stream.

    Args:
        stream: the archive.
        member: the file.
    """

    def __init__(self, stream: BinaryIO, member: Member) -> None:
        self._stream = stream
        self._member = member
        self._done = 0

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, all of them where it is negative; empty at the end of the file."""
        left = self._member.size - self._done
        wanted = left if size < 0 else min(size, left)
        if not wanted:
            return b""
        self._stream.seek(self._member.offset + self._done)
        data = first_bytes(self._stream, wanted)
        if not data:
            raise BrokenStreamError("truncated_tar", f"{left} bytes of {self._member.name} are missing")
        self._done += len(data)
        return data


def _path(value: bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if value else None
