"""The daily repair: a backfill of whatever is missing, failed or stale."""

# No deferred annotations here: Dagster reads the type of an op's context as it stands.
import time
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.keys import stage_key
from assets.partitions import follow_lake, partitions_of_corpus

# Not where it is used: only while Dagster loads the code location is the project on the path.
from expectations.registry import suites_for
from resources.lakehouse import LakehouseResource
from winnowry.stages.graph import stage_of

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset

    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe

REPAIR_AT = "0 5 * * *"
_TAG = "winnowry/repair"

Target = dict[str, list[str] | None]
"""Stages to run, with their partitions, or None for a stage over the whole corpus."""


def repair_job(recipe: "Recipe") -> dg.JobDefinition:
    """Plans, and launches one backfill for everything that the plan would run."""

    @dg.op(
        name=f"{recipe.corpus}_plan_and_backfill",
        description="Finds missing, failed and stale partitions and launches a backfill of them.",
    )
    def plan_and_backfill(context: dg.OpExecutionContext, lakehouse: LakehouseResource) -> None:
        backfill = launch_repair(context.instance, lakehouse.open(), recipe, context.log)
        context.add_output_metadata({"backfill": backfill or "none: everything is promoted and fresh"})

    @dg.job(
        name=f"{recipe.corpus}_repair",
        description=f"Launches a backfill of the missing, failed and stale partitions of {recipe.corpus}.",
        tags={"winnowry/corpus": recipe.corpus},
    )
    def repair() -> None:
        plan_and_backfill()

    return repair


def repair_schedule(recipe: "Recipe", job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Every day."""
    return dg.ScheduleDefinition(
        name=f"{recipe.corpus}_repair_daily",
        job=job,
        cron_schedule=REPAIR_AT,
        execution_timezone="UTC",
        description=f"Backfills what is missing, failed or stale in {recipe.corpus}.",
    )


def launch_repair(
    instance: dg.DagsterInstance, ws: "Workspace", recipe: "Recipe", log: dg.DagsterLogManager
) -> str | None:
    """Launch a backfill of everything in need of repair.

    Args:
        instance: the Dagster instance whose daemon will run it.
        ws: opened root.
        recipe: the corpus.
        log: told what was found.

    Returns:
        The backfill's id, or None when nothing needs repair or the last repair still runs.
    """
    running = _running_repair(instance, recipe.corpus)
    if running is not None:
        log.info(f"{recipe.corpus}: repair {running} is still running")
        return None
    target = repair_target(instance, ws, recipe)
    if not target:
        log.info(f"{recipe.corpus}: every partition is promoted and fresh")
        return None
    for stage, partitions in target.items():
        log.info(f"{recipe.corpus}/{stage}" + (f": {', '.join(partitions)}" if partitions else ""))
    return _add_backfill(instance, recipe, target)


def repair_target(instance: dg.DagsterInstance, ws: "Workspace", recipe: "Recipe") -> Target:
    """What the plan would run, and what the lake holds but Dagster takes for missing or failed."""
    from winnowry.stages.plan import plan

    follow_lake(instance, recipe, ws)
    target: Target = {}
    for entry in plan(ws, recipe, suites_for).entries:
        if entry.action == "wait" or entry.partition in recipe.gates.left_out():
            continue  # tried again every day, it would be refused every day
        key = stage_key(recipe.corpus, entry.stage)
        if stage_of(recipe, entry.stage).partitioned:
            if entry.partition is not None and (
                entry.action == "run" or _unseen(instance, recipe, key, entry.partition)
            ):
                listed = target.setdefault(entry.stage, [])
                assert listed is not None
                listed.append(entry.partition)
        elif entry.action == "run" or instance.get_latest_materialization_event(key) is None:
            target[entry.stage] = None
    return target


def _unseen(instance: dg.DagsterInstance, recipe: "Recipe", key: dg.AssetKey, partition: str) -> bool:
    status = instance.get_status_by_partition(key, [partition], partitions_of_corpus(recipe)) or {}
    state = status.get(partition)
    return state is None or state.value == "FAILED"


def _running_repair(instance: dg.DagsterInstance, corpus: str) -> str | None:
    from dagster._core.execution.backfill import BulkActionStatus

    for status in (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING):
        for backfill in instance.get_backfills(status=status):
            if backfill.tags.get(_TAG) == corpus:
                return backfill.backfill_id
    return None


def _add_backfill(instance: dg.DagsterInstance, recipe: "Recipe", target: Target) -> str:
    # Dagster has no public call for this outside GraphQL; its own sensor daemon does the same (dagster 1.13,
    # _daemon/sensor.py, _submit_backfill_request). The version is pinned below 1.14 and a test runs it.
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.utils import make_new_backfill_id

    backfill_id = make_new_backfill_id()
    instance.add_backfill(
        PartitionBackfill.from_asset_graph_subset(
            backfill_id=backfill_id,
            backfill_timestamp=time.time(),
            tags={_TAG: recipe.corpus, "winnowry/corpus": recipe.corpus},
            dynamic_partitions_store=instance,
            asset_graph_subset=_subset(recipe, target),
            title=f"repair {recipe.corpus}",
            description="Missing, failed and stale partitions.",
            run_config=None,
        )
    )
    return backfill_id


def _subset(recipe: "Recipe", target: Target) -> "AssetGraphSubset":
    from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset

    definition = partitions_of_corpus(recipe)
    partitioned: dict[Any, Any] = {
        stage_key(recipe.corpus, stage): definition.subset_with_partition_keys(keys)
        for stage, keys in target.items()
        if keys is not None
    }
    whole = {stage_key(recipe.corpus, stage) for stage, keys in target.items() if keys is None}
    return AssetGraphSubset(partitioned, whole)  # type: ignore[call-arg]  # its decorator hides the fields from mypy
