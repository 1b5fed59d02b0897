"""Runs stages in this process without Dagster: no run history, no events, the same promotions."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from winnowry.core.errors import WinnowryError
from winnowry.runs.order import ExecuteStages, Failure, RunOutcome, StageFailed, run_in_order, skip_while_fresh
from winnowry.runs.processes import StageProcesses
from winnowry.runs.request import RunRequest

if TYPE_CHECKING:
    from winnowry.core.progress import Progress
    from winnowry.promotion.result import StageResult


def run_direct(request: RunRequest, progress: Progress) -> RunOutcome:
    """Run the stages of a recipe.

    Args:
        request: what to run.
        progress: told about every stage and its rows.

    Raises:
        NotFoundError: a partition was named that the landing does not hold.
    """
    run_id = uuid.uuid4().hex

    def skip(stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        return skip_while_fresh(request, progress, run_id, stages, partition)

    with (
        open_executor(request, progress, run_id) as execute,
        StageProcesses(request, progress, run_id, open_executor, execute, skip) as processes,
    ):
        return run_in_order(request, progress, run_id, processes.execute, processes.take)


@contextmanager
def open_executor(request: RunRequest, progress: Progress, run_id: str) -> Iterator[ExecuteStages]:
    """What executes stages with nothing around them."""
    from winnowry.promotion.result import GateFailed
    from winnowry.stages.run import run_stage

    suites = request.project.module("expectations.registry").suites_for
    engine = request.open_engine()

    def execute(stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        for stage in stages:
            try:
                yield run_stage(
                    request.workspace,
                    request.recipe,
                    stage,
                    partition,
                    suites=suites,
                    run_id=run_id,
                    progress=progress,
                    allow_missing=request.allow_missing,
                    force=request.forces(stage, partition),
                    retry_refused=request.retry_refused,
                    engine=engine,
                )
            except WinnowryError as error:
                failure = Failure(stage, partition, type(error).__name__, str(error))
                raise StageFailed(failure, error.result if isinstance(error, GateFailed) else None) from error

    yield execute
