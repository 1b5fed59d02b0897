"""Finished units of a stage outlive its process and its gate's refusal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.conftest import REPOSITORY
from tests.walk import open_recipe, run_all
from winnowry.engine import tasks
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.stages.run import run_stage

RECORDS = 100
RECIPE = """\
version: 1
corpus: tickets
sources:
  - {name: s, uri: "landing/*.jsonl", fields: {id: id, text: text}, partition: {by: path, part: -1}}
clean:
  - {op: text.normalize_unicode}
  - {op: text.length, min_words: 4}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
"""
KILLED = """
import os, signal, sys
sys.path.insert(0, {repository!r})
from tests.integration.test_kept_units import run, small_units
from winnowry.storage.local import LocalStore
small_units()
plain, written = LocalStore.write, []
def write(self, uri, data, **how):
    done = plain(self, uri, data, **how)
    if "/units/" in uri:
        written.append(uri)
        if len(written) == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
    return done
LocalStore.write = write
run({root!r}, {stage!r})
"""


def small_units() -> None:
    """One record a unit, so that 100 records are 100 units."""
    tasks.UNIT_ROWS = tasks._LEAST_ROWS = 1  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _small_units(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    before = tasks.UNIT_ROWS, tasks._LEAST_ROWS
    small_units()
    yield
    tasks.UNIT_ROWS, tasks._LEAST_ROWS = before  # type: ignore[misc]


def opened(root: str | Path) -> tuple[Workspace, Recipe]:
    return open_recipe(Path(root), Path(root) / "tickets.yaml")


def run(root: str | Path, stage: str, *overrides: str, force: bool = False) -> StageResult:
    ws, recipe = opened(root)
    changed = apply_overrides(recipe, list(overrides)) if overrides else recipe
    return run_stage(ws, changed, stage, "day.jsonl", suites=suites_for, run_id="test", force=force)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "landing").mkdir()
    lines = [
        {"id": str(n), "text": "too short" if n % 10 == 3 else f"The {n}th ticket of the day was closed by its author."}
        for n in range(RECORDS)
    ]
    (tmp_path / "landing" / "day.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "tickets.yaml").write_text(RECIPE)
    run_all(*opened(tmp_path), to="raw")
    return tmp_path


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    found = opened(root)[0].lake.open("tickets", table).to_table().drop_columns(["promotion_id"])
    return sorted(found.to_pylist(), key=lambda row: str(row["record_id"]))


def units(root: Path) -> list[Path]:
    return [path for path in (root / "tickets" / "units").rglob("*") if path.is_file()]


@pytest.mark.parametrize(("stage", "after"), [("cleaned", 60), ("scored", 40)])
def test_a_killed_stage_goes_on_at_its_unit(lake: Path, stage: str, after: int) -> None:
    if stage == "scored":
        run_all(*opened(lake), to="fit")
    script = KILLED.format(repository=str(REPOSITORY), root=str(lake), stage=stage, after=after)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = run(lake, stage)
    total = RECORDS if stage == "cleaned" else 90
    assert result.metadata["units_reused"] == after
    # Rejected records are no calls of `scored`; each of its units still reads a record of `cleaned`.
    assert max(result.metadata["operator_calls"].values()) == total - after
    assert units(lake) == []
    resumed = rows(lake, stage), rows(lake, "quarantine")
    run(lake, stage, force=True)
    assert (rows(lake, stage), rows(lake, "quarantine")) == resumed


@pytest.mark.parametrize("after", [60, RECORDS])
def test_units_of_rows_in_another_order_are_not_mixed_with_new_ones(lake: Path, after: int) -> None:
    """The same records from other places have the same data version, and lie elsewhere in ``raw``."""
    script = KILLED.format(repository=str(REPOSITORY), root=str(lake), stage="cleaned", after=after)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    landed = lake / "landing" / "day.jsonl"
    landed.write_text("".join(reversed(landed.read_text().splitlines(keepends=True))))
    run_all(*opened(lake), to="raw")
    result = run(lake, "cleaned")
    assert (result.rows_out, result.rows_quarantined, result.metadata["units_reused"]) == (90, 10, 0)
    raw = {row["record_id"]: row["position"] for row in rows(lake, "raw")}
    quarantine = rows(lake, "quarantine")
    assert {row["record_id"]: row["position"] for row in quarantine} == {
        row["record_id"]: raw[row["record_id"]] for row in quarantine
    }
    assert units(lake) == []


def test_a_gate_that_refuses_and_is_then_relaxed_costs_no_operator_call(lake: Path) -> None:
    with pytest.raises(GateFailed, match=r"min_kept_fraction|kept"):
        run(lake, "cleaned", "gates.cleaned.min_kept_fraction=0.95")
    assert len(units(lake)) == RECORDS
    result = run(lake, "cleaned", "gates.cleaned.min_kept_fraction=0.5")
    assert (result.status, result.metadata["operator_calls"]) == ("promoted", {})
    assert (result.rows_out, result.rows_quarantined) == (90, 10)
    assert units(lake) == []
    ids = {row["promotion_id"] for row in opened(lake)[0].lake.open("tickets", "quarantine").to_table().to_pylist()}
    assert ids == {result.promotion_id}


@pytest.mark.parametrize("change", ["text.length.min_words=5", "limits.max_error_fraction=0.5"])
def test_units_of_another_specification_are_not_taken(lake: Path, change: str) -> None:
    with pytest.raises(GateFailed):
        run(lake, "cleaned", "gates.cleaned.min_kept_fraction=0.95")
    result = run(lake, "cleaned", change)
    assert result.metadata["operator_calls"]["text.length"] == RECORDS
    assert units(lake) == []


def test_force_computes_every_row_anew(lake: Path) -> None:
    with pytest.raises(GateFailed):
        run(lake, "cleaned", "gates.cleaned.min_kept_fraction=0.95")
    assert run(lake, "cleaned", force=True).metadata["operator_calls"]["text.length"] == RECORDS
