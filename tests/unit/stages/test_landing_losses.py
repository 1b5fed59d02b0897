"""What landing lost, in words and numbers; expectations counted by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from winnowry.recipe.model import Recipe
from winnowry.releases.facts.limits import limits
from winnowry.stages.landing_losses import Losses, Refused, SourceLosses, UnreadObject, losses, refused_beside


@pytest.mark.parametrize(
    ("reason", "value", "threshold", "expected"),
    [
        ("wrong_type", "conversations is list", "string", "field `conversations` is a list (expected text)"),
        ("wrong_type", "chat is list of objects", "text", "field `chat` is a list (expected text)"),
        ("wrong_type", "a is b is a list", "text", "field `a is b` is a list (expected text)"),
        ("missing_field", "txet", None, "there is no field `txet`"),
        ("missing_field", "txet; the fields are id, text", None, "there is no field `txet`; the fields are id, text"),
        ("missing_id", "id is null", None, "field `id` is null"),
        ("missing_partition_part", "a.jsonl", None, "missing_partition_part: a.jsonl"),
        ("bad_event_time", "'x': no time", None, "bad_event_time: 'x': no time"),
        ("wrong_field_count", "3", "4", "wrong_field_count: 3 (expected 4)"),
        ("bad_utf8", None, None, "bad_utf8"),
    ],
)  # fmt: skip
def test_a_reason_is_said_in_words(reason: str, value: str | None, threshold: str | None, expected: str) -> None:
    assert Refused("source.map", reason, 1, value, threshold, "landing/a.jsonl", 0).words() == expected


RECIPE = Recipe.model_validate({"version": 1, "corpus": "c", "sources": [{"name": "s", "uri": "x", "format": "warc"}]})


def row(uri: str, size: int, read: int, taken: int, unread: str | None = None, unread_bytes: int | None = None) -> Any:
    parts = [{"partition": "p", "n_records": taken}] if taken else []
    return {"uri": uri, "source": "s", "size": size, "n_records": read, "partitions": parts, "unread": unread,
            "unread_bytes": unread_bytes}  # fmt: skip


def rejected(*reasons: tuple[str, str, str]) -> Any:
    rows = [
        {"uri": uri, "operator": operator, "reason": reason, "value": None, "threshold": None, "position": 0}
        for uri, operator, reason in reasons
    ]
    names = ["operator", "reason", "value", "threshold", "uri", "position"]
    return SimpleNamespace(scan=lambda columns: [pa.RecordBatch.from_pylist(rows).select(names)])


def test_objects_come_by_the_bytes_that_are_lost() -> None:
    rows = [
        row("a", 10, 3, 2, "source.jsonl: truncated_gzip", 0),
        row("b", 50, 1, 0, "source.jsonl: not_an_object", 50),
        row("c", 900, 9, 9),
        row("d", 40, 4, 3, "source.jsonl: bad_zstd", 30),
        row("e", 5, 0, 0),
    ]
    lost = losses(RECIPE, rows, [rejected(("a", "source.jsonl", "truncated_gzip"))])
    assert [item.uri for item in lost.unread] == ["b", "d", "a"]
    assert (lost.unread_bytes, lost.bytes, lost.objects, lost.without_records) == (80, 1005, 5, ("e",))
    assert [item.words(lost.bytes) for item in lost.unread[1:]] == [
        "d (40 B, 4.0% of all bytes): 30 B of it were not read; 3 records taken: source.jsonl: bad_zstd",
        "a (10 B, 1.0% of all bytes): not all of it could be read; 2 records taken: source.jsonl: truncated_gzip",
    ]


def test_records_that_the_options_leave_out_are_no_loss() -> None:
    """Of 10 records of an archive 6 are pictures and 1 is damaged: 1 of 4 is refused."""
    rows = [row("a", 10, 10, 3) | {"left_out": 6}, row("b", 10, 2, 0) | {"left_out": 2}]
    reasons = [("a", "source.warc", "content_type")] * 6 + [("a", "source.warc", "bad_http")]
    lost = losses(RECIPE, rows, [rejected(*reasons, *[("b", "source.warc", "content_type")] * 2)])
    (source,) = lost.sources
    assert (source.records, source.usable, lost.unread, source.yields_nothing) == (4, 3, (), False)
    assert [(one.reason, one.rows) for one in source.refused] == [("bad_http", 1)]
    assert [(one.reason, one.rows) for one in source.left_out] == [("content_type", 8)]
    assert refused_beside(rows[0], 3) == 1.0


def test_a_source_of_which_the_options_choose_nothing_says_so() -> None:
    lost = losses(
        RECIPE, [row("b", 10, 2, 0) | {"left_out": 2}], [rejected(*[("b", "source.warc", "content_type")] * 2)]
    )
    (source,) = lost.sources
    assert source.yields_nothing
    assert source.nothing_taken() == (
        "source s: none of 2 records is what its options choose: content_type; the first is b, position 0"
    )


def test_rows_of_an_older_version_are_told_by_their_refused_records() -> None:
    rows = [row("a", 10, 3, 2), row("b", 20, 1, 0), row("c", 30, 2, 1)]
    reasons = [
        ("a", "source.jsonl", "truncated_gzip"),
        ("b", "source.tar", "bad_tar"),
        ("c", "source.jsonl", "bad_json"),
    ]
    lost = losses(RECIPE, rows, [rejected(*reasons)])
    assert [(item.uri, item.unread_bytes, item.reason) for item in lost.unread] == [
        ("b", 20, "source.tar: bad_tar"), ("a", 0, "source.jsonl: truncated_gzip"),
    ]  # fmt: skip


def test_rows_of_this_version_say_themselves_whether_an_object_was_read_as_a_whole() -> None:
    rows = [row("a", 10, 3, 2) | {"left_out": 0}]
    assert losses(RECIPE, rows, [rejected(("a", "source.jsonl", "truncated_gzip"))]).unread == ()


def test_refused_records_of_an_object_are_divided_as_those_that_were_taken() -> None:
    both = {"n_records": 100, "partitions": [{"partition": "a", "n_records": 60}, {"partition": "b", "n_records": 20}]}
    assert (refused_beside(both, 60), refused_beside(both, 20)) == (15.0, 5.0)


FACTS: dict[str, Any] = {
    "contents": {
        "rows": 3, "time": {"undated": 0}, "unlicensed": 0, "licenses": {"total": 1}, "sources": {"total": 2},
        "languages": {}, "unit": "pixels",
    },
    "release": {"missing_partitions": ["2020"]},
    "partitions": {"n_unpublished": 0},
    "funnel": [],
    "tables_moved": [],
    "made": {"stages": {}},
    "gates": {"own": [], "suites": ["s"]},
    "scores": None,
    "comparison": None,
    "duplicates": {"share": 0.75, "rows": 9},
}  # fmt: skip


def test_known_limits_begin_with_lost_objects_then_with_the_records_of_sources() -> None:
    unread = [UnreadObject(f"x/o{n}", "s", 100 - n, 100 - n, 0, "source.jsonl: bad_zstd") for n in range(7)]
    sources = (
        SourceLosses("few", 100, 99, [Refused("source.map", "wrong_type", 1, None, None, None, None)]),
        SourceLosses("many", 100, 20, [Refused("source.jsonl", "bad_json", 80, None, None, None, None)]),
    )
    lost = Losses(9, 1000, tuple(unread), (), sources)
    known = limits({**FACTS, "lost": lost.recorded()})
    serious = [limit["text"] for limit in known if limit["kind"] == "serious"]
    assert serious[0] == (
        "Not read as a whole: o0 (100 B, 10.0% of all bytes): nothing of it could be taken: source.jsonl: bad_zstd."
    )
    assert serious[5:7] == [
        "2 more objects were not read as a whole.",
        "Of source many 80 of 100 records (80.0 %) were refused when they were read: source.jsonl: bad_json (80).",
    ]
    notes = [limit["text"] for limit in known if limit["kind"] == "note"]
    assert notes[:2] == [
        "Of source few 1 of 100 records (1.0 %) were refused when they were read: source.map: wrong_type (1).",
        "9 records (75.0 % of the cleaned ones) were dropped as duplicates.",
    ]


def test_a_release_of_an_older_version_says_nothing_of_what_nobody_measured() -> None:
    assert not any("read" in limit["text"] for limit in limits({**FACTS, "duplicates": None}))
