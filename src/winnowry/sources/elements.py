"""Cut a stream of markup into the elements of one name, with bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits
from winnowry.sources.streams import BrokenStreamError

_LONGEST_TOKEN_BYTES = 512
_LONGEST_COMMENT_BYTES = 1 << 20
_LONGEST_TAG_BYTES = 64 << 10
_COMPACT_BYTES = 4 << 20
_TAG_END = re.compile(rb"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")
_CLOSERS = {b"<!--": b"-->", b"<![CD": b"]]>", b"<?": b"?>"}


@dataclass(frozen=True)
class Element:
    """A whole element: its UTF-8, tags included."""

    data: bytes


@dataclass(frozen=True)
class Broken:
    """An element that does not end, or is too long.

    Attributes:
        reason: ``unclosed_record``, ``truncated_record``, ``over_long_record``, or that of a
            :class:`~winnowry.sources.streams.BrokenStreamError`.
        data: its beginning.
        value: what is there.
        threshold: what is allowed.
        ends_stream: nothing after it is read.
    """

    reason: str
    data: bytes
    value: str | None = None
    threshold: str | None = None
    ends_stream: bool = False


def split_elements(
    chunks: Iterable[bytes], name: str, ignore_case: bool, limits: ReadLimits
) -> Iterator[Element | Broken]:
    """The elements of a name in order; what lies between them is ignored.

    An element ends at its first end tag, or, unclosed, where the next one of its name begins. Tags in comments, CDATA
    sections and processing instructions of up to 1 MiB do not count.

    Args:
        chunks: UTF-8, cut anywhere.
        name: of the elements.
        ignore_case: whether the case of tags is ignored.
        limits: longest element.
    """
    window = _Window(chunks)
    tag = re.escape(name.encode())
    token = re.compile(rb"<!--|<!\[CD(?=ATA\[)|<\?|<" + tag + rb"(?=[\s/>])|</" + tag + rb"\s{0,80}>",
                       re.IGNORECASE if ignore_case else 0)  # fmt: skip
    scan = 0
    start: int | None = None
    while True:
        match = token.search(window.data, scan)
        if match is None:
            scan = max(scan, len(window.data) - _LONGEST_TOKEN_BYTES)
            if start is not None and len(window.data) - start > limits.max_record_bytes:
                yield _over_long(window.data[start:], limits)
                start = None
            dropped = window.drop(scan if start is None else start)
            scan -= dropped
            start = None if start is None else start - dropped
            if window.more():
                continue
            yield from _rest(window, start, name)
            return
        closer = _CLOSERS.get(match[0])
        if closer is not None:
            scan = window.after(closer, match.end())
        elif match[0].startswith(b"</"):
            scan = match.end()
            if start is not None:
                yield _element(window.data[start:scan], limits)
                start = None
        else:
            if start is not None:
                data = bytes(window.data[start : match.start()])
                yield Broken("unclosed_record", data[:PAYLOAD_KEPT_BYTES], f"no </{name}>")
            start = match.start()
            scan = window.tag_end(match.end())
            if window.data[scan - 2 : scan] == b"/>":
                yield _element(window.data[start:scan], limits)
                start = None


def _rest(window: _Window, start: int | None, name: str) -> Iterator[Broken]:
    """What the end of the stream leaves over."""
    rest = bytes(window.data[start : start + PAYLOAD_KEPT_BYTES]) if start is not None else b""
    broken = window.broken
    if broken is not None:
        yield Broken(broken.reason, rest or broken.beginning, broken.value, broken.threshold, ends_stream=True)
    elif start is not None:
        yield Broken("truncated_record", rest, "the stream ends inside the record", ends_stream=True)
    elif window.beginning.strip() and not window.has_tags:
        value, threshold = "no markup: there is no tag", f"elements <{name}>"
        yield Broken("unknown_container", window.beginning, value, threshold, ends_stream=True)


def _element(data: bytearray, limits: ReadLimits) -> Element | Broken:
    return Element(bytes(data)) if len(data) <= limits.max_record_bytes else _over_long(data, limits)


def _over_long(data: bytearray, limits: ReadLimits) -> Broken:
    threshold = str(limits.max_record_bytes)
    return Broken("over_long_record", bytes(data[:PAYLOAD_KEPT_BYTES]), f"at least {len(data)}", threshold)


class _Window:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = bytearray()
        self._searched: dict[bytes, int] = {}  # up to where no closer begins; so that no byte is searched twice
        self.beginning = b""
        self.has_tags = False
        self.broken: BrokenStreamError | None = None

    def more(self) -> bool:
        """Read the next chunk; False at the end of the stream, whole or broken."""
        try:
            chunk = next(self._chunks, None)
        except BrokenStreamError as error:
            self.broken = error
            return False
        if chunk is None:
            return False
        self.beginning = self.beginning or chunk[:PAYLOAD_KEPT_BYTES]
        self.has_tags = self.has_tags or b"<" in chunk
        self.data += chunk
        return True

    def drop(self, n_bytes: int) -> int:
        """Free bytes that are no longer needed, where they are many; returns how many."""
        if n_bytes < _COMPACT_BYTES:
            return 0
        del self.data[:n_bytes]
        self._searched = {closer: place - n_bytes for closer, place in self._searched.items()}
        return n_bytes

    def after(self, closer: bytes, begin: int) -> int:
        """Where a comment ends; ``begin`` where it does not end within the longest comment."""
        limit = begin + _LONGEST_COMMENT_BYTES
        while True:
            end = self.data.find(closer, max(begin, self._searched.get(closer, 0)), limit)
            if end >= 0:
                return end + len(closer)
            searched = min(limit, len(self.data)) - len(closer) + 1
            self._searched[closer] = max(searched, self._searched.get(closer, 0))
            if len(self.data) >= limit or not self.more():
                return begin

    def tag_end(self, begin: int) -> int:
        """Where a start tag ends; ``begin`` where it does not end within the longest tag."""
        while True:
            tag_end = _TAG_END.match(self.data, begin, begin + _LONGEST_TAG_BYTES)
            if tag_end is not None:
                return tag_end.end()
            if len(self.data) >= begin + _LONGEST_TAG_BYTES or not self.more():
                return begin
