"""Cut a WARC or ARC archive into its records, whatever their headers claim.

By hand on purpose. Crawled archives are cut, damaged and wrong about their lengths. A reader that trusts the declared
length loses the records behind a wrong one; here every lost record is counted, and the next one is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits
from winnowry.sources.members import MemberEnd, member_pieces

_MAX_HEADER_BYTES = 64 << 10
_STEP_BYTES = 1 << 20
_COMPACT_BYTES = 4 << 20
_WARC_START = re.compile(rb"WARC/\d\.\d{1,3}[ \t]*\r?\n")
_ARC_LINE = rb"[a-zA-Z][\w+.-]{0,30}:[^\s]{0,4096} [^\s]{0,64} \d{12,17} [^\n]{0,300}? ?\d{1,12}\r?\n"
_ARC_START = re.compile(_ARC_LINE)
_NEXT_START = re.compile(rb"\n(?=WARC/\d\.\d{1,3}[ \t]*\r?\n|" + _ARC_LINE + rb")")
_NEXT_WARC_START = re.compile(rb"\r?\n\r?\n(?=WARC/\d\.\d{1,3}[ \t]*\r?\n[\w-]{1,60}:)")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_OVERLAP_BYTES = 8 << 10  # of a start that lies across two steps
_LINE_ENDS = frozenset(b"\r\n")


@dataclass(frozen=True)
class Frame:
    """A record of an archive.

    Attributes:
        kind: ``warc`` or ``arc``.
        headers: fields by lower-case name; of ARC ``url``, ``ip``, ``date`` and ``content-type``, as far as present.
        body: the block, as long as the header says.
    """

    kind: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Damage:
    """A place of an archive that is no usable record; reading goes on at the next one.

    Attributes:
        reason: ``bad_warc_header``, ``bad_content_length``, ``wrong_content_length``, ``truncated_record``,
            ``over_long_record``, or that of a :class:`~winnowry.sources.streams.BrokenStreamError`.
        value: what is there.
        threshold: what was declared or allowed.
        payload: the bytes, cut to :data:`~winnowry.sources.base.PAYLOAD_KEPT_BYTES`.
        ends_archive: nothing after it is read: the archive is cut there, or no record begins in the rest.
    """

    reason: str
    value: str | None
    threshold: str | None
    payload: bytes
    ends_archive: bool = False


def begins_record(data: bytes) -> bool:
    """Whether bytes are the start of a WARC or ARC record, or white space before one."""
    start = data[:_OVERLAP_BYTES].lstrip(b"\r\n")
    return start.startswith(b"WARC/") or _ARC_START.match(start) is not None


def archive_frames(stream: BinaryIO, limits: ReadLimits) -> Iterator[Frame | Damage]:
    """Records and damaged places of an archive in order, one record in memory at a time.

    The length that a header declares holds where another record or the end of a gzip member follows. Else the record
    ends where the next one begins, and counts as damaged. Of a record longer than the limit only the beginning is
    kept; the next record that begins inside it ends it.

    Args:
        stream: plain, gzip (one member a record, or all in one) or zstd.
        limits: longest record and what members may inflate to.
    """
    window = _Window(stream, limits)
    while True:
        window.skip_line_ends()
        if window.available(1) == 0:
            end = window.take_error()
            if end is not None and end.error is not None:
                yield Damage(end.error.reason, end.error.value, end.error.threshold, b"", end.ends_stream)
            if not window.next_member():
                return
        elif (length := window.match(_WARC_START)) is not None:
            yield _warc(window, length, limits)
        elif (length := window.match(_ARC_START)) is not None:
            yield _arc(window, length, limits)
        else:
            payload = window.until_start()
            yield _damaged(window, "bad_warc_header", repr(payload[:60])[2:-1], "WARC/1.x or an ARC line", payload)


@dataclass
class _Window:
    """The part of the present member that is in memory."""

    stream: BinaryIO
    limits: ReadLimits
    _data: bytearray = field(default_factory=bytearray)
    _at: int = 0
    _end: MemberEnd | None = None
    _ahead: bytes | MemberEnd | None = None

    def __post_init__(self) -> None:
        self._pieces = member_pieces(self.stream, self.limits, begins_record)

    def available(self, most: int) -> int:
        """Number of bytes that lie ahead in the member, at most ``most``; reads until they are in memory."""
        while len(self._data) - self._at < most and self._end is None:
            piece = self._next_piece()
            if isinstance(piece, bytes):
                self._append(piece)
            else:
                self._end = piece or MemberEnd()
                if self._end.error is None:
                    self._join()
        return min(len(self._data) - self._at, most)

    def _next_piece(self) -> bytes | MemberEnd | None:
        piece, self._ahead = self._ahead, None
        return piece if piece is not None else next(self._pieces, None)

    def _append(self, piece: bytes) -> None:
        if self._at > _COMPACT_BYTES:
            del self._data[: self._at]
            self._at = 0
        self._data += piece

    def _join(self) -> None:
        """A member that does not begin with a record goes on with the one before: the archive is cut anywhere."""
        self._ahead = self._next_piece()
        if isinstance(self._ahead, bytes) and not begins_record(self._ahead):
            self._append(self._ahead)
            self._ahead = self._end = None

    def take_error(self) -> MemberEnd | None:
        """The end of a member that ends early; returned once, then None."""
        if self._end is None or self._end.error is None:
            return None
        end, self._end = self._end, MemberEnd()
        return end

    def exhausted(self) -> bool:
        """Whether the stream ends here."""
        if self.available(1):
            return False
        self._ahead = self._next_piece()
        return self._ahead is None

    def next_member(self) -> bool:
        """Go on after the end of a member; False at the end of the stream."""
        piece = self._next_piece()
        if piece is None:
            return False
        self._data, self._at, self._end = bytearray(), 0, None
        if isinstance(piece, MemberEnd):
            self._end = piece
        else:
            self._data += piece
        return True

    def peek(self, offset: int, n_bytes: int) -> bytes:
        """Bytes at an offset ahead, which must be in memory."""
        start = self._at + offset
        return bytes(memoryview(self._data)[start : start + n_bytes])

    def take(self, n_bytes: int) -> bytes:
        """Consume the next bytes, which must be in memory."""
        data = self.peek(0, n_bytes)
        self._at += len(data)
        return data

    def match(self, pattern: re.Pattern[bytes]) -> int | None:
        """Length of the pattern at this place."""
        self.available(_OVERLAP_BYTES)
        start = pattern.match(self._data, self._at)
        return start.end() - self._at if start else None

    def header(self) -> bytes | None:
        """The bytes up to and including the blank line; None where there is none within 64 KiB."""
        searched_bytes = 4 << 10
        while True:
            n_bytes = self.available(searched_bytes)
            blank_line = _HEADER_END.search(self._data, self._at, self._at + n_bytes)
            if blank_line:
                return self.take(blank_line.end() - self._at)
            if n_bytes < searched_bytes or searched_bytes >= _MAX_HEADER_BYTES:
                return None
            searched_bytes *= 4

    def skip_line_ends(self) -> int:
        """Skip CR and LF; returns how many there were."""
        n_passed = 0
        while self.available(1) and self._data[self._at] in _LINE_ENDS:
            self._at += 1
            n_passed += 1
        return n_passed

    def ends_record(self, offset: int) -> bool:
        """Whether a record can end at an offset: another one, or the undamaged end of the member, follows."""
        ahead = self.available(offset + _OVERLAP_BYTES) - offset
        following = self.peek(offset, ahead).lstrip(b"\r\n")
        if not following:
            return self._end is None or self._end.error is None
        return _WARC_START.match(following) is not None or _ARC_START.match(following) is not None

    def blank_line_at(self, offset: int) -> bool:
        """Whether the two line ends that close a record stand at an offset, and more bytes follow."""
        return self.available(offset + 5) == offset + 5 and self.peek(offset, 4) == b"\r\n\r\n"

    def start_within(self, n_bytes: int, pattern: re.Pattern[bytes]) -> int | None:
        """Offset of the next record within bytes that are in memory; None where none begins."""
        start = pattern.search(self._data, self._at, self._at + n_bytes)
        return start.end() - self._at if start else None

    def until_start(self, most: int | None = None, pattern: re.Pattern[bytes] = _NEXT_START) -> bytes:
        """Skip to the next record or the end of the member, at most ``most`` bytes; returns the beginning."""
        beginning = bytearray()
        n_skipped = 0
        while True:
            step = _STEP_BYTES if most is None else min(_STEP_BYTES, most - n_skipped)
            n_bytes = self.available(step + _OVERLAP_BYTES)
            start = self.start_within(n_bytes, pattern)
            begins = start is not None and start <= step
            piece = self.take(start if begins and start is not None else min(n_bytes, step))
            n_skipped += len(piece)
            beginning += piece[: max(PAYLOAD_KEPT_BYTES - len(beginning), 0)]
            if begins or n_bytes <= step or n_skipped == most:
                return bytes(beginning)


def _warc(window: _Window, first_line: int, limits: ReadLimits) -> Frame | Damage:
    head = window.header()
    if head is None:
        payload = window.take(first_line) + window.until_start()
        return _damaged(window, "bad_warc_header", "no blank line", f"within {_MAX_HEADER_BYTES} bytes", payload)
    headers = parsed_headers(head[first_line:])
    declared = headers.get("content-length", "")
    if not (declared.isascii() and declared.isdigit() and len(declared) < 19):
        payload = head + window.until_start()
        return _damaged(window, "bad_content_length", declared or None, "a number of bytes", payload)
    return _block(window, "warc", headers, int(declared), head, limits)


def _arc(window: _Window, line_bytes: int, limits: ReadLimits) -> Frame | Damage:
    head = window.take(line_bytes)
    parts = head.decode("utf-8", "replace").split()
    names = ("url", "ip", "date")
    headers = dict(zip(names, parts, strict=False))
    if len(parts) > 4:
        headers["content-type"] = parts[3]
    return _block(window, "arc", headers, int(parts[-1]), head, limits)


def _block(
    window: _Window, kind: str, headers: dict[str, str], n_bytes: int, head: bytes, limits: ReadLimits
) -> Frame | Damage:
    if n_bytes > limits.max_record_bytes:
        payload = head + window.until_start(n_bytes, _NEXT_WARC_START if kind == "warc" else _NEXT_START)
        threshold = str(limits.max_record_bytes)
        return _damaged(window, "over_long_record", str(n_bytes), threshold, payload)
    n_available = window.available(n_bytes)
    if n_available == n_bytes and window.ends_record(n_bytes):
        return Frame(kind, headers, window.take(n_bytes))
    cut = window.start_within(n_available, _NEXT_WARC_START if kind == "warc" else _NEXT_START)
    if cut is None and n_available == n_bytes and window.blank_line_at(n_bytes):
        return Frame(kind, headers, window.take(n_bytes))  # what follows is no record, and not of this one
    if cut is not None:
        return Damage("wrong_content_length", str(cut), str(n_bytes), (head + window.take(cut))[:PAYLOAD_KEPT_BYTES])
    if n_available < n_bytes:
        payload = head + window.take(n_available)
        return _damaged(window, "truncated_record", str(n_available), str(n_bytes), payload)
    block = window.take(n_bytes) + window.until_start()
    return _damaged(window, "wrong_content_length", f"at least {len(block)}", str(n_bytes), head + block)


def _damaged(window: _Window, reason: str, value: str | None, threshold: str | None, payload: bytes) -> Damage:
    """The damage of a record; where the stream broke inside it, that is the reason."""
    end = window.take_error() if window.available(1) == 0 else None
    if end is not None and end.error is not None:
        error = end.error
        return Damage(error.reason, error.value, error.threshold, payload[:PAYLOAD_KEPT_BYTES], end.ends_stream)
    ends_archive = reason != "over_long_record" and window.exhausted()
    return Damage(reason, value, threshold, payload[:PAYLOAD_KEPT_BYTES], ends_archive)


def parsed_headers(block: bytes) -> dict[str, str]:
    """Header fields by lower-case name; of repeated ones the first; continued lines are joined."""
    headers: dict[str, str] = {}
    name = ""
    for line in block.decode("utf-8", "replace").splitlines():
        if line[:1] in (" ", "\t") and name:
            headers[name] = f"{headers[name]} {line.strip()}"
            continue
        name, separator, value = line.partition(":")
        name = name.strip().lower()
        if not separator or name in headers:
            name = ""
            continue
        headers[name] = value.strip()
    return headers
