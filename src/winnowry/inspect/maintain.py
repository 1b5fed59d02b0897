"""Upkeep of every table of the corpora below a root."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from winnowry.columns.definitions import Definitions
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.core.progress import NoProgress, Progress
from winnowry.inspect.retention import remove_data_docs
from winnowry.lakehouse.at_work import at_work
from winnowry.lakehouse.maintenance import Together, Upkeep, maintain_table
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.sweep import refuse_if_clocks_disagree
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.units import remove_leftovers
from winnowry.releases.tags import CONTENT_VERSION
from winnowry.stages.graph import ARRIVED, PUBLISHED
from winnowry.storage.probe import store_time

_TOGETHER: Mapping[str, Together] = {"published": "partition", "gates": "table", "judgements": "table"}
LEAST_DAYS = 1
"""A shorter retention could take versions from a run that is still at work."""


@dataclass(frozen=True)
class Maintenance:
    """Upkeep of one corpus.

    Attributes:
        dry_run: nothing was changed.
        tables: what was done, or would be, by table.
        units_removed: finished units of work of attempts that nobody went on with, removed or to be removed.
        unit_bytes_removed: bytes of these.
        docs_removed: pages of Data Docs out of their retention, removed or to be removed.
        doc_bytes_removed: bytes of these.
    """

    corpus: str
    dry_run: bool
    keep_days: float
    tables: tuple[Upkeep, ...]
    units_removed: int
    unit_bytes_removed: int
    docs_removed: int
    doc_bytes_removed: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The upkeep as JSON-serialisable data."""
        return asdict(self)


def maintain(
    ws: Workspace,
    corpora: Sequence[str] = (),
    *,
    keep_days: float = 7.0,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> list[Maintenance]:
    """Merge small fragments, bring indexes up to date, remove what is out of its retention.

    Args:
        ws: the lake.
        corpora: only these; all when empty.
        keep_days: versions and unfinished work younger than this stay, and tagged versions always; Data Docs stay for
            30 days, or for this time where it is longer.
        dry_run: only say what would be done.
        progress: told about tables.

    Raises:
        NotFoundError: no such corpus.
        StorageError: the store's clock and its files disagree; nothing was changed.
        UsageError: a retention of less than a day.
    """
    if keep_days < LEAST_DAYS:
        raise UsageError(
            f"keep {keep_days:g} days: at least {LEAST_DAYS}, or a run that is at work could lose its base"
        )
    for corpus in corpora:
        ws.lake.check_corpus(corpus)
    reporter = progress if progress is not None else NoProgress()
    chosen = list(corpora or ws.lake.corpora())
    now = store_time(ws.store)
    for corpus in chosen:  # before anything is changed in any of them
        refuse_if_clocks_disagree(ws.store.list(f"{ws.lake.corpus_uri(corpus)}/*.lance/**"), now)
    done = []
    for corpus in chosen:
        with nullcontext() if dry_run else at_work(ws, corpus, "winnowry maintain"):
            done.append(_maintain(ws, corpus, keep_days, now, dry_run, reporter))
    return done


def _seal(ws: Workspace, corpus: str, table: str, names: Sequence[str]) -> None:
    ws.lake.seals(corpus).seal(table, "fragments merged by upkeep", [f"{table}.lance/data/{name}" for name in names])


def _without_number(ws: Workspace, corpus: str, records: Sequence[PromotionRecord], table: str) -> set[int]:
    """Versions of a table that releases need which were promoted and have not got their number yet.

    The number goes to the newest version with the same rows, which is told by what made the versions between. Of
    ``raw`` they are those that hold the files of such releases.
    """
    if table not in (PUBLISHED, ARRIVED):
        return set()
    tags = ws.lake.tags(corpus)
    versions: set[int] = set()
    for record in records:
        made = record.promoted_version
        if record.stage == "published" and record.state == "promoted" and made is not None:
            if f"v{record.facts.get('release')}" in tags:
                continue
            if table == ARRIVED:
                versions.update([record.facts[CONTENT_VERSION]] if CONTENT_VERSION in record.facts else [])
                continue
            try:
                versions.update(range(made, ws.lake.same_rows(corpus, "published", made) + 1))
            except NotFoundError:
                continue  # the table has lost it
    return versions


def _maintain(
    ws: Workspace, corpus: str, keep_days: float, now: datetime, dry_run: bool, progress: Progress
) -> Maintenance:
    started = time.perf_counter()
    tables = ws.lake.tables(corpus)
    records = list(ws.lake.records(corpus).all())
    live = [record for record in records if record.state in ("staged", "committing")]
    definitions = Definitions(ws, corpus)
    done = []
    progress.start(f"maintain {corpus}", None, len(tables))
    for name in tables:
        columns = definitions.of(name)
        specs = [column.spec for column in columns if column.state != "live"]
        specs += [column.next for column in columns if column.next is not None]
        files = {file.path for spec in specs for file in definitions.files(spec).values()}
        filling = [c.spec.name for c in columns if c.state == "filling" or c.next is not None]
        busy = f"column {', '.join(filling)} is being computed" if filling else None
        upkeep = maintain_table(
            ws.lake.table(corpus, name),
            ws.store,
            live=live,
            kept_files=files,
            busy=busy,
            keep=timedelta(days=keep_days),
            together=_TOGETHER.get(name, "promotion"),
            dry_run=dry_run,
            seal=partial(_seal, ws, corpus, name),
            kept_versions=_without_number(ws, corpus, records, name),
            ended=records,
            now=now,
        )
        done.append(upkeep)
        if not dry_run:
            ws.lake.seals(corpus).seal_indexes(ws.lake.table(corpus, name), "index brought up to date by upkeep")
            ws.lake.seals(corpus).remove_spent(name, now - timedelta(days=keep_days))
        progress.advance(1)
    before = now - timedelta(days=keep_days)
    n_units, unit_bytes = remove_leftovers(ws.store, ws.lake.corpus_uri(corpus), before, dry_run=dry_run)
    docs = remove_data_docs(ws, corpus, now=now, keep_days=keep_days, dry_run=dry_run)
    seconds = time.perf_counter() - started
    return Maintenance(corpus, dry_run, keep_days, tuple(done), n_units, unit_bytes, *docs, seconds)
