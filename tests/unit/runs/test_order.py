"""In which order stages run, and what a failure stops."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from tests.unit.cli.results import gate, result
from winnowry.core.errors import NotFoundError
from winnowry.core.jsonable import jsonable
from winnowry.core.progress import NoProgress
from winnowry.promotion.result import StageResult
from winnowry.recipe.model import Recipe
from winnowry.runs.order import Failure, RunOutcome, StageFailed, run_in_order
from winnowry.runs.project import Project
from winnowry.runs.request import RunRequest
from winnowry.stages.landing_losses import Losses, Refused, SourceLosses

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "json" / "run.schema.json"


@pytest.fixture(autouse=True)
def _two_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnowry.promotion.partitions.partitions_of", lambda *_: ["2020", "2021"])
    monkeypatch.setattr("winnowry.promotion.partitions.gone_partitions", lambda *_: [])


def run(broken: Mapping[tuple[str, str | None], bool] | None = None, **request: Any) -> tuple[RunOutcome, list[str]]:
    """Run with an executor that notes what it is asked for; ``broken`` maps a stage to: did a gate refuse it?"""
    asked: list[str] = []

    def execute(stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        for stage in stages:
            asked.append(stage if partition is None else f"{stage}/{partition}")
            if (stage, partition) in (broken or {}):
                refused = result(stage, partition, "rejected", gates=(gate("fail"),))
                kind = "GateFailed" if (broken or {})[stage, partition] else "TooManyErrorsError"
                raise StageFailed(Failure(stage, partition, kind, "why"), refused if kind == "GateFailed" else None)
            yield result(stage, partition)

    recipe = Recipe.model_validate(
        {
            "version": 1,
            "corpus": "letters",
            "sources": [{"name": "s", "uri": "landing/*", "partition": {"by": "path", "part": 0}}],
            "score": [{"op": "score.token_count"}],
            "sample": {"method": "uniform", "fraction": 1.0},
        }
    )
    workspace: Any = SimpleNamespace()
    asked_for = RunRequest(workspace, recipe, Project(Path()), **request)
    return run_in_order(asked_for, NoProgress(), "run-1", execute), asked


def test_stages_run_in_order_and_a_partition_goes_through_its_stages_before_the_next_one() -> None:
    outcome, asked = run()
    assert outcome.succeeded
    assert asked == [
        "landing", "raw/2020", "cleaned/2020", "raw/2021", "cleaned/2021", "duplicates", "fit",
        "scored/2020", "scored/2021", "sampled", "published",
    ]  # fmt: skip


def test_to_stops_after_a_stage() -> None:
    assert run(to="raw")[1] == ["landing", "raw/2020", "raw/2021"]


def test_a_run_without_any_partition_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a lake whose landing was promoted before it had a gate."""
    reason = Refused("source.map", "missing_field", 20, "txet", None, "landing/a.jsonl", 0)
    source = SourceLosses("s", 20, 0, [reason])
    lost = Losses(1, 10, (), (), (source,))
    monkeypatch.setattr("winnowry.promotion.partitions.partitions_of", lambda *_: [])
    monkeypatch.setattr("winnowry.stages.landing_losses.live_losses", lambda *_: lost)
    for to, rest in (("raw", ()), ("cleaned", ("cleaned",))):
        outcome, asked = run(to=to)
        assert asked == ["landing"]
        assert not outcome.succeeded
        (failure,) = outcome.failures
        assert (failure.stage, failure.type) == ("raw", "EmptySourceError")
        assert failure.message.startswith("source s: none of 20 records could be mapped: there is no field `txet`")
        assert outcome.not_run == rest


def test_only_the_partitions_asked_for_are_run() -> None:
    assert run(partitions=("2021",), to="cleaned")[1] == ["landing", "raw/2021", "cleaned/2021"]


def test_a_partition_that_is_not_there_is_refused_before_any_is_run() -> None:
    with pytest.raises(NotFoundError, match=r"no partition 202; did you mean 202[01]"):
        run(partitions=("202",))


def test_a_failed_partition_leaves_the_others_running_and_stops_corpus_wide_stages() -> None:
    outcome, asked = run({("raw", "2020"): True})
    assert asked == ["landing", "raw/2020", "raw/2021", "cleaned/2021"]
    assert not outcome.succeeded
    assert outcome.not_run == ("duplicates", "fit", "scored", "sampled", "published")
    assert [r.status for r in outcome.results if r.stage == "raw"] == ["rejected", "promoted"]


def test_allow_missing_goes_on_without_the_failed_partition_and_still_reports_it() -> None:
    outcome, asked = run({("cleaned", "2020"): False}, allow_missing=True)
    assert asked[-5:] == ["duplicates", "fit", "scored/2021", "sampled", "published"]
    assert [f.type for f in outcome.failures] == ["TooManyErrorsError"]


def test_a_failed_corpus_wide_stage_stops_the_run() -> None:
    outcome, asked = run({("duplicates", None): True}, allow_missing=True)
    assert asked[-1] == "duplicates"
    assert outcome.not_run == ("fit", "scored", "sampled", "published")


@pytest.mark.parametrize("broken", [{}, {("raw", "2020"): True}, {("sampled", None): False}])
def test_the_document_of_a_run_fits_its_schema(broken: dict[tuple[str, str | None], bool]) -> None:
    outcome, _ = run(broken)
    document = jsonable(outcome.document())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()), jsonschema.Draft202012Validator)
    assert ("error" in document) == bool(broken)
