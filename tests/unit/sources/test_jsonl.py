from __future__ import annotations

import io
import tracemalloc

import pytest

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.jsonl import JsonLines


def read(data: bytes, **limits: int) -> list[Record | Unreadable]:
    return list(JsonLines().read(io.BytesIO(data), "a.jsonl", ReadLimits(**limits)))


def test_blank_lines_hold_no_record_but_count_in_positions() -> None:
    assert read(b'{"a":1}\n\n  \r\n{"a":2}') == [Record(0, {"a": 1}), Record(3, {"a": 2})]


def test_a_byte_order_mark_and_crlf_are_no_content() -> None:
    assert read(b'\xef\xbb\xbf{"a":1}\r\n{"a":2}\r\n') == [Record(0, {"a": 1}), Record(1, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":', "bad_json"),
        (b'{"a":NaN}', "bad_json"),
        (b'{"a":"\xff"}', "bad_utf8"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"[" * 100_000, "bad_json"),
    ],
)
def test_a_bad_line_keeps_its_position_and_bytes_and_the_rest_goes_on(line: bytes, reason: str) -> None:
    first, bad, last = read(b'{"a":1}\n' + line + b'\n{"a":2}\n')
    assert isinstance(bad, Unreadable)
    assert (bad.operator, bad.position, bad.reason, bad.payload) == ("source.jsonl", 1, reason, line)
    assert (first, last) == (Record(0, {"a": 1}), Record(2, {"a": 2}))


def test_an_over_long_line_is_passed_over_in_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        left = 256

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return b"x" * (1 << 20) if self.left > 0 else b'\n{"a":2}\n' if self.left == 0 else b""

    tracemalloc.start()
    items = list(JsonLines().read(Endless(), "a", ReadLimits(max_record_bytes=4 << 20)))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(items[0], Unreadable)
    assert items[0].value == str(255 << 20)
    assert len(items[0].payload) == 1 << 20
    assert items[1] == Record(1, {"a": 2})
    assert peak < 24 << 20
