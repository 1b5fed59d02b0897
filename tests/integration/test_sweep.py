"""A promotion that died while it committed is finished after upkeep, however late; nothing else is kept for ever."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_lost_rows import contents, texts, write_lake
from tests.walk import open_recipe, run_all
from winnowry.core.errors import StorageError
from winnowry.inspect.maintain import maintain
from winnowry.inspect.verify import verify
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.maintenance import Upkeep
from winnowry.lakehouse.workspace import Workspace
from winnowry.stages.plan import plan

DAY_S = 86400


class Killed(BaseException):
    """Stands for a process that ends here; not an Exception, so that nothing under test handles it."""


@pytest.fixture(autouse=True)
def no_hook() -> Iterator[None]:
    yield
    barrier.hook = None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """A lake with a release, then new records that have only landed; and what its tables hold once they are through."""
    root = write_lake(tmp_path_factory.mktemp("swept"))
    ws, recipe = open_recipe(root, root / "r.yaml")
    run_all(ws, recipe)
    rows = [{**row, "id": f"{row['id']}-later", "text": f"{row['text']} indeed"} for row in texts(2024)]
    with (root / "landing/2024.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    shutil.copytree(root / "c", root.parent / f"{root.name}-saved")
    run_all(ws, recipe)
    return root, contents(ws)


@pytest.fixture
def root(made: tuple[Path, dict[str, list[dict[str, Any]]]]) -> Path:
    where = made[0]
    shutil.rmtree(where / "c")
    shutil.copytree(where.parent / f"{where.name}-saved", where / "c")
    return where


def killed_at(root: Path, point: str, table: str) -> None:
    """Run until a promotion of a table reaches a point, and die there."""
    at: list[str] = []

    def hook(name: str) -> None:
        if name.startswith("staged:") and name != "staged:quarantine":
            at[:] = [name.removeprefix("staged:")]
        if name == point and at == [table]:
            raise Killed

    barrier.hook = hook
    with pytest.raises(Killed):
        run_all(*open_recipe(root, root / "r.yaml"))
    barrier.hook = None


def age(root: Path, days: float) -> None:
    for path in (root / "c").rglob("*"):
        os.utime(path, (path.stat().st_mtime - days * DAY_S,) * 2)


def counts(tables: tuple[Upkeep, ...]) -> dict[str, tuple[int, int, int, int]]:
    return {
        t.table: (t.versions_removed, t.candidates_removed, t.files_removed, t.bytes_removed)
        for t in tables
    }  # fmt: skip


@pytest.mark.parametrize(
    ("point", "table"),
    [
        ("committing", "cleaned"),
        ("committing", "published"),
        ("promoted:published", "published"),
        ("release:indexed", "published"),
    ],
)
def test_what_died_while_it_committed_is_finished_ten_days_and_an_upkeep_later(
    made: tuple[Path, dict[str, list[dict[str, Any]]]], root: Path, point: str, table: str
) -> None:
    killed_at(root, point, table)
    age(root, 10)
    ws, recipe = open_recipe(root, root / "r.yaml")
    died = [record.id for record in ws.lake.records("c").all() if record.state == "committing"]
    assert len(died) == (point != "release:indexed")
    (announced,) = maintain(ws, dry_run=True)
    (done,) = maintain(ws)
    assert counts(done.tables) == counts(announced.tables)
    assert sum(t.files_removed for t in done.tables) > 0
    run_all(ws, recipe)
    assert {record.state for record in ws.lake.records("c").all() if record.id in died} <= {"promoted"}
    assert contents(ws) == made[1]
    assert set(ws.lake.tags("c")) == {"v1", "v2", "prod"}
    assert ws.lake.tags("c")["v2"] == ws.lake.tags("c")["prod"]
    assert ws.lake.open("c", "published", "v2").count_rows() == len(made[1]["published"])
    assert not plan(ws, recipe).to_run
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}
    assert verify(ws, depth="contents").findings == ()


@pytest.mark.parametrize("table", ["cleaned", "published"])
def test_a_promotion_whose_files_are_gone_is_abandoned_and_its_rows_are_made_anew(
    made: tuple[Path, dict[str, list[dict[str, Any]]]], root: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    killed_at(root, "committing", table)
    ws, recipe = open_recipe(root, root / "r.yaml")
    (record,) = [record for record in ws.lake.records("c").all() if record.state == "committing"]
    assert record.main is not None
    name = record.main.fragments[0]["files"][0]["path"]
    (root / f"c/{table}.lance/data/{name}").unlink()
    run_all(ws, recipe)
    (after,) = [other for other in ws.lake.records("c").all() if other.id == record.id]
    assert after.state == "abandoned"
    assert f"promotion {record.id} cannot be committed, because {table}.lance/data/{name} is missing" in caplog.text
    assert contents(ws) == made[1]
    assert ws.lake.tags("c")["prod"] == ws.lake.tags("c")["v2"]


def test_a_version_that_was_the_latest_until_yesterday_stays(root: Path) -> None:
    """It is months old, and readers opened it yesterday."""
    age(root, 90)
    ws, recipe = open_recipe(root, root / "r.yaml")
    version = int(ws.lake.table("c", "cleaned").dataset().version)
    run_all(ws, recipe)
    assert int(ws.lake.table("c", "cleaned").dataset().version) > version
    maintain(ws)
    assert ws.lake.table("c", "cleaned").dataset(version).to_table().num_rows > 0


@pytest.mark.parametrize("ahead_s", [200, 400])
def test_upkeep_refuses_where_clocks_disagree_and_changes_nothing(root: Path, ahead_s: int) -> None:
    age(root, 10)
    late = max((root / "c/sampled.lance/data").iterdir())
    os.utime(late, (time.time() + ahead_s,) * 2)
    before = {path: path.stat().st_mtime_ns for path in (root / "c").rglob("*") if path.is_file()}
    ws = Workspace.open(str(root))
    if ahead_s < 300:
        assert maintain(ws)
        return
    with pytest.raises(StorageError, match=rf"{late.name} was written .* clocks disagree.*Nothing was changed"):
        maintain(ws)
    assert {path: path.stat().st_mtime_ns for path in (root / "c").rglob("*") if path.is_file()} == before


def test_a_machine_whose_clock_is_a_month_ahead_removes_nothing_young(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    run_all(ws, recipe)
    for _ in range(2):  # what goes however young it is, then what the first upkeep wrote of that kind
        maintain(ws)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 30 * DAY_S)
    (done,) = maintain(ws)
    assert {sum(removed) for removed in counts(done.tables).values()} == {0}
