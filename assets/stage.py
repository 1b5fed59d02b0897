"""The wiring that all stages share: an asset that stages, audits and promotes, and reports its gates as checks."""

# No deferred annotations here: Dagster reads the types of an asset's context and configuration as they stand.
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.columns import column_lineage, table_schema
from assets.events import RESULT_KEY, check_name, check_results, link, plain, result_metadata
from assets.in_flight import TOKEN_TAG, mark_unreachable
from assets.keys import stage_key
from assets.recorded import data_version_of, table_rows, verdicts_of

# Not where it is used: only while Dagster loads the code location is the project on the path.
from expectations.registry import suites_for
from resources.lakehouse import LakehouseResource
from winnowry.core.errors import (
    GateFailedError,
    MissingPartitionsError,
    StoreUnreachableError,
    UsageError,
    WinnowryError,
)
from winnowry.runs.reap import mark_worker
from winnowry.stages.graph import Stage

if TYPE_CHECKING:
    from assets.partitions import Partitions
    from winnowry.core.progress import StageSummary
    from winnowry.gates.result import GateResult
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult
    from winnowry.recipe.model import Recipe

    After = Callable[[dg.AssetExecutionContext | dg.OpExecutionContext, Workspace, StageResult], dict[str, Any]]

NOT_JUDGED = "not judged"
"""What a check says of a candidate that did not get as far as its gate."""

UNREACHABLE_RETRIES = 3
_RETRY_AFTER_S = 20.0
_LOG_EVERY_S = 10.0
_TEAM = re.compile(r"[A-Za-z0-9_.-]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class StageConfig(dg.Config):
    """What a single run may ask of a stage.

    Attributes:
        overrides: changes to the recipe for this run, as ``winnowry plan --set`` takes them.
        allow_missing: let a corpus-wide stage go on without partitions that are missing; the gap is recorded.
        force: run even when nothing has changed.
        retry_refused: try again what a gate refused, though neither inputs nor rules have changed since.
    """

    overrides: list[str] = Field(default=[], description="Changes to the recipe, e.g. text.length.min_words=80")
    allow_missing: bool = Field(default=False, description="Go on without missing partitions, and record the gap")
    force: bool = Field(default=False, description="Run even when nothing has changed")
    retry_refused: bool = Field(default=False, description="Try again what a gate refused before")


def stage_asset(
    recipe: "Recipe",
    stage: Stage,
    *,
    deps: Sequence[dg.AssetDep] = (),
    partitions: "Partitions | None" = None,
    after: "After | None" = None,
) -> dg.AssetsDefinition:
    """The asset of one stage of one corpus.

    Args:
        recipe: the corpus.
        stage: one of the recipe's stages.
        deps: upstream stages with explicit partition mappings.
        partitions: the corpus's partitions, for a partitioned stage.
        after: called once the stage is promoted or found fresh; returns more metadata.
    """
    key = stage_key(recipe.corpus, stage.name)
    metadata: dict[str, Any] = {"recipe": recipe.corpus}
    schema, lineage = table_schema(recipe, stage), column_lineage(recipe, stage)
    if schema is not None:
        metadata["dagster/column_schema"] = schema
        metadata["dagster/table_name"] = f"{recipe.corpus}.{stage.name}"
    if lineage is not None:
        metadata["dagster/column_lineage"] = lineage

    # No backfill policy: even multi_run(1) makes the daemon launch ranges of one partition, whose check evaluations
    # name no partition (dagster 1.13.27), so that every check reads as failed. Without one, a run is a partition too.
    @dg.asset(
        key=key,
        deps=list(deps),
        description=description_of(recipe, stage),
        group_name=recipe.corpus,
        kinds=set(stage.kinds),
        owners=owners_of(recipe),
        metadata=metadata,
        tags={"winnowry/stage": stage.name},
        op_tags={"winnowry/corpus": recipe.corpus, "winnowry/stage": stage.name},
        partitions_def=partitions,
        output_required=False,  # see materialize
        check_specs=check_specs(key, recipe, stage, partitions),
    )
    def run(context: dg.AssetExecutionContext, config: StageConfig, lakehouse: LakehouseResource) -> Iterator[Any]:
        mark_worker(context.instance, context.run)
        partition = context.partition_key if partitions is not None else None
        yield from materialize(context, lakehouse, recipe, stage, partition, config, after)

    return run


def check_specs(
    key: dg.AssetKey, recipe: "Recipe", stage: Stage, partitions: "Partitions | None"
) -> list[dg.AssetCheckSpec]:
    """One blocking check a suite; partitioned where the asset is, or the evaluation would name no partition."""
    with warnings.catch_warnings():
        # A preview parameter says so at every load; the pin on dagster's minor version covers it.
        warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                check_name(name),
                asset=key,
                blocking=True,
                partitions_def=partitions,
                description=f"Great Expectations suite `{name}`, judged before anything is visible.",
            )
            for name in stage.suite_names(recipe)
        ]


def description_of(recipe: "Recipe", stage: Stage) -> str:
    """What the catalogue says of a stage."""
    about = stage.about(recipe)
    return f"{stage.means} ({about})" if about else stage.means


def owners_of(recipe: "Recipe") -> list[str]:
    """The recipe's owner as Dagster takes it: an e-mail address or a team; nothing where it is neither."""
    owner = recipe.owner or ""
    if _EMAIL.fullmatch(owner):
        return [owner]
    team = owner.removeprefix("team:")
    return [f"team:{team}"] if _TEAM.fullmatch(team) else []


@dataclass(frozen=True)
class Report:
    """What Dagster is shown of a stage that is up to date.

    Attributes:
        metadata: of the materialization.
        gates: the verdicts.
        unjudged: what to say of a suite without a verdict.
        version: data version.
    """

    metadata: dict[str, Any]
    gates: list["GateResult"]
    unjudged: str
    version: str

    def checks(self, key: dg.AssetKey, suites: Sequence[str]) -> list[dg.AssetCheckResult]:
        """A result for every check of the asset."""
        return check_results(key, suites, self.gates, self.unjudged)


def report_of(
    context: "dg.AssetExecutionContext | dg.OpExecutionContext",
    ws: "Workspace",
    recipe: "Recipe",
    stage: Stage,
    partition: str | None,
    config: StageConfig,
    progress: "LogProgress",
    after: "After | None" = None,
) -> Report:
    """Bring one stage up to date for a partition, or for the corpus, and say how it stands.

    Raises:
        GateFailedError: a gate refused the candidate.
        WinnowryError: see :func:`winnowry.stages.run.run_stage`.
    """
    from winnowry.recipe.load import apply_overrides
    from winnowry.stages.run import run_stage

    suites = stage.suite_names(recipe)
    result = run_stage(
        ws,
        apply_overrides(recipe, config.overrides) if config.overrides else recipe,
        stage.name,
        partition,
        suites=suites_for,
        run_id=context.run.run_id,
        progress=progress,
        allow_missing=config.allow_missing,
        force=config.force,
        retry_refused=config.retry_refused,
    )
    metadata = result_metadata(result)
    rows = table_rows(ws, result)
    if rows is not None:
        metadata["dagster/row_count"] = rows
    gates, unjudged = list(result.gates), "no expectations for this recipe"
    if result.status == "skipped" and result.promotion_id is not None:
        gates, unjudged = verdicts_of(ws, recipe.corpus, result.promotion_id), "unchanged since it was last judged"
    undeclared = sorted({gate.suite for gate in gates} - set(suites))
    if undeclared:
        context.log.warning(f"suites without a check; name them in the stage graph: {', '.join(undeclared)}")
    version = data_version_of(ws, result)
    if after is not None:
        metadata |= after(context, ws, result)
    return Report(metadata, gates, unjudged, version)


def materialize(
    context: dg.AssetExecutionContext,
    lakehouse: LakehouseResource,
    recipe: "Recipe",
    stage: Stage,
    partition: str | None,
    config: StageConfig,
    after: "After | None" = None,
) -> Iterator[Any]:
    """Run one stage and yield its events.

    A run of the sensor whose stage is not ready any more ends well without a materialization: somebody else was first,
    or the landing has changed, and the sensor will ask the plan again.

    Raises:
        dagster.Failure: the data or a gate failed; never retried, the same input fails again.
        dagster.RetryRequested: the object store could not be reached.
    """
    key, suites = stage_key(recipe.corpus, stage.name), stage.suite_names(recipe)
    try:
        ws = lakehouse.open()
        report = report_of(context, ws, recipe, stage, partition, config, LogProgress(context.log), after)
    except GateFailedError as error:
        yield from check_results(key, suites, refused(error).gates, NOT_JUDGED)
        raise gate_failure(error) from error
    except StoreUnreachableError as error:
        if context.retry_number >= UNREACHABLE_RETRIES:
            mark_unreachable(context.instance, context.run.run_id)  # the sensor goes on trying
        context.log.warning(f"the object store does not answer, trying again in {_RETRY_AFTER_S:.0f} s: {error}")
        raise dg.RetryRequested(max_retries=UNREACHABLE_RETRIES, seconds_to_wait=_RETRY_AFTER_S) from error
    except (MissingPartitionsError, UsageError) as error:
        if TOKEN_TAG not in context.run.tags:
            raise _broken(error) from error
        context.log.info(f"not ready any more: {error}")
        yield from check_results(key, suites, [], NOT_JUDGED)
        return
    except WinnowryError as error:
        raise _broken(error) from error
    yield dg.MaterializeResult(
        asset_key=key,
        metadata=report.metadata,
        check_results=report.checks(key, suites),
        data_version=dg.DataVersion(report.version),
    )


def _broken(error: WinnowryError) -> dg.Failure:
    return dg.Failure(str(error), metadata={"error": type(error).__name__}, allow_retries=False)


def refused(error: GateFailedError) -> "StageResult":
    """The result that a gate refused."""
    from winnowry.promotion.result import GateFailed

    assert isinstance(error, GateFailed)
    return error.result


def gate_failure(error: GateFailedError) -> dg.Failure:
    """What the run page shows of a refused candidate."""
    result = refused(error)
    metadata: dict[str, Any] = {
        "error": type(error).__name__,
        "rows_in": result.rows_in,
        "rows_out": result.rows_out,
        "rows_quarantined": result.rows_quarantined,
        RESULT_KEY: dg.MetadataValue.json(plain(result.to_dict())),
    }
    if result.docs_index is not None:
        metadata["data docs"] = link(result.docs_index, result.corpus)
    return dg.Failure(str(error), metadata=metadata, allow_retries=False)


class LogProgress:
    """Writes a stage's progress to the run's log, at most every ten seconds."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._what, self._total, self._done, self._last = "", None, 0, 0.0  # type: str, int | None, int, float

    def expect(self, stage_runs: int) -> None:
        """Nothing to write: a run in Dagster shows its steps."""

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """A stage begins; ``total`` rows where known."""
        self._what, self._total, self._done = stage + (f"[{partition}]" if partition else ""), total, 0
        self._last = time.monotonic()

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        self._done += rows
        if time.monotonic() - self._last >= _LOG_EVERY_S:
            self._last = time.monotonic()
            of = f" of {self._total:,}" if self._total is not None else ""
            self._log.info(f"{self._what}: {self._done:,}{of} rows")

    def finish(self, result: "StageSummary") -> None:
        """The stage ended."""
        self._log.info(
            f"{self._what or result.stage}: {result.status} ({result.reason}): {result.rows_in:,} in, "
            f"{result.rows_out:,} out, {result.rows_quarantined:,} quarantined"
        )

    def beside(self) -> "LogProgress":
        """Itself: lines of a log name their stage."""
        return self
