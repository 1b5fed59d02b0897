"""`winnowry run FILE` runs that file: from any folder, and also where the project has another recipe of its corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.small_corpus import RECIPE, land, write_recipe
from winnowry.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    land(tmp_path / "lake", years=("2019",), per_year=12)
    monkeypatch.chdir(tmp_path)
    for name in ("WINNOWRY_HOME", "DAGSTER_HOME", "WINNOWRY_ROOT"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("WINNOWRY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WINNOWRY_ROOT", str(tmp_path / "lake"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = main(["run", *arguments, "--to", "cleaned", "--json"])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0, said
    return said


def cleaned(said: dict[str, Any]) -> int:
    return int(next(result["rows_out"] for result in said["results"] if result["stage"] == "cleaned"))


def test_a_recipe_from_a_folder_that_is_no_project(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import dagster as dg

    write_recipe(elsewhere)
    assert cleaned(run(capsys, "small.yaml")) == 12
    with dg.DagsterInstance.from_config(str(elsewhere / "home")) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["small", "cleaned"])) == {"2019"}
    again = run(capsys, "small.yaml")
    assert {result["status"] for result in again["results"]} == {"skipped"}


def test_the_file_counts_and_not_the_project_s_recipe_of_the_same_corpus(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from assets import definitions

    (elsewhere / "recipes").mkdir()
    write_recipe(elsewhere / "recipes", RECIPE.replace("min_words: 40", "min_words: 4000"))
    monkeypatch.setattr(definitions, "project", lambda: elsewhere)
    write_recipe(elsewhere)
    assert cleaned(run(capsys, "small.yaml")) == 12
