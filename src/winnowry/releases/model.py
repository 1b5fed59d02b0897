"""What a release is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        name: its numbered tag, e.g. ``v3``.
        version: version of ``published`` that it is.
        tags: other tags on that version, e.g. ``prod``.
        rows: records.
        tokens: their tokens; None where they are no texts.
        rows_added: compared with the release before.
        missing_partitions: partitions of which no record is in it, under ``--allow-missing``.
        stale_partitions: partitions whose records are those of an earlier promotion, under ``--allow-missing``: each
            with its ``stage``, ``promotion``, ``since`` when and ``why``.
        left_out_partitions: partitions that the recipe leaves out: each with ``by`` whom, and the ``reason``.
        size: their size, where they are no texts.
        unit: what the size is counted in, e.g. ``pixels``.
        erased: what was erased from it since it was published: for each erasure ``rows``, ``at`` when, and where the
            ``certificate`` lies below the root.
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
    size: int | None = None
    unit: str | None = None
    stale_partitions: tuple[dict[str, Any], ...] | None = None
    left_out_partitions: tuple[dict[str, Any], ...] | None = None
    erased: tuple[dict[str, Any], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The release as data; ``size`` and ``unit`` only where its records are no texts, gaps where there are some."""
        return {name: value for name, value in asdict(self).items() if value is not None or name not in _LATER}


_LATER = frozenset({"size", "unit", "stale_partitions", "left_out_partitions", "erased"})
