"""What became of a record in candidates that a gate refused: their rows are kept until a newer candidate comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from winnowry.core.sql import literal
from winnowry.inspect.sentences import rejected
from winnowry.promotion.refusal import gates_of

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace

QUARANTINE = "quarantine"
_SHOWN = 3  # verdicts that are named


@dataclass(frozen=True)
class InRefused:
    """A record in a refused candidate.

    Attributes:
        record: the candidate.
        table: ``quarantine`` or the stage's table.
        version: the detached version that shows the row.
        row: the row.
        outcome: one sentence.
    """

    record: PromotionRecord
    table: str
    version: int
    row: dict[str, Any]
    outcome: str


def ids_in_refused(ws: Workspace, corpus: str, where: str, limit: int = 5) -> list[str]:
    """Ids of records of refused candidates for which a Lance filter holds, where it names columns of the table."""
    ids: list[str] = []
    for _, _, view in _views(ws, corpus):
        if "position" in where and "position" not in view.schema.names:
            continue
        ids += map(str, view.to_table(columns=["record_id"], where=where, limit=limit)["record_id"].to_pylist())
    return sorted(set(ids))


def in_refused(ws: Workspace, corpus: str, record_id: str) -> list[InRefused]:
    """A record's rows in refused candidates, oldest candidate first."""
    rows = []
    for record, table, view in _views(ws, corpus):
        for row in view.to_table(where=f"record_id = {literal(record_id)}").to_pylist():
            fate = rejected(row) if table == QUARANTINE else "kept"
            outcome = f"{fate}, in a candidate that its gate refused: {why_refused(ws, corpus, record)}"
            rows.append(InRefused(record, table, view.version, row, outcome))
    return rows


def why_refused(ws: Workspace, corpus: str, record: PromotionRecord) -> str:
    """What the gate of a refused candidate saw, beside what it asked for."""
    blocking = [f"{gate.expectation}: {gate.message}" for gate in gates_of(ws, corpus, record) if gate.blocks]
    rest = len(blocking) - _SHOWN
    return "; ".join(blocking[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "") or "it did not fit what had landed"


def _views(ws: Workspace, corpus: str) -> Iterator[tuple[PromotionRecord, str, TableView]]:
    """Tables of refused candidates that tell records by id and are there still."""
    for record in ws.lake.refused(corpus):
        for candidate in record.tables():
            view = ws.lake.refused_view(corpus, record, candidate.table)
            if view is not None and "record_id" in view.schema.names:
                yield record, candidate.table, view
