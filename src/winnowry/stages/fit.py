"""Stage ``fit``: statistics that scores are normalised with, computed once and then frozen.

A fitted operator's statistics come from a sample of the corpus's keepers chosen by record id (ids are hashes, so a
range of them is a uniform sample), and are stored under the operator's fingerprint. A partition that arrives later is
scored with the same statistics, so old scores never shift; a changed operator is fitted anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import DataError
from winnowry.engine.local import LocalEngine
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, new_promotion_id
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import FittedOperator
from winnowry.promotion.lineage import digest, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.recipe.model import Recipe
from winnowry.stages.stored_fit import StoredFit, read_fit, write_fit

FIT_ROWS = 20_000
_PIECE_ROWS = 256
_PIECES_HERE = 2
_WORTH_PROCESSES_S = 20.0


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
    sampled = 0
    for operator in operators:
        uri = fit_uri(ws, recipe, operator)
        if not ws.store.exists(uri):
            components = _measure(request, operator)
            sampled = components.num_rows
            artefact = operator.fit(components)
            # Of two runs that fit at once the first to write wins, so both go on with the same statistics.
            write_fit(ws.store, uri, artefact)
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


@dataclass(frozen=True)
class _Piece:
    """Some keepers of the sample, to be measured."""

    operator: FittedOperator
    ids: pa.Array
    texts: pa.RecordBatch


def _measured(piece: _Piece) -> tuple[pa.Array, pa.RecordBatch]:
    """Components of a piece, with its record ids; called in a worker."""
    return piece.ids, piece.operator.measure(piece.texts)


def _measure(request: Request, operator: FittedOperator) -> pa.Table:
    """Components of the sample, by record id: the fit must not depend on the order partitions were promoted in."""
    ws, corpus = request.ws, request.recipe.corpus
    cleaned = ws.lake.open(corpus, "cleaned")
    total = cleaned.count_rows()
    share = min(1.0, FIT_ROWS / max(1, total))
    where = None if share >= 1.0 else f"record_id < '{int(share * 2**64):016x}'"
    dropped = ws.lake.open(corpus, "duplicates").to_table(columns=["record_id"])["record_id"].combine_chunks()
    names = [name for name in operator.reads().names if name in cleaned.schema.names]

    def pieces() -> Iterator[_Piece]:
        for batch in cleaned.scan(columns=list(dict.fromkeys(["record_id", *names])), where=where):
            kept = batch.filter(pc.invert(pc.is_in(batch.column("record_id"), value_set=dropped)))
            for start in range(0, kept.num_rows, _PIECE_ROWS):
                piece = kept.slice(start, _PIECE_ROWS)
                yield _Piece(operator, piece.column("record_id"), piece.select(operator.reads().names))

    rest = pieces()
    expected = int(total * share)
    request.progress.start("fit", None, expected)
    ids, parts = [], [operator.components().empty_table()]
    started, n_rows = time.perf_counter(), 0
    engine = LocalEngine(1)
    # A parser takes hours where a count takes seconds: the first pieces, compilation apart, tell whether processes pay.
    for measured_here in range(_PIECES_HERE):
        if measured_here == 1:
            started, n_rows = time.perf_counter(), 0
        piece = next(rest, None)
        if piece is None:
            break
        found = _measured(piece)
        ids.append(found[0])
        parts.append(pa.Table.from_batches([found[1]], schema=operator.components()))
        n_rows += len(found[0])
        request.progress.advance(len(found[0]))
    else:
        if (time.perf_counter() - started) * (expected / max(1, n_rows) - 1) > _WORTH_PROCESSES_S:
            engine = LocalEngine()
    for some_ids, components in engine.map(_measured, rest):
        ids.append(some_ids)
        parts.append(pa.Table.from_batches([components], schema=operator.components()))
        request.progress.advance(len(some_ids))
    order = pc.sort_indices(pa.chunked_array(ids, pa.string()))
    return pa.concat_tables(parts).take(order).combine_chunks()
