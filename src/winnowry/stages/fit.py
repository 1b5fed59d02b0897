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

from winnowry.core.errors import DataError, TableFormatError
from winnowry.core.jsonable import digest
from winnowry.engine.registry import engine_named
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import FittedOperator
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.production import Findings, Production, Work
from winnowry.recipe.model import Recipe
from winnowry.stages.stored_fit import StoredFit, damage_of, digests_of, read_fit, write_fit

FIT_ROWS = 20_000
_PIECE_ROWS = 256
_PIECES_HERE = 2
_WORTH_PROCESSES_S = 20.0
_RECORDED = "fits"  # among the facts of a promotion: digests of what was fitted, by name of its file


def fitted_operators(recipe: Recipe) -> list[FittedOperator]:
    """Operators of the recipe that need a fit."""
    return [operator for operator in recipe.score if isinstance(operator, FittedOperator)]


def fit_uri(ws: Workspace, recipe: Recipe, operator: FittedOperator) -> str:
    """Where the fit of an operator lies."""
    name = operator.as_ or operator.op
    return f"{ws.lake.corpus_uri(recipe.corpus)}/fits/{name}/{digest(operator.fingerprint())}.json"


def _name_of(ws: Workspace, recipe: Recipe, operator: FittedOperator) -> str:
    """The file of a fit, below the corpus folder."""
    return fit_uri(ws, recipe, operator).removeprefix(f"{ws.lake.corpus_uri(recipe.corpus)}/")


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


def outdated(ws: Workspace, recipe: Recipe, record: PromotionRecord) -> list[str]:
    """Why frozen statistics have to be made again: their files are gone, damaged, or not those that were recorded."""
    return [f"lost: {what}; it is fitted again" for what in _lost(ws, recipe, record).values()]


def damaged_fits(ws: Workspace, record: PromotionRecord) -> dict[str, str]:
    """Fits that a promotion recorded and that cannot be used any more, by URI, each with why."""
    lost = {}
    for name, digests in record.facts.get(_RECORDED, {}).items():
        uri = f"{ws.lake.corpus_uri(record.corpus)}/{name}"
        try:
            what = damage_of(ws.store, uri, digests)
        except TableFormatError as error:
            what = str(error)
        if what is not None:
            lost[uri] = what
    return lost


def _lost(ws: Workspace, recipe: Recipe, record: PromotionRecord | None) -> dict[str, str]:
    """Fits that cannot be used, by URI, each with why.

    Args:
        ws: the lake.
        recipe: the recipe.
        record: the promotion that recorded them; None where none did for these operators.
    """
    recorded = record.facts.get(_RECORDED, {}) if record is not None else {}
    lost = {}
    for operator in fitted_operators(recipe):
        uri = fit_uri(ws, recipe, operator)
        what = damage_of(ws.store, uri, recorded.get(_name_of(ws, recipe, operator), {}))
        if what is not None:
            lost[uri] = what
    return lost


class Fit(Production):
    """Fits what has not been fitted yet; forced, everything, to the corpus as it is now."""

    def outcome(self) -> Findings:
        """The statistics of every fitted operator, computed or as they were frozen."""
        work = self.work
        ws, recipe = work.ws, work.recipe
        measured = 0
        live = ws.lake.live_record(recipe.corpus, work.request.stage.name)
        same = live is not None and live.lineage.get("stage_hash") == work.request.stage.hash(recipe)
        lost = _lost(ws, recipe, live if same else None)
        for operator in fitted_operators(recipe):
            uri = fit_uri(ws, recipe, operator)
            if work.request.force or uri in lost:
                components = _measure(work, operator)
                measured = components.num_rows
                # Of two runs that fit at once the first to write wins, so both go on with the same statistics.
                write_fit(ws.store, uri, operator.fit(components), anew=work.request.force or ws.store.exists(uri))
        fits = load_fits(ws, recipe)
        return Findings(
            Ledger(measured, measured, 0),
            outputs={work.partition: digest({name: fit.document for name, fit in fits.items()})},
            measures={
                _RECORDED: {_name_of(ws, recipe, o): digests_of(fits[o.as_ or o.op]) for o in fitted_operators(recipe)}
            },
            metadata={
                "fitted_on_rows": measured,
                "fits": {o.as_ or o.op: fit_uri(ws, recipe, o) for o in fitted_operators(recipe)},
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


def _measure(work: Work, operator: FittedOperator) -> pa.Table:
    """Components of the sample, by record id: the fit must not depend on the order partitions were promoted in."""
    request, cleaned = work.request, work.table("cleaned")
    total = cleaned.count_rows()
    share = min(1.0, FIT_ROWS / max(1, total))
    where = None if share >= 1.0 else f"record_id < '{int(share * 2**64):016x}'"
    dropped = work.table("duplicates").to_table(columns=["record_id"])["record_id"].combine_chunks()
    names = [name for name in operator.reads().names if name in cleaned.schema.names]

    def pieces() -> Iterator[_Piece]:
        for batch in cleaned.scan(columns=list(dict.fromkeys(["record_id", *names])), where=where):
            documents = batch.filter(pc.invert(pc.is_in(batch.column("record_id"), value_set=dropped)))
            for start in range(0, documents.num_rows, _PIECE_ROWS):
                piece = documents.slice(start, _PIECE_ROWS)
                yield _Piece(operator, piece.column("record_id"), piece.select(operator.reads().names))

    rest = pieces()
    expected = int(total * share)
    request.progress.start(request.stage.name, None, expected)
    ids, parts = [], [operator.components().empty_table()]
    started, n_rows = time.perf_counter(), 0
    engine = engine_named("local[1]")
    # A parser takes hours where a count takes seconds: the first pieces, compilation apart, tell whether processes pay.
    for measured_here in range(_PIECES_HERE):
        if measured_here == 1:
            started, n_rows = time.perf_counter(), 0
        piece = next(rest, None)
        if piece is None:
            break
        measured = _measured(piece)
        ids.append(measured[0])
        parts.append(pa.Table.from_batches([measured[1]], schema=operator.components()))
        n_rows += len(measured[0])
        request.progress.advance(len(measured[0]))
    else:
        if (time.perf_counter() - started) * (expected / max(1, n_rows) - 1) > _WORTH_PROCESSES_S:
            engine = request.engine
    for some_ids, components in engine.map(_measured, rest):
        ids.append(some_ids)
        parts.append(pa.Table.from_batches([components], schema=operator.components()))
        request.progress.advance(len(some_ids))
    order = pc.sort_indices(pa.chunked_array(ids, pa.string()))
    return pa.concat_tables(parts).take(order).combine_chunks()
