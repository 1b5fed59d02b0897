"""Columns that a recipe declares: each is brought up to date like a stage, named ``TABLE.COLUMN``."""

from __future__ import annotations

import time
from typing import Any

from winnowry.columns.definitions import Definitions
from winnowry.columns.fill import STAGE, ColumnGateFailed, add_column
from winnowry.columns.live_spec import spec_in
from winnowry.columns.spec import ColumnSpec, Resources, check_where, from_operator, python_column, sql_column
from winnowry.core.errors import UsageError
from winnowry.core.ids import PromotionId
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.production import Findings, Production
from winnowry.promotion.request import Request
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Stage

_PRESENT = "present"


def specification(ws: Workspace, recipe: Recipe, column: AddedColumn) -> ColumnSpec:
    """The column as it is computed on the table that is there.

    Raises:
        NotFoundError: there is no such table yet.
        UsageError: the expression, function or operator does not fit it.
    """
    dataset = ws.lake.table(recipe.corpus, column.table).dataset()
    options: dict[str, Any] = {"where": column.where, "max_null_fraction": column.max_null_fraction}
    options["on_error"] = column.on_error
    options["resources"] = Resources(column.batch_rows, column.workers, column.timeout_s)
    try:
        check_where(dataset, column.where)
        if column.sql is not None:
            return sql_column(dataset, column.table, column.name, column.sql, **options)
        if column.operator is not None:
            return from_operator(dataset, column.table, column.name, column.operator, **options)
        assert column.python is not None
        return python_column(dataset, column.table, column.name, column.python, type_=column.type, **options)
    except UsageError as error:
        raise UsageError(f"column {column.stage} of the recipe: {error}") from error


def definition(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> dict[str, str | None]:
    """What the column's values depend on: the hash of its specification, and whether the table has it.

    Raises:
        UsageError: the column does not fit the table.
    """
    column = _declared(recipe, stage)
    dataset = ws.lake.table(recipe.corpus, column.table).dataset_or_none()
    if dataset is None or not dataset.get_fragments():
        return {column.table: None}
    reads = column.operator.reads().names if column.operator is not None else ()
    missing = [name for name in reads if name not in dataset.schema.names]
    if missing:  # of a column declared before this one
        return {f"{column.table}.{name}": None for name in missing}
    version = specification(ws, recipe, column).version
    return {"definition": version, "column": _PRESENT if column.name in dataset.schema.names else "absent"}


def unrecorded(ws: Workspace, recipe: Recipe, stage: Stage) -> PromotionRecord | None:
    """The promotion of a column that left no record: those of ``winnowry column add``, and of version 0.1."""
    column = _declared(recipe, stage)
    table = ws.lake.table(recipe.corpus, column.table)
    dataset = table.dataset_or_none()
    known = Definitions(ws, recipe.corpus).get(column.table, column.name)
    if dataset is None or known is None or known.state != "live" or column.name not in dataset.schema.names:
        return None
    version = spec_in(table, dataset, known).version
    if version != specification(ws, recipe, column).version:
        return None
    rows = dataset.count_rows()
    return PromotionRecord(
        id=PromotionId(version),
        corpus=recipe.corpus,
        stage=stage.name,
        partition=WHOLE_TABLE,
        main=None,
        sides=[],
        replaces=None,
        state="promoted",
        created_at=0.0,
        lineage={
            "stage_hash": stage.hash(recipe),
            "spec": stage.specification(recipe),
            "inputs": {"definition": version, "column": _PRESENT},
        },
        outputs={WHOLE_TABLE: version},
        ledger={"rows_in": rows, "rows_out": rows, "rows_quarantined": 0},
        promoted_version=int(dataset.version),
    )


class ColumnOfTable(Production):
    """Computes one declared column beside its table and lets the gate judge it."""

    def outcome(self) -> Findings:
        """The column, as readers of the table have it now.

        Raises:
            GateFailed: its gate refused it; the table, and the values it had before, are as they were.
        """
        work, request = self.work, self.work.request
        column = _declared(work.recipe, request.stage)
        spec = specification(work.ws, work.recipe, column)
        started = time.perf_counter()
        try:
            added = add_column(
                work.ws,
                work.recipe.corpus,
                spec,
                suites=request.suites,
                progress=request.progress,
                take_place=True,
                engine=request.engine,
            )
        except ColumnGateFailed as refusal:
            raise GateFailed(_refused(request, spec, refusal, time.perf_counter() - started)) from refusal
        work.inputs = {"definition": spec.version, "column": _PRESENT}
        return Findings(
            Ledger(added.rows, added.rows, 0),
            outputs={work.partition: spec.version},
            measures={"judged_as": spec.version},
            metadata={
                "column": spec.name,
                "type": added.type,
                "rows_without_value": added.null_rows,
                "fragments": added.fragments,
                "fragments_computed": added.fragments_computed,
                "fragments_reused": added.fragments_reused,
                "commits_refused": added.commits_refused,
                "rows_failed": added.rows_failed,
            },
            shown={
                "status": "promoted" if added.status == "added" else "skipped",
                "table": spec.table,
                "uri": work.ws.lake.table(work.recipe.corpus, spec.table).uri,
                "version": added.table_version,
                "promotion_id": spec.version,
                "gates": added.gates,
            },
        )


def _declared(recipe: Recipe, stage: Stage) -> AddedColumn:
    return next(column for column in recipe.columns or () if column.stage == stage.name)


def _refused(request: Request, spec: ColumnSpec, refusal: ColumnGateFailed, seconds: float) -> StageResult:
    rows = request.ws.lake.open(request.corpus, spec.table).count_rows()
    return StageResult(
        corpus=request.corpus,
        stage=request.stage.name,
        partition=None,
        status="rejected",
        reason=request.reason,
        table=spec.table,
        uri=request.ws.lake.table(request.corpus, spec.table).uri,
        promotion_id=spec.version,
        rows_in=rows,
        rows_out=rows,
        seconds=seconds,
        gates=refusal.gates,
        metadata={"column": spec.name, "gate": STAGE},
    )
