"""What landing loses is judged: objects as objects with their bytes, records by source and, with raw, by partition."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from winnowry.gates.suite import Suite
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.model import Recipe
from winnowry.stages import landing
from winnowry.stages.run import run_stage

WHOLE = "expect_objects_to_be_read_whole"
BYTES = "expect_unread_bytes_to_be_few"
YIELD = "expect_sources_to_yield_records"
SHARE = "expect_fraction_refused_to_be_at_most"
EMPTY = "expect_objects_to_hold_records"
QUARANTINED = "expect_fraction_quarantined_to_be_at_most"

Files = Mapping[str, bytes]


def lines(*records: object) -> bytes:
    return b"".join(record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n" for record in records)


def good(n: int, year: int = 2024, first: int = 0) -> list[dict[str, Any]]:
    """Records of one year, whose texts do not compress, so that half of the bytes is half of the records."""
    return [
        {"id": f"{year}-{i}", "at": f"{year}-01-01", "text": f"{i * 2654435761 % 2**32:x} " * 8}
        for i in range(first, first + n)
    ]


def timeless(n: int) -> list[dict[str, Any]]:
    return [{"id": f"t{i}", "text": "no time"} for i in range(n)]


def half_of(data: bytes) -> bytes:
    return data[: len(data) // 2]


def recipe_of(sources: Sequence[str] = ("s",), gates: Mapping[str, Any] | None = None, **source: Any) -> Recipe:
    declared = {
        "fields": {"id": "id", "event_time": "at"},
        "partition": {"by": "event_time", "every": "year"},
        **source,
    }
    return Recipe.model_validate(
        {
            "version": 1,
            "corpus": "c",
            "sources": [{"name": name, "uri": f"landing/{name}/*", **declared} for name in sources],
            "gates": dict(gates or {}),
        }
    )


def land(root: Path, files: Files) -> Workspace:
    for name, data in files.items():
        path = root / "landing" / (name if "/" in name else f"s/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Workspace.open(str(root))


def quality(*asked_for: Any) -> list[Suite]:
    """Only the suites of this file: the others have tests of their own."""
    return [suite for suite in suites_for(*asked_for) if suite.name.endswith(".quality")]


def run(ws: Workspace, recipe: Recipe, stage: str = "landing", partition: str | None = None) -> StageResult:
    try:
        return run_stage(ws, recipe, stage, partition, suites=quality, run_id="test")
    except GateFailed as refused:
        return refused.result


def verdicts(result: StageResult, suite: str = "landing.quality") -> dict[str, str]:
    """Expectations of a suite that did not pass: the name and the verdict."""
    return {gate.expectation: gate.verdict for gate in result.gates if gate.suite == suite and gate.verdict != "pass"}


def message(result: StageResult, expectation: str) -> str:
    return next(gate.message for gate in result.gates if gate.expectation == expectation and gate.verdict != "pass")


UNKNOWN = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(128, 256)) * 9
"""The beginning of a container that nobody reads."""
CUT = half_of(gzip.compress(lines(*good(400))))
CASES: dict[str, tuple[Files, dict[str, Any], dict[str, str]]] = {
    "all is well": ({"a.jsonl": lines(*good(10))}, {}, {}),
    "an object ends too early": ({"a.jsonl": lines(*good(500)), "b.jsonl.gz": CUT}, {}, {WHOLE: "fail"}),
    "accepted objects": (
        {"a.jsonl": lines(*good(500)), "b.jsonl.gz": CUT}, {"landing": {"max_unreadable_objects": 1}}, {},
    ),
    "one more than accepted": (
        {"a.jsonl": lines(*good(500)), "b.jsonl.gz": CUT, "c.jsonl.gz": CUT},
        {"landing": {"max_unreadable_objects": 1}}, {WHOLE: "fail"},
    ),
    "an object of an unknown container": (
        {"a.jsonl": lines(*good(900)), "b.jsonl": UNKNOWN}, {},
        {WHOLE: "fail"},
    ),
    "a tenth of the bytes and more, in accepted objects": (
        {"a.jsonl": lines(*good(30)), "b.jsonl": UNKNOWN},
        {"landing": {"max_unreadable_objects": 9}}, {BYTES: "fail"},
    ),
    "all records of one of many objects, for their fields": (
        {"a.jsonl": lines(*good(900)), "b.jsonl": lines(*timeless(3))}, {}, {WHOLE: "fail"},
    ),
    "the only record of an object, for its fields": (
        {"a.jsonl": lines(*good(900)), "b.jsonl": lines(*timeless(1))}, {}, {},
    ),
    "nothing in an object with bytes": (
        {"a.jsonl": lines(*good(10)), "b.jsonl": b"\n\n\n"}, {}, {EMPTY: "warn"},
    ),
    "an object without bytes": ({"a.jsonl": lines(*good(10)), "_SUCCESS": b""}, {}, {}),
    "a tenth of the records": ({"a.jsonl": lines(*good(9), *timeless(1))}, {}, {}),
    "more than a tenth": ({"a.jsonl": lines(*good(8), *timeless(1))}, {}, {SHARE: "warn"}),
    "half of the records": ({"a.jsonl": lines(*good(5), *timeless(5))}, {}, {SHARE: "fail"}),
    "half of the records, allowed": (
        {"a.jsonl": lines(*good(5), *timeless(5))}, {"landing": {"max_quarantined_fraction": 0.5}}, {},
    ),
    "the limit of raw itself": (
        {"a.jsonl": lines(*good(9), *timeless(1))}, {"raw": {"max_quarantined_fraction": 0.1}}, {},
    ),
    "more than the limit of raw": (
        {"a.jsonl": lines(*good(8), *timeless(1))}, {"raw": {"max_quarantined_fraction": 0.1}}, {SHARE: "fail"},
    ),
    "lines that are no JSON": (
        {"a.jsonl": lines(*good(8), b"{\n")}, {"raw": {"max_quarantined_fraction": 0.1}}, {SHARE: "fail"},
    ),
    "a text that is no text": (
        {"a.jsonl": lines(*good(8), {"id": 1, "at": "2024", "text": [1]})},
        {"raw": {"max_quarantined_fraction": 0.1}}, {SHARE: "fail"},
    ),
    "every record of a small source beside a large one": (
        {"s/a.jsonl": lines(*good(900)), "t/a.jsonl": lines(*timeless(2))}, {}, {YIELD: "fail"},
    ),
    "half of a small source beside a large one": (
        {"s/a.jsonl": lines(*good(900)), "t/a.jsonl": lines(*timeless(2), *good(2, 2023))}, {}, {SHARE: "fail"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_landing_is_refused_where_too_much_is_lost(case: str, tmp_path: Path) -> None:
    files, gates, expected = CASES[case]
    sources = ("s", "t") if any(name.startswith("t/") for name in files) else ("s",)
    result = run(land(tmp_path, files), recipe_of(sources, gates))
    assert {name: worst(name, result) for name in verdicts(result)} == expected
    assert result.status == ("rejected" if "fail" in expected.values() else "promoted")


def worst(expectation: str, result: StageResult) -> str:
    """A share beyond the limit also warns."""
    own = {gate.verdict for gate in result.gates if gate.expectation == expectation}
    return "fail" if "fail" in own else "warn"


def test_a_lost_object_is_named_with_its_bytes_and_what_to_type(tmp_path: Path) -> None:
    whole = lines(*good(60))
    result = run(land(tmp_path, {"a.jsonl": whole, "b.jsonl": UNKNOWN}), recipe_of())
    share = f"{len(UNKNOWN) / (len(whole) + len(UNKNOWN)):.1%}"
    assert f"b.jsonl ({len(UNKNOWN) / 1000:.1f} kB, {share} of all bytes): nothing of it could be taken" in message(
        result, WHOLE
    )
    assert "gates.landing.max_unreadable_objects: 1" in message(result, WHOLE)
    assert (result.metadata["unread_objects"], result.metadata["unread_bytes"]) == (1, len(UNKNOWN))


def test_bytes_behind_the_place_where_reading_ended_are_unread(tmp_path: Path, monkeypatch: Any) -> None:
    """A reader that gives up in the middle of a stream."""
    from winnowry.sources.base import ReadLimits, Record, unreadable
    from winnowry.sources.jsonl import JsonLines

    def read(self: JsonLines, stream: Any, uri: str, limits: ReadLimits) -> Any:
        yield Record(0, json.loads(stream.readline()))
        stream.read(10)
        yield unreadable(1, "source.jsonl", "bad_zstd", b"", ends_object=True)

    monkeypatch.setattr(JsonLines, "read", read)
    data = lines(*good(30))
    result = run(land(tmp_path, {"a.jsonl": data}), recipe_of())
    (unread,) = result.metadata["unread"]
    assert unread["unread_bytes"] == len(data) - len(lines(*good(1))) - 10
    assert (unread["n_usable"], unread["reason"]) == (1, "source.jsonl: bad_zstd")


REFUSED: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str]] = {
    "a field of another type": (
        {"fields": {"id": "id", "text": "conversations"}, "partition": {"by": "path", "part": -1}},
        [{"id": i, "conversations": [{"from": "human", "value": "hi"}]} for i in range(20)],
        "source s: none of 20 records could be mapped: field `conversations` is a list (expected text)",
    ),
    "a mistyped field": (
        {"fields": {"id": "id", "text": "txet"}, "partition": {"by": "path", "part": -1}}, good(3),
        "source s: none of 3 records could be mapped: there is no field `txet`",
    ),
    "several reasons, the most frequent first": (
        {}, [*timeless(2), {"id": 9, "at": "2024"}],
        "source s: none of 3 records could be mapped: 2 × there is no field `at`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_source_of_which_everything_is_refused_says_why(case: str, tmp_path: Path) -> None:
    source, records, expected = REFUSED[case]
    limits = {"landing": {"max_quarantined_fraction": 1.0, "max_unread_bytes_fraction": 1.0}}
    result = run(land(tmp_path, {"a.jsonl": lines(*records)}), recipe_of(gates=limits, **source))
    assert verdicts(result) == {YIELD: "fail"}
    assert message(result, YIELD).startswith(expected)


def test_a_file_that_is_one_record_counts_as_a_record(tmp_path: Path) -> None:
    files = {f"{i}.txt": b"a text" for i in range(30)} | {"bad.txt": b"\xff\xfe\xff"}
    recipe = recipe_of(format="text", fields={}, partition={"by": "path", "part": 0, "missing": "all"})
    assert verdicts(run(land(tmp_path, files), recipe)) == {}


def response(url: str, content_type: str) -> bytes:
    """A record of a web archive."""
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n<html><body>A page</body></html>"
    head = f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{url}>\r\nContent-Type: application/http;msgtype=response\r\n"
    return f"{head}Content-Length: {len(http)}\r\n\r\n{http}\r\n\r\n".encode()


def test_records_that_the_options_of_a_source_leave_out_are_no_loss(tmp_path: Path) -> None:
    """Of a crawl most files are pictures and scripts."""
    page, picture = response("http://a/", "text/html"), response("http://a/i.png", "image/png")
    ws = land(tmp_path, {"a.warc": page + 9 * picture, "b.warc": 2 * picture})
    recipe = recipe_of(format="warc", fields={}, partition={"by": "path", "part": -1})
    result = run(ws, recipe)
    assert (verdicts(result), result.rows_out, result.rows_quarantined) == ({}, 1, 11)
    (tmp_path / "landing" / "s" / "a.warc").unlink()
    nothing = run(ws, recipe)
    assert verdicts(nothing) == {YIELD: "fail"}
    assert message(nothing, YIELD).startswith("source s: none of 2 records is what its options choose: content_type")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the objects that landing reads."""
    names: list[str] = []
    plain: Callable[..., Any] = landing._items

    def items(ws: Workspace, recipe: Recipe, source: Any, uri: str, *more: Any) -> Any:
        names.append(uri.rsplit("/", 1)[-1])
        return plain(ws, recipe, source, uri, *more)

    monkeypatch.setattr(landing, "_items", items)
    return names


def test_a_refused_landing_is_red_until_the_object_is_mended_or_accepted(tmp_path: Path, opened: list[str]) -> None:
    ws = land(tmp_path, {"a.jsonl": lines(*good(500)), "b.jsonl.gz": CUT})
    accepting = recipe_of(gates={"landing": {"max_unreadable_objects": 1}})
    assert run(ws, recipe_of()).status == "rejected"
    assert partitions_of(ws, recipe_of()) == []
    opened.clear()
    again = run(ws, recipe_of())
    assert (again.status, verdicts(again), opened) == ("rejected", {WHOLE: "fail"}, [])
    accepted = run(ws, accepting)
    assert (accepted.status, accepted.metadata["unread_objects"], opened) == ("promoted", 1, [])
    assert partitions_of(ws, accepting) == ["2024"]

    land(tmp_path, {"c.jsonl": lines(*good(5, 2023))})
    assert run(ws, recipe_of()).status == "rejected"  # the object of the earlier promotion is as broken as it was
    assert opened == ["c.jsonl"]
    land(tmp_path, {"b.jsonl.gz": gzip.compress(lines(*good(400, 2022)))})
    mended = run(ws, recipe_of())
    assert (mended.status, mended.metadata.get("unread_objects")) == ("promoted", None)
    assert opened == ["c.jsonl", "b.jsonl.gz"]


def test_another_version_of_winnowry_reads_lost_objects_again_and_no_others(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = land(tmp_path, {"a.jsonl": lines(*good(500)), "b.jsonl.gz": CUT})
    run(ws, recipe_of(gates={"landing": {"max_unreadable_objects": 1}}))
    opened.clear()
    monkeypatch.setattr(landing, "package_versions", lambda: {"winnowry": "another"})
    assert verdicts(run(ws, recipe_of())) == {WHOLE: "fail"}
    assert opened == ["b.jsonl.gz"]


def test_a_lowered_limit_of_raw_judges_landing_again(tmp_path: Path, opened: list[str]) -> None:
    ws = land(tmp_path, {"a.jsonl": lines(*good(7), *timeless(3))})
    assert run(ws, recipe_of()).status == "promoted"
    opened.clear()
    lower = run(ws, recipe_of(gates={"raw": {"max_quarantined_fraction": 0.2}}))
    assert (lower.status, verdicts(lower), opened) == ("rejected", {SHARE: "fail"}, [])


def test_raw_counts_what_landing_refused_of_the_objects_of_its_partition(tmp_path: Path) -> None:
    """3 of 7 beside 300: landing sees 1 %, the partition 43 %."""
    files = {"a.jsonl": lines(*good(300)), "b.jsonl": lines(*good(4, 2023), *timeless(3))}
    ws = land(tmp_path, files)
    recipe = recipe_of(gates={"raw": {"max_quarantined_fraction": 0.4}})
    assert run(ws, recipe).status == "promoted"
    assert run(ws, recipe, "raw", "2024").status == "promoted"
    refused = run(ws, recipe, "raw", "2023")
    assert verdicts(refused, "raw.quality") == {QUARANTINED: "fail"}
    assert message(refused, QUARANTINED).startswith("3 of 7 rows quarantined (42.9%), 3 of them by landing: observed")
