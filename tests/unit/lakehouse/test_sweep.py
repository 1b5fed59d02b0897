"""What the sweep removes of a table, and what it never does; the numbers are counted by hand."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lance
import pyarrow as pa
import pytest
from lance.fragment import write_fragments

from winnowry.core.errors import StorageError
from winnowry.lakehouse.damage import DETACHED
from winnowry.lakehouse.sweep import Needed, Swept, landed_in, sweep
from winnowry.lakehouse.table import Table
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store
from winnowry.storage.probe import store_time

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def rows(prefix: str, n: int = 20) -> pa.Table:
    return pa.table({"id": [f"{prefix}{i}" for i in range(n)]})


@dataclass
class Scene:
    """Versions 1 to 4 add 20 rows each, 5 indexes them, 6 deletes one, 7 indexes them anew; a tag is on 2.

    Two candidates are staged on the last version: one on its way, one that was refused.
    """

    table: Table
    store: ObjectStore
    way: int
    refused: int
    way_files: frozenset[str]

    @classmethod
    def make(cls, root: Path) -> Scene:
        uri = str(root / "t.lance")
        lance.write_dataset(rows("a"), uri, enable_stable_row_ids=True)
        for prefix in "bcd":
            lance.write_dataset(rows(prefix), uri, mode="append")
        dataset = lance.dataset(uri)
        dataset.tags.create("v1", 2)
        dataset.create_scalar_index("id", "BTREE")
        lance.dataset(uri).delete("id = 'a5'")
        dataset = lance.dataset(uri)
        dataset.create_scalar_index("id", "BTREE", replace=True)
        base = lance.dataset(uri)
        way, way_files = _detached(base, "x")
        refused, _ = _detached(base, "y")
        return cls(Table(uri, "t"), open_store(str(root)), way, refused, way_files)

    @property
    def folder(self) -> Path:
        return Path(self.table.uri)

    def age(self, by: timedelta, *, only: str = "**/*") -> None:
        for path in self.folder.glob(only):
            os.utime(path, (path.stat().st_mtime - by.total_seconds(),) * 2)

    def sweep(self, keep: timedelta = WEEK, **options: Any) -> Swept:
        return sweep(self.table, self.store, now=store_time(self.store), keep=keep, **options)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def versions(self) -> list[int]:
        return [int(entry["version"]) for entry in lance.dataset(self.table.uri).versions()]


def _detached(base: Any, prefix: str) -> tuple[int, frozenset[str]]:
    fragments = write_fragments(rows(prefix), base, mode="append")
    transaction = lance.Transaction(base.version, lance.LanceOperation.Append(fragments))
    version = lance.LanceDataset.commit(base, transaction, detached=True).version
    return int(version), frozenset(f"data/{file.path}" for fragment in fragments for file in fragment.files)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene.make(tmp_path)


def test_what_nothing_needs_goes_and_what_is_named_stays(scene: Scene) -> None:
    scene.age(10 * DAY)
    before = scene.files()
    needed = Needed(versions=frozenset({scene.way}), files=scene.way_files)
    announced = scene.sweep(needed=needed, dry_run=True)
    assert scene.files() == before
    done = scene.sweep(needed=needed)
    assert done == announced
    assert scene.versions() == [2, 7]
    # 1, 3, 4, 5 and 6; the refused candidate
    assert (done.versions, done.candidates) == (5, 1)
    removed = before - scene.files()
    kinds = [name.partition("/")[0] for name in removed]
    # its data; the first index (two files); the transactions of the six versions, and of the three that stay: copies
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "_versions": 6, "data": 1, "_indices": 2, "_transactions": 9
    }  # fmt: skip
    assert done.files == 12
    assert done.names == {f"t.lance/{name}" for name in removed}
    latest = lance.dataset(scene.table.uri)
    assert latest.to_table().num_rows == 79
    assert latest.to_table(filter="id = 'b7'").num_rows == 1
    assert lance.dataset(scene.table.uri, version="v1").to_table().num_rows == 40
    assert lance.dataset(scene.table.uri, version=scene.way).to_table().num_rows == 99
    lance.write_dataset(rows("e"), scene.table.uri, mode="append")
    assert lance.dataset(scene.table.uri).count_rows() == 99


def test_what_a_landed_promotion_had_staged_goes_however_young_it_is(scene: Scene) -> None:
    before = scene.files()
    done = scene.sweep(needed=Needed(landed=frozenset({scene.way})))
    assert (done.versions, done.candidates) == (0, 1)
    # the candidate's transaction, and those of the seven versions and of the other candidate, which repeat a manifest
    assert {name.partition("/")[0] for name in before - scene.files()} == {"_versions", "_transactions"}
    assert done.files == 9
    assert scene.versions() == [1, 2, 3, 4, 5, 6, 7]
    assert lance.dataset(scene.table.uri, version=scene.refused).count_rows() == 99
    with pytest.raises(ValueError, match="not found"):
        lance.dataset(scene.table.uri, version=scene.way)


def test_what_is_tagged_or_needed_stays_though_its_promotion_has_landed(scene: Scene) -> None:
    lance.dataset(scene.table.uri).tags.create("v2", scene.refused)
    landed = Needed(landed=frozenset({scene.way, scene.refused}))
    assert scene.sweep(needed=landed | Needed(versions=frozenset({scene.way}))).candidates == 0


@pytest.mark.parametrize(
    ("table", "state", "goes"),
    [
        ("cleaned", "promoted", True),
        ("cleaned", "committing", False),
        ("cleaned", "staged", False),
        ("cleaned", "rejected", False),  # its rows are shown as long as the refusal stands
        ("published", "promoted", False),  # a release whose version is lost goes on as what its gates judged
        ("raw", "promoted", False),
    ],
)
def test_only_staged_versions_of_what_has_landed_are_named_as_such(table: str, state: str, goes: bool) -> None:
    staged = DETACHED + 5
    main: Any = SimpleNamespace(table=table if table != "raw" else "cleaned", detached_version=staged, audit_version=3)
    record: Any = SimpleNamespace(state=state, tables=lambda: [main])
    assert landed_in(table, [record]).landed == (frozenset({staged}) if goes else frozenset())


def test_rivals_and_recovery_read_transactions_without_their_files(scene: Scene) -> None:
    rival = lance.dataset(scene.table.uri)
    lance.write_dataset(rows("e"), scene.table.uri, mode="append")
    scene.sweep()
    assert not [name for name in scene.files() if name.startswith("_transactions/")]
    fragments = write_fragments(rows("f"), rival, mode="append")
    lance.LanceDataset.commit(rival, lance.LanceOperation.Append(fragments), read_version=rival.version)
    latest = lance.dataset(scene.table.uri)
    assert latest.count_rows() == 79 + 40
    for version in (*range(1, 9), scene.way):
        assert latest.read_transaction(version) is not None
    stale = lance.LanceOperation.Overwrite(latest.schema, [])
    with pytest.raises(OSError, match=r"(?i)conflict|concurrent"):
        lance.LanceDataset.commit(rival, stale, read_version=rival.version, max_retries=0)


def test_a_transaction_that_its_manifest_does_not_repeat_stays(scene: Scene) -> None:
    """As older versions of Lance wrote it."""
    name = next(name for name in scene.files() if name.startswith("_transactions/6-"))
    path = scene.folder / name
    path.write_bytes(path.read_bytes() + b"\0")
    scene.sweep()
    assert [other for other in scene.files() if other.startswith("_transactions/6-") and other == name]


def test_a_second_sweep_finds_nothing(scene: Scene) -> None:
    scene.age(10 * DAY)
    scene.sweep()
    assert scene.sweep(dry_run=True) == Swept()


@pytest.mark.parametrize(("keep", "stays"), [(WEEK, True), (2 * DAY, False), (timedelta(0), False)])
def test_files_that_no_version_names_yet_stay_as_long_as_is_asked(scene: Scene, keep: timedelta, stays: bool) -> None:
    """Their process may not have got as far as staging them."""
    written = write_fragments(rows("z"), lance.dataset(scene.table.uri), mode="append")
    scene.age(3 * DAY)
    scene.sweep(keep)
    assert (scene.folder / "data" / written[0].files[0].path).exists() is stays


def test_files_without_a_version_may_be_kept_longer_than_versions(scene: Scene) -> None:
    written = write_fragments(rows("z"), lance.dataset(scene.table.uri), mode="append")
    scene.age(3 * DAY)
    done = scene.sweep(DAY, keep_unnamed=WEEK)
    # the files are the transactions of the two versions that stay: their manifests repeat them
    assert (done.versions, done.candidates, done.files) == (5, 2, 2)
    assert (scene.folder / "data" / written[0].files[0].path).exists()


def test_a_version_is_as_old_as_the_one_that_took_its_place(scene: Scene) -> None:
    scene.age(10 * DAY)
    lance.write_dataset(rows("e"), scene.table.uri, mode="append")
    scene.sweep()
    assert scene.versions() == [2, 7, 8]


def test_with_no_retention_only_the_latest_and_tagged_versions_stay(scene: Scene) -> None:
    scene.sweep(timedelta(0))
    assert scene.versions() == [2, 7]
    assert not list(scene.folder.glob("_versions/d*"))


def test_versions_since_the_base_of_a_promotion_that_was_committing_stay(scene: Scene) -> None:
    scene.age(10 * DAY)
    scene.sweep(needed=Needed(since=4))
    assert scene.versions() == [2, 4, 5, 6, 7]


def test_a_tag_holds_a_detached_version(scene: Scene) -> None:
    lance.dataset(scene.table.uri).tags.update("v1", scene.way)
    scene.age(10 * DAY)
    scene.sweep()
    assert scene.versions() == [7]
    assert lance.dataset(scene.table.uri, version="v1").to_table().num_rows == 99


def test_what_a_killed_commit_left_half_written_goes(scene: Scene) -> None:
    left = [
        scene.folder / name for name in ("_versions/1.manifest#1", "_transactions/7-half.txn.tmp", "data/x.lance#1")
    ]
    for path in left:
        path.write_bytes(b"half")
    scene.age(10 * DAY)
    scene.sweep()
    assert [path for path in left if path.exists()] == []


def test_contents_beside_a_data_file_stay_with_it(scene: Scene) -> None:
    named = lance.dataset(scene.table.uri).get_fragments()[0].data_files()[0].path
    beside = [scene.folder / "data" / stem / "1.blob" for stem in (named.removesuffix(".lance"), "nobody")]
    for path in beside:
        path.parent.mkdir()
        path.write_bytes(b"content")
    scene.age(10 * DAY)
    scene.sweep()
    assert [path.exists() for path in beside] == [True, False]


def test_nothing_is_removed_where_a_version_that_stays_cannot_be_read(scene: Scene) -> None:
    scene.age(10 * DAY)
    second = scene.folder / f"_versions/{2**64 - 1 - 2:020d}.manifest"
    second.write_bytes(second.read_bytes()[:-40])
    scene.age(10 * DAY, only="_versions/*")
    before = scene.files()
    done = scene.sweep()
    assert done.postponed is not None
    assert "version 2 cannot be opened" in done.postponed
    assert (done.versions, done.files, scene.files()) == (0, 0, before)


@pytest.mark.parametrize("ahead_s", [290, 310])
def test_a_file_from_the_future_shows_that_clocks_disagree(scene: Scene, ahead_s: int) -> None:
    scene.age(10 * DAY)
    name = next(iter(sorted(scene.folder.glob("data/*"))))
    os.utime(name, (time.time() + ahead_s,) * 2)
    before = scene.files()
    if ahead_s < 300:
        assert scene.sweep().versions == 5
        return
    with pytest.raises(StorageError, match=rf"{name.name} was written 3\d\d s from now.*Nothing was changed"):
        scene.sweep()
    assert scene.files() == before
