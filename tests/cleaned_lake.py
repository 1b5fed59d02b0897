"""Promote what a recipe's cleaning operators make of given texts, without sources, gates or suites."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from winnowry.core.tables import QUARANTINE, SCORED, with_operator_columns
from winnowry.engine.chain import ERROR_RULE, Outcome, Reason, run_chain
from winnowry.engine.quarantine import quarantine_rows
from winnowry.lakehouse.promotion import stage as stage_table
from winnowry.lakehouse.record import PromotionRecord, new_promotion_id
from winnowry.lakehouse.table import FragmentWriter
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import Operator
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import written_fields

CORPUS = "words"
_IDENTITY = pa.schema([pa.field("record_id", pa.string(), nullable=False), pa.field("partition", pa.string())])


def recipe_of(*clean: Mapping[str, Any]) -> Recipe:
    """A recipe with these cleaning operators."""
    return Recipe.model_validate(
        {"version": 1, "corpus": CORPUS, "sources": [{"name": "s", "uri": "landing/*"}], "clean": list(clean)}
    )


def run(operators: Sequence[Operator], partition: str, texts: Mapping[str, str | None]) -> Outcome:
    """What the operators make of texts by id."""
    rows = {"record_id": list(texts), "partition": [partition] * len(texts)}
    batch = pa.RecordBatch.from_pydict({**rows, "text": pa.array(list(texts.values()), pa.large_string())})
    return run_chain(operators, batch)


def _stamped(rows: pa.RecordBatch, promotion: str) -> pa.RecordBatch:
    at = rows.schema.get_field_index("promotion_id")
    return rows.set_column(at, rows.schema.field(at), pa.array([promotion] * rows.num_rows, pa.string()))


def promote_cleaned(
    ws: Workspace,
    recipe: Recipe,
    partition: str,
    texts: Mapping[str, str | None],
    *,
    crashed: Mapping[str, str] | None = None,
    spec: Sequence[Mapping[str, Any]] | None = None,
) -> PromotionRecord:
    """Clean texts by id and promote them.

    Args:
        ws: the lake.
        recipe: its cleaning operators run.
        partition: partition of all of them.
        texts: texts by record id.
        crashed: ids of more rows that crashed the operator of that name, after they had failed its rule ``before``.
        spec: operators as the lineage says; those of the recipe when None.
    """
    outcome = run(recipe.clean, partition, texts)
    promotion = new_promotion_id()
    fields = [f for f in written_fields(recipe.clean) if f.name != "text"]
    kept_schema = with_operator_columns(_IDENTITY, fields)
    kept = outcome.kept.append_column("promotion_id", pa.array([promotion] * outcome.kept.num_rows))
    rejected = [_stamped(quarantine_rows(rows, reasons, "cleaned"), promotion) for rows, reasons in outcome.rejected]
    for name, operator in (crashed or {}).items():
        row = pa.RecordBatch.from_pylist([{"record_id": name, "partition": partition}])
        why = [[Reason(operator, "before", "1", "2"), Reason(operator, ERROR_RULE, "ValueError: no", None)]]
        rejected.append(_stamped(quarantine_rows(row, why, "cleaned"), promotion))
    main = _candidate(ws, "cleaned", kept_schema, [kept.select(kept_schema.names).cast(kept_schema)], partition)
    side = _candidate(ws, "quarantine", QUARANTINE, rejected, partition)
    lineage = {"spec": {"clean": list(spec or [operator.fingerprint() for operator in recipe.clean])}}
    return _promote(ws, "cleaned", partition, promotion, main, [side], lineage)


def promote_scored(ws: Workspace, partition: str, tokens: Mapping[str, int]) -> PromotionRecord:
    """Promote token counts by record id."""
    promotion = new_promotion_id()
    rows = [
        {"record_id": name, "partition": partition, "n_tokens": n, "promotion_id": promotion}
        for name, n in tokens.items()
    ]
    schema = with_operator_columns(SCORED, [])
    main = _candidate(ws, "scored", schema, [pa.RecordBatch.from_pylist(rows, schema=schema)], partition)
    return _promote(ws, "scored", partition, promotion, main, [], {})


def _candidate(ws: Workspace, name: str, schema: pa.Schema, batches: Sequence[pa.RecordBatch], partition: str) -> Any:
    table = ws.lake.table(CORPUS, name)
    table.create(schema)
    writer = FragmentWriter(table, schema)
    for batch in batches:
        writer.write(batch)
    writer.flush()
    stage = "cleaned" if name == "quarantine" else name
    return stage_table(table, writer.fragments, writer.rows, scope="partition", partition=partition, stage_name=stage)


def _promote(
    ws: Workspace, stage: str, partition: str, promotion: Any, main: Any, sides: list[Any], lineage: dict[str, Any]
) -> PromotionRecord:
    promoter = ws.lake.promoter(CORPUS)
    record = PromotionRecord(
        id=promotion,
        corpus=CORPUS,
        stage=stage,
        partition=partition,
        main=main,
        sides=sides,
        replaces=promoter.live(stage, stage, partition),
        state="staged",
        created_at=time.time(),
        lineage=lineage,
        outputs={},
        ledger={},
    )
    return promoter.promote(ws.lake.records(CORPUS).save(record))
