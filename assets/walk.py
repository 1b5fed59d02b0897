"""One run that takes everything through its stages: what the sensor launches when more is ready than runs pay for."""

# No deferred annotations here: Dagster reads the type of an op's context as it stands.
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.events import check_results
from assets.follow import walk_name
from assets.in_flight import CORPUS_TAG, mark_unreachable
from assets.keys import stage_key
from assets.partitions import add_partitions
from assets.stage import NOT_JUDGED, LogProgress, StageConfig, refused, report_of
from assets.stages import after_stage

# Not where it is used: only while Dagster loads the code location is the project on the path.
from expectations.registry import suites_for
from resources.lakehouse import LakehouseResource
from winnowry.core.errors import GateFailedError, MissingPartitionsError, StoreUnreachableError, WinnowryError
from winnowry.stages.graph import stage_of

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe
    from winnowry.stages.readiness import Place, Step


BACKFILL_AT = "0 3 * * *"


class WalkConfig(dg.Config):
    """What a walk begins with.

    Attributes:
        look_at_landing: look at the landing too, once what has landed is through.
    """

    look_at_landing: bool = False


def backfill_schedule(recipe: "Recipe", walk: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every day: everything that is missing, failed or stale, in one run; for those who want no sensor."""
    return dg.ScheduleDefinition(
        name=f"{recipe.corpus}_backfill_daily",
        job=walk,
        cron_schedule=BACKFILL_AT,
        execution_timezone="UTC",
        run_config={"ops": {_op_name(recipe): {"config": {"look_at_landing": True}}}},
        description=f"Backfills what is missing, failed or stale in {recipe.corpus}, after a look at its landing.",
    )


def _op_name(recipe: "Recipe") -> str:
    return f"{recipe.corpus}_walk_the_plan"


def walk_job(recipe: "Recipe", lakehouse: LakehouseResource) -> dg.JobDefinition:
    """Runs what is ready until nothing is; what was materialized and judged is recorded by asset and partition."""

    @dg.op(
        name=_op_name(recipe),
        description="Brings every stage and partition up to date that nothing has to come before.",
    )
    def walk_the_plan(context: dg.OpExecutionContext, config: WalkConfig, lakehouse: LakehouseResource) -> None:
        walk(context, lakehouse.open(), recipe, look_at_landing=config.look_at_landing)

    @dg.job(
        name=walk_name(recipe),
        description=f"Takes what has landed of {recipe.corpus} through every stage, in one run.",
        tags={CORPUS_TAG: recipe.corpus},
        resource_defs={"lakehouse": lakehouse},  # given later, Dagster would make the sensor anew and warn of it
    )
    def follow() -> None:
        walk_the_plan()

    return follow


def walk(context: dg.OpExecutionContext, ws: "Workspace", recipe: "Recipe", *, look_at_landing: bool = False) -> None:
    """Run what is ready, ask the plan again, until nothing is ready that was not tried.

    Args:
        context: of the run.
        ws: opened root.
        recipe: the corpus.
        look_at_landing: look at the landing whenever nothing else is ready.

    Raises:
        dagster.Failure: gates refused candidates, or stages failed; everything else went on.
    """
    from winnowry.stages.readiness import readiness

    failures: dict[Place, WinnowryError] = {}
    tried: set[str] = set()
    while True:
        standing = readiness(ws, recipe, suites_for)
        add_partitions(context.instance, recipe, standing.partitions)
        steps = [step for step in standing.steps if step.token not in tried]
        if not steps and look_at_landing and standing.landing is not None and standing.landing.token not in tried:
            steps = [standing.landing]
        if not steps:
            break
        for step in steps:
            tried.add(step.token)
            for place, error in _take(context, ws, recipe, step):
                failures[place] = error
    if failures:
        raise _failure(recipe, failures)


def _take(
    context: dg.OpExecutionContext, ws: "Workspace", recipe: "Recipe", step: "Step"
) -> Iterator[tuple["Place", WinnowryError]]:
    """Take a partition, or the corpus, through stages; yields the failure that ended it, if any."""
    for name in step.stages:
        stage = stage_of(recipe, name)
        key, suites = stage_key(recipe.corpus, name), stage.suite_names(recipe)
        try:
            report = report_of(
                context,
                ws,
                recipe,
                stage,
                step.partition,
                StageConfig(),
                LogProgress(context.log),
                after_stage(recipe, stage),
            )
        except MissingPartitionsError as error:
            context.log.info(f"not ready any more: {error}")
            return
        except GateFailedError as error:
            context.log.error(str(error))
            _log_checks(context, step.partition, check_results(key, suites, refused(error).gates, NOT_JUDGED))
            yield (name, step.partition), error
            return
        except WinnowryError as error:
            if isinstance(error, StoreUnreachableError):
                mark_unreachable(context.instance, context.run.run_id)
            context.log.error(str(error))
            yield (name, step.partition), error
            return
        context.log_event(
            dg.AssetMaterialization(
                key, partition=step.partition, metadata=report.metadata, tags={"dagster/data_version": report.version}
            )
        )
        _log_checks(context, step.partition, report.checks(key, suites))


def _log_checks(context: dg.OpExecutionContext, partition: str | None, results: list[dg.AssetCheckResult]) -> None:
    for result in results:
        assert result.asset_key is not None
        assert result.check_name is not None
        context.log_event(  # it takes every event that has a name; its annotation knows three of them
            dg.AssetCheckEvaluation(  # type: ignore[arg-type]
                asset_key=result.asset_key,
                check_name=result.check_name,
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
                partition=partition,
            )
        )


def _failure(recipe: "Recipe", failures: dict["Place", WinnowryError]) -> dg.Failure:
    lines = [f"{stage}[{key}]" if key is not None else stage for stage, key in failures]
    refusals = sum(isinstance(error, GateFailedError) for error in failures.values())
    metadata: dict[str, Any] = {
        "error": "GateFailed" if refusals == len(failures) else type(list(failures.values())[-1]).__name__,
        "refused": refusals,
        "failed": len(failures) - refusals,
    }
    text = "\n".join(f"{line}: {error}" for line, error in zip(lines, failures.values(), strict=True))
    return dg.Failure(f"{recipe.corpus}: {', '.join(lines)}\n{text}", metadata=metadata, allow_retries=False)
