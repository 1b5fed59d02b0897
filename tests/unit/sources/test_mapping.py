from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from winnowry.core.ids import record_id
from winnowry.sources.base import Record, Unreadable
from winnowry.sources.event_time import (
    EventTimeError,
    TimeRange,
    parse_event_time,
    parse_with_format,
    time_range,
)
from winnowry.sources.mapping import MappedRecord, map_record

TIME = {"by": "event_time", "every": "month"}


def mapped(
    data: dict[str, object],
    partition: dict[str, Any] | None = None,
    path: str = "2019/eu/a.jsonl",
    hive: bool | None = None,
    **fields: Any,
) -> Any:
    rule = {"by": None, "every": None, "field": None, "part": None, "missing": "quarantine", "keys": ()}
    rule |= partition or {}
    names = {"id": None, "text": "text", "event_time": None, "event_time_format": None, "event_time_range": None}
    names |= {"license": None, **fields}
    source: Any = SimpleNamespace(
        name="pages",
        uri="landing/**",
        format="jsonl",
        license="MIT",
        fields=SimpleNamespace(**names),
        partition=SimpleNamespace(**rule),
        delimiter=",",
        hive=hive,
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
        ({"text": "x", "f": "c"}, {"by": "field", "field": "f", "keys": ("a", "b")}, "undeclared_partition"),
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


@pytest.mark.parametrize("value", [None, "", "  ", 1.5, 3.0, True, ["a"], {"a": 1}])
def test_a_mapped_id_that_is_no_id_is_not_guessed(value: object) -> None:
    assert isinstance(mapped({"text": "x", "id": value}, id="id"), Unreadable)


def test_ids_are_the_same_where_they_are_written_alike() -> None:
    def of(value: object) -> str:
        return str(mapped({"text": "x", "id": value}, id="id").record_id)

    assert of(12) == of("12")
    assert len({of("a"), of(" a"), of("a "), of("A"), of(2**70)}) == 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["mit", "apache-2.0"], "mit, apache-2.0"),
        (["mit", None, "", "mit"], "mit"),
        ([], "MIT"),
        ("", "MIT"),
        (None, "MIT"),
    ],
)
def test_of_a_list_of_licences_all_are_noted(value: object, expected: str) -> None:
    assert mapped({"text": "t", "l": value}, license="l").license == expected


@pytest.mark.parametrize(
    ("field", "data", "expected"),
    [
        ("doc.text", {"doc": {"text": "a", "n": 1}}, ("a", {"doc": {"n": 1}})),
        ("doc.text", {"doc": {"text": "a"}, "doc.text": "b"}, ("b", {"doc": {"text": "a"}})),
        ("a.b.c", {"a": {"b": {"c": "x"}}}, ("x", {"a": {"b": {}}})),
    ],
)
def test_a_nested_field_is_named_by_its_path(
    field: str, data: dict[str, object], expected: tuple[str, dict[str, object]]
) -> None:
    row = mapped(data, text=field)
    assert (row.text, json.loads(row.meta)) == expected


def test_id_time_license_and_partition_may_be_nested() -> None:
    data = {"text": "t", "m": {"id": "i", "t": "2019", "l": "CC0", "k": "eu"}}
    rule = {"by": "field", "field": "m.k"}
    row = mapped(data, rule, id="m.id", event_time="m.t", license="m.l")
    assert row.record_id == record_id("pages", mapped_id="i")
    assert (row.partition, row.event_time, row.license) == ("eu", datetime(2019, 1, 1, tzinfo=UTC), "CC0")


@pytest.mark.parametrize(
    ("field", "data", "why"),
    [
        ("text", {"body": "a", " text": "b"}, ("missing_field", "text; the fields are body, ' text'", None)),
        ("text", {"text": None}, ("missing_field", "text is null", None)),
        ("text", {}, ("missing_field", "text; the fields are none", None)),
        ("doc.text", {"doc": {"body": "a"}}, ("missing_field", "doc.text; the fields of doc are body", None)),
        ("doc.text", {"doc": "a"}, ("missing_field", "doc.text; doc is text", None)),
        ("chat", {"chat": [{"from": "human"}]}, ("wrong_type", "chat is list of objects", "text")),
        ("chat", {"chat": ["a", 1]}, ("wrong_type", "chat is list of mixed values", "text")),
        ("doc", {"doc": {"title": "a", "body": "b"}}, ("wrong_type", "doc is object with title, body", "text")),
        ("n", {"n": 3}, ("wrong_type", "n is number 3", "text")),
        ("n", {"n": False}, ("wrong_type", "n is boolean false", "text")),
    ],
)
def test_the_reason_says_what_is_there(field: str, data: dict[str, object], why: tuple[str, str, str | None]) -> None:
    bad = mapped(data, text=field)
    assert (bad.reason, bad.value, bad.threshold) == why


def test_folders_of_the_path_are_fields() -> None:
    row = mapped({"text": "t"}, TIME, "lang=zh%2DHans/date=2024-02-01/a=1.jsonl", hive=True, event_time="date")
    assert row.partition == "2024-02"
    assert json.loads(row.meta) == {"date": "2024-02-01", "lang": "zh-Hans"}


@pytest.mark.parametrize(
    ("own", "folder", "kept"),
    [
        (None, "en", "en"),
        ("en", "en", "en"),
        (1, "01", 1),
        (True, "true", True),
        (date(2024, 2, 1), "2024-02-01", "2024-02-01"),
        (None, "__HIVE_DEFAULT_PARTITION__", None),
        ("de", "en", "conflict"),
        (1, "2", "conflict"),
        ("en", "__HIVE_DEFAULT_PARTITION__", "conflict"),
    ],
)
def test_a_field_of_the_record_and_of_the_path_must_be_equal(own: object, folder: str, kept: object) -> None:
    row = mapped({"text": "t", "k": own}, path=f"k={folder}/a.jsonl", hive=True)
    if kept == "conflict":
        assert row.reason == "hive_conflict"
    else:
        assert json.loads(row.meta) == {"k": kept}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019", (2019, 1, 1)),
        (2019, (2019, 1, 1)),
        (2019.0, (2019, 1, 1)),
        ("2019.0", (2019, 1, 1)),
        (Decimal("2019.00"), (2019, 1, 1)),
        ("2019-05", (2019, 5, 1)),
        ("201905", (2019, 5, 1)),
        (201905, (2019, 5, 1)),
        ("2019-05-03", (2019, 5, 3)),
        (" 2019-05-03 ", (2019, 5, 3)),
        ("20190503", (2019, 5, 3)),
        (20190503, (2019, 5, 3)),
        (20190503.0, (2019, 5, 3)),
        ("2019-W18-3", (2019, 5, 1)),
        ("2019W183", (2019, 5, 1)),
        ("2019-W18", (2019, 4, 29)),
        ("2019-121", (2019, 5, 1)),
        ("2019050304", (2019, 5, 3, 4)),
        (2019050304, (2019, 5, 3, 4)),
        ("201905030405", (2019, 5, 3, 4, 5)),
        ("20190503040506", (2019, 5, 3, 4, 5, 6)),
        (20190503040506, (2019, 5, 3, 4, 5, 6)),
        ("2019-05-03T04:05:06Z", (2019, 5, 3, 4, 5, 6)),
        ("2019-05-03t04:05:06z", (2019, 5, 3, 4, 5, 6)),
        ("20190503T040506Z", (2019, 5, 3, 4, 5, 6)),
        ("2019-05-03 04:05:06 UTC", (2019, 5, 3, 4, 5, 6)),
        ("2019-05-03T04", (2019, 5, 3, 4)),
        ("2019-05-03T04:05:06,25", (2019, 5, 3, 4, 5, 6, 250000)),
        ("2019-05-03T04:05:06.1234567891", (2019, 5, 3, 4, 5, 6, 123456)),
        ("2019-05-03 04:05:06+01:00", (2019, 5, 3, 3, 5, 6)),
        ("2019-05-03 04:05:06 -0130", (2019, 5, 3, 5, 35, 6)),
        ("2019-05-03T24:00", (2019, 5, 4)),
        ("2016-12-31T23:59:60Z", (2017, 1, 1)),
        ("2017-01-01T00:59:60+01:00", (2017, 1, 1)),
        (0, (1970, 1, 1)),
        ("0", (1970, 1, 1)),
        (100000000, (1973, 3, 3, 9, 46, 40)),
        (1556856306, (2019, 5, 3, 4, 5, 6)),
        ("1556856306", (2019, 5, 3, 4, 5, 6)),
        (1556856306.5, (2019, 5, 3, 4, 5, 6, 500000)),
        (Decimal("1556856306.5"), (2019, 5, 3, 4, 5, 6, 500000)),
        ("1556856306.000", (2019, 5, 3, 4, 5, 6)),
        (-86400, (1969, 12, 31)),
        (date(2019, 5, 3), (2019, 5, 3)),
        (datetime(2019, 5, 3, 4), (2019, 5, 3, 4)),
        (datetime(2019, 5, 3, 4, tzinfo=timezone(timedelta(hours=8))), (2019, 5, 2, 20)),
    ],
)
def test_event_times_are_read_as_utc(value: object, expected: tuple[int, ...]) -> None:
    assert parse_event_time(value) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("latest", "a text of another form"),
        ("NaN", "a text of another form"),
        ("19-05-01", "a text of another form"),
        ("01/05/2019", "a text of another form"),
        ("2019-5-1", "a text of another form"),
        ("2019-0501", "a text of another form"),
        ("２０１９", "a text of another form"),
        ("1.5e9", "a text of another form"),
        ("0000", "does not exist"),
        ("2019-13", "does not exist"),
        ("2019-02-30", "does not exist"),
        ("2019-366", "does not exist"),
        ("2019-W53-1", "does not exist"),
        ("2019-05-01T24:01", "does not exist"),
        ("2019-05-01T12:00:60Z", "no leap second"),
        ("0001-01-01T00:00:00+05:00", "out of range"),
        (20191301, "YYYYMMDD that does not exist"),
        ("01052019", "YYYYMMDD that does not exist"),
        (190501, "both YYYYMM and YYMMDD"),
        ("200105", "both YYYYMM and YYMMDD"),
        (86400, "5 digits"),
        (43586.5, "5 digits with a fraction"),
        (2019.5, "4 digits with a fraction"),
        (1234567, "7 digits"),
        (99999999999, "11 digits"),
        (100000000000, "YYYYMMDDHHMM that does not exist"),
        (1556856306000, "unix_ms"),
        ("1556856306000000", "unix_us"),
        (1556856306000000000, "unix_ns"),
        (10**60, "more than 40 digits"),
        (1e300, "more than 40 digits"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("NaN"), "NaN"),
        (True, "bool"),
        ([1], "list"),
        (timedelta(1), "timedelta"),
        (1899, "not plausible"),
        ("1899-12-31", "not plausible"),
        ("9999-12-31", "not plausible"),
        (date(2099, 12, 31), "not plausible"),
        (-2208988801, "not plausible"),
        (9999999999, "neither plausible Unix seconds"),
    ],
)
def test_times_that_would_have_to_be_guessed_are_refused(value: object, form: str) -> None:
    with pytest.raises(EventTimeError, match=form):
        parse_event_time(value)


@pytest.mark.parametrize(
    ("layout", "value", "expected"),
    [
        ("%Y%m", 200105, (2001, 5, 1)),
        ("%y%m%d", "200105", (2020, 1, 5)),
        ("%Y%m%d%H", "2019050304", (2019, 5, 3, 4)),
        ("%d/%m/%Y", "01/05/2019", (2019, 5, 1)),
        ("unix_s", 86400, (1970, 1, 2)),
        ("unix_s", "1556856306.5", (2019, 5, 3, 4, 5, 6, 500000)),
        ("unix_ms", 1556856306500, (2019, 5, 3, 4, 5, 6, 500000)),
        ("unix_ms", 1556856306500.0, (2019, 5, 3, 4, 5, 6, 500000)),
        ("unix_us", 1556856306500000, (2019, 5, 3, 4, 5, 6, 500000)),
        ("unix_ns", 1556856306500000999, (2019, 5, 3, 4, 5, 6, 500000)),
    ],
)
def test_a_recipe_says_how_its_event_times_are_written(layout: str, value: object, expected: tuple[int, ...]) -> None:
    assert parse_with_format(value, layout) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_ten_digits_are_what_lies_in_the_range() -> None:
    # As Unix seconds 2033-12-24T15:15:12Z, as an hour 2019-05-01T12:00Z.
    later = time_range("2030", "2040", None)
    assert parse_event_time("2019050112", later) == datetime(2033, 12, 24, 15, 15, 12, tzinfo=UTC)
    with pytest.raises(EventTimeError, match="both YYYYMMDDHH and Unix seconds"):
        parse_event_time("2019050112", time_range(None, "2040", None))


def test_the_range_of_a_source_decides_what_is_plausible() -> None:
    old = time_range("1800", "1850-06", None)
    assert parse_event_time("1850-06-30T23:59:59", old).year == 1850
    for wrong in ("1799-12-31", "1850-07-01"):
        with pytest.raises(EventTimeError, match="not plausible") as refusal:
            parse_event_time(wrong, old)
        assert refusal.value.expected == "1800-01-01 to 1850-07-01"
    written_at = datetime(2040, 5, 1, 12, tzinfo=UTC)
    assert time_range(None, None, written_at).latest == datetime(2040, 5, 2, 12, tzinfo=UTC)
    assert time_range(None, None, datetime(1980, 1, 1, tzinfo=UTC)) == TimeRange()


def test_a_refused_time_names_its_form_and_the_range() -> None:
    bad = mapped({"text": "x", "t": "2999-01-01"}, TIME, event_time="t", event_time_range=("1990", "2020"))
    assert (bad.reason, bad.threshold) == ("bad_event_time", "1990-01-01 to 2021-01-01")
    assert bad.value == "'2999-01-01': an ISO 8601 date: 2999-01-01 is not plausible (event_time_range)"
