from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from winnowry.core.ids import record_id
from winnowry.sources.base import Record, Unreadable
from winnowry.sources.event_time import parse_event_time
from winnowry.sources.mapping import MappedRecord, map_record

TIME = {"by": "event_time", "every": "month"}


def mapped(
    data: dict[str, object], partition: dict[str, Any] | None = None, path: str = "2019/eu/a.jsonl", **fields: str
) -> Any:
    rule = {"by": None, "every": None, "field": None, "part": None, "missing": "quarantine", **(partition or {})}
    names = {"id": None, "text": "text", "event_time": None, "event_time_format": None, "license": None, **fields}
    source: Any = SimpleNamespace(
        name="pages",
        uri="landing/**",
        format="jsonl",
        license="MIT",
        fields=SimpleNamespace(**names),
        partition=SimpleNamespace(**rule),
        delimiter=",",
    )
    return map_record(Record(7, data), source, f"/lake/landing/{path}", path)


def test_a_record_is_known_by_its_id_or_by_its_place() -> None:
    assert mapped({"id": "x", "text": "t"}, id="id").record_id == record_id("pages", mapped_id="x")
    assert mapped({"id": 12, "text": "t"}, id="id").record_id == record_id("pages", mapped_id="12")
    assert mapped({"text": "t"}).record_id == record_id("pages", path="2019/eu/a.jsonl", index=7)


def test_all_other_fields_are_kept_as_json() -> None:
    row = mapped({"text": "grüße", "z": 1, "id": "i", "a": {"k": [None, 2**70]}}, id="id")
    assert isinstance(row, MappedRecord)
    assert row.text == "grüße"
    assert row.content_sha256 == hashlib.sha256("grüße".encode()).hexdigest()
    assert row.meta.startswith('{"a"')
    assert json.loads(row.meta) == {"a": {"k": [None, 2**70]}, "id": "i", "z": 1}


def test_the_records_license_wins_over_the_sources() -> None:
    assert mapped({"text": "t", "l": "CC0"}, license="l").license == "CC0"
    assert mapped({"text": "t"}, license="l").license == "MIT"


@pytest.mark.parametrize(
    ("partition", "data", "expected"),
    [
        (TIME, {"t": "2019-05-01"}, "2019-05"),
        ({"by": "event_time", "every": "year"}, {"t": "2019"}, "2019"),
        ({"by": "event_time", "every": "day"}, {"t": "2019-05-01T23:30:00-02:00"}, "2019-05-02"),
        ({**TIME, "missing": "undated"}, {}, "undated"),
        ({"by": "field", "field": "f"}, {"f": "aws"}, "aws"),
        ({"by": "field", "field": "f"}, {"f": 3}, "3"),
        ({"by": "field", "field": "f", "missing": "other"}, {}, "other"),
        ({"by": "path", "part": -2}, {}, "eu"),
        ({"by": "path", "part": 0}, {}, "2019"),
        ({}, {}, "all"),
    ],
)
def test_the_partition_is_told_by_time_field_or_path(
    partition: dict[str, Any], data: dict[str, object], expected: str
) -> None:
    assert mapped({"text": "x", **data}, partition, event_time="t").partition == expected


@pytest.mark.parametrize(
    ("data", "partition", "reason"),
    [
        ({}, {}, "missing_field"),
        ({"text": None}, {}, "missing_field"),
        ({"text": 3}, {}, "wrong_type"),
        ({"text": "x"}, TIME, "missing_event_time"),
        ({"text": "x", "t": "soon"}, TIME, "bad_event_time"),
        ({"text": "x", "t": "soon"}, {**TIME, "missing": "undated"}, "bad_event_time"),
        ({"text": "x"}, {"by": "field", "field": "f"}, "missing_partition_field"),
        ({"text": "x", "f": 1.5}, {"by": "field", "field": "f"}, "wrong_type"),
        ({"text": "x", "f": "a\nb"}, {"by": "field", "field": "f"}, "bad_partition_key"),
        ({"text": "x"}, {"by": "path", "part": -9}, "missing_partition_part"),
    ],
)
def test_what_cannot_be_mapped_keeps_its_record(
    data: dict[str, object], partition: dict[str, Any], reason: str
) -> None:
    bad = mapped(data, partition, event_time="t")
    assert isinstance(bad, Unreadable)
    assert (bad.position, bad.operator, bad.reason) == (7, "source.map", reason)
    assert json.loads(bad.payload) == data


@pytest.mark.parametrize("value", [None, "", 1.5, True, ["a"]])
def test_a_mapped_id_that_is_no_id_is_not_guessed(value: object) -> None:
    assert isinstance(mapped({"text": "x", "id": value}, id="id"), Unreadable)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019", (2019, 1, 1)),
        ("2019-05", (2019, 5, 1)),
        ("2019-05-03", (2019, 5, 3)),
        ("2019-05-03T04:05:06Z", (2019, 5, 3, 4, 5, 6)),
        ("2019-05-03 04:05:06+01:00", (2019, 5, 3, 3, 5, 6)),
        (0, (1970, 1, 1)),
        (1556856306, (2019, 5, 3, 4, 5, 6)),
        ("1556856306", (2019, 5, 3, 4, 5, 6)),
        (1556856306.5, (2019, 5, 3, 4, 5, 6, 500000)),
        (-86400, (1969, 12, 31)),
        (date(2019, 5, 3), (2019, 5, 3)),
    ],
)
def test_event_times_are_read_as_utc(value: object, expected: tuple[int, ...]) -> None:
    assert parse_event_time(value) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "value", ["latest", "2019-13", "2019-02-30", 1556856306000, float("nan"), True, "0001-01-01T00:00:00+05:00", [1]]
)
def test_times_that_would_have_to_be_guessed_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        parse_event_time(value)
