"""What is made durable, in which order, and how often."""

from __future__ import annotations

import os
import time
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from winnowry.lakehouse import durable
from winnowry.lakehouse.durable import settle
from winnowry.lakehouse.table import Table
from winnowry.storage.local import LocalStore


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths below the root in the order in which they were synced."""
    paths: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").resolve()
        paths.append(str(path.relative_to(tmp_path)))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return paths


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "corpus" / "words.lance"), "words")
    table.create(pa.schema([("n", pa.int64())]))
    lance.write_dataset(pa.table({"n": [1]}), table.uri, mode="append")
    return table


def first(synced: list[str], part: str) -> int:
    return next(number for number, path in enumerate(synced) if part in path)


def test_data_come_before_versions_files_before_their_folder_and_a_table_before_what_holds_it(
    table: Table, synced: list[str]
) -> None:
    table.dataset().create_scalar_index("n", "BTREE")
    table.dataset().tags.create("v1", 2)
    settle(table.uri)
    base = "corpus/words.lance"
    everything = {str(path.relative_to(table.uri)) for path in Path(table.uri).rglob("*") if "#" not in path.name}
    assert {path.removeprefix(f"{base}/") for path in synced if path.startswith(f"{base}/")} == everything
    newest = min(path.name for path in Path(table.uri, "_versions").glob("*.manifest"))
    order = ["/data/", "/_indices/", f"_versions/{newest}"]
    assert [first(synced, part) for part in order] == sorted(first(synced, part) for part in order)
    for folder in ("data", "_versions", "_refs/tags", "_transactions"):
        inside = max(number for number, path in enumerate(synced) if path.startswith(f"{base}/{folder}/"))
        assert inside < max(number for number, path in enumerate(synced) if path == f"{base}/{folder}")
    assert synced[-3:] == [base, "corpus", "."]


def test_older_versions_are_durable_before_newer_ones(table: Table, synced: list[str]) -> None:
    for number in range(4):
        lance.write_dataset(pa.table({"n": [number]}), table.uri, mode="append")
    settle(table.uri)
    names = [path for path in synced if path.endswith(".manifest")]
    assert names == sorted(names, reverse=True)  # their numbers count down
    assert len(names) == 6


def test_what_is_durable_already_is_not_synced_again(table: Table, synced: list[str]) -> None:
    settle(table.uri)
    synced.clear()
    settle(table.uri)
    assert synced == []
    lance.write_dataset(pa.table({"n": [2]}), table.uri, mode="append")
    settle(table.uri)
    assert {path.split("/")[2] for path in synced} == {"data", "_transactions", "_versions"}
    assert sum(path.endswith(".lance") for path in synced) == 1


def test_a_tag_that_moves_is_synced_again(table: Table, synced: list[str]) -> None:
    table.dataset().tags.create("prod", 1)
    settle(table.uri)
    for version in (2, 1, 2):
        synced.clear()
        table.dataset().tags.update("prod", version)
        settle(table.uri)
        assert "corpus/words.lance/_refs/tags/prod.json" in synced


def test_what_was_written_long_ago_is_not_synced_by_the_next_process(
    table: Table, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = time.time() - 2 * durable._WRITTEN_BACK_S
    for path in Path(table.uri).rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))
    monkeypatch.setattr(durable, "_settled", {})
    settle(table.uri)
    assert [path for path in synced if path.count("/") > 2] == []


def test_a_data_file_that_was_unfinished_when_it_was_first_seen_is_synced_when_it_is_complete(
    table: Table, synced: list[str]
) -> None:
    (name,) = (path.name for path in Path(table.uri, "data").iterdir())
    settle(table.uri)
    synced.clear()
    settle(table.uri, [name])
    assert synced == [f"corpus/words.lance/data/{name}"]


def test_a_disk_that_refuses_is_an_error(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        settle(table.uri)


@pytest.mark.parametrize("uri", ["s3://bucket/corpus/words.lance", "/no/such/folder/words.lance"])
def test_there_is_nothing_to_do_on_an_object_store_or_without_a_table(uri: str, synced: list[str]) -> None:
    settle(uri)
    assert synced == []


def test_a_written_object_keeps_its_name_and_the_folders_it_made(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "corpus").mkdir()
    LocalStore(str(tmp_path)).write("corpus/promotions/raw/x.json", b"{}")
    assert synced[0].startswith("corpus/promotions/raw/.winnowry-")
    assert synced[1:] == ["corpus/promotions/raw", "corpus/promotions", "corpus"]
    synced.clear()
    LocalStore(str(tmp_path)).write("corpus/promotions/raw/y.json", b"{}", if_absent=True)
    assert synced[1:] == ["corpus/promotions/raw"]
