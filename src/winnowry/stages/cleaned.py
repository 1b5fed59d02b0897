"""Stage ``cleaned``: run the recipe's cleaning operators over one partition of ``raw``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow as pa

from winnowry.core.tables import TEXT
from winnowry.engine.local import LocalEngine
from winnowry.engine.quarantine import count_reasons
from winnowry.engine.tasks import ChainResult, ChainTask, columns_read, run_chain_task, tasks_over
from winnowry.lakehouse.view import TableView
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.limits import refuse_many_errors
from winnowry.promotion.lineage import data_version, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.tables import cleaned_schema
from winnowry.stages.clean_reuse import (
    Earlier,
    carry_kept,
    earlier_run,
    reconsider_rejected,
    run_rejected_task,
)

_CARRIED = ("record_id", "partition", "source", "event_time", "license", "payload", "uri", "position")


def run_cleaned(request: Request, inputs: dict[str, str]) -> StageResult:
    """Clean one partition.

    Raises:
        TooManyErrorsError: more rows crashed an operator than ``limits.max_error_fraction`` allows.
    """
    ws, recipe, partition = request.ws, request.recipe, request.key
    raw = ws.lake.partition_view(recipe.corpus, "raw", partition)
    schema = cleaned_schema(recipe)
    attempt = Attempt(request, schema, lineage_of(recipe, "cleaned", inputs, request.run_id))
    columns = columns_read(recipe.clean, raw.schema.names, _CARRIED)
    total = raw.count_rows()
    request.progress.start("cleaned", request.partition, total)

    def unit(offset: int, n_rows: int) -> ChainTask:
        return ChainTask(
            view=raw,
            columns=columns,
            renamed={"payload": "text"},
            operators=recipe.clean,
            offset=offset,
            n_rows=n_rows,
            stage="cleaned",
            promotion_id=attempt.id,
        )

    reasons: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    errors = 0
    earlier = None if request.force else earlier_run(request, inputs)
    for done in _results(raw, unit, earlier):
        if done.kept is not None:
            attempt.main.write(attempt.stamped(_as_cleaned(done.kept)))
        for rejected in done.quarantined:
            count_reasons(rejected, reasons)
            attempt.quarantine.write(rejected)
        errors += done.errors
        calls.update(done.calls)
        request.progress.advance(done.rows)
    refuse_many_errors(request, errors, total, reasons)
    main, side = attempt.stage_candidates(scope="partition")
    ledger = Ledger.of(read_ids(raw), read_ids(attempt.view(main)), read_ids(attempt.view(side)))
    kept_fraction = ledger.rows_out / ledger.rows_in if ledger.rows_in else 0.0
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={
            "ledger": ledger.facts(),
            "kept_fraction": kept_fraction,
            "trailing": trailing_facts(request),
            "measures": {"kept_fraction": kept_fraction, "n_rows": ledger.rows_out},
        },
        outputs={partition: data_version(recipe, "cleaned", inputs)},
        quarantined_by_reason=dict(reasons),
        metadata={"operator_calls": dict(calls), "errors": errors, "columns_reused": earlier is not None},
        measures={"kept_fraction": kept_fraction, "n_rows": ledger.rows_out},
    )


def _results(raw: TableView, unit: Callable[[int, int], ChainTask], earlier: Earlier | None) -> Iterator[ChainResult]:
    """Every row of the partition once: from ``raw``, or from what an earlier run left of it."""
    engine = LocalEngine()
    if earlier is None:
        yield from engine.map(run_chain_task, tasks_over(raw, unit))
        return
    whole = unit(0, raw.count_rows())
    yield from engine.map(run_chain_task, carry_kept(whole, earlier.cleaned))
    if earlier.quarantine is not None:
        yield from engine.map(run_rejected_task, reconsider_rejected(whole, earlier.quarantine))


def _as_cleaned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the fixed columns: no parents (cleaning maps one record to one), size in UTF-8 bytes of the text."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    text = columns["text"]
    if not pa.types.is_large_string(text.type):
        text = text.cast(TEXT)
    columns["text"] = text
    columns["parent_ids"] = pa.nulls(batch.num_rows, pa.list_(pa.string()))
    columns["size"] = pa.compute.binary_length(text.cast(pa.large_binary())).cast(pa.int64())
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
