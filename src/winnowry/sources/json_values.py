"""Cut JSON that is not one object a line into its values: an array, or values one after the other.

By hand on purpose: Python's ``json`` and orjson want the whole text in memory, however long the array is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from winnowry.sources.base import PAYLOAD_KEPT_BYTES
from winnowry.sources.streams import BrokenStreamError

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_STRING_REST = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}\x1e]*+")
_BLANK = re.compile(rb"[ \t\r\n\x1e]*+")  # U+001E begins the values of RFC 7464
_COMPACT_BYTES = 1 << 20
_SHOWN_BYTES = 40


@dataclass(frozen=True)
class JsonValue:
    """One value of a JSON text.

    Attributes:
        index: 0-based.
        data: its bytes; of one that is too long only the beginning.
        n_bytes: its whole length.
        too_long: whether it is longer than allowed.
    """

    index: int
    data: bytes
    n_bytes: int
    too_long: bool = False


@dataclass(frozen=True)
class BrokenJson:
    """A place after which no value can be told from the next one.

    Attributes:
        index: 0-based, of the value that cannot be read.
        reason: ``bad_json``, ``truncated_json``, or that of a :class:`~winnowry.sources.streams.BrokenStreamError`.
        value: what is there.
        threshold: what was expected.
        data: the bytes there.
    """

    index: int
    reason: str
    value: str | None
    threshold: str | None
    data: bytes


class JsonText:
    """A stream of JSON of which at most one value is in memory.

    Args:
        chunks: UTF-8, cut anywhere.
        max_bytes: the longest value.
    """

    def __init__(self, chunks: Iterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._at = 0
        self._broken: BrokenStreamError | None = None

    def array(self) -> Iterator[JsonValue | BrokenJson]:
        """The elements of the array that the text is."""
        self._next_byte()
        self._at += 1
        index = 0
        while True:
            byte = self._next_byte()
            if byte == b"]":
                self._at += 1
                if self._next_byte():
                    yield self._wrong(index, "the end of the text after the array")
                elif self._broken is not None:
                    yield self._cut(index, b"")
                return
            value = self._value(index)
            yield value
            if isinstance(value, BrokenJson):
                return
            index += 1
            byte = self._next_byte()
            if byte == b",":
                self._at += 1
            elif byte != b"]":
                yield self._wrong(index, "a comma or the end of the array")
                return

    def values(self) -> Iterator[JsonValue | BrokenJson]:
        """Values that follow one another, with white space between them or none."""
        index = 0
        while self._next_byte():
            value = self._value(index)
            yield value
            if isinstance(value, BrokenJson):
                return
            index += 1
        if self._broken is not None:
            yield self._cut(index, b"")

    def _more(self) -> bool:
        if self._broken is not None:
            return False
        try:
            chunk = next(self._chunks, None)
        except BrokenStreamError as error:
            self._broken = error
            return False
        if chunk is None:
            return False
        self._data += chunk
        return True

    def _next_byte(self) -> bytes:
        """The next byte that is not blank; empty at the end."""
        while True:
            blank = _BLANK.match(self._data, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._data):
                return bytes(self._data[self._at : self._at + 1])
            self._data.clear()
            self._at = 0
            if not self._more():
                return b""

    def _value(self, index: int) -> JsonValue | BrokenJson:
        if self._at > _COMPACT_BYTES:
            del self._data[: self._at]
            self._at = 0
        opening = bytes(self._data[self._at : self._at + 1])
        if opening and opening in b",:]}":
            return self._wrong(index, "a value")
        beginning, n_bytes, whole = self._bracketed() if opening in (b"{", b"[", b'"') else self._scalar()
        if not whole:
            return self._cut(index, beginning)
        return JsonValue(index, beginning, n_bytes, n_bytes > self._max_bytes)

    def _scalar(self) -> tuple[bytes, int, bool]:
        while True:
            scalar = _SCALAR.match(self._data, self._at)
            end = scalar.end() if scalar else self._at
            if end < len(self._data) or end - self._at > self._max_bytes or not self._more():
                data = bytes(self._data[self._at : end])
                self._at = max(end, self._at + 1)
                return data, len(data), True

    def _bracketed(self) -> tuple[bytes, int, bool]:
        """Consume an object, array or string: its bytes (or its beginning), its length, and whether it ends."""
        scan, depth, in_string = self._at, 0, False
        beginning, n_bytes = b"", 0
        while True:
            scan, depth, in_string, ended = scan_value(self._data, scan, depth, in_string)
            if n_bytes or scan - self._at > self._max_bytes:  # too long: only its beginning stays in memory
                beginning = beginning or bytes(self._data[self._at : self._at + PAYLOAD_KEPT_BYTES])
                n_bytes += scan - self._at
                del self._data[:scan]
                scan = self._at = 0
            if ended or not self._more():
                break
        if not n_bytes:
            beginning = bytes(self._data[self._at : scan])
            n_bytes = len(beginning)
        self._at = scan
        return beginning, n_bytes, ended

    def _wrong(self, index: int, expected: str) -> BrokenJson:
        data = bytes(self._data[self._at : self._at + PAYLOAD_KEPT_BYTES])
        if not data:
            return self._cut(index, b"")
        return BrokenJson(index, "bad_json", f"{data[:_SHOWN_BYTES]!r} …", expected, data)

    def _cut(self, index: int, beginning: bytes) -> BrokenJson:
        broken = self._broken
        if broken is not None:
            return BrokenJson(index, broken.reason, broken.value, broken.threshold, beginning or broken.beginning)
        return BrokenJson(index, "truncated_json", "the text ends inside a value", None, beginning)


def scan_value(data: bytearray, at: int, depth: int, in_string: bool) -> tuple[int, int, bool, bool]:
    """Go on to the end of a JSON value that is an object, an array or a string.

    Args:
        data: JSON, which may end anywhere.
        at: the place; of the first byte of the value, or what this function returned.
        depth: number of open brackets.
        in_string: whether the place is inside a string.

    Returns:
        The place, depth and ``in_string`` to go on with when there is more, and whether the value ends at the place.

    >>> scan_value(bytearray(b'{"a": "]"} {'), 0, 0, False)
    (10, 0, False, True)
    """
    while True:
        if in_string:
            rest = _STRING_REST.match(data, at)
            at = rest.end() if rest else at
            if data[at : at + 1] != b'"':
                return at, depth, True, False
            at, in_string = at + 1, False
            if depth == 0:
                return at, depth, False, True
        for token in _TOKEN.finditer(data, at):
            byte = data[token.start()]
            if byte == 0x22:
                if token.end() - token.start() == 1:
                    at, in_string = token.end(), True
                    break
                if depth == 0:
                    return token.end(), depth, False, True
            elif byte in b"{[":
                depth += 1
            else:
                depth -= 1
                if depth <= 0:
                    return token.end(), depth, False, True
        else:
            return len(data), depth, False, False
