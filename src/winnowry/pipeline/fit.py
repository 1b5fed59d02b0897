"""Stage ``fit``: statistics that scores are normalised with, computed once and then frozen.

A fitted operator's statistics come from a sample of the corpus's keepers chosen by record id (ids are hashes, so a
range of them is a uniform sample), and are stored under the operator's fingerprint. A partition that arrives later is
scored with the same statistics, so old scores never shift; a changed operator is fitted anew.
"""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa

from winnowry.core.errors import DataError
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, new_promotion_id
from winnowry.operators.base import FittedOperator
from winnowry.pipeline.attempt import Request
from winnowry.pipeline.lineage import digest, lineage_of
from winnowry.pipeline.result import StageResult
from winnowry.pipeline.stored_fit import StoredFit, read_fit, write_fit
from winnowry.pipeline.workspace import Workspace
from winnowry.recipe.model import Recipe

FIT_ROWS = 20_000


def fitted_operators(recipe: Recipe) -> list[FittedOperator]:
    """Operators of the recipe that need a fit."""
    return [operator for operator in recipe.score if isinstance(operator, FittedOperator)]


def fit_uri(ws: Workspace, recipe: Recipe, operator: FittedOperator) -> str:
    """Where the fit of an operator lies."""
    name = operator.as_ or operator.op
    return f"{ws.lake.corpus_uri(recipe.corpus)}/fits/{name}/{digest(operator.fingerprint())}.json"


def load_fits(ws: Workspace, recipe: Recipe) -> dict[str, StoredFit]:
    """Statistics of every fitted operator by its column name.

    Raises:
        DataError: the fit stage has not run for this recipe.
    """
    fits = {}
    for operator in fitted_operators(recipe):
        uri = fit_uri(ws, recipe, operator)
        if not ws.store.exists(uri):
            raise DataError(f"{recipe.corpus}: no fit of {operator.op} at {uri}; run the `fit` stage first")
        fits[operator.as_ or operator.op] = read_fit(ws.store, uri)
    return fits


def run_fit(request: Request, inputs: dict[str, str]) -> StageResult:
    """Fit what has not been fitted yet."""
    ws, recipe = request.ws, request.recipe
    started = time.perf_counter()
    operators = fitted_operators(recipe)
    request.progress.start("fit", None, len(operators))
    sampled = 0
    for operator in operators:
        uri = fit_uri(ws, recipe, operator)
        if not ws.store.exists(uri):
            components = _measure(ws, recipe, operator)
            sampled = components.num_rows
            artefact = operator.fit(components)
            # Of two runs that fit at once the first to write wins, so both go on with the same statistics.
            write_fit(ws.store, uri, artefact)
        request.progress.advance(1)
    fits = {name: fit.document for name, fit in load_fits(ws, recipe).items()}
    record = PromotionRecord(
        id=new_promotion_id(),
        corpus=recipe.corpus,
        stage="fit",
        partition=WHOLE_TABLE,
        main=None,
        sides=[],
        replaces=None,
        state="promoted",
        created_at=time.time(),
        lineage=lineage_of(recipe, "fit", inputs, request.run_id),
        outputs={WHOLE_TABLE: digest(fits)},
        ledger={"rows_in": sampled, "rows_out": sampled, "rows_quarantined": 0},
        promoted_at=time.time(),
    )
    ws.lake.records(recipe.corpus).save(record)
    return StageResult(
        corpus=recipe.corpus,
        stage="fit",
        partition=None,
        status="promoted",
        reason=request.reason,
        promotion_id=record.id,
        rows_in=sampled,
        rows_out=sampled,
        seconds=time.perf_counter() - started,
        metadata={
            "fitted_on_rows": sampled,
            "fits": {name: fit_uri(ws, recipe, op) for name, op in ((o.as_ or o.op, o) for o in operators)},
        },
    )


def _measure(ws: Workspace, recipe: Recipe, operator: FittedOperator) -> pa.Table:
    cleaned = ws.lake.open(recipe.corpus, "cleaned")
    total = cleaned.count_rows()
    share = min(1.0, FIT_ROWS / max(1, total))
    where = None if share >= 1.0 else f"record_id < '{int(share * 2**64):016x}'"
    dropped = set(ws.lake.open(recipe.corpus, "duplicates").to_table(columns=["record_id"])["record_id"].to_pylist())
    names = [name for name in operator.reads().names if name in cleaned.schema.names]
    parts: list[tuple[str, dict[str, Any]]] = []
    for batch in cleaned.scan(columns=list(dict.fromkeys(["record_id", *names])), where=where):
        keep = pa.array([value not in dropped for value in batch.column("record_id").to_pylist()], pa.bool_())
        kept = batch.filter(keep)
        measured = operator.measure(kept.select(operator.reads().names))
        parts += zip(kept.column("record_id").to_pylist(), measured.to_pylist(), strict=True)
    parts.sort(key=lambda part: part[0])  # the fit must not depend on the order partitions were promoted in
    return pa.Table.from_pylist([row for _, row in parts], schema=operator.components())
