"""Upkeep changes what a table costs and nothing of what anybody reads."""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.columns.definitions import Definitions
from winnowry.columns.fill import add_column
from winnowry.columns.listing import drop
from winnowry.columns.spec import sql_column
from winnowry.core.errors import UsageError
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.maintenance import Upkeep, maintain_table
from winnowry.lakehouse.promotion import stage
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import apply_overrides


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases, a column that was dropped, one that is there, and a trial of one."""
    root = tmp_path_factory.mktemp("released")
    land(root, years=("2019", "2020"), per_year=25)
    write_recipe(root)
    ws, recipe = open_recipe(root, root / "small.yaml")
    run_all(ws, recipe)
    for fraction in (0.6, 0.8):
        run_all(ws, apply_overrides(recipe, [f"sample.token_fraction={fraction}"]))
    for name in ("gone", "kept"):
        dataset = ws.lake.table("small", "published").dataset()
        add_column(ws, "small", sql_column(dataset, "published", name, "n_words * 2"), suites=suites_for)
    drop(ws, "small", "published", "gone")
    return root


@pytest.fixture
def root(released: Path, tmp_path: Path) -> Path:
    """As it is a month later."""
    copied = Path(shutil.copytree(released, tmp_path / "lake"))
    for path in copied.rglob("*"):
        os.utime(path, (time.time() - 30 * 86400,) * 2)
    return copied


def upkeep(ws: Workspace, name: str = "published", *, dry_run: bool = False, **options: Any) -> Upkeep:
    defaults: dict[str, Any] = {
        "live": [],
        "kept_files": set(),
        "busy": None,
        "keep": timedelta(0),
        "together": "partition",
    }
    return maintain_table(ws.lake.table("small", name), ws.store, **{**defaults, **options}, dry_run=dry_run)


def read(ws: Workspace) -> dict[str, list[dict[str, Any]]]:
    """What readers of every tag, and of the latest version, see."""
    contents = {}
    for tag in (*ws.lake.tags("small"), None):
        rows = ws.lake.open("small", "published", tag).to_table().to_pylist()
        contents[str(tag)] = sorted(rows, key=lambda row: row["record_id"])
    return contents


def files(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in root.rglob("*") if path.is_file()}


def test_readers_of_tags_and_of_the_latest_version_see_the_same(root: Path) -> None:
    ws = Workspace.open(str(root))
    before = read(ws)
    done = upkeep(ws)
    assert done.versions_removed > 0
    assert done.candidates_removed > 0
    assert done.files_removed > 0
    assert done.fragments_merged > 0
    assert read(ws) == before
    dataset = ws.lake.table("small", "published").dataset()
    owners = ws.lake.table("small", "published").owners(dataset)
    for fragment in dataset.get_fragments():
        partitions = set(fragment.to_table(columns=["partition"])["partition"].to_pylist())
        assert partitions == {owners[fragment.fragment_id].partition}
    wanted = before["None"][0]["record_id"]
    assert dataset.to_table(filter=f"record_id = '{wanted}'").num_rows == 1
    assert "ScalarIndexQuery" in dataset.scanner(filter=f"record_id = '{wanted}'").explain_plan()


def test_a_dry_run_tells_the_same_and_changes_nothing(root: Path) -> None:
    ws = Workspace.open(str(root))
    before = files(root)
    announced = upkeep(ws, dry_run=True)
    assert files(root) == before
    assert 0 not in (
        announced.versions_removed,
        announced.candidates_removed,
        announced.files_removed,
        announced.bytes_removed,
    )
    counts = ("versions_removed", "candidates_removed", "files_removed", "bytes_removed", "fragments_merged")
    done = upkeep(ws)
    assert {name: getattr(done, name) for name in counts} == {name: getattr(announced, name) for name in counts}
    freed = {path: size for path, size in before.items() if path not in files(root)}
    assert (len(freed), sum(freed.values())) == (
        announced.versions_removed + announced.candidates_removed + announced.files_removed,
        announced.bytes_removed,
    )


def test_releases_go_on_afterwards_and_later_rows_get_the_column(root: Path) -> None:
    ws, recipe = open_recipe(root, root / "small.yaml")
    upkeep(ws)
    results = run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.9"]))
    assert results[-1].status == "promoted"
    rows = ws.lake.open("small", "published").to_table().to_pylist()
    assert {row["record_id"]: row["kept"] for row in rows} == {row["record_id"]: row["n_words"] * 2 for row in rows}
    assert len(rows) == len({row["record_id"] for row in rows})


def test_what_a_candidate_on_its_way_needs_stays(root: Path) -> None:
    """A promotion is staged, and maintenance comes before it is promoted."""
    ws = Workspace.open(str(root))
    handle = ws.lake.table("small", "published")
    fragment = handle.dataset().get_fragments()[0].metadata.to_json()
    candidate = stage(handle, [fragment], 1, scope="delta", partition="__all__", stage_name="published")
    old = time.time() - 30 * 86400
    for path in root.rglob("d*.manifest"):
        os.utime(path, (old, old))
    record: Any = SimpleNamespace(tables=lambda: [candidate], state="staged", files={})
    done = upkeep(ws, live=[record])
    assert done.postponed == ["compaction: a promotion is on its way"]
    assert handle.dataset_or_none(candidate.detached_version) is not None
    upkeep(ws)
    assert handle.dataset_or_none(candidate.detached_version) is None


def test_files_of_a_column_on_its_way_stay_and_fragments_are_not_moved_under_it(root: Path) -> None:
    ws = Workspace.open(str(root))
    spec = sql_column(ws.lake.table("small", "published").dataset(), "published", "later", "n_words + 1")
    trial = add_column(ws, "small", spec, suites=suites_for, fragments=1)
    own = {file.path for file in Definitions(ws, "small").files(spec).values()}
    done = upkeep(ws, kept_files=own, busy="column later is being computed")
    assert done.fragments_merged == 0
    assert own <= {path.name for path in (root / "small/published.lance/data").iterdir()}
    assert trial.fragments_computed == 1
    whole = add_column(ws, "small", spec, suites=suites_for)
    assert whole.fragments_reused == 1


def test_a_file_that_waited_too_long_is_computed_again(root: Path) -> None:
    """Lance removes a file that nothing has referred to for a week; a commit that named it would break the table."""
    ws = Workspace.open(str(root))
    spec = sql_column(ws.lake.table("small", "published").dataset(), "published", "later", "n_words + 1")
    add_column(ws, "small", spec, suites=suites_for, fragments=1)
    for file in Definitions(ws, "small").files(spec).values():
        os.utime(root / "small/published.lance/data" / file.path, (time.time() - 30 * 86400,) * 2)
    upkeep(ws, busy="column later is being computed")
    whole = add_column(ws, "small", spec, suites=suites_for)
    assert (whole.status, whole.fragments_reused) == ("added", 0)
    assert all(row["later"] == row["n_words"] + 1 for row in read(ws)["None"])


def test_the_whole_lake_is_maintained_and_a_short_retention_refused(root: Path) -> None:
    ws = Workspace.open(str(root))
    before = read(ws)
    (done,) = maintain(ws, keep_days=7)
    assert {upkeep.table for upkeep in done.tables} >= {"raw", "cleaned", "published", "quarantine", "gates"}
    assert read(ws) == before
    with pytest.raises(UsageError, match="at least 1"):
        maintain(ws, keep_days=0.5)


def test_leftover_units_go_when_nobody_went_on_with_them_for_long(root: Path) -> None:
    """They hold copies of texts, and an attempt whose recipe changed meanwhile never asks for them again."""
    ws = Workspace.open(str(root))
    folder = root / "small/units/cleaned/2019/abandoned"
    folder.mkdir(parents=True)
    old, young = folder / "0-1.unit", folder / "1-2.unit"
    for path, age_days in ((old, 8), (young, 6)):
        path.write_bytes(b"x" * 10)
        os.utime(path, (time.time() - age_days * 86400,) * 2)
    (dry,) = maintain(ws, keep_days=7, dry_run=True)
    assert (dry.units_removed, dry.unit_bytes_removed, old.exists()) == (1, 10, True)
    (done,) = maintain(ws, keep_days=7)
    assert (done.units_removed, old.exists(), young.exists()) == (1, False, True)


def test_data_docs_go_after_their_retention_but_not_those_of_a_release(root: Path) -> None:
    ws = Workspace.open(str(root))
    pages = [path for path in (root / "small/data_docs").rglob("*") if path.is_file()]
    of_releases = {path for path in pages if "published" in path.relative_to(root / "small/data_docs").parts[:1]}
    young = {path for path in pages if "landing" in path.relative_to(root / "small/data_docs").parts[:1]}
    assert of_releases
    assert young
    for path in young:
        os.utime(path)
    for path in set(pages) - young:
        os.utime(path, (time.time() - 31 * 86400,) * 2)
    going = set(pages) - young - of_releases

    (dry,) = maintain(ws, dry_run=True)
    assert (dry.docs_removed, dry.doc_bytes_removed) == (len(going), sum(path.stat().st_size for path in going))
    assert all(path.exists() for path in pages)
    (longer,) = maintain(ws, keep_days=32)
    assert longer.docs_removed == 0
    (done,) = maintain(ws)
    assert done.docs_removed == len(going)
    assert {path for path in pages if path.exists()} == young | of_releases
