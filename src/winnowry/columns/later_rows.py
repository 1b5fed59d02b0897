"""Rows written after a column was added get its values before they are visible: no reader sees half a column."""

from __future__ import annotations

from typing import Any

from winnowry.columns.definitions import Definitions
from winnowry.columns.live_spec import spec_in
from winnowry.columns.values import ColumnTask, engine_for, publish_code, run_column_task
from winnowry.core.errors import PromotionConflictError
from winnowry.engine.base import Engine
from winnowry.lakehouse.columns import attach_files, column_versions, dataset_of
from winnowry.lakehouse.table import Table
from winnowry.lakehouse.workspace import Workspace


def complete_fragments(
    ws: Workspace, corpus: str, table: Table, fragments: list[dict[str, Any]], engine: Engine | None = None
) -> int:
    """Give fragments that are written and not committed the columns that were added to their table.

    Args:
        ws: the lake.
        corpus: the corpus.
        table: the table they will belong to.
        fragments: metadata as JSON; changed in place.
        engine: what computes them where there are rows enough; None: the one that the environment names.

    Returns:
        The version of the table that was looked at: a column that lands later is not in the fragments.

    Raises:
        DataError, UsageError: a column cannot be computed for these rows; the message names it.
    """
    dataset = table.dataset()
    version = int(dataset.version)
    if not fragments:
        return version
    present = set(dataset.schema.names)
    added = [definition for definition in Definitions(ws, corpus).of(table.name) if definition.spec.name in present]
    for definition in sorted(added, key=lambda definition: definition.created_at):  # one may read another
        assert definition.template is not None, f"{definition.spec.name} is in the table, so its commit was planned"
        staged = dataset_of(table, fragments)
        spec = spec_in(table, dataset, definition)
        code = publish_code(ws.store, spec)
        tasks = [ColumnTask(table, int(staged.version), f.fragment_id, spec, code) for f in staged.get_fragments()]
        files = list(engine_for(spec, staged.get_fragments(), engine).map(run_column_task, tasks))
        attach_files(fragments, definition.template, files)
    return version


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
