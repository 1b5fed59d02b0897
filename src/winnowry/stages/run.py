"""Run one stage: decide whether it is fresh, run it if not."""

from __future__ import annotations

from dataclasses import asdict, replace

from winnowry.core.errors import MissingPartitionsError, PromotionConflictError, UsageError, placed
from winnowry.core.progress import Progress, with_listener
from winnowry.engine.base import Engine
from winnowry.engine.registry import engine_named
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.corpus_recipe import claim_corpus
from winnowry.promotion.driver import drive, reaudit_of
from winnowry.promotion.gaps import GAPS, Gaps
from winnowry.promotion.partitions import is_gone
from winnowry.promotion.production import Production
from winnowry.promotion.refusal import standing_refusal
from winnowry.promotion.request import Request, SuiteProvider
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.model import Recipe
from winnowry.stages.freshness import (
    damage,
    damaged_inputs,
    incomplete_partitions,
    inputs_of,
    live_record,
    named,
    reasons_for,
    why_held,
)
from winnowry.stages.gaps import check_accepted, gaps_of, waits_for
from winnowry.stages.graph import stage_of, stages_in
from winnowry.stages.retraction import Retraction, nothing_is_kept
from winnowry.storage.named import storage_named

_RIVAL_ATTEMPTS = 3
_RUN_AGAIN = "run the stage again; what readers see is whole"


def stages_of(recipe: Recipe) -> tuple[str, ...]:
    """Names of the stages of a recipe, in order; the columns that it adds to tables come last, as ``TABLE.COLUMN``."""
    return tuple(stage.name for stage in stages_in(recipe))


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
    retry_refused: bool = False,
    engine: Engine | None = None,
) -> StageResult:
    """Bring one stage up to date for one partition (or for the corpus).

    Args:
        ws: opened root.
        recipe: checked recipe.
        stage: one of :func:`stages_of`.
        partition: partition key; required for, and only for, the partitioned stages.
        suites: gives the expectation suites of a stage.
        run_id: recorded in the lineage.
        progress: hears how far the stage is.
        allow_missing: let a corpus-wide stage go on without partitions that are missing or stale; they are recorded.
        force: run even when fresh, and take nothing over from earlier runs.
        retry_refused: try again what a gate refused, though neither inputs nor rules have changed since.
        engine: what units of work run on; what ``WINNOWRY_ENGINE`` names when None.

    Returns:
        What was done; ``skipped`` when the live promotion already stands for recipe and inputs.

    Raises:
        UsageError: the recipe has no such stage, the partition is unknown, or the corpus belongs to another recipe.
        GateFailed: a gate refused the candidate, now or the last time with the same inputs and rules.
        MissingPartitionsError: a corpus-wide stage lacks partitions.
        DataError, StorageError: see ``core.errors``.
    """
    step = stage_of(recipe, stage)
    if step.partitioned != (partition is not None):
        needs = "needs a partition" if step.partitioned else "runs over the whole corpus and takes no partition"
        raise UsageError(f"stage {stage} {needs}")
    gone = partition is not None and is_gone(ws, recipe, partition)
    check_accepted(recipe)
    request = Request(
        ws,
        recipe,
        step,
        partition,
        suites,
        run_id,
        "",
        with_listener(progress),
        allow_missing,
        force,
        retry_refused,
        engine if engine is not None else engine_named(),
    )
    with placed(stage=stage, partition=partition), storage_named(request.label, ws.root, then=_RUN_AGAIN):
        claim_corpus(ws, recipe)
        return _retract(request) if gone else _bring_up_to_date(request)


def _retract(request: Request) -> StageResult:
    """Take the rows of a gone partition out of the stage's table."""
    ws, recipe, stage = request.ws, request.recipe, request.stage
    assert request.partition is not None
    for read in stage.edges(recipe):
        before = stage_of(recipe, read.stage)
        if read.how == "same" and why_held(ws, recipe, before, request.partition):
            raise MissingPartitionsError(
                f"{request.label}: the landing no longer holds this partition, and {before.name} still does; run that "
                "stage first"
            )
    production: type[Production] = named(stage.produce)
    ws.lake.promoter(request.corpus).recover(stage.name, request.key, reaudit=reaudit_of(production, request))
    reasons = why_held(ws, recipe, stage, request.partition)
    record = live_record(ws, recipe, stage, request.partition)
    if not reasons:
        result = _skipped(request, record) if record is not None else _nothing_held(request)
        request.progress.finish(result)
        return result
    with at_work(ws, request.corpus, request.label):
        result = drive(replace(request, reason="; ".join(reasons)), Retraction, {}, Gaps())
        production.settle(ws, recipe, promoted=True)
    request.progress.finish(result)
    return result


def _nothing_held(request: Request) -> StageResult:
    return StageResult(
        corpus=request.corpus,
        stage=request.stage.name,
        partition=request.partition,
        status="skipped",
        reason="the table holds nothing of a partition that is gone",
    )


def _bring_up_to_date(request: Request) -> StageResult:
    ws, recipe, stage = request.ws, request.recipe, request.stage
    production: type[Production] = named(stage.produce)
    for attempt in range(_RIVAL_ATTEMPTS):
        if stage.schema is not None:
            promoter = ws.lake.promoter(request.corpus)
            promoter.recover(stage.name, request.key, reaudit=reaudit_of(production, request))
        missing = incomplete_partitions(ws, recipe, stage)
        if missing and not request.allow_missing:
            raise MissingPartitionsError(
                f"{request.corpus}/{stage.name} did not run: partitions missing or stale upstream: "
                f"{waits_for(ws, recipe, stage, missing)}. Run them first, or pass --allow-missing to go on without "
                "them (the gap is recorded)."
            )
        looks_back = not stage.partitioned and (request.allow_missing or recipe.gates.left_out())
        gaps = gaps_of(ws, recipe, stage) if looks_back else Gaps()
        inputs = inputs_of(ws, recipe, stage, request.partition)
        inputs = {name: value for name, value in inputs.items() if name.partition("/")[2] not in gaps.unfit}
        absent = sorted(name for name, value in inputs.items() if value is None)
        if absent:
            raise MissingPartitionsError(
                f"{request.label}: not promoted yet: {', '.join(absent[:10])}; run that stage first"
            )
        known = {name: value for name, value in inputs.items() if value is not None}
        record = live_record(ws, recipe, stage, request.partition)
        reasons = reasons_for(ws, recipe, stage, request.partition, record, inputs)
        if reasons or request.force:
            _refuse_damaged_inputs(request)
        damaged = bool(reasons) and bool(damage(ws, recipe, stage, request.partition, record))
        if damaged and stage.schema is not None:
            ws.lake.keep_tags_of_lost_versions(request.corpus, stage.name, stage.schema(recipe))
        if reasons and request.partition is not None and nothing_is_kept(ws, recipe, stage, request.partition):
            return _retract(request)
        production.settle(ws, recipe, promoted=False)
        if record is not None and not reasons and not request.force:
            result = _with_gaps(production.present(ws, _at_visible_version(ws, _skipped(request, record))), gaps)
            request.progress.finish(result)
            return result
        refused = standing_refusal(request, request.suites, inputs, gaps)
        if refused is not None and not request.retry_refused and not request.force:
            raise GateFailed(refused)
        # Nothing is taken over from rows that are not there.
        again = replace(request, reason="; ".join(reasons) or "forced", force=request.force or damaged)
        with at_work(ws, request.corpus, request.label):
            try:
                result = drive(again, production, known, gaps)
            except PromotionConflictError:
                if attempt == _RIVAL_ATTEMPTS - 1:
                    raise
                continue  # a rival landed this partition: look again, it is probably fresh now
            production.settle(ws, recipe, promoted=True)
            result = _with_gaps(production.present(ws, _at_visible_version(ws, result)), gaps)
        request.progress.finish(result)
        return result
    raise AssertionError("unreachable")


def _refuse_damaged_inputs(request: Request) -> None:
    lost = damaged_inputs(request.ws, request.recipe, request.stage, request.partition)
    if lost:
        raise MissingPartitionsError(
            f"{request.label}: rows are lost of what it reads: {', '.join(lost[:10])}; run that stage first"
        )


def _at_visible_version(ws: Workspace, result: StageResult) -> StageResult:
    """The result with the version that people find the rows at: of a release its tag's, else the table's latest.

    The version that the promotion itself made may be another one: an index, an added column or upkeep came after it.
    """
    if result.table is None or result.version is None:
        return result
    tag = result.metadata.get("release")
    version = ws.lake.tags(result.corpus).get(str(tag)) if tag is not None else None
    return replace(result, version=version or ws.lake.open(result.corpus, result.table).version)


def _with_gaps(result: StageResult, gaps: Gaps) -> StageResult:
    if not gaps.partitions:
        return result
    return replace(result, metadata={**result.metadata, GAPS: [asdict(gap) for gap in gaps.partitions]})


def _skipped(request: Request, record: PromotionRecord) -> StageResult:
    table = request.stage.table
    return StageResult(
        corpus=request.corpus,
        stage=request.stage.name,
        partition=request.partition,
        status="skipped",
        reason="unchanged: same recipe, operators and inputs",
        table=table,
        uri=request.ws.lake.table(request.corpus, table).uri if table else None,
        version=record.promoted_version,
        promotion_id=record.facts.get("judged_as", record.id),
        metadata={"release": f"v{record.facts['release']}"} if "release" in record.facts else {},
        rows_in=record.ledger["rows_in"],
        rows_out=record.ledger["rows_out"],
        rows_quarantined=record.ledger["rows_quarantined"],
    )
