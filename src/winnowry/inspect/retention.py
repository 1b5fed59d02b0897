"""What lies beside the tables and is kept for a stated time: pages of Data Docs.

The verdicts themselves are rows of ``gates`` and stay. Pages of a refusal that stands, and of a release, are what
people are sent to: they stay as long as what they are about.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

from winnowry.lakehouse.workspace import Workspace
from winnowry.stages.graph import PUBLISHED
from winnowry.storage.objects import ObjectInfo

KEEP_PAGES_DAYS = 30.0
"""Days that Data Docs and the history of runs are kept; longer where the retention of the tables is longer."""


class Removed(NamedTuple):
    """Objects that were removed, or would be, and their bytes."""

    objects: int
    bytes: int


def remove_data_docs(ws: Workspace, corpus: str, *, now: datetime, keep_days: float, dry_run: bool = False) -> Removed:
    """Remove Data Docs that are older than the retention; those of standing refusals and of releases stay.

    Args:
        ws: the lake.
        corpus: the corpus.
        now: what the store's clock says.
        keep_days: retention in days; never less than :data:`KEEP_PAGES_DAYS`.
        dry_run: only count them.
    """
    before = now - timedelta(days=max(keep_days, KEEP_PAGES_DAYS))
    base = f"{ws.lake.corpus_uri(corpus)}/data_docs/"
    by_promotion: dict[tuple[str, str], list[ObjectInfo]] = defaultdict(list)
    for info in ws.store.list(f"{base}**"):
        stage, _, rest = info.uri.removeprefix(base).partition("/")
        by_promotion[stage, rest.partition("/")[0]].append(info)
    refused = {record.id for record in ws.lake.refused(corpus)} if by_promotion else set()
    old = [
        info
        for (stage, promotion), pages in by_promotion.items()
        if stage != PUBLISHED and promotion not in refused and all(page.modified_at < before for page in pages)
        for info in pages
    ]
    if not dry_run:
        for info in old:
            ws.store.delete(info.uri)
    return Removed(len(old), sum(info.size for info in old))
