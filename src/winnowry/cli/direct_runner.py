"""Runs stages in this process without Dagster: no run history, no events, the same promotions."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING

from winnowry.cli.runner import PARTITIONED, Failure, RunOutcome, RunRequest, stages_to_run
from winnowry.core.errors import NotFoundError, WinnowryError

if TYPE_CHECKING:
    from winnowry.pipeline.result import Progress, StageResult

logger = logging.getLogger(__name__)


def run_direct(request: RunRequest, progress: Progress) -> RunOutcome:
    """Run the stages of a recipe one after the other.

    Args:
        request: what to run.
        progress: told about every stage and its rows.

    Raises:
        NotFoundError: a partition was named that the landing does not hold.
    """
    from winnowry.pipeline.partitions import partitions_of
    from winnowry.pipeline.result import GateFailed
    from winnowry.pipeline.run import STAGES, run_stage

    suites = request.project.module("expectations.registry").suites_for
    started = time.perf_counter()
    run_id = uuid.uuid4().hex
    results: list[StageResult] = []
    failures: list[Failure] = []
    failed: set[str] = set()
    stages = stages_to_run(STAGES, request.to)
    partitions: list[str] = []
    for index, stage in enumerate(stages):
        partitioned = stage in PARTITIONED
        if partitioned and not partitions:
            partitions = _wanted(request, partitions_of(request.workspace, request.recipe))
        if not partitioned and failures and not request.allow_missing:
            return RunOutcome(
                request.recipe.corpus, run_id, time.perf_counter() - started, tuple(results), tuple(failures),
                tuple(stages[index:]),
            )  # fmt: skip
        for partition in partitions if partitioned else [None]:
            if partition in failed:
                continue
            try:
                result = run_stage(
                    request.workspace,
                    request.recipe,
                    stage,
                    partition,
                    suites=suites,
                    run_id=run_id,
                    progress=progress,
                    allow_missing=request.allow_missing,
                )
            except WinnowryError as error:
                if isinstance(error, GateFailed):
                    results.append(error.result)
                    progress.finish(error.result)
                failures.append(Failure(stage, partition, type(error).__name__, str(error)))
                if partition is None:
                    return RunOutcome(
                        request.recipe.corpus, run_id, time.perf_counter() - started, tuple(results),
                        tuple(failures), tuple(stages[index + 1 :]),
                    )  # fmt: skip
                failed.add(partition)
                logger.info("%s[%s] failed: %s", stage, partition, error)
            else:
                results.append(result)
    return RunOutcome(
        request.recipe.corpus, run_id, time.perf_counter() - started, tuple(results), tuple(failures)
    )  # fmt: skip


def _wanted(request: RunRequest, present: list[str]) -> list[str]:
    import difflib

    unknown = [key for key in request.partitions if key not in present]
    if unknown:
        near = difflib.get_close_matches(unknown[0], present, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        listed = ", ".join(present[:20]) + (f" and {len(present) - 20} more" if len(present) > 20 else "")
        raise NotFoundError(f"{request.recipe.corpus} has no partition {', '.join(unknown)}{hint}\nThere are: {listed}")
    return list(request.partitions) or present
