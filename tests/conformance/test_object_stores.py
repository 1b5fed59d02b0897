"""One suite for every object store: a folder and a real S3 server behave alike."""

from __future__ import annotations

import io
import pickle
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.s3_server import S3Server
from winnowry.core.errors import NotFoundError, ObjectChangedError
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store
from winnowry.storage.probe import clock_skew_seconds, conditional_put_race


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return open_store(str(tmp_path / "lake[1]"))
    server: S3Server = request.getfixturevalue("s3_server")
    return open_store(f"s3://{server.make_bucket()}/lake[1]", server.settings)


def names(store: ObjectStore, pattern: str) -> list[str]:
    return [info.uri.removeprefix(store.root + "/") for info in store.list(pattern)]


def test_what_was_written_is_read_back(store: ObjectStore) -> None:
    assert store.write("a/b.bin", b"\x00one") is True
    assert store.read("a/b.bin") == b"\x00one"
    assert store.read(store.resolve("a/b.bin")) == b"\x00one"
    assert store.exists("a/b.bin")
    assert not store.exists("a")
    assert not store.exists("a/b")


def test_write_replaces_but_if_absent_does_not(store: ObjectStore) -> None:
    assert store.write("x", b"1", if_absent=True) is True
    assert store.write("x", b"2", if_absent=True) is False
    assert store.read("x") == b"1"
    assert store.write("x", b"3") is True
    assert store.read("x") == b"3"


def test_delete_is_idempotent(store: ObjectStore) -> None:
    store.write("x", b"1")
    store.delete("x")
    store.delete("x")
    assert not store.exists("x")
    assert names(store, "**") == []


def test_a_missing_object_is_not_found(store: ObjectStore) -> None:
    store.write("there", b"1")
    with pytest.raises(NotFoundError, match="gone"):
        store.read("gone")
    with pytest.raises(NotFoundError, match="gone"):
        store.open("gone")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("landing/**/*.jsonl.gz", ["landing/a-b/z.jsonl.gz", "landing/a/2/y.jsonl.gz", "landing/x.jsonl.gz"]),
        ("landing/*.jsonl.gz", ["landing/x.jsonl.gz"]),
        ("landing/*/*.jsonl.gz", ["landing/a-b/z.jsonl.gz"]),
        ("landing/a*/**", ["landing/a-b/z.jsonl.gz", "landing/a/1.txt", "landing/a/2/y.jsonl.gz"]),
        ("landing/**/2/*", ["landing/a/2/y.jsonl.gz"]),
        ("landing/a/[0-9].txt", ["landing/a/1.txt"]),
        ("landing/a/[!0-9].txt", []),
        ("landing/?.jsonl.gz", ["landing/x.jsonl.gz"]),
        ("landing/x.jsonl.gz", ["landing/x.jsonl.gz"]),
        ("landing/x.jsonl", []),
        ("landing/a", []),
        ("nowhere/**", []),
        (
            "**",
            [
                "landing/a-b/z.jsonl.gz",
                "landing/a/1.txt",
                "landing/a/2/y.jsonl.gz",
                "landing/x.jsonl.gz",
                "other/x.jsonl.gz",
            ],
        ),
        ("*/x.jsonl.gz", ["landing/x.jsonl.gz", "other/x.jsonl.gz"]),
    ],
)
def test_patterns_list_matching_objects_sorted_by_uri(store: ObjectStore, pattern: str, expected: list[str]) -> None:
    for name in ("landing/x.jsonl.gz", "landing/a/2/y.jsonl.gz", "landing/a/1.txt", "landing/a-b/z.jsonl.gz"):
        store.write(name, b"1")
    store.write("other/x.jsonl.gz", b"1")
    assert names(store, pattern) == expected
    assert names(store, store.resolve(pattern)) == expected


def test_names_with_spaces_and_other_scripts_are_listed_as_written(store: ObjectStore) -> None:
    for name in ("d/a b.txt", "d/ä+ü.txt", "d/数据.txt", "d/100%.txt"):
        store.write(name, name.encode())
    found = list(store.list("d/*"))
    assert [store.read(info.uri).decode() for info in found] == sorted(
        ["d/a b.txt", "d/ä+ü.txt", "d/数据.txt", "d/100%.txt"]
    )


def test_a_listing_shows_size_time_and_an_etag_that_changes_with_the_content(store: ObjectStore) -> None:
    store.write("x", b"123")
    [first] = store.list("x")
    assert first.size == 3
    assert abs((datetime.now(UTC) - first.modified_at).total_seconds()) < 30
    assert [info.etag for info in store.list("**")] == [first.etag]
    store.write("x", b"1234")
    [second] = store.list("x")
    assert second.etag != first.etag


def test_the_literal_prefix_is_the_folder_before_the_first_wildcard(store: ObjectStore) -> None:
    assert store.literal_prefix("landing/aws/**/*.gz") == f"{store.root}/landing/aws/"
    assert store.literal_prefix(store.resolve("landing/a*.gz")) == f"{store.root}/landing/"
    assert store.literal_prefix("landing/a.gz") == f"{store.root}/landing/"
    assert store.literal_prefix("**") == f"{store.root}/"


def test_opening_with_the_listed_etag_reads_the_object_as_listed(store: ObjectStore) -> None:
    store.write("x", b"one\ntwo\n")
    [info] = store.list("x")
    with store.open(info.uri, etag=info.etag) as stream:
        assert stream.readlines() == [b"one\n", b"two\n"]


def test_an_object_that_changed_since_it_was_listed_is_refused(store: ObjectStore) -> None:
    store.write("x", b"one")
    [info] = store.list("x")
    store.write("x", b"other")
    with pytest.raises(ObjectChangedError, match="landing"):
        store.open("x", etag=info.etag)
    store.delete("x")
    with pytest.raises(ObjectChangedError, match="gone"):
        store.open("x", etag=info.etag)


def test_an_object_replaced_while_it_is_read_is_noticed(store: ObjectStore) -> None:
    store.write("x", b"a" * (20 << 20))
    [info] = store.list("x")
    with store.open("x", etag=info.etag) as stream:
        assert stream.read(1000) == b"a" * 1000
        store.write("x", b"b" * (20 << 20))
        with pytest.raises(ObjectChangedError):
            list(iter(lambda: stream.read(1 << 20), b""))


def test_an_empty_object_can_be_opened(store: ObjectStore) -> None:
    store.write("empty", b"")
    [info] = store.list("empty")
    with store.open("empty", etag=info.etag) as stream:
        assert stream.read() == b""


def test_streams_can_seek(store: ObjectStore) -> None:
    data = random.Random(1).randbytes(20 << 20)
    store.write("x", data)
    with store.open("x") as stream:
        assert stream.seekable()
        for start, size in ((19 << 20, 100), (5, 70_000), (8 << 20, 3 << 20), (0, 10), ((20 << 20) - 3, 50)):
            stream.seek(start)
            assert stream.read(size) == data[start : start + size]
        stream.seek(-7, io.SEEK_END)
        assert stream.read() == data[-7:]
        stream.seek(0)
        assert stream.read() == data


def test_a_long_upload_arrives_whole_and_leaves_the_callers_stream_open(store: ObjectStore) -> None:
    data = random.Random(2).randbytes((33 << 20) + 17)  # three parts on S3
    stream = io.BytesIO(data)
    store.upload("big.bin", stream)
    assert not stream.closed
    [info] = store.list("big.bin")
    assert info.size == len(data)
    with store.open("big.bin", etag=info.etag) as back:
        assert back.read() == data


def test_more_objects_than_one_page_are_all_listed(store: ObjectStore) -> None:
    for number in range(1005):  # a page of S3 holds 1000
        store.write(f"many/{number:04}", b"")
    assert names(store, "many/*") == [f"many/{number:04}" for number in range(1005)]
    assert len(names(store, "many/**")) == 1005


@pytest.mark.faults
def test_of_racing_conditional_writes_exactly_one_wins(store: ObjectStore) -> None:
    result = conditional_put_race(store, rounds=10, writers=8)
    assert result.winners == (1,) * 10
    assert result.wrong_content == 0
    assert result.is_atomic
    assert names(store, "**") == []


def test_a_store_on_this_machine_has_this_machines_clock(store: ObjectStore) -> None:
    assert abs(clock_skew_seconds(store)) < 2
    assert names(store, "**") == []


def test_check_leaves_nothing_behind(store: ObjectStore) -> None:
    store.write("x", b"1")
    store.check()
    assert names(store, "**") == ["x"]


def test_a_store_survives_pickling(store: ObjectStore) -> None:
    store.write("x", b"1")
    assert pickle.loads(pickle.dumps(store)).read("x") == b"1"


def test_absolute_uris_of_a_folder_work_whatever_the_root_is(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_bytes(b"1")
    [info] = store.list(f"{tmp_path}/elsewhere/*.txt")
    assert info.uri == f"{tmp_path}/elsewhere/a.txt"
    assert store.read(f"file://{tmp_path}/elsewhere/a.txt") == b"1"
