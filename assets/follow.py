"""What runs by itself, once switched on in the UI: one sensor a corpus, which asks the plan."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.in_flight import CORPUS_TAG, TARGET_TAG, TOKEN_TAG, InFlight, attempts, in_flight, is_backfilling
from assets.keys import stage_key
from assets.partitions import dynamic_name

# Not where it is used: only while Dagster loads the code location is the project on the path.
from expectations.registry import suites_for
from resources.lakehouse import LakehouseResource
from winnowry.core.errors import EmptySourceError, WinnowryError
from winnowry.promotion.partitions import declared_partitions
from winnowry.runs.reap import reap

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe
    from winnowry.stages.attempts import Stopped
    from winnowry.stages.readiness import Readiness, Step

SENSOR_EVERY_S = 60
RUNS_AT_ONCE = 8
"""Ready steps beyond which one run walks the plan: a process costs more than a small stage."""

_LOOK_AGAIN_S = 3600.0
"""How long an unchanged fingerprint is believed; damage below the tables does not change it."""
_MEASURED_AT = timedelta(hours=5)  # of the day, UTC


@dataclass(frozen=True)
class Cursor:
    """What a tick remembers for the next one.

    Attributes:
        quiet: fingerprint of the lake when there was nothing to do; None when there was.
        quiet_at: when, seconds since 1970.
        measured: release and day that the six qualities were asked for last.
        stopped: tokens that were written down as given up.
    """

    quiet: str | None = None
    quiet_at: float = 0.0
    measured: str | None = None
    stopped: tuple[str, ...] = ()

    @staticmethod
    def read(text: str | None) -> Cursor:
        """The cursor as Dagster keeps it; that of an older sensor counts as none."""
        try:
            known = json.loads(text) if text else {}
            return Cursor(**{**known, "stopped": tuple(known.get("stopped", ()))})
        except (TypeError, ValueError):
            return Cursor()

    def text(self) -> str:
        """As Dagster keeps it."""
        return json.dumps(asdict(self))


def walk_name(recipe: Recipe) -> str:
    """Name of the job that takes the whole plan through, and of the sensor."""
    return f"{recipe.corpus}_follow"


def corpus_job(recipe: Recipe) -> Any:
    """The job of a corpus: every stage. The sensor asks it for the stages and partitions that are ready."""
    return dg.define_asset_job(
        recipe.corpus,
        selection=dg.AssetSelection.groups(recipe.corpus),
        description=f"Every stage of {recipe.corpus}. To fill many partitions, materialize the assets instead: the "
        "backfill then runs corpus-wide stages once, when their partitions are done.",
        tags={CORPUS_TAG: recipe.corpus},
    )


def follow_sensor(recipe: Recipe, job: Any, walk: Any) -> dg.SensorDefinition:
    """Runs what the plan says is ready, until everything is fresh or refused."""

    @dg.sensor(
        jobs=[job, walk],
        name=walk_name(recipe),
        minimum_interval_seconds=SENSOR_EVERY_S,
        description=f"Every {SENSOR_EVERY_S} seconds: what the plan of {recipe.corpus} would run and nothing has to "
        "come before. What a gate refused waits for other data, another rule or a signature.",
    )
    def sense(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> Any:
        try:
            return look(context.instance, lakehouse.open(), recipe, Cursor.read(context.cursor))
        except EmptySourceError as error:
            return dg.SkipReason(str(error))
        except WinnowryError as error:  # the store is away, or the recipe does not fit: the next tick looks again
            context.log.warning(str(error))
            return dg.SkipReason(f"could not look: {error}")

    return sense


def look(instance: dg.DagsterInstance, ws: Workspace, recipe: Recipe, before: Cursor) -> dg.SensorResult:
    """One look at a lake.

    Args:
        instance: the Dagster instance, which knows what is under way.
        ws: opened root.
        recipe: the corpus.
        before: what the look before this one remembered.

    Returns:
        Runs to launch, partition keys to add and to delete, and the new cursor.
    """
    from winnowry.stages.readiness import fingerprint, readiness

    now = time.time()
    seen = fingerprint(ws, recipe, suites_for)
    reap(instance)  # a run whose process is gone is not under way
    flying = in_flight(instance, recipe, walk_name(recipe))
    if not flying and before.quiet == seen and now - before.quiet_at < _LOOK_AGAIN_S:
        return _quiet(ws, recipe, before, "nothing has changed", [], may_be_new=False)
    standing = readiness(ws, recipe, suites_for)
    keys = _key_requests(instance, recipe, standing)
    if is_backfilling(instance, recipe):
        return dg.SensorResult(
            skip_reason="a backfill is being launched", dynamic_partitions_requests=keys, cursor=before.text()
        )
    chosen = choose(instance, recipe, standing, flying)
    after = replace(before, quiet=None, stopped=_write_down(ws, recipe, before, chosen.stopped))
    if chosen.requests:
        return dg.SensorResult(run_requests=chosen.requests, dynamic_partitions_requests=keys, cursor=after.text())
    if flying:
        return dg.SensorResult(
            skip_reason=f"under way: {standing.summary()}", dynamic_partitions_requests=keys, cursor=after.text()
        )
    n_stopped = len(chosen.stopped)
    why = f"{standing.summary()}, {n_stopped} given up" if n_stopped else standing.summary()
    return _quiet(ws, recipe, replace(after, quiet=seen, quiet_at=now), why, keys, may_be_new=True)


@dataclass(frozen=True)
class Chosen:
    """Runs to launch, and steps that have been tried too often."""

    requests: list[dg.RunRequest]
    stopped: list[Step]


def choose(instance: dg.DagsterInstance, recipe: Recipe, standing: Readiness, flying: InFlight) -> Chosen:
    """Which of the ready steps to run now, and how.

    The landing is looked at when nothing else runs or can: what is stuck must not keep it shut.
    """
    from winnowry.stages.attempts import ATTEMPTS

    free = [step for step in standing.steps if not flying.covers(step.places)]
    requests: list[dg.RunRequest] = []
    stopped: list[Step] = []
    if len(free) > RUNS_AT_ONCE and not flying:
        request = walk_request(instance, recipe, free)
        if request is not None:
            return Chosen([request], [])
    for step in free:
        if len(requests) >= RUNS_AT_ONCE:
            break
        tried = attempts(instance, step.token)
        if tried.counted >= ATTEMPTS:
            stopped.append(step)
        else:
            requests.append(_request(recipe, step, tried.runs))
    if standing.landing is not None and not requests and not flying:
        tried = attempts(instance, standing.landing.token)
        if tried.counted >= ATTEMPTS:
            stopped.append(standing.landing)
        else:
            requests.append(_request(recipe, standing.landing, tried.runs))
    return Chosen(requests, stopped)


def _request(recipe: Recipe, step: Step, n: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{step.target}@{step.token}#{n}",  # with the number, or a run that died would never be asked for again
        job_name=recipe.corpus,
        partition_key=step.partition,
        asset_selection=[stage_key(recipe.corpus, stage) for stage in step.stages],
        tags={TARGET_TAG: step.target, TOKEN_TAG: step.token, CORPUS_TAG: recipe.corpus},
    )


def walk_request(instance: dg.DagsterInstance, recipe: Recipe, steps: Sequence[Step]) -> dg.RunRequest | None:
    """One run for many steps; None where such runs have come to nothing: then the steps are run one by one."""
    from winnowry.core.jsonable import digest
    from winnowry.stages.attempts import ATTEMPTS

    token = digest(sorted(step.token for step in steps))[:16]
    tried = attempts(instance, token)
    if tried.counted >= ATTEMPTS:
        return None
    tags = {TOKEN_TAG: token, CORPUS_TAG: recipe.corpus}
    return dg.RunRequest(run_key=f"all@{token}#{tried.runs}", job_name=walk_name(recipe), tags=tags)


def _write_down(ws: Workspace, recipe: Recipe, before: Cursor, stopped: Iterable[Step]) -> tuple[str, ...]:
    """Leave what is given up where plan and doctor see it; nothing is written where nothing has changed."""
    from winnowry.stages.attempts import Stopped, keep_stopped

    steps: list[Stopped] = [Stopped(step.stages[0], step.partition, step.token) for step in stopped]
    tokens = tuple(sorted(step.token for step in steps))
    if tokens != before.stopped:
        keep_stopped(ws, recipe.corpus, steps)
    return tokens


def _key_requests(instance: dg.DagsterInstance, recipe: Recipe, standing: Readiness) -> list[Any]:
    """Requests that make Dagster know the partitions of the lake and no others."""
    if declared_partitions(recipe) is not None:
        return []
    definition = dg.DynamicPartitionsDefinition(name=dynamic_name(recipe.corpus))
    known, present = set(instance.get_dynamic_partitions(dynamic_name(recipe.corpus))), set(standing.partitions)
    requests: list[Any] = []
    if present - known:
        requests.append(definition.build_add_request(sorted(present - known)))
    if present and known - present:
        requests.append(definition.build_delete_request(sorted(known - present)))
    return requests


def _quiet(
    ws: Workspace, recipe: Recipe, cursor: Cursor, why: str, keys: list[Any], *, may_be_new: bool
) -> dg.SensorResult:
    """Nothing to run; but the six qualities of a release are measured when it comes out, and every day."""
    from winnowry.promotion.lineage import live

    day = (datetime.now(UTC) - _MEASURED_AT).date().isoformat()
    look_up = recipe.has_releases and (may_be_new or not (cursor.measured or "").endswith(day))
    release = live(ws, recipe, "published") if look_up else None
    wanted = f"{release.id}@{day}" if release is not None else cursor.measured
    if wanted == cursor.measured:
        return dg.SensorResult(skip_reason=why, dynamic_partitions_requests=keys, cursor=cursor.text())
    request = dg.RunRequest(
        run_key=f"valid2@{wanted}",
        job_name=recipe.corpus,
        asset_selection=[stage_key(recipe.corpus, "valid2")],
        tags={CORPUS_TAG: recipe.corpus},
    )
    after = replace(cursor, measured=wanted)
    return dg.SensorResult(run_requests=[request], dynamic_partitions_requests=keys, cursor=after.text())
