"""The tables as they were when a release was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING

from winnowry.core.errors import NotFoundError
from winnowry.core.tables import SHARED_TABLES
from winnowry.reading.session import Tables
from winnowry.stages.graph import PUBLISHED, record_tables

if TYPE_CHECKING:
    from winnowry.lakehouse.record import PromotionRecord
    from winnowry.lakehouse.view import TableView
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.model import Release


@dataclass(frozen=True, kw_only=True)
class ReleaseTables(Tables):
    """Views of the tables that led to a release.

    Attributes:
        release: the release.
        changed_since: tables that changed since and whose version of then is gone: read as they are now.
    """

    ws: Workspace
    corpus: str
    release: Release
    changed_since: tuple[str, ...] = field(default=())


def tables_of(ws: Workspace, corpus: str, release: Release) -> ReleaseTables:
    """Open every table at the version that the release was made from.

    Args:
        ws: the lake.
        corpus: the corpus.
        release: the release.
    """
    promoted = [record for record in ws.lake.records(corpus).all() if record.state == "promoted"]
    # From the record, not from the release: its date is rounded to microseconds.
    own = next((record for record in promoted if record.id == release.promotion_id), None)
    until = own.promoted_at if own is not None and own.promoted_at is not None else float("inf")
    records: dict[tuple[str, str], PromotionRecord] = {}
    later: set[str] = set()
    for record in sorted(promoted, key=lambda record: record.promoted_at or 0.0):
        if (record.promoted_at or 0.0) <= until:
            records[record.stage, record.partition] = record
        else:
            later.add(record.stage)
    if later:
        later.add("quarantine")
    views: dict[str, TableView] = {}
    changed_since = []
    present = ws.lake.tables(corpus)
    for name in (*record_tables(), *SHARED_TABLES):
        if name not in present:
            continue
        if name == PUBLISHED:
            views[name] = ws.lake.open(corpus, name, release.version)
            continue
        version = _version_at(ws, corpus, name, until) if name in later else None
        if name in later and version is None:
            changed_since.append(name)
        try:
            views[name] = ws.lake.open(corpus, name, version)
        except (NotFoundError, ValueError, OSError):
            changed_since.append(name)
            views[name] = ws.lake.open(corpus, name)
    older = bool(later) and "quarantine" not in changed_since
    return ReleaseTables(
        ws=ws,
        corpus=corpus,
        release=release,
        views=views,
        records=records,
        older=older,
        changed_since=tuple(changed_since),
    )


def _version_at(ws: Workspace, corpus: str, name: str, until: float) -> int | None:
    versions = [
        int(entry["version"])
        for entry in ws.lake.table(corpus, name).versions()
        if entry["timestamp"].astimezone(UTC).timestamp() <= until
    ]
    return max(versions, default=None)
