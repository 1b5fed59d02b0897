"""Rows written after a column was added get its values before they are visible: no reader sees half a column."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from winnowry.columns.definitions import Definitions
from winnowry.columns.fill import candidate_facts
from winnowry.columns.live_spec import spec_in
from winnowry.columns.spec import ColumnSpec
from winnowry.columns.values import ColumnTask, engine_for, publish_code, run_column_task
from winnowry.core.errors import ContractError, PromotionConflictError
from winnowry.engine.base import Engine
from winnowry.gates.checkpoint import run_checkpoint
from winnowry.gates.result import GateResult
from winnowry.gates.suite import Suite
from winnowry.lakehouse.columns import attach_files, column_versions, dataset_of
from winnowry.lakehouse.table import Table
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.wider import widened
from winnowry.lakehouse.workspace import Workspace


@dataclass(frozen=True)
class Completed:
    """What was done for added columns.

    Attributes:
        version: of the table that was looked at: a column that lands later is not in the fragments.
        columns: those that the fragments were given.
    """

    version: int
    columns: tuple[ColumnSpec, ...] = ()


def complete_fragments(
    ws: Workspace,
    corpus: str,
    table: Table,
    written_for: Any,
    own: Container[str],
    fragments: list[dict[str, Any]],
    engine: Engine | None = None,
) -> Completed:
    """Give fragments that are written and not committed the columns that were added to their table.

    Args:
        ws: the lake.
        corpus: the corpus.
        table: the table they will belong to.
        written_for: the version of it that they were written for, which may have columns that the table is to get.
        own: columns that the rows have of themselves.
        fragments: metadata as JSON; changed in place.
        engine: what computes them where there are rows enough; None: the one that the environment names.

    Returns:
        The version of the table that was looked at, and its added columns.

    Raises:
        ContractError: the rows bring a column of their own that has the name of an added one.
        DataError, UsageError: a column cannot be computed for these rows; the message names it.
    """
    dataset = table.dataset()
    version = int(dataset.version)
    if not fragments:
        return Completed(version)
    specs = []
    present = set(dataset.schema.names)
    added = [definition for definition in Definitions(ws, corpus).of(table.name) if definition.spec.name in present]
    for definition in sorted(added, key=lambda definition: definition.created_at):  # one may read another
        if definition.spec.name in own:
            raise ContractError(
                f"{table.uri}: the recipe writes column {definition.spec.name}, which was added to the table with "
                f"`winnowry column add`: write it under another name, or drop the added one (`winnowry column drop "
                f"{corpus} {definition.spec.name} --table {table.name}`)",
                table=table.name,
            )
        assert definition.template is not None, f"{definition.spec.name} is in the table, so its commit was planned"
        staged = dataset_of(widened(table, table.dataset(), written_for.schema), fragments)
        spec = spec_in(table, dataset, definition)
        code = publish_code(ws.store, spec)
        tasks = [ColumnTask(table, int(staged.version), f.fragment_id, spec, code) for f in staged.get_fragments()]
        files = list(engine_for(spec, staged.get_fragments(), engine).map(run_column_task, tasks))
        attach_files(fragments, definition.template, files)
        specs.append(spec)
    return Completed(version, tuple(specs))


def judge_columns(
    view: TableView, specs: Sequence[ColumnSpec], suites: Callable[[str, Any, pa.Schema], list[Suite]], name: str
) -> tuple[GateResult, ...]:
    """Ask the gates of added columns about rows that came later.

    Args:
        view: the rows, with the columns.
        specs: the columns.
        suites: gives the suites of stage ``column``.
        name: what is judged, for the checkpoint.
    """
    results: list[GateResult] = []
    for spec in specs:
        facts = candidate_facts(view, view, spec)
        outcome = run_checkpoint(
            view, suites("column", spec, view.schema), facts=facts, name=f"{name}.{spec.name}", docs=None
        )
        results += [replace(result, message=f"column {spec.name}: {result.message}") for result in outcome.results]
    return tuple(results)


def refuse_if_columns_landed(table: Table, since: int, until: int) -> None:
    """Refuse fragments that were completed before a column landed.

    Raises:
        PromotionConflictError: run again, and the rows get the column too.
    """
    for _, column in column_versions(table, table.dataset(until), since):
        raise PromotionConflictError(
            f"{table.uri}: a column ({column}) was added while rows were being written. Nothing was changed; run the "
            "stage again, so that they get it too.",
            table=table.name,
        )
