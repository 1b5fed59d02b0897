"""Records that the landing no longer holds, for ``explain``: when they went, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from winnowry.core.errors import NotFoundError
from winnowry.core.ids import record_id as make_record_id
from winnowry.core.sql import in_list, literal
from winnowry.lakehouse.record import PromotionRecord
from winnowry.promotion.partitions import WITHDRAWN
from winnowry.stages.graph import ARRIVED
from winnowry.stages.raw import ROWS_WITHDRAWN

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace

_SEARCHED = 200  # promotions that took records out, newest first
_COLUMNS = ["record_id", "partition", "source", "uri", "position", "event_time", "license", "promotion_id"]


@dataclass(frozen=True)
class Withdrawal:
    """A record that left.

    Attributes:
        record_id: its id.
        row: its row of ``raw``, without its text.
        version: the version of ``raw`` that still has it.
        taken_out_by: the promotion after which it was gone.
        outcome: what happened, in words.
    """

    record_id: str
    row: dict[str, Any]
    version: int
    taken_out_by: PromotionRecord
    outcome: str

    @property
    def at(self) -> datetime | None:
        """When it left."""
        moment = self.taken_out_by.promoted_at
        return None if moment is None else datetime.fromtimestamp(moment, UTC)


def withdrawals_of(ws: Workspace, corpus: str, wanted: str) -> list[Withdrawal]:
    """Records that are gone and that ``wanted`` may mean: an id, the first characters of one, or the source's own.

    Looked up in the versions of ``raw`` before promotions that took records out, as far as upkeep has left them.
    """
    promotions = [
        record
        for record in ws.lake.records(corpus).all()
        if record.stage == ARRIVED and record.state == "promoted" and record.promoted_version is not None
    ]
    took_out = [record for record in promotions if record.facts.get(WITHDRAWN) or record.facts.get(ROWS_WITHDRAWN)]
    took_out.sort(key=lambda record: record.promoted_version or 0, reverse=True)
    sources = {source["name"] for record in promotions for source in record.lineage.get("spec", {}).get("sources", ())}
    ids = [wanted, *(make_record_id(source, mapped_id=wanted) for source in sorted(sources))]
    where = in_list("record_id", ids)
    if 8 <= len(wanted) < len(ids[-1]):
        where += f" OR (record_id >= {literal(wanted)} AND record_id < {literal(wanted + 'g')})"
    withdrawals: dict[str, Withdrawal] = {}
    for record in took_out[:_SEARCHED]:
        for row, version in _rows_before(ws, corpus, record, where):
            outcome = _why(ws, corpus, record, row)
            withdrawals.setdefault(row["record_id"], Withdrawal(row["record_id"], row, version, record, outcome))
        if withdrawals:
            break
    return list(withdrawals.values())


def _rows_before(
    ws: Workspace, corpus: str, record: PromotionRecord, where: str
) -> Iterator[tuple[dict[str, Any], int]]:
    """Rows of the record's partition in the version of ``raw`` before it, and that version."""
    version = (record.promoted_version or 1) - 1
    try:
        view = ws.lake.open(corpus, ARRIVED, version)
        rows = view.to_table(columns=_COLUMNS, where=where, limit=5).to_pylist()
    except NotFoundError:  # upkeep has removed it
        return
    yield from ((row, version) for row in rows if row["partition"] == record.partition)


def _why(ws: Workspace, corpus: str, record: PromotionRecord, row: dict[str, Any]) -> str:
    landing = ws.lake.open(corpus, "landing")
    stored = sorted({ws.relative(row["uri"]), ws.store.resolve(row["uri"])})
    listed = landing.count_rows(f"{in_list('uri', stored)} AND source = {literal(row['source'])}") > 0
    place = f"{row['uri']}:{row['position']}"
    if WITHDRAWN in record.facts:
        return f"retracted: no landing object holds partition {record.partition} any more; it was read from {place}"
    if listed:
        return f"gone: its object was changed and does not hold it any more; it was read from {place}"
    return f"gone: the landing no longer lists its object; it was read from {place}"
