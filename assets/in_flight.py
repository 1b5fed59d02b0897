"""What is under way or was tried in a Dagster instance, whoever launched it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe
    from winnowry.stages.readiness import Place

TOKEN_TAG = "winnowry/token"
"""Run tag: what a run of the sensor is an attempt with."""
CORPUS_TAG = "winnowry/corpus"
TARGET_TAG = "winnowry/target"
UNREACHABLE_TAG = "winnowry/unreachable"
"""Run tag: the object store did not answer, so the run says nothing about what it was an attempt with."""

_PARTITION_TAG = "dagster/partition"
_RANGE_TAG = "dagster/asset_partition_range_start"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class InFlight:
    """The unfinished runs of a corpus.

    Attributes:
        places: stages with their partition.
        stages: stages that are run for partitions which the run does not name.
        walks: whether a run takes the whole plan through.
    """

    places: frozenset[Place]
    stages: frozenset[str]
    walks: bool

    def __bool__(self) -> bool:
        return bool(self.places or self.stages or self.walks)

    def covers(self, places: Iterable[Place]) -> bool:
        """Whether one of these is being run."""
        return self.walks or any(place in self.places or place[0] in self.stages for place in places)


def in_flight(instance: dg.DagsterInstance, recipe: Recipe, walk: str) -> InFlight:
    """What unfinished runs are about.

    Args:
        instance: the Dagster instance.
        recipe: the corpus.
        walk: name of the job that takes the whole plan through.
    """
    places: set[Place] = set()
    stages: set[str] = set()
    walks = False
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if run.job_name == walk:
            walks = True
        elif run.asset_selection is None:
            walks |= run.job_name == recipe.corpus  # all stages of the corpus
        else:
            names = [key.path[-1] for key in run.asset_selection if key.path[0] == recipe.corpus]
            if _RANGE_TAG in run.tags:
                stages.update(names)
            else:
                places.update((name, run.tags.get(_PARTITION_TAG)) for name in names)
    return InFlight(frozenset(places | {(stage, None) for stage, _ in places}), frozenset(stages), walks)


def is_about(run: dg.DagsterRun, recipe: Recipe) -> bool:
    """Whether a run is of a corpus."""
    if run.asset_selection:
        return any(key.path[0] == recipe.corpus for key in run.asset_selection)
    return run.tags.get(CORPUS_TAG) == recipe.corpus


def is_backfilling(instance: dg.DagsterInstance, recipe: Recipe) -> bool:
    """Whether a backfill still launches runs of the corpus; it has partitions in mind that no run has yet."""
    from dagster._core.execution.backfill import BulkActionStatus

    statuses = (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING)
    return any(_concerns(backfill, recipe) for status in statuses for backfill in instance.get_backfills(status=status))


def _concerns(backfill: Any, recipe: Recipe) -> bool:
    selection = backfill.asset_selection
    return selection is None or any(key.path[0] == recipe.corpus for key in selection)


@dataclass(frozen=True)
class Attempts:
    """Runs with one token.

    Attributes:
        runs: all of them, however they ended.
        counted: those that the object store answered: only these say that trying again is no use.
    """

    runs: int
    counted: int


def attempts(instance: dg.DagsterInstance, token: str) -> Attempts:
    """Runs so far with a token."""
    runs = instance.get_runs_count(dg.RunsFilter(tags={TOKEN_TAG: token}))
    lost = instance.get_runs_count(dg.RunsFilter(tags={TOKEN_TAG: token, UNREACHABLE_TAG: "true"})) if runs else 0
    return Attempts(runs, runs - lost)


def mark_unreachable(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note on a run that the object store did not answer it."""
    instance.add_run_tags(run_id, {UNREACHABLE_TAG: "true"})
