"""Stage ``scored``: the scores of one partition's keepers, without their text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.engine.local import LocalEngine
from winnowry.engine.quarantine import count_reasons
from winnowry.engine.tasks import ChainTask, columns_read, run_chain_task, tasks_over
from winnowry.operators.scoring.correlation import spearman
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.limits import refuse_many_errors
from winnowry.promotion.lineage import data_version, lineage_of, live
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.fingerprint import stage_hash
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import scored_schema, written_fields
from winnowry.stages.fit import load_fits


def dropped_ids(request: Request, partition: str) -> frozenset[str]:
    """Ids of a partition that are not the keepers of their groups."""
    lake = request.ws.lake
    if partition not in lake.partitions(request.corpus, "duplicates"):
        return frozenset()
    view = lake.partition_view(request.corpus, "duplicates", partition)
    return frozenset(view.to_table(columns=["record_id"])["record_id"].to_pylist())


def run_scored(request: Request, inputs: dict[str, str]) -> StageResult:
    """Score one partition; rows already scored from the same text with the same operators are carried over."""
    ws, recipe, partition = request.ws, request.recipe, request.key
    schema = scored_schema(recipe)
    if "n_tokens" not in {field.name for field in written_fields(recipe.score)}:
        raise UsageError(f"{recipe.corpus}: `score` has no operator that writes n_tokens; add score.token_count")
    attempt = Attempt(request, schema, lineage_of(recipe, "scored", inputs, request.run_id))
    cleaned = ws.lake.partition_view(recipe.corpus, "cleaned", partition)
    dropped = dropped_ids(request, partition)
    all_ids = read_ids(cleaned)
    keepers = np.setdiff1d(all_ids, np.asarray(sorted(dropped), dtype="S32"))
    request.progress.start("scored", request.partition, len(keepers))
    carried = _carry_over(request, attempt, inputs, keepers, schema)
    request.progress.advance(len(carried))
    fits = load_fits(ws, recipe)
    columns = columns_read(recipe.score, cleaned.schema.names, ("record_id", "partition"))

    def unit(offset: int, n_rows: int) -> ChainTask:
        return ChainTask(
            view=cleaned,
            columns=columns,
            renamed={},
            operators=recipe.score,
            offset=offset,
            n_rows=n_rows,
            stage="scored",
            promotion_id=attempt.id,
            fits=fits,
            leave_out=dropped | carried,
        )

    reasons: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    errors = 0
    tasks = tasks_over(cleaned, unit) if len(carried) < len(keepers) else iter(())
    for done in LocalEngine().map(run_chain_task, tasks):
        if done.kept is not None:
            attempt.main.write(attempt.stamped(done.kept))
        for rejected in done.quarantined:
            count_reasons(rejected, reasons)
            attempt.quarantine.write(rejected)
        errors += done.errors
        calls.update(done.calls)
        request.progress.advance(done.rows)
    refuse_many_errors(request, errors, len(keepers), reasons)
    main, side = attempt.stage_candidates(scope="partition")
    view = attempt.view(main)
    ledger = Ledger.of(keepers, read_ids(view), read_ids(attempt.view(side)))
    measures = _measures(recipe, view.to_table(columns=_numeric(schema)))
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={
            "ledger": ledger.facts(),
            "trailing": trailing_facts(request),
            "measures": measures,
            "correlation": {
                name.removeprefix("length_correlation_"): value
                for name, value in measures.items()
                if name.startswith("length_correlation_")
            },
        },
        outputs={partition: data_version(recipe, "scored", inputs)},
        quarantined_by_reason=dict(reasons),
        tokens=int(measures.get("tokens", 0)),
        metadata={"operator_calls": dict(calls), "rows_carried_over": len(carried), **measures},
        measures=measures,
    )


def _carry_over(
    request: Request, attempt: Attempt, inputs: dict[str, str], keepers: Any, schema: pa.Schema
) -> frozenset[str]:
    """Copy the rows of the live promotion that still hold: only which records are keepers has changed."""
    ws, recipe, partition = request.ws, request.recipe, request.key
    record = live(ws, recipe, "scored", partition)
    if request.force or record is None or record.lineage.get("stage_hash") != stage_hash(recipe, "scored"):
        return frozenset()
    before = record.lineage.get("inputs", {})
    if any(before.get(key) != value for key, value in inputs.items() if not key.startswith("duplicates/")):
        return frozenset()
    wanted = pa.array([value.decode() for value in keepers], pa.string())
    carried: list[str] = []
    view = ws.lake.partition_view(recipe.corpus, "scored", partition)
    for batch in view.scan(columns=schema.names):
        kept = batch.filter(pa.compute.is_in(batch.column("record_id"), value_set=wanted))
        if kept.num_rows:
            attempt.main.write(attempt.stamped(kept))
            carried += kept.column("record_id").to_pylist()
    return frozenset(carried)


def _numeric(schema: pa.Schema) -> list[str]:
    return [f.name for f in schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]


def _measures(recipe: Recipe, table: pa.Table) -> dict[str, float]:
    """Tokens, score quantiles and the score's rank correlation with length, for gates and drift."""
    tokens = table["n_tokens"].to_numpy().astype(np.float64)
    measures: dict[str, float] = {"n_rows": float(table.num_rows), "tokens": float(tokens.sum())}
    if table.num_rows:
        measures["mean_tokens"] = float(tokens.mean())
    by = recipe.sample.by if recipe.sample is not None else None
    if by is not None and by in table.schema.names and by != "n_tokens":
        score = table[by].to_numpy(zero_copy_only=False).astype(np.float64)
        known = ~np.isnan(score)
        if known.sum() >= 2:
            rho = spearman(score[known], tokens[known])
            if rho is not None:
                measures[f"length_correlation_{by}"] = rho
            for quantile in (0.1, 0.5, 0.9):
                measures[f"{by}_p{int(quantile * 100)}"] = float(np.quantile(score[known], quantile))
            measures[f"{by}_mean"] = float(score[known].mean())
    return measures
