"""A stage of somebody else is planned, run, gated, explained and drawn, with one file and one entry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from expectations.registry import suites_for
from tests.integration.dagster_project import write_project_recipe
from tests.small_corpus import land, write_recipe
from tests.toy_stage import CAPITALS, INITIALS, Initials
from tests.walk import open_recipe, run_all
from winnowry.core.errors import UsageError
from winnowry.inspect.explain import explain
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import GateFailed
from winnowry.reading.query import run_sql
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Read, Stage, registered, registered_gate
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage, stages_of


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered(INITIALS):
        yield


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years, cleaned; each test works on a copy."""
    root = tmp_path_factory.mktemp("toy")
    land(root, years=("2019", "2020"), per_year=8)
    run_all(*open_recipe(root, write_recipe(root)), to="cleaned")
    return root


@pytest.fixture
def cleaned(lake: Path, tmp_path: Path) -> tuple[Workspace, Recipe]:
    shutil.copytree(lake, tmp_path / "lake")
    return open_recipe(tmp_path / "lake", tmp_path / "lake" / "small.yaml")


def test_it_is_planned_run_gated_and_explained(cleaned: tuple[Workspace, Recipe]) -> None:
    ws, recipe = cleaned
    assert stages_of(recipe)[-1] == "initials"
    assert [(entry.partition, entry.action) for entry in plan(ws, recipe).entries if entry.stage == "initials"] == [
        ("2019", "run"),
        ("2020", "run"),
    ]
    results = [run_stage(ws, recipe, "initials", key, suites=suites_for, run_id="toy") for key in ("2019", "2020")]
    assert [result.status for result in results] == ["promoted", "promoted"]
    assert {gate.suite for gate in results[0].gates} == {"initials.contract", "initials.ledger", "initials.quality"}
    rows = run_sql(ws, "SELECT record_id, initial, text FROM small.initials JOIN small.cleaned USING (record_id)")
    assert rows.num_rows == sum(result.rows_out for result in results)
    assert all(row["text"].startswith(row["initial"]) for row in rows.to_pylist())
    walk = explain(ws, rows["record_id"][0].as_py())
    assert [step.outcome for step in walk.steps if step.stage == "initials"] == [f"begins with {rows['initial'][0]}"]
    assert run_stage(ws, recipe, "initials", "2019", suites=suites_for, run_id="toy").status == "skipped"
    record = ws.lake.live_record("small", "initials", "2019")
    assert record is not None
    assert record.lineage["input_versions"] == {"cleaned": ws.lake.table("small", "cleaned").dataset().version}
    changed = apply_overrides(recipe, ["text.length.min_words=60"])
    assert "upstream cleaned/2019 would run" in next(
        entry.reasons for entry in plan(ws, changed).entries if entry.stage == "initials"
    )


def test_a_row_that_it_loses_is_noticed(cleaned: tuple[Workspace, Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    ws, recipe = cleaned
    monkeypatch.setattr(Initials, "lost", 1)
    with pytest.raises(GateFailed, match=r"initials\.ledger"):
        run_stage(ws, recipe, "initials", "2020", suites=suites_for, run_id="toy", force=True)


def test_a_gate_of_somebody_else_judges_it_too(cleaned: tuple[Workspace, Recipe]) -> None:
    ws, recipe = cleaned
    with registered_gate(CAPITALS):
        assert "initials.capitals" in INITIALS.suite_names(recipe)
        result = run_stage(ws, recipe, "initials", "2019", suites=suites_for, run_id="toy", force=True)
        assert {gate.verdict for gate in result.gates if gate.suite == "initials.capitals"} == {"pass"}
        with pytest.raises(UsageError, match=r"has a suite initials\.capitals already"), registered_gate(CAPITALS):
            pass
    assert "initials.capitals" not in INITIALS.suite_names(recipe)


def test_it_is_an_asset_with_its_checks(tmp_path: Path) -> None:
    from assets.definitions import definitions_of

    loaded = definitions_of(write_project_recipe(tmp_path / "recipes").parent)
    node = loaded.resolve_asset_graph().get(
        next(k for k in loaded.resolve_all_asset_keys() if k.path[-1] == "initials")
    )
    assert {key.path[-1] for key in node.parent_keys} == {"cleaned"}
    assert {check.name for check in node.check_keys} == {"contract", "ledger", "quality"}
    assert node.partitions_def is not None


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage("cleaned", "partition", "", "x:y"), "there is a stage 'cleaned' already"),
        (Stage("other", "corpus", "", "x:y", reads=(Read("clened", "same"),)), "reads clened; there are landing"),
    ],
)
def test_a_stage_that_does_not_fit_the_graph_is_refused(stage: Stage, message: str) -> None:
    with pytest.raises(UsageError, match=message), registered(stage):
        pass
