"""What runs by itself, once switched on in the UI: new landing objects, the newest partition, repairs, downstream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.keys import stage_key
from assets.partitions import dynamic_name, follow_lake
from resources.lakehouse import LakehouseResource
from winnowry.core.errors import EmptySourceError, WinnowryError
from winnowry.promotion.partitions import declared_partitions
from winnowry.runs.order import stretches
from winnowry.stages.graph import Stage, stages_in

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe

NEWEST_AT = "0 3 * * *"
SENSOR_EVERY_S = 60


def when_upstream_changed() -> dg.AutomationCondition[Any]:
    """Run when the data of an upstream stage changed, as soon as nothing upstream is missing, running or failed.

    Unlike with ``AutomationCondition.eager``, what is missing when the automation is switched on is run, a stage that
    was found fresh, and so wrote nothing, triggers nothing, and a partition whose gate refused it holds the
    corpus-wide stages back instead of letting them run into it.
    """
    condition = dg.AutomationCondition
    changed = condition.newly_missing() | condition.any_deps_match(condition.data_version_changed())
    return (
        condition.in_latest_time_window()
        & changed.since(condition.newly_requested() | condition.newly_updated())
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.any_deps_match(condition.execution_failed())
        & ~condition.in_progress()
    ).with_label("upstream data changed")


def corpus_job(recipe: Recipe) -> Any:
    """The job of a corpus: every stage. Schedules and sensors ask it for the stages and partitions they need."""
    return dg.define_asset_job(
        recipe.corpus,
        selection=dg.AssetSelection.groups(recipe.corpus),
        description=f"Every stage of {recipe.corpus}. To fill many partitions, materialize the assets instead: the "
        "backfill then runs corpus-wide stages once, when their partitions are done.",
        tags={"winnowry/corpus": recipe.corpus},
    )


def first_of_a_partition(recipe: Recipe) -> tuple[Stage, ...]:
    """What a partition goes through by itself, before anything looks at the whole corpus."""
    return next(stretch for stretch in stretches(stages_in(recipe)) if stretch[0].partitioned)


def _start(recipe: Recipe) -> Stage:
    """The stage that says which partitions there are."""
    return next(stage for stage in stages_in(recipe) if stage.starts)


def _keys(recipe: Recipe, *stages: Stage) -> list[dg.AssetKey]:
    return [stage_key(recipe.corpus, stage.name) for stage in stages]


# ------------------------------------------------------------------------------------------------------ newest


def newest_schedule(recipe: Recipe, job: Any) -> dg.ScheduleDefinition:
    """Every day: look at the landing again, then bring the newest partition up to date."""

    @dg.schedule(
        job=job,
        cron_schedule=NEWEST_AT,
        execution_timezone="UTC",
        name=f"{recipe.corpus}_newest",
        description=f"The landing, and the first stages of the newest partition, of {recipe.corpus}.",
    )
    def newest(context: dg.ScheduleEvaluationContext, lakehouse: LakehouseResource) -> Any:
        from winnowry.promotion.partitions import partitions_of

        ws = lakehouse.open()
        keys = partitions_of(ws, recipe)
        if not keys:
            return dg.RunRequest(asset_selection=_keys(recipe, _start(recipe)))
        follow_lake(context.instance, recipe, ws)
        return dg.RunRequest(
            partition_key=keys[-1], asset_selection=_keys(recipe, _start(recipe), *first_of_a_partition(recipe))
        )

    return newest


# ------------------------------------------------------------------------------------------------------ landing


def landing_sensor(recipe: Recipe, job: Any) -> dg.SensorDefinition:
    """Runs ``landing`` when objects appear, change or go, then the partitions whose objects did."""

    @dg.sensor(
        job=job,
        name=f"{recipe.corpus}_landing",
        minimum_interval_seconds=SENSOR_EVERY_S,
        description=f"Looks at the landing objects of {recipe.corpus} every {SENSOR_EVERY_S} seconds.",
    )
    def sense(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> Any:
        try:
            return look_at_landing(recipe, lakehouse.open(), context.cursor)
        except EmptySourceError as error:
            return dg.SkipReason(str(error))
        except WinnowryError as error:  # the store is away: the cursor stays, the next tick looks again
            context.log.warning(str(error))
            return dg.SkipReason(f"could not look: {error}")

    return sense


def look_at_landing(recipe: Recipe, ws: Workspace, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    """One look at the landing.

    Args:
        recipe: the corpus.
        ws: opened root.
        cursor: what the look before this one saw: a digest of every object's entity tag, the promotion of ``landing``
            whose partitions were asked for, and how many changes there were.

    Returns:
        Runs to launch, with partitions Dagster does not know yet, and the new cursor.
    """
    from winnowry.core.jsonable import digest
    from winnowry.promotion.lineage import live
    from winnowry.stages.landing import landing_state

    before: dict[str, Any] = json.loads(cursor) if cursor else {}
    state = landing_state(ws, recipe)
    after = {"objects": digest(state), "landed": before.get("landed"), "changes": before.get("changes", 0)}
    requests: list[dg.RunRequest] = []
    added: list[Any] = []
    if after["objects"] != before.get("objects"):
        after["changes"] += 1  # in the run key, or going back to an earlier state would look like an old request
        requests.append(
            dg.RunRequest(
                run_key=f"landing-{after['changes']}-{after['objects']}", asset_selection=_keys(recipe, _start(recipe))
            )
        )
    record = live(ws, recipe, _start(recipe).name)
    if record is not None and record.id != before.get("landed"):
        after["landed"] = record.id
        partitions = changed_partitions(ws, recipe)
        if partitions and declared_partitions(recipe) is None:
            added.append(dg.DynamicPartitionsDefinition(name=dynamic_name(recipe.corpus)).build_add_request(partitions))
        requests += [
            dg.RunRequest(
                run_key=f"{partition}-{record.id}",
                partition_key=partition,
                asset_selection=_keys(recipe, *first_of_a_partition(recipe)),
            )
            for partition in partitions
        ]
    if not requests:
        return dg.SkipReason(f"{len(state)} landing objects, none of them new or changed")
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=added, cursor=json.dumps(after))


def changed_partitions(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions whose first stages are missing or hold what the objects that lie there now do not; gone ones last."""
    from winnowry.promotion.partitions import gone_partitions, kept_partitions, landed_partitions
    from winnowry.stages.freshness import why_held, why_stale

    stages = first_of_a_partition(recipe)
    present = [*landed_partitions(ws, recipe), *kept_partitions(ws, recipe)]
    return [key for key in present if why_stale(ws, recipe, stages[0], key)] + [
        key for key in gone_partitions(ws, recipe) if any(why_held(ws, recipe, stage, key) for stage in stages)
    ]
