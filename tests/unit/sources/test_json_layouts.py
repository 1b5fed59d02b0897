"""JSON that is not one object a line: arrays, objects that span lines, several on one line, and what is no JSON."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.json_values import JsonText, JsonValue
from winnowry.sources.jsonl import JsonLines

ROWS: list[dict[str, object]] = [{"id": 0, "text": "]}"}, {"id": 1, "text": 'a "quote\\" {'}, {"id": 2, "text": ""}]
COMPACT = [json.dumps(row) for row in ROWS]
EXPECTED = list(enumerate(ROWS))


def read(data: bytes, limits: ReadLimits | None = None) -> list[Record | Unreadable]:
    return list(JsonLines().read(io.BytesIO(data), "a.json", limits or ReadLimits()))


def brief(items: list[Record | Unreadable]) -> list[tuple[int, object]]:
    return [(item.position, item.data if isinstance(item, Record) else item.reason) for item in items]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\ufeff" + json.dumps(ROWS),
        "\n \n" + json.dumps(ROWS) + "\n\n",
        "[\n" + ",\n".join(COMPACT) + "\n]\n",
        "".join(COMPACT),
        "\n".join(json.dumps(row, indent=1) for row in ROWS),
        "".join(f"\x1e{row}\n" for row in COMPACT),
        "\n".join(COMPACT),
    ],
    ids=[
        "array", "indented array", "array after a mark", "array between blanks", "array with an element a line",
        "nothing between the objects", "indented objects", "RFC 7464", "lines",
    ],
)  # fmt: skip
def test_objects_are_read_in_every_layout(text: str) -> None:
    assert brief(read(text.encode())) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", ["\r\n".join(COMPACT), json.dumps(ROWS)], ids=["lines", "array"])
def test_a_byte_order_mark_says_the_encoding(text: str, encoding: str) -> None:
    assert brief(read(text.encode(encoding))) == EXPECTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,\n{"b": 2}\n{"c": 3}\n', [(0, "bad_json"), (1, {"b": 2}), (2, {"c": 3})]),
        ('{"a": {\n{"b": 2}\n', [(0, "bad_json"), (1, {"b": 2})]),
        ('{"a": "x\n{"b": 2}\n', [(0, "bad_json"), (1, {"b": 2})]),
        ('{"a": 1}{"b": 2}\n{"c": 3}\n', [(0, "bad_json"), (1, {"c": 3})]),
        ('[1, 2]\n{"c": 3}\n', [(0, "not_an_object"), (1, {"c": 3})]),
        ('{"a": 1}\n[\n{"c": 3}\n', [(0, {"a": 1}), (1, "bad_json"), (2, {"c": 3})]),
    ],
)
def test_lines_stay_lines_where_their_first_one_is_damaged(text: str, expected: list[tuple[int, object]]) -> None:
    assert brief(read(text.encode())) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a": 1}, 3, null, {"b": 2}]', [(0, {"a": 1}), (1, "not_an_object"), (2, "not_an_object"), (3, {"b": 2})]),
        ('[{"a": 1}, {"a": tru}, {"b": 2}]', [(0, {"a": 1}), (1, "bad_json"), (2, {"b": 2})]),
        ("[]", []),
    ],
)
def test_a_bad_element_of_an_array_costs_only_itself(text: str, expected: list[tuple[int, object]]) -> None:
    assert brief(read(text.encode())) == expected


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ('[{"a": 1}, {"b": ', 1, "truncated_json"),
        ('[{"a": 1}', 1, "truncated_json"),
        ('{\n "a": 1,\n "b": [', 0, "truncated_json"),
        ('[{"a": 1} {"b": 2}]', 1, "bad_json"),
        ('[{"a": 1}] rubbish', 1, "bad_json"),
        ("[[1, 2], [3]]", 0, "not_an_object"),
        ('["a", "b"]', 0, "not_an_object"),
        ('{"version": 1, "data": [{"a": 1}]}', 0, "records_inside"),
        ('{\n"data": [\n{"a": 1},\n{"a": 2}\n]}', 0, "records_inside"),
        ('{"a": 1}\n{"b": 2', 1, "bad_json"),
    ],
)
def test_where_the_rest_cannot_be_read_one_row_says_so_and_ends_the_object(
    text: str, position: int, reason: str
) -> None:
    items = read(text.encode())
    last = items[-1]
    assert isinstance(last, Unreadable)
    assert (last.position, last.reason, last.ends_object) == (position, reason, True)
    assert all(isinstance(item, Record) for item in items[:-1])


def test_the_row_for_records_inside_an_object_names_their_field() -> None:
    [item] = read(json.dumps({"meta": {"n": 2}, "conversations": [{"a": 1}, {"a": 2}]}, indent=4).encode())
    assert isinstance(item, Unreadable)
    assert "'conversations'" in str(item.value)
    assert "an array" in str(item.threshold)


def test_a_single_object_with_a_text_is_a_record_whatever_else_it_holds() -> None:
    row = {"text": "x", "spans": [{"begin": 1}]}
    assert brief(read(json.dumps(row, indent=1).encode())) == [(0, row)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_one_row_that_says_which_encoding_to_set(encoding: str) -> None:
    [item] = read("\n".join(COMPACT).encode(encoding))
    assert isinstance(item, Unreadable)
    assert (item.reason, item.threshold) == ("unknown_container", f"`encoding: {encoding}` of the source")


def test_an_element_above_the_limit_is_reported_and_the_next_one_is_read() -> None:
    rows = [{"text": "a"}, {"text": "]" * 5000}, {"text": "b"}]
    items = read(json.dumps(rows).encode(), ReadLimits(max_record_bytes=1000))
    assert brief(items) == [(0, {"text": "a"}), (1, "over_long_record"), (2, {"text": "b"})]
    assert isinstance(items[1], Unreadable)
    assert items[1].value == str(len(json.dumps(rows[1])))


def test_an_array_is_read_in_memory_that_does_not_grow_with_it() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"["
        for _ in range(400):
            yield b'{"text": "%s"},' % (b"x" * 50_000)
        yield b'{"text": "last"}]'

    tracemalloc.start()
    n_values = sum(isinstance(value, JsonValue) for value in JsonText(chunks(), 1 << 20).array())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_values == 401
    assert peak < 6 << 20  # of 20 MB


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab"\\[]{},: \n', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"}', max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_any_array_is_cut_as_json_parses_it_wherever_the_chunks_are_cut(
    values: list[object], step: int, indent: int | None
) -> None:
    data = json.dumps(values, indent=indent).encode()
    chunks = iter([data[at : at + step] for at in range(0, len(data), step)])
    pieces = list(JsonText(chunks, 1 << 20).array())
    assert [json.loads(piece.data) for piece in pieces] == values
