"""How the JSON of an object is laid out: one object a line, an array, or values one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import orjson

from winnowry.sources.json_values import scan_value
from winnowry.sources.streams import BrokenStreamError

Layout = Literal["lines", "array", "values"]

_BOM = b"\xef\xbb\xbf"
_NOT_BLANK = re.compile(rb"[^ \t\r\n]")
_BEGINS_ARRAY_OF_VALUES = re.compile(rb"\[[ \t\r]*(?:[{\[\]]|\Z)")
_RECORD_SEPARATOR = b"\x1e"
_LINES_TRIED = 5
_LIST_OF_OBJECTS = re.compile(rb'"((?:[^"\\]|\\.){1,200})"\s*:\s*\[\s*\{')


@dataclass(frozen=True)
class LaidOut:
    """A text and how it is laid out.

    Attributes:
        layout: ``lines``; ``array``: the text is one; ``values``: any number of values, which may span lines.
        chunks: the whole text, from its beginning, without a byte-order mark where it is not of lines.
    """

    layout: Layout
    chunks: Iterator[bytes]


def laid_out(chunks: Iterator[bytes], max_bytes: int) -> LaidOut:
    """Tell the layout of a JSON text by its first lines.

    Lines, unless the text as a whole can be something else: the first line is no whole value and goes on in the next
    ones, or the only line holds several values or an array.

    Args:
        chunks: UTF-8.
        max_bytes: the longest line that is looked at.
    """
    opening = _Opening(chunks, max_bytes)
    layout = _layout(opening)
    return LaidOut(layout, opening.chunks(without_mark=layout != "lines"))


def list_of_objects(data: bytes) -> str | None:
    """The first field of a JSON text that holds a list of objects; None where there is none.

    >>> list_of_objects(b'{"version": 2, "data": [{"id": 1}]}')
    'data'
    """
    field = _LIST_OF_OBJECTS.search(data)
    return field[1].decode("utf-8", "replace") if field else None


class _Opening:
    """The beginning of a text, of which nothing is consumed."""

    def __init__(self, chunks: Iterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._broken: BrokenStreamError | None = None
        self._ended = False
        self.data = bytearray()

    def more(self) -> bool:
        """Read on; False at the end of the text, and where more than the longest line was read."""
        if self._ended or len(self.data) > self._max_bytes:
            return False
        try:
            chunk = next(self._chunks, None)
        except BrokenStreamError as error:
            self._broken, chunk = error, None
        if chunk is None:
            self._ended = True
            return False
        self.data += chunk
        return True

    def not_blank(self, at: int) -> int | None:
        """The place of the next byte that is not blank; None where there is none, or none soon."""
        while True:
            place = _NOT_BLANK.search(self.data, at)
            if place is not None:
                return place.start()
            at = len(self.data)
            if not self.more():
                return None if self._ended else at

    def line_end(self, at: int) -> int | None:
        """The place of the next line feed; None where the text ends before it, or the line is too long."""
        while (end := self.data.find(b"\n", at)) < 0:
            at = len(self.data)
            if not self.more():
                return None
        return end

    def chunks(self, *, without_mark: bool) -> Iterator[bytes]:
        """The text from its beginning; its error after it."""
        yield bytes(self.data.removeprefix(_BOM) if without_mark else self.data)
        self.data.clear()
        if self._broken is not None:
            raise self._broken
        if not self._ended:
            yield from self._chunks


def _layout(opening: _Opening) -> Layout:
    opening.more()
    start = opening.not_blank(len(_BOM) if opening.data.startswith(_BOM) else 0)
    first = bytes(opening.data[start : start + 1]) if start is not None else b""
    if start is None or first not in (b"[", b"{", _RECORD_SEPARATOR):
        return "lines"
    if first == _RECORD_SEPARATOR:
        return "values"
    end = opening.line_end(start)
    line = bytes(opening.data[start:end])
    following = opening.not_blank(end) if end is not None else None
    only_line = following is None
    if first == b"[":
        if following is None or opening.data[following] not in b"[{":
            return "array"
        return "array" if not _is_json(line) and _BEGINS_ARRAY_OF_VALUES.match(line) else "lines"
    if _is_json(line):
        return "lines"
    place, _, in_string, ended = scan_value(bytearray(line), 0, 0, False)
    if ended:
        return "values" if only_line and line[place:].lstrip().startswith(b"{") else "lines"
    return "values" if not in_string and end is not None and _goes_on(opening, start, end) else "lines"


def _goes_on(opening: _Opening, start: int, end: int) -> bool:
    """Whether the value that the first line begins goes on in the following lines."""
    at, depth, in_string, ended = start, 0, False, False
    while not ended:
        at, depth, in_string, ended = scan_value(opening.data, at, depth, in_string)
        if not ended and not opening.more():
            break
    if ended and _is_json(bytes(opening.data[start:at])):
        return True
    for _ in range(_LINES_TRIED):
        begin = end + 1
        following = opening.line_end(begin)
        line = bytes(opening.data[begin:following])
        if line.lstrip().startswith(b"{") and _is_json(line):
            return False
        if following is None:
            break
        end = following
    return True


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True
