"""A table that lost rows is damaged: plan says so, a run makes them again, and nothing is built on what is left."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import lance
import pytest

import winnowry as wn
from expectations.registry import suites_for
from tests.walk import open_recipe, run_all
from winnowry.core.errors import MissingPartitionsError, NotFoundError, UsageError
from winnowry.inspect.doctor import doctor
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import apply_overrides
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage

TABLES = ("landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published")
WORDS = ["the", "printer", "on", "second", "floor", "does", "not", "answer", "since", "last", "update", "every", "day"]
RECIPE = """version: 1
corpus: c
sources:
  - {name: s, uri: "landing/*.jsonl", fields: {id: id, text: text, event_time: t}, partition: {every: year}}
clean:
  - {op: text.length, min_words: 5}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
"""


def texts(year: int) -> list[dict[str, str]]:
    """Ten records of a year: one is too short, and one repeats another."""
    rows = [{"id": f"{year}-{n}", "text": f"{year} {n} " + " ".join(WORDS[n:] + WORDS[:n])} for n in range(8)]
    rows += [{"id": f"{year}-short", "text": "Please help."}, {"id": f"{year}-again", "text": rows[0]["text"]}]
    return [{**row, "t": f"{year}-05-01T10:00:00Z"} for row in rows]


def write_lake(root: Path) -> Path:
    """Landing objects and a recipe."""
    (root / "landing").mkdir()
    for year in (2023, 2024):
        body = "".join(json.dumps(row) + "\n" for row in texts(year))
        (root / "landing" / f"{year}.jsonl").write_text(body, encoding="utf-8")
    (root / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two years and one release."""
    root = write_lake(tmp_path_factory.mktemp("lost"))
    run_all(*open_recipe(root, root / "r.yaml"))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "lake"))


def number(manifest: Path) -> int:
    counted_down = int(manifest.stem)
    return counted_down if counted_down < 1 << 63 else (1 << 64) - 1 - counted_down


def lose_newest(table: Path) -> int:
    """Remove the newest manifests of a table until it has other rows; how many went."""
    before = lance.dataset(str(table)).count_rows()
    manifests = [path for path in (table / "_versions").glob("*.manifest") if path.stem.isdigit()]
    for n, manifest in enumerate(sorted(manifests, key=number, reverse=True), 1):
        manifest.unlink()
        (table / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)
        try:
            if lance.dataset(str(table)).count_rows() != before:
                return n
        except ValueError:
            return n
    raise AssertionError("nothing was lost")


def lose_all(table: Path) -> None:
    for manifest in (table / "_versions").glob("*.manifest"):
        if manifest.stem.isdigit():
            manifest.unlink()


def contents(ws: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Rows of every table, apart from which promotion wrote them and when."""
    contents = {}
    for name in (*TABLES, "quarantine"):
        rows = ws.lake.open("c", name).to_table().drop_columns(["promotion_id"]).to_pylist()
        rows = [{key: value for key, value in row.items() if key not in ("ingested_at", "modified_at")} for row in rows]
        contents[name] = sorted(rows, key=str)
    return contents


@pytest.mark.parametrize("name", [*TABLES, "quarantine"])
def test_a_table_whose_newest_manifests_are_lost_is_made_again(root: Path, name: str) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    assert not plan(ws, recipe).to_run
    before = contents(ws)
    lose_newest(root / "c" / f"{name}.lance")
    reasons = [reason for entry in plan(ws, recipe).to_run for reason in entry.reasons if reason.startswith("damaged")]
    assert any(f"{name}" in reason for reason in reasons), reasons
    run_all(ws, recipe)
    assert contents(ws) == before
    assert not plan(ws, recipe).to_run


@pytest.mark.parametrize("name", ["landing", "raw", "published"])
def test_a_table_without_any_manifest_is_made_again(root: Path, name: str) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    before = contents(ws)
    lose_all(root / "c" / f"{name}.lance")
    assert any("gone" in reason for entry in plan(ws, recipe).to_run for reason in entry.reasons)
    run_all(ws, recipe)
    assert contents(ws) == before


@pytest.mark.parametrize("name", ["cleaned", "sampled", "published"])
def test_rows_of_an_older_promotion_that_came_back_are_noticed(root: Path, name: str) -> None:
    """The recipe has changed since: the older rows are as many, or more, and not those that were promoted last."""
    ws, recipe = open_recipe(root, root / "r.yaml")
    changed = apply_overrides(recipe, ["text.length.min_words=2", "sample.seed=5"])
    run_all(ws, changed)
    before = contents(ws)
    lose_newest(root / "c" / f"{name}.lance")
    damaged = [e.stage for e in plan(ws, changed).to_run if any(r.startswith("damaged") for r in e.reasons)]
    assert name in damaged
    run_all(ws, changed)
    assert contents(ws) == before


def test_nothing_is_built_on_a_table_that_lost_rows(root: Path) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    lose_newest(root / "c" / "cleaned.lance")
    with pytest.raises(MissingPartitionsError, match="rows are lost of what it reads: cleaned/2024"):
        run_stage(ws, recipe, "scored", "2024", suites=suites_for, run_id="t", force=True)
    with pytest.raises(MissingPartitionsError, match="cleaned: damaged"):
        run_stage(ws, recipe, "duplicates", suites=suites_for, run_id="t")


def test_a_landing_that_lost_its_rows_says_of_no_partition_that_it_is_gone(root: Path) -> None:
    ws, recipe = open_recipe(root, root / "r.yaml")
    lose_newest(root / "c" / "landing.lance")
    assert {entry.stage for entry in plan(ws, recipe).to_run if entry.partition is not None} == set()
    with pytest.raises(MissingPartitionsError, match="nobody knows which partitions"):
        run_stage(ws, recipe, "raw", "2024", suites=suites_for, run_id="t")
    assert run_stage(ws, recipe, "landing", suites=suites_for, run_id="t").status == "promoted"
    assert not plan(ws, recipe).to_run


@pytest.mark.parametrize("judged_is_there", [True, False])
def test_a_release_that_is_lost_never_comes_to_mean_another_one(root: Path, judged_is_there: bool) -> None:
    """It goes on as the version that its gates judged; without that its tag is gone, and another one has other rows."""
    ws, recipe = open_recipe(root, root / "r.yaml")
    before = ids(ws, "v1")
    lose_newest(root / "c" / "published.lance")
    if not judged_is_there:
        for manifest in (root / "c" / "published.lance" / "_versions").glob("d*.manifest"):
            manifest.unlink()
    (check,) = [check for check in doctor(str(root)).checks if check.name == "lost rows"]
    assert (check.status, "v1 (version 3)" in check.message) == ("fail", True)
    note = plan(ws, recipe).note
    assert note is not None
    assert "prod (version 3), v1 (version 3) of published" in note
    smaller = apply_overrides(recipe, ["sample.token_fraction=0.5"])
    run_all(ws, smaller)
    tags = ws.lake.tags("c")
    assert set(tags) == ({"v1", "v2", "prod"} if judged_is_there else {"v2", "prod"})
    assert tags["prod"] == tags["v2"] > 3
    if judged_is_there:
        assert ids(ws, "v1") == before
    assert len(ids(ws, "v2")) < len(before)
    assert not ws.lake.lost_tags("c")


def ids(ws: Workspace, tag: str) -> list[str]:
    return sorted(ws.lake.open("c", "published", tag).to_table(columns=["record_id"])["record_id"].to_pylist())


def test_a_forced_stage_is_made_again_and_what_reads_it_stays_fresh(root: Path) -> None:
    lake = wn.open(str(root))
    outcome = lake.run(root / "r.yaml", force=["cleaned/2024", "sampled"])
    made = {(r.stage, r.partition): r.reason for r in outcome.results if r.status != "skipped"}
    assert made == {("cleaned", "2024"): "forced", ("sampled", None): "forced"}
    assert lake.table("c.cleaned").count() == 18


@pytest.mark.parametrize(
    ("forced", "message"),
    [
        ("cleand", "no stage 'cleand'; did you mean cleaned?"),
        ("sampled/2024", "runs over the whole corpus: name it alone"),
        ("published", "the run ends with cleaned"),
    ],
)
def test_what_cannot_be_forced_is_named(root: Path, forced: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        wn.open(str(root)).run(root / "r.yaml", to="cleaned", force=forced)


def test_a_forced_partition_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(NotFoundError, match="no partition 2025; did you mean 2024"):
        wn.open(str(root)).run(root / "r.yaml", force="cleaned/2025")


def test_a_promotion_that_has_landed_and_not_noted_itself_is_no_damage(root: Path) -> None:
    """A process that dies between its commit and its record, or a rival that is just there."""
    ws, recipe = open_recipe(root, root / "r.yaml")
    run_all(ws, apply_overrides(recipe, ["sample.seed=5"]))
    for stage in ("sampled", "cleaned"):
        records = ws.lake.records("c")
        newest = max((r for r in records.of_stage(stage) if r.state == "promoted"), key=lambda record: record.id)
        records.advance(newest, "committing", promoted_version=None, promoted_at=None)
    entries = plan(ws, apply_overrides(recipe, ["sample.seed=5"])).to_run
    assert not [reason for entry in entries for reason in entry.reasons if reason.startswith("damaged")]
