"""A moved threshold decides anew from stored columns, and gives what cleaning from scratch gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.operators.registry import operators
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import apply_overrides
from winnowry.stages.clean_reuse import same_columns
from winnowry.stages.run import run_stage

# 40 words is the recipe's limit: one change lets records go, one brings some back as well, one turns a rule off, and
# one lets the German pages in.
CHANGES = [
    ["text.length.min_words=120"],
    ["text.length.min_words=1", "text.length.max_words=100"],
    ["text.length.min_words=null"],
    ["text.language.keep=[en, de]"],
]

SIZE: dict[str, Any] = {"years": ("2019", "2020"), "per_year": 15}
ANY_FRACTION = "gates.cleaned.min_kept_fraction=0"


def everything(ws: Any, table: str) -> list[dict[str, Any]]:
    """All rows by record id, without the promotion that wrote them and the folder they came from."""
    where = "stage = 'cleaned'" if table == "quarantine" else None
    rows = ws.lake.open("small", table).to_table(where=where).to_pylist()
    for row in rows:
        del row["promotion_id"]
        if "uri" in row:
            row["uri"] = Path(row["uri"]).name
    return sorted(rows, key=lambda row: row["record_id"])


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cleaned")
    land(root, **SIZE)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"), to="cleaned")
    return root


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(change))
def test_a_moved_threshold_gives_what_cleaning_from_scratch_gives(
    cleaned: Path, tmp_path: Path, change: list[str]
) -> None:
    shutil.copytree(cleaned, tmp_path / "reused")
    land(tmp_path / "anew", **SIZE)
    write_recipe(tmp_path / "anew")
    found = {}
    for name in ("reused", "anew"):
        ws, recipe = open_recipe(tmp_path / name, tmp_path / name / "small.yaml")
        results = run_all(ws, apply_overrides(recipe, [*change, ANY_FRACTION]), to="cleaned")
        reused = {result.metadata.get("columns_reused") for result in results if result.stage == "cleaned"}
        assert reused == {name == "reused"}
        found[name] = everything(ws, "cleaned"), everything(ws, "quarantine")
    assert found["reused"] == found["anew"]


def test_operators_are_called_only_for_records_that_come_back_and_only_for_what_they_lack(
    cleaned: Path, tmp_path: Path
) -> None:
    # The fixture is shared and the order of tests random: what promotes works on a copy.
    root = Path(shutil.copytree(cleaned, tmp_path / "own"))
    ws, recipe = open_recipe(root, root / "small.yaml")
    run_all(ws, recipe, to="cleaned")
    before = {row["record_id"] for row in everything(ws, "cleaned")}
    wider = apply_overrides(recipe, ["text.length.min_words=1"])
    calls: dict[str, int] = {}
    for partition in partitions_of(ws, recipe):
        result = run_stage(ws, wider, "cleaned", partition, suites=suites_for, run_id="reuse")
        for name, rows in result.metadata["operator_calls"].items():
            calls[name] = calls.get(name, 0) + rows
    back = {row["record_id"] for row in everything(ws, "cleaned")} - before
    assert back
    writes_text = {op.op for op in recipe.clean if "text" in op.writes().names}
    assert {name: rows for name, rows in calls.items() if name in writes_text} == dict.fromkeys(writes_text, len(back))
    assert not calls.keys() & {"text.length", "text.language"}, "their columns are stored for every record"

    narrower = apply_overrides(recipe, ["text.length.min_words=120", ANY_FRACTION])
    for partition in partitions_of(ws, recipe):
        result = run_stage(ws, narrower, "cleaned", partition, suites=suites_for, run_id="reuse")
        assert result.status == "promoted"
        assert result.metadata["operator_calls"] == {}


def test_what_changes_a_column_or_its_code_is_computed_anew() -> None:
    length, lines = operators()["text.length"], operators()["text.lines"]
    fingerprint = length.model_validate({"op": "text.length", "min_words": 5}).fingerprint()
    moved = length.model_validate({"op": "text.length", "min_words": 9})
    assert same_columns([fingerprint], [moved])
    assert not same_columns([fingerprint], [length.model_validate({"op": "text.length", "as": "other"})])
    assert not same_columns([{**fingerprint, "version": 0}], [moved])
    assert not same_columns([fingerprint], [moved, lines.model_validate({"op": "text.lines"})])
    assert not same_columns([], [moved])
