"""What the lake remembers of a live promotion: its data version, its row count and the verdicts it passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winnowry.core.errors import NotFoundError
from winnowry.lakehouse.record import WHOLE_TABLE

if TYPE_CHECKING:
    from winnowry.gates.result import GateResult
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult


def data_version_of(ws: Workspace, result: StageResult) -> str:
    """Data version of what is live for a result's stage and partition; equal versions mean equal rows."""
    from winnowry.core.jsonable import digest

    partition = result.partition if result.partition is not None else WHOLE_TABLE
    record = ws.lake.live_record(result.corpus, result.stage, partition)
    if record is None:
        return result.promotion_id or "none"
    # A corpus-wide stage may version its output partition by partition.
    return record.outputs.get(partition) or digest(record.outputs)


def table_rows(ws: Workspace, result: StageResult) -> int | None:
    """Rows of the whole table as readers see it, or None for a stage without a table."""
    if result.table is None:
        return None
    return ws.lake.open(result.corpus, result.table).count_rows()


def verdicts_of(ws: Workspace, corpus: str, promotion_id: str) -> list[GateResult]:
    """Gate results recorded for a promotion; what checks show of a stage that was fresh and did not run."""
    from winnowry.core.sql import literal
    from winnowry.gates.history import gate_results

    try:
        gates = ws.lake.open(corpus, "gates")
    except NotFoundError:
        return []
    return gate_results(gates.to_table(where=f"promotion_id = {literal(promotion_id)}"))
