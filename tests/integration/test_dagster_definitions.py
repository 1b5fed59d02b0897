"""The code location: it loads from anywhere, holds what the recipes say, and survives a broken recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.integration.dagster_project import RECIPE, write_project_recipe

GOLDEN = Path(__file__).parent / "golden" / "dagster_asset_graph.json"


def definitions(tmp_path: Path, text: str = RECIPE) -> dg.Definitions:
    from assets.definitions import definitions_of

    return definitions_of(write_project_recipe(tmp_path / "recipes", text).parent)


def described(loaded: dg.Definitions) -> dict[str, Any]:
    """What of the asset graph must not change unnoticed."""
    graph = loaded.resolve_asset_graph()
    assets: dict[str, Any] = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        definition = node.partitions_def
        assets[key.to_user_string()] = {
            "deps": {
                parent.to_user_string(): type(graph.get_partition_mapping(key, parent)).__name__
                for parent in sorted(node.parent_keys)
            },
            "checks": sorted(check.name for check in graph.get_check_keys_for_assets({key})),
            "blocking": all(graph.get(check).blocking for check in graph.get_check_keys_for_assets({key})),
            "partitions": None if definition is None else getattr(definition, "name", None) or "static",
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "owners": list(node.owners),
            "pools": sorted(node.pools or ()),
            "backfill_policy": node.backfill_policy,
            "automated": node.automation_condition is not None,
        }
    repository = loaded.get_repository_def()
    return {
        "assets": assets,
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs},
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def test_the_asset_graph_is_the_golden_one(tmp_path: Path) -> None:
    """To accept a change: write ``described(...)`` to the golden file, and read the difference."""
    assert described(definitions(tmp_path)) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_code_location_loads_from_any_directory(repository: Path, tmp_path: Path) -> None:
    code = [sys.executable, "-W", "ignore", "-m", "dagster", "definitions", "validate"]
    done = subprocess.run(
        [*code, "-w", str(repository / "workspace.yaml")], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Validation successful for code location winnowry" in done.stderr + done.stdout


def test_loading_reads_no_environment_and_no_heavy_package(repository: Path, tmp_path: Path) -> None:
    write_project_recipe(tmp_path)
    script = f"""
import os, sys
from pathlib import Path
read = []
class Watched(dict):
    def get(self, name, default=None):
        read.append(name)
        return dict.get(self, name, default)
    def __getitem__(self, name):
        read.append(name)
        return dict.__getitem__(self, name)
import dagster, pydantic, pyarrow, numpy
real, os.environ = os.environ, Watched(os.environ)
import assets.definitions
os.environ = real
loaded = assets.definitions.definitions_of(Path({str(tmp_path)!r}))
print([name for name in read if name.startswith(("WINNOWRY", "AWS", "DAGSTER_HOME"))])
print(sorted({{"lance", "great_expectations", "boto3", "numba", "spacy"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=repository, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]


def test_a_recipe_with_mistakes_is_shown_and_leaves_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "bad.yaml").write_text(RECIPE.replace("min_words", "min_word"), encoding="utf-8")
    graph = definitions(tmp_path).resolve_asset_graph()
    broken = graph.get(dg.AssetKey(["broken_recipes", "bad"]))

    assert dg.AssetKey(["small", "published"]) in graph.get_all_asset_keys()
    assert not broken.is_executable
    assert "min_word" in (broken.description or "")
    assert "bad.yaml" in caplog.text


def test_two_recipes_of_one_corpus_are_a_mistake_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "zweite.yaml").write_text(RECIPE, encoding="utf-8")
    graph = definitions(tmp_path).resolve_asset_graph()
    assert "already in small.yaml" in (graph.get(dg.AssetKey(["broken_recipes", "zweite"])).description or "")


def test_declared_partitions_are_static(tmp_path: Path) -> None:
    graph = definitions(tmp_path, RECIPE.replace("every: year", 'every: year, keys: ["2020", "2019"]'))
    definition = graph.resolve_asset_graph().get(dg.AssetKey(["small", "raw"])).partitions_def
    assert isinstance(definition, dg.StaticPartitionsDefinition)
    assert definition.get_partition_keys() == ["2019", "2020"]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("corpus-team", ["team:corpus-team"]),
        ("team:data", ["team:data"]),
        ("ada@example.org", ["ada@example.org"]),
        ("Ada, of the second floor", []),
    ],
)
def test_an_owner_is_an_address_a_team_or_left_out(tmp_path: Path, owner: str, expected: list[str]) -> None:
    loaded = definitions(tmp_path, RECIPE.replace("owner: corpus-team", f'owner: "{owner}"'))
    assert list(loaded.resolve_asset_graph().get(dg.AssetKey(["small", "raw"])).owners) == expected


def test_columns_are_listed_with_type_meaning_and_origin(tmp_path: Path) -> None:
    loaded = definitions(tmp_path)
    metadata = loaded.resolve_asset_graph().get(dg.AssetKey(["small", "cleaned"])).metadata
    columns = {column.name: column for column in metadata["dagster/column_schema"].columns}
    lineage = metadata["dagster/column_lineage"].deps_by_column

    assert columns["text"].type == "large_string"
    assert columns["record_id"].constraints.nullable is False
    assert all(column.description for column in columns.values()), [c for c in columns.values() if not c.description]
    assert [(dep.asset_key.path[-1], dep.column_name) for dep in lineage["text"]] == [("raw", "payload")]
    assert "promotion_id" not in lineage


def test_every_suite_of_the_expectations_is_declared_as_a_check(tmp_path: Path) -> None:
    from expectations.registry import suites_for
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.graph import all_stages

    recipe = load_recipe(write_project_recipe(tmp_path))
    for stage in all_stages():
        schema = stage.schema(recipe) if stage.schema is not None else None
        suites = suites_for(stage.name, recipe, schema)
        assert sorted(suite.name for suite in suites) == sorted(stage.suite_names(recipe)), stage.name
