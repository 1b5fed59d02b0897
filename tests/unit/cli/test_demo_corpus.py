from __future__ import annotations

import fnmatch
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from winnowry.cli import demo_corpus
from winnowry.cli.demo_corpus import ApiModel, api_models, land_demo_corpus, pages_of
from winnowry.core.errors import NotFoundError


@dataclass
class Memory:
    """An object store that counts what is written; only what landing needs."""

    root: str = "memory:"
    objects: dict[str, bytes] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def resolve(self, uri: str) -> str:
        return uri if uri.startswith(self.root) else f"{self.root}/{uri}"

    def list(self, uri_glob: str) -> Iterator[Any]:
        for uri, data in sorted(self.objects.items()):
            if fnmatch.fnmatch(uri, self.resolve(uri_glob).replace("**/", "*")):
                yield SimpleNamespace(uri=uri, size=len(data), etag="", modified_at=datetime.now(UTC))

    def read(self, uri: str) -> bytes:
        return self.objects[self.resolve(uri)]

    def open(self, uri: str, *, etag: str | None = None) -> BinaryIO:
        return io.BytesIO(self.read(uri))

    def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        self.objects[self.resolve(uri)] = data
        self.written.append(uri)
        return True


def land(store: Memory, versions_limit: int | None = 3) -> demo_corpus.LandingSummary:
    return land_demo_corpus(store, versions_limit=versions_limit)  # type: ignore[arg-type]


def model_file(folder: Path, description: dict[str, object]) -> ApiModel:
    path = folder / "notes" / "2019-05-06" / "service-2.json.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps(description).encode()))
    return ApiModel("notes", "2019-05-06", path)


NOTES: dict[str, object] = {
    "metadata": {"serviceFullName": "Notes & More"},
    "operations": {
        "PutNote": {
            "documentation": "<p>Stores a note.</p>",
            "input": {"shape": "PutNoteRequest"},
            "output": {"shape": "PutNoteResponse"},
        },
        "ListNotes": {"documentation": "<p>Lists notes.</p>"},
    },
    "shapes": {
        "PutNoteRequest": {
            "type": "structure",
            "members": {
                "Title": {"shape": "String", "documentation": "<p>The title.</p>"},
                "Body": {"shape": "Body"},
            },
        },
        "PutNoteResponse": {"type": "structure", "members": {}},
        "String": {"type": "string"},
        "Body": {"type": "string", "documentation": "<p>Markdown.</p>"},
    },
}


def test_a_page_has_the_operation_its_words_and_its_members_and_no_date(tmp_path: Path) -> None:
    listed, put = pages_of(model_file(tmp_path, NOTES))

    assert put == {
        "id": "notes/2019-05-06/PutNote",
        "service": "notes",
        "operation": "PutNote",
        "api_version": "2019-05-06",
        "html": (
            '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
            "<title>Notes &amp; More: PutNote</title></head>\n<body><main>\n<h1>PutNote</h1>\n"
            "<p>Stores a note.</p>"
            "\n<h2>Request members</h2>\n<dl>\n"
            "<dt><code>Title</code></dt><dd><p>The title.</p></dd>\n"
            "<dt><code>Body</code></dt><dd><p>Markdown.</p></dd>\n"
            "</dl>\n</main></body>\n</html>\n"
        ),
    }
    assert listed["operation"] == "ListNotes"
    assert "<dl>" not in listed["html"]


def test_pages_lie_in_one_gzipped_object_a_service_and_version_in_the_folder_of_its_year() -> None:
    store = Memory()

    summary = land(store)

    first = next(iter(store.written))
    assert first == "landing/aws_docs/2014/cloudfront-2014-05-31.jsonl.gz"
    records = [json.loads(line) for line in gzip.decompress(store.read(first)).splitlines()]
    assert {record["api_version"] for record in records} == {"2014-05-31"}
    assert [record["operation"] for record in records] == sorted(record["operation"] for record in records)
    assert (summary.objects, summary.written) == (3, 3)
    landed = [line for data in store.objects.values() for line in gzip.decompress(data).splitlines()]
    assert summary.records == len(landed)
    assert summary.bytes == sum(len(json.loads(line)["html"].encode()) for line in landed)


def test_landing_twice_writes_nothing_the_second_time() -> None:
    store = Memory()
    before = land(store)
    store.written.clear()

    after = land(store)

    assert store.written == []
    assert after.written == 0
    assert (after.objects, after.records, after.bytes) == (before.objects, before.records, before.bytes)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"not gzip", lambda data: gzip.compress(b"x")])
def test_an_object_that_was_damaged_or_changed_is_written_again_alone(damage: Any) -> None:
    store = Memory()
    land(store)
    intact = dict(store.objects)
    victim = sorted(store.objects)[1]
    store.objects[victim] = damage(store.objects[victim])
    store.written.clear()

    land(store)

    assert [store.resolve(uri) for uri in store.written] == [victim]
    assert store.objects == intact


def test_a_small_corpus_still_spans_years_and_repeats_pages() -> None:
    store = Memory()

    summary = land(store, versions_limit=12)

    assert len(summary.years) >= 3
    pages = [json.loads(line)["html"] for data in store.objects.values() for line in gzip.decompress(data).splitlines()]
    assert len(set(pages)) < len(pages)


def test_two_landings_of_the_same_reference_are_the_same_bytes() -> None:
    one, other = Memory(), Memory()

    land(one)
    land(other)

    assert one.objects == other.objects
    # Bytes 4 to 7 of gzip are the time of compression (RFC 1952 §2.3), the one thing that would differ a second later.
    assert {data[4:8] for data in one.objects.values()} == {bytes(4)}


def test_a_missing_botocore_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(NotFoundError, match="install boto3"):
        api_models()


def test_a_botocore_without_its_reference_is_named_with_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)

    with pytest.raises(NotFoundError, match=str(tmp_path)):
        api_models()


def test_the_whole_corpus_has_some_twenty_thousand_pages_over_two_decades() -> None:
    store = Memory()

    summary = land(store, versions_limit=None)

    # botocore grows with every release; the one of November 2026 has 472 versions and 21.8k pages.
    assert summary.objects >= 470
    assert summary.records >= 21_000
    assert len(summary.years) >= 19
    assert min(summary.years) == "2006"
