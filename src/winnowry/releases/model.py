"""What a release is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        name: its numbered tag, e.g. ``v3``.
        version: version of ``published`` that it is.
        tags: other tags on that version, e.g. ``prod``.
        rows: records.
        tokens: their tokens.
        rows_added: compared with the release before.
        missing_partitions: partitions that were left out under ``--allow-missing``.
    """

    corpus: str
    name: str
    version: int
    tags: tuple[str, ...]
    rows: int
    tokens: int | None
    created_at: datetime | None = None
    promotion_id: str | None = None
    run_id: str | None = None
    data_hash: str | None = None
    rows_added: int | None = None
    rows_removed: int | None = None
    missing_partitions: tuple[str, ...] = ()
