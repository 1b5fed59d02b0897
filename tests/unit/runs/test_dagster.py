"""Runs as Dagster runs: the code location of the project, recorded in the instance, results brought back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.cli.results import result
from winnowry.core.errors import UsageError
from winnowry.core.progress import NoProgress
from winnowry.recipe.model import Recipe
from winnowry.runs.dagster import load_definitions, run_in_dagster
from winnowry.runs.project import Project
from winnowry.runs.request import RunRequest
from winnowry.stages import graph

DEFINITIONS = """
import json
import dagster as dg
from tests.unit.cli.results import gate, result

YEARS = dg.StaticPartitionsDefinition(["2020", "2021"])

class Options(dg.Config):
    allow_missing: bool = False

def stage(name, partitions):
    def run(context: dg.AssetExecutionContext, config: Options):
        year = context.partition_key if partitions else None
        if year == "2021":
            refused = result(name, year, "rejected", gates=(gate("fail", observed_number=None),))
            metadata = {"error": "GateFailed", "winnowry/result": dg.MetadataValue.json(refused.to_dict())}
            raise dg.Failure("refused", metadata=metadata, allow_retries=False)
        if name == "duplicates":
            raise ValueError("crashed")
        said = {"allow_missing": config.allow_missing}
        done = result(name, year, metadata=said, gates=(gate(observed_number="nan"),))
        yield dg.MaterializeResult(metadata={"winnowry/result": dg.MetadataValue.json(done.to_dict())})
    return dg.asset(key=["letters", name], partitions_def=partitions)(run)

defs = dg.Definitions(assets=[stage("landing", None), stage("raw", YEARS), stage("duplicates", None)])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "location_of_a_test"
    folder.mkdir()
    (folder / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "workspace.yaml").write_text(
        "load_from:\n  - python_file: {relative_path: location_of_a_test/definitions.py, working_directory: .}\n"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("WINNOWRY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("WINNOWRY_ROOT", "")
    monkeypatch.setattr("winnowry.promotion.partitions.partitions_of", lambda *_: ["2020", "2021"])
    monkeypatch.setattr("winnowry.promotion.partitions.gone_partitions", lambda *_: [])
    few = tuple(stage for stage in graph.STAGES if stage.name in ("landing", "raw", "duplicates"))
    monkeypatch.setattr(graph, "STAGES", few)
    yield Project(tmp_path)
    for name in [name for name in sys.modules if name.startswith("location_of_a_test")]:
        del sys.modules[name]


def request(project: Project, **options: Any) -> RunRequest:
    workspace: Any = SimpleNamespace(root=str(project.root / "lake"))
    recipe = Recipe.model_validate(
        {
            "version": 1,
            "corpus": options.pop("corpus", "letters"),
            "sources": [{"name": "s", "uri": "landing/*", "partition": {"by": "path", "part": 0}}],
        }
    )
    return RunRequest(workspace, recipe, project, **options)


def test_results_come_back_from_the_runs_and_a_refused_partition_with_its_gates(project: Project) -> None:
    outcome = run_in_dagster(request(project, to="raw"), NoProgress())
    assert [(r.stage, r.partition, r.status) for r in outcome.results] == [
        ("landing", None, "promoted"),
        ("raw", "2020", "promoted"),
        ("raw", "2021", "rejected"),
    ]
    assert [(f.stage, f.partition, f.type, f.message) for f in outcome.failures] == [
        ("raw", "2021", "GateFailed", "refused")
    ]
    assert outcome.results[2].gates[0].verdict == "fail"
    assert str(outcome.results[0].gates[0].observed_number) == "nan"


def test_runs_are_recorded_in_the_instance_of_winnowry_home(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    outcome = run_in_dagster(request(project, to="raw"), NoProgress())
    monkeypatch.setenv("DAGSTER_HOME", str(project.root / "home"))
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs()
        assert len(runs) == 3
        assert {run.tags["winnowry/run"] for run in runs} == {outcome.run_id}
        assert instance.get_materialized_partitions(dg.AssetKey(["letters", "raw"])) == {"2020"}
    assert (project.root / "home" / "dagster.yaml").is_file()


def test_the_callers_environment_is_its_own_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another lake that the same process opens afterwards is not the one of this run."""
    monkeypatch.setenv("WINNOWRY_ROOT", "/elsewhere")
    monkeypatch.delenv("DAGSTER_HOME")
    run_in_dagster(request(project, to="landing"), NoProgress())
    assert os.environ["WINNOWRY_ROOT"] == "/elsewhere"
    assert "DAGSTER_HOME" not in os.environ


def test_allow_missing_reaches_the_assets_and_a_crash_is_told(project: Project) -> None:
    outcome = run_in_dagster(request(project, allow_missing=True), NoProgress())
    assert outcome.results[0].metadata == {"allow_missing": True}
    crash = outcome.failures[-1]
    assert crash.stage == "duplicates"
    assert "crashed" in crash.message


def test_what_is_fresh_and_recorded_is_skipped_without_a_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    def fresh(_: RunRequest, stage: str, partition: str | None, __: str) -> Any:
        return result(stage, partition, "skipped")

    monkeypatch.setattr("winnowry.runs.order.skip_if_fresh", fresh)
    first = run_in_dagster(request(project, to="landing"), NoProgress())
    assert first.results[0].status == "promoted"  # a new instance has not seen it: run, so that the UI shows it
    second = run_in_dagster(request(project, to="landing"), NoProgress())
    assert second.results[0].status == "skipped"
    monkeypatch.setenv("DAGSTER_HOME", str(project.root / "home"))
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_runs()) == 1


def test_a_corpus_without_assets_is_a_wrong_use(project: Project) -> None:
    with pytest.raises(UsageError, match="no assets for corpus numbers"):
        run_in_dagster(request(project, corpus="numbers"), NoProgress())


@pytest.mark.parametrize("content", ["", "load_from: []", "load_from:\n  - python_package: x"])
def test_a_workspace_that_names_no_file_is_a_wrong_use(tmp_path: Path, content: str) -> None:
    (tmp_path / "workspace.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"expected load_from: - python_file"):
        load_definitions(Project(tmp_path))
