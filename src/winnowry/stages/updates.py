"""One record an id: which of several records of one id stays, whatever partitions they lie in.

A later event time is an update, the same text again is a repetition, and anything else is two records that a source
calls by one name. The rule depends on the records alone, not on the order in which partitions are run. So a partition
that holds what another one's record replaces is made again: a *claim* beside the tables says so, until it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from winnowry.core.jsonable import canonical_json
from winnowry.core.sql import in_lists
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.media.views import SPAN
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.model import OnUpdate, Recipe
from winnowry.stages.freshness import why_stale
from winnowry.stages.graph import ARRIVED, stage_named

IDS_AT_ONCE = 2000
"""Ids in one look-up."""

Rule = Literal["superseded", "duplicate_record_id", "conflicting_id"]
SUPERSEDED: Rule = "superseded"
REPEATED: Rule = "duplicate_record_id"
CONFLICTING: Rule = "conflicting_id"

HELD_ELSEWHERE = "held_elsewhere"
"""Fact of a promotion of ``raw``: how many of its records gave way to one of another partition."""

ANSWERED = "answered_claims"
"""Lineage of a promotion of ``raw``: promotions whose claims it has answered."""

_COLUMNS = ["record_id", "partition", "source", "event_time", "content_sha256", "uri", "position"]
_TEXT = "text"
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Version(NamedTuple):
    """One of the records that have an id.

    Attributes:
        content: SHA-256 of its text or bytes; of bytes with a text or a span beside them, of all that.
    """

    event_time: datetime | None
    content: bytes
    uri: str
    position: int

    @property
    def place(self) -> tuple[str, int]:
        """Where it lies."""
        return self.uri, self.position

    @property
    def label(self) -> str:
        """Its place and its event time, for people and to know it again."""
        time = self.event_time.isoformat() if self.event_time is not None else "no event time"
        return f"{self.uri}:{self.position} ({time})"


class Decision(NamedTuple):
    """Which of two records stays; of a conflict none is better."""

    first_stays: bool
    rule: Rule


def decide(first: Version, second: Version, on_update: OnUpdate | None) -> Decision:
    """Which of two records of one id stays.

    Args:
        first: a record.
        second: another one.
        on_update: what the recipe says; None: later event times win, and what differs at the same time is a conflict.

    >>> from datetime import timedelta
    >>> old = Version(datetime(2024, 1, 1, tzinfo=UTC), b"a", "a.jsonl", 0)
    >>> new = Version(datetime(2024, 2, 1, tzinfo=UTC), b"b", "b.jsonl", 0)
    >>> decide(old, new, None), decide(old, new, "keep_first")
    (Decision(first_stays=False, rule='superseded'), Decision(first_stays=True, rule='superseded'))
    >>> decide(old, old._replace(content=b"b", uri="b.jsonl"), None).rule
    'conflicting_id'
    """
    if first.content == second.content and first.event_time == second.event_time:
        return Decision(first.place <= second.place, REPEATED)
    order = _order(first) < _order(second)
    if on_update is not None:
        return Decision(order == (on_update == "keep_first"), SUPERSEDED)
    if first.event_time is not None and second.event_time is not None and first.event_time != second.event_time:
        return Decision(first.event_time > second.event_time, SUPERSEDED)
    if first.content == second.content:
        return Decision(first.place <= second.place, REPEATED)
    return Decision(True, CONFLICTING)


def _order(version: Version) -> tuple[datetime, str, int]:
    return (version.event_time or _EARLIEST, *version.place)


class Elsewhere:
    """Records of other partitions that stand: neither gone from the landing nor about to be made again.

    Args:
        ws: the lake.
        recipe: the recipe.
        partition: the partition that asks.
    """

    def __init__(self, ws: Workspace, recipe: Recipe, partition: str) -> None:
        self._ws, self._recipe, self._partition = ws, recipe, partition
        self._raw = ws.lake.open(recipe.corpus, ARRIVED)
        self._empty = self._raw.count_rows() == 0
        self._stands: dict[str, bool] = {partition: False}
        self._present: set[str] | None = None

    def versions(self, ids: Sequence[str]) -> Iterator[tuple[str, str, Version]]:
        """Id, partition and record, for each of the ids that another partition has (looked up through the BTREE)."""
        for some_ids in () if self._empty else in_lists("record_id", ids, IDS_AT_ONCE):
            for batch in self._raw.scan(columns=_columns(self._raw), where=some_ids):
                for row in batch.to_pylist():
                    if self.stands(row["partition"]):
                        yield row["record_id"], row["partition"], version_of(row)

    def stands(self, partition: str) -> bool:
        """Whether what another partition holds is what the landing says now."""
        if partition not in self._stands:
            if self._present is None:
                self._present = set(partitions_of(self._ws, self._recipe))
            self._stands[partition] = partition in self._present and not why_stale(
                self._ws, self._recipe, stage_named(ARRIVED), partition
            )
        return self._stands[partition]


def version_of(row: dict[str, object]) -> Version:
    """The record of a row of ``raw``."""
    time, position = row["event_time"], row["position"]
    assert time is None or isinstance(time, datetime)
    assert isinstance(position, int)
    content, text, span = bytes.fromhex(str(row["content_sha256"])), row.get(_TEXT), row.get(SPAN)
    for beside in (text, None if span is None else canonical_json(span)):
        if beside is not None:
            content = hashlib.sha256(content + str(beside).encode("utf-8", "surrogatepass")).digest()
    return Version(time, content, str(row["uri"]), position)


def _columns(raw: TableView) -> list[str]:
    """Columns of a version: of records that have a text or a span beside their bytes with that."""
    return [*_COLUMNS, *(name for name in (_TEXT, SPAN) if name in raw.schema.names)]


def stored_versions(ws: Workspace, record: PromotionRecord) -> Iterator[tuple[str, str, Version]]:
    """Id, source and record of every row of a candidate of ``raw``."""
    assert record.main is not None
    view = ws.lake.candidate_view(record.corpus, ARRIVED, record.main.audit_version, record.partition)
    for batch in view.scan(columns=_columns(view), batch_rows=IDS_AT_ONCE):
        for row in batch.to_pylist():
            yield row["record_id"], row["source"], version_of(row)


# ------------------------------------------------------------------------------------------------------- claims


class Claim(NamedTuple):
    """Says that a partition holds records which those of another one replace.

    Attributes:
        partition: the other one.
        promotion_id: the promotion that brought them; until it is live the claim means nothing.
    """

    partition: str
    promotion_id: str


def claim(ws: Workspace, corpus: str, partitions: Iterable[str], by: Claim) -> None:
    """Say that partitions have to be made again once a promotion is live."""
    for partition in partitions:
        ws.store.write(f"{_folder(ws, corpus, partition)}/{quote(by.partition, safe='')}/{by.promotion_id}.claim", b"")


def claims_on(ws: Workspace, corpus: str, partition: str) -> list[Claim]:
    """Claims on a partition, whether their promotions landed or not."""
    parts = [info.uri.rsplit("/", 2) for info in ws.store.list(f"{_folder(ws, corpus, partition)}/*/*.claim")]
    return [Claim(unquote(folder), name.removesuffix(".claim")) for _, folder, name in parts]


def drop_claims(ws: Workspace, corpus: str, partition: str, promotions: Iterable[str]) -> None:
    """Remove claims that the live promotion of a partition has answered."""
    answered = set(promotions)
    for made in claims_on(ws, corpus, partition):
        if made.promotion_id in answered:
            folder = f"{_folder(ws, corpus, partition)}/{quote(made.partition, safe='')}"
            ws.store.delete(f"{folder}/{made.promotion_id}.claim")


def _folder(ws: Workspace, corpus: str, partition: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/claims/{quote(partition, safe='')}"


def outdated(ws: Workspace, recipe: Recipe, record: PromotionRecord) -> list[str]:
    """Why a partition of ``raw`` has to be made again for what other partitions hold now."""
    corpus, reasons = recipe.corpus, []
    answered = set(record.lineage.get(ANSWERED, ()))
    promoter = ws.lake.promoter(corpus)
    claimants = {
        made.partition
        for made in claims_on(ws, corpus, record.partition)
        if made.promotion_id not in answered and promoter.live(ARRIVED, ARRIVED, made.partition) == made.promotion_id
    }
    if claimants:
        reasons.append(f"records were superseded by those of {', '.join(sorted(claimants)[:5])}")
    if record.facts.get(HELD_ELSEWHERE) and not _still_superseded(ws, recipe, record.partition):
        reasons.append("records that superseded some of this partition are gone")
    return reasons


def _still_superseded(ws: Workspace, recipe: Recipe, partition: str) -> bool:
    """Whether every record that gave way to another one still has it."""
    present = set(partitions_of(ws, recipe))
    raw = ws.lake.open(recipe.corpus, ARRIVED)
    rejected = ws.lake.partition_view(recipe.corpus, "quarantine", partition, ARRIVED)
    winners: dict[str, set[str]] = {}
    where = f"reason IN ('{SUPERSEDED}', '{REPEATED}')"
    for batch in rejected.scan(columns=["value", "threshold"], where=where):
        for value, winner in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            winners.setdefault(value, set()).add(winner)
    standing = {
        row["record_id"]
        for some_ids in in_lists("record_id", list(winners), IDS_AT_ONCE)
        for rows in raw.scan(columns=_columns(raw), where=some_ids)
        for row in rows.to_pylist()
        if row["partition"] == partition
        or (row["partition"] in present and elsewhere(row["partition"], version_of(row)) in winners[row["record_id"]])
    }
    return winners.keys() <= standing


def elsewhere(partition: str, version: Version) -> str:
    """What the quarantine says of a record of another partition that stays instead."""
    return f"{partition}: {version.label}"
