"""Run one stage: decide whether it is fresh, run it if not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from winnowry.core.errors import MissingPartitionsError, PromotionConflictError, UsageError
from winnowry.core.progress import Progress, heard
from winnowry.lakehouse.lake import PARTITIONED
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live, stale_reasons
from winnowry.promotion.partitions import check_partition, partitions_of
from winnowry.promotion.request import Request, SuiteProvider
from winnowry.promotion.result import StageResult
from winnowry.recipe.model import Recipe
from winnowry.releases.documents import with_documents
from winnowry.releases.tags import complete_release
from winnowry.stages.cleaned import run_cleaned
from winnowry.stages.column import column_stages, run_column
from winnowry.stages.duplicates.duplicates import run_duplicates
from winnowry.stages.fit import run_fit
from winnowry.stages.inputs import incomplete_partitions, inputs_of
from winnowry.stages.landing import run_landing
from winnowry.stages.published import run_published
from winnowry.stages.raw import refuse_collisions, run_raw
from winnowry.stages.sampled import run_sampled
from winnowry.stages.scored import run_scored
from winnowry.storage.named import storage_named

STAGES = ("landing", "raw", "cleaned", "duplicates", "fit", "scored", "sampled", "comparison", "published")
"""All stages in order; ``raw``, ``cleaned`` and ``scored`` run once a partition; ``comparison`` is optional."""

_RIVAL_ATTEMPTS = 3
_RUN_AGAIN = "run the stage again; what readers see is whole"


def stages_of(recipe: Recipe) -> tuple[str, ...]:
    """The stages of a recipe, in order; the columns that it adds to tables come last, named ``TABLE.COLUMN``."""
    if recipe.media:
        return ("landing", "raw", *column_stages(recipe))
    own = tuple(stage for stage in STAGES if stage != "comparison" or recipe.comparison is not None)
    return own + column_stages(recipe)


def run_stage(
    ws: Workspace,
    recipe: Recipe,
    stage: str,
    partition: str | None = None,
    *,
    suites: SuiteProvider,
    run_id: str,
    progress: Progress | None = None,
    allow_missing: bool = False,
    force: bool = False,
) -> StageResult:
    """Bring one stage up to date for one partition (or for the corpus).

    Args:
        ws: opened root.
        recipe: checked recipe.
        stage: one of :func:`stages_of`.
        partition: partition key; required for, and only for, the partitioned stages.
        suites: gives the expectation suites of a stage.
        run_id: recorded in the lineage.
        progress: told how far the stage is.
        allow_missing: let a corpus-wide stage go on without partitions that are missing or stale; they are recorded.
        force: run even when fresh, and take nothing over from earlier runs.

    Returns:
        What was done; ``skipped`` when the live promotion already stands for recipe and inputs.

    Raises:
        UsageError: unknown stage or partition.
        GateFailed: a gate refused the candidate.
        MissingPartitionsError: a corpus-wide stage lacks partitions.
        DataError, StorageError: see ``core.errors``.
    """
    if stage not in STAGES and stage not in stages_of(recipe):
        raise UsageError(f"no stage {stage!r}; stages are {', '.join(stages_of(recipe))}")
    if stage not in stages_of(recipe):
        raise UsageError(f"{recipe.corpus}: the recipe has no `{stage}`, so there is nothing to run")
    if (stage in PARTITIONED) != (partition is not None):
        needs = "needs a partition" if stage in PARTITIONED else "runs over the whole corpus and takes no partition"
        raise UsageError(f"stage {stage} {needs}")
    if partition is not None:
        check_partition(ws, recipe, partition)
    reporter = heard(progress)
    key = partition if partition is not None else WHOLE_TABLE
    request = Request(ws, recipe, stage, partition, suites, run_id, "", reporter, allow_missing, force)
    with storage_named(f"{recipe.corpus}/{stage}[{key}]", ws.root, then=_RUN_AGAIN):
        if stage not in STAGES:
            return run_column(request)
        return _bring_up_to_date(request)


def _bring_up_to_date(request: Request) -> StageResult:
    ws, recipe, stage, partition, key = request.ws, request.recipe, request.stage, request.partition, request.key
    for attempt in range(_RIVAL_ATTEMPTS):
        if stage != "fit":
            reaudit = partial(refuse_collisions, ws) if stage == "raw" else None
            ws.lake.promoter(recipe.corpus).recover(stage, key, reaudit=reaudit)
        missing = [] if stage in (*PARTITIONED, "landing") else incomplete_partitions(ws, recipe, stage)
        if missing and not request.allow_missing:
            raise MissingPartitionsError(
                f"{recipe.corpus}/{stage}: partitions missing or stale upstream: {', '.join(missing[:10])}"
                + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
                + ". Run them first, or pass --allow-missing to go on without them (the gap is recorded)."
            )
        inputs = inputs_of(ws, recipe, stage, partition)
        absent = sorted(name for name, value in inputs.items() if value is None)
        if absent:
            raise MissingPartitionsError(
                f"{recipe.corpus}/{stage}[{key}]: not promoted yet: {', '.join(absent[:10])}; run that stage first"
            )
        known = {name: value for name, value in inputs.items() if value is not None}
        record = live(ws, recipe, stage, partition)
        reasons = stale_reasons(recipe, stage, record, inputs)
        if not reasons and not request.force:
            if stage == "published":
                complete_release(ws, recipe)
            result = _skipped(ws, recipe, stage, partition)
            if stage == "published":
                result = with_documents(ws, result)
            request.progress.finish(result)
            return result
        try:
            result = _run(replace(request, reason="; ".join(reasons) or "forced"), known, missing)
        except PromotionConflictError:
            if attempt == _RIVAL_ATTEMPTS - 1:
                raise
            continue  # a rival landed this partition: look again, it is probably fresh now
        if stage == "raw":
            ws.lake.ensure_index(recipe.corpus, "raw")
        if stage == "published":
            result = with_documents(ws, result)
        request.progress.finish(result)
        return result
    raise AssertionError("unreachable")


def _run(request: Request, inputs: dict[str, str], missing: list[str]) -> StageResult:
    if request.stage == "landing":
        return run_landing(request)
    if request.stage == "raw":
        return run_raw(request, inputs)
    if request.stage == "cleaned":
        return run_cleaned(request, inputs)
    if request.stage == "duplicates":
        return run_duplicates(request, inputs, partitions_of(request.ws, request.recipe))
    if request.stage == "fit":
        return run_fit(request, inputs)
    if request.stage == "scored":
        return run_scored(request, inputs)
    if request.stage == "sampled":
        return run_sampled(request, inputs)
    if request.stage == "comparison":
        from winnowry.stages.comparison import run_comparison

        return run_comparison(request, inputs)
    return run_published(request, inputs, missing)


def _skipped(ws: Workspace, recipe: Recipe, stage: str, partition: str | None) -> StageResult:
    record = live(ws, recipe, stage, partition)
    assert record is not None
    table = record.main.table if record.main is not None else None
    return StageResult(
        corpus=recipe.corpus,
        stage=stage,
        partition=partition,
        status="skipped",
        reason="unchanged: same recipe, operators and inputs",
        table=table,
        uri=ws.lake.table(recipe.corpus, table).uri if table else None,
        version=record.promoted_version,
        promotion_id=record.id,
        metadata={"release": f"v{record.facts['release']}"} if "release" in record.facts else {},
        rows_in=record.ledger["rows_in"],
        rows_out=record.ledger["rows_out"],
        rows_quarantined=record.ledger["rows_quarantined"],
    )
