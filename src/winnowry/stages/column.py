"""Columns that a recipe declares: each is brought up to date like a stage, named ``TABLE.COLUMN``."""

from __future__ import annotations

import time
from typing import Any

from winnowry.columns.definitions import Definitions
from winnowry.columns.fill import STAGE, ColumnGateFailed, ColumnResult, add_column
from winnowry.columns.live_spec import spec_in
from winnowry.columns.spec import ColumnSpec, Resources, check_where, from_operator, python_column, sql_column
from winnowry.core.errors import MissingPartitionsError, NotFoundError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.request import Request
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.model import Recipe


def column_stages(recipe: Recipe) -> tuple[str, ...]:
    """What the recipe's columns are called where stages are named, in order."""
    return tuple(column.stage for column in recipe.columns or ())


def declared_column(recipe: Recipe, stage: str) -> AddedColumn | None:
    """The column that a stage's name stands for."""
    return next((column for column in recipe.columns or () if column.stage == stage), None)


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


def why_stale(ws: Workspace, recipe: Recipe, column: AddedColumn) -> list[str]:
    """Why a column is to be computed; empty when readers have it as the recipe says.

    Raises:
        UsageError: the column does not fit the table.
    """
    table = ws.lake.table(recipe.corpus, column.table)
    dataset = table.dataset_or_none()
    if dataset is None or not dataset.get_fragments():
        return [f"{column.table} has no rows yet"]
    definition = Definitions(ws, recipe.corpus).get(column.table, column.name)
    missing = [
        name
        for name in (column.operator.reads().names if column.operator is not None else ())
        if name not in dataset.schema.names
    ]
    if missing:  # of a column declared before this one
        return [f"{', '.join(missing)} of {column.table} is not there yet"]
    wanted = specification(ws, recipe, column)
    if definition is None or column.name not in dataset.schema.names:
        return ["not computed yet" if definition is None or definition.state != "failed" else "the last try failed"]
    live = spec_in(table, dataset, definition)
    if live.version == wanted.version:
        return []
    changes = diff_specs(_said(live), _said(wanted))
    return [f"recipe changed: {line}" for line in changes] or ["recipe changed"]


def run_column(request: Request) -> StageResult:
    """Compute one declared column, or find it fresh.

    Raises:
        MissingPartitionsError: its table has no rows yet.
        GateFailed: its gate refused it; the table, and the values it had before, are as they were.
    """
    ws, recipe = request.ws, request.recipe
    column = declared_column(recipe, request.stage)
    assert column is not None, f"{request.stage} is no column of {recipe.corpus}"
    started = time.perf_counter()
    try:
        reasons = why_stale(ws, recipe, column)
        spec = specification(ws, recipe, column)
    except NotFoundError as error:
        raise MissingPartitionsError(
            f"{recipe.corpus}/{column.stage}: there is no table {column.table} yet; run that stage first"
        ) from error
    reason = "; ".join(reasons) or ("forced" if request.force else "unchanged: same definition, every row has it")
    try:
        done = add_column(
            ws,
            recipe.corpus,
            spec,
            suites=request.suites,
            progress=request.progress,
            take_place=True,
        )
    except ColumnGateFailed as refusal:
        raise GateFailed(_rejected(request, spec, refusal, reason, time.perf_counter() - started)) from refusal
    result = _result(request, spec, done, reason)
    request.progress.finish(result)
    return result


def _said(spec: ColumnSpec) -> dict[str, Any]:
    """A specification as it is compared for people."""
    source = spec.source.rpartition("/")[2] if spec.kind == "python" else spec.source
    return {
        "computed by": {"kind": spec.kind, "source": source, "code": spec.code},
        "type": str(spec.field.type),
        "where": spec.where,
        "max_null_fraction": spec.max_null_fraction,
        "on_error": spec.on_error,
    }


def _result(request: Request, spec: ColumnSpec, done: ColumnResult, reason: str) -> StageResult:
    return StageResult(
        corpus=request.corpus,
        stage=request.stage,
        partition=None,
        status="promoted" if done.status == "added" else "skipped",
        reason=reason,
        table=spec.table,
        uri=request.ws.lake.table(request.corpus, spec.table).uri,
        version=done.table_version,
        promotion_id=spec.version,
        rows_in=done.rows,
        rows_out=done.rows,
        seconds=done.seconds,
        gates=done.gates,
        metadata={
            "column": spec.name,
            "type": done.type,
            "rows_without_value": done.null_rows,
            "fragments": done.fragments,
            "fragments_computed": done.fragments_computed,
            "fragments_reused": done.fragments_reused,
            "commits_refused": done.commits_refused,
            "rows_failed": done.rows_failed,
        },
    )


def _rejected(
    request: Request, spec: ColumnSpec, refusal: ColumnGateFailed, reason: str, seconds: float
) -> StageResult:
    rows = request.ws.lake.open(request.corpus, spec.table).count_rows()
    return StageResult(
        corpus=request.corpus,
        stage=request.stage,
        partition=None,
        status="rejected",
        reason=reason,
        table=spec.table,
        uri=request.ws.lake.table(request.corpus, spec.table).uri,
        promotion_id=spec.version,
        rows_in=rows,
        rows_out=rows,
        seconds=seconds,
        gates=refusal.gates,
        metadata={"column": spec.name, "gate": STAGE},
    )
