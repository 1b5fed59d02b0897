"""A small corpus as a Dagster project: landed data, a recipe, definitions, an instance, and what runs did."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from assets.definitions import definitions_of
from assets.keys import stage_key
from tests.small_corpus import land
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe

RECIPE = """\
version: 1
corpus: small
owner: corpus-team
description: pages made by a grammar
sources:
  - {name: pages, uri: "landing/small/*.jsonl.gz", format: jsonl, license: CC0-1.0,
     fields: {id: id, text: html, event_time: api_version}, partition: {by: event_time, every: year}}
clean:
  - {op: text.extract_html}
  - {op: text.length, min_words: 40}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 0.5, seed: 7}
gates: {cleaned: {min_kept_fraction: 0.5}}
publish: {tag: prod}
"""

GOOD = ("2019", "2020", "2021")
BAD = "2022"
"""A year of 20 pages of which two are long enough: the gate of ``cleaned`` wants half."""


def land_short_year(root: Path, year: str = BAD, n_long: int = 2) -> None:
    """Land 20 pages of a year, all but ``n_long`` of them too short to be kept."""
    lines = []
    for index in range(20):
        words = " ".join(f"{year} word{n} is here." for n in range(30)) if index < n_long else f"Too short {index}."
        html = f"<html><body><p>{words} {index}</p></body></html>"
        lines.append(json.dumps({"id": f"{year}-{index}", "html": html, "api_version": f"{year}-05-01"}))
    (root / "landing" / "small" / f"{year}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def write_project_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write the recipe into a folder of recipes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class Outcome:
    """Events of one run."""

    result: dg.ExecuteInProcessResult

    @property
    def success(self) -> bool:
        return self.result.success

    def of(self, event_type: str) -> list[dg.DagsterEvent]:
        return [event for event in self.result.all_events if event.event_type_value == event_type]

    def materialized(self) -> list[tuple[str, str | None]]:
        """(stage, partition) of every materialization."""
        found = [event.step_materialization_data.materialization for event in self.of("ASSET_MATERIALIZATION")]
        return [(made.asset_key.path[-1], made.partition) for made in found]

    def metadata(self, stage: str) -> dict[str, Any]:
        """Metadata values of the materialization of a stage."""
        for event in self.of("ASSET_MATERIALIZATION"):
            made = event.step_materialization_data.materialization
            if made.asset_key.path[-1] == stage:
                return {name: value.value for name, value in made.metadata.items()}
        raise AssertionError(f"{stage} was not materialized")

    def checks(self, stage: str) -> dict[str, Any]:
        """Check evaluations of a stage by name."""
        evaluations = [event.asset_check_evaluation_data for event in self.of("ASSET_CHECK_EVALUATION")]
        return {check.check_name: check for check in evaluations if check.asset_key.path[-1] == stage}

    def failure(self) -> Any:
        """``dagster.Failure`` data of the one step that failed."""
        (event,) = self.of("STEP_FAILURE")
        return event.step_failure_data


@dataclass
class Project:
    """Everything a test touches."""

    root: Path
    recipe: Recipe
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(str(self.root))

    @property
    def recipe_path(self) -> Path:
        return self.root.parent / "recipes" / "small.yaml"

    def key(self, stage: str) -> dg.AssetKey:
        return stage_key("small", stage)

    def resources(self) -> dict[str, Any]:
        return dict(self.definitions.resources or {})

    def run(self, *stages: str, partition: str | None = None, **config: Any) -> Outcome:
        """Run stages in this process, as the CLI does."""
        self.instance.add_dynamic_partitions("small_partitions", [partition] if partition else [])
        result = self.definitions.resolve_job_def("small").execute_in_process(
            instance=self.instance,
            partition_key=partition,
            asset_selection=[self.key(stage) for stage in stages],
            run_config={"ops": {f"small__{stage.replace('.', '__')}": {"config": config} for stage in stages}}
            if config
            else None,
            raise_on_error=False,
        )
        return Outcome(result)

    def fill(self, *partitions: str) -> None:
        """Land, ingest and clean partitions that pass their gates."""
        assert self.run("landing").success
        for partition in partitions:
            assert self.run("raw", "cleaned", partition=partition).success


@contextmanager
def project(tmp_path: Path, monkeypatch: Any, *, bad: bool = True, text: str = RECIPE) -> Iterator[Project]:
    """A landed corpus of three good years, and a bad one."""
    root = tmp_path / "lake"
    land(root, years=GOOD, per_year=20)
    if bad:
        land_short_year(root)
    path = write_project_recipe(tmp_path / "recipes", text)
    monkeypatch.setenv("WINNOWRY_ROOT", str(root))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield Project(root, load_recipe(path), definitions_of(path.parent), instance)
