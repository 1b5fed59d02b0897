"""Rollouts as ``cleaned`` holds them, promoted without sources, gates or suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.cleaned_lake import CORPUS, _candidate, _promote
from winnowry.core.tables import CLEANED, with_operator_columns
from winnowry.lakehouse.record import new_promotion_id
from winnowry.lakehouse.workspace import Workspace
from winnowry.records.rollouts import ROLLOUT

__all__ = ["CORPUS", "lake_of", "promote_rollouts"]

_SCHEMA = with_operator_columns(CLEANED, list(ROLLOUT))


def lake_of(root: Path, n: int) -> Workspace:
    """A lake of n rollouts, ROLLOUT-01 and so on."""
    ws = Workspace.open(str(root))
    names = [f"ROLLOUT-{number:02}" for number in range(1, n + 1)]
    promote_rollouts(ws, {name: f"{name} says hello." for name in names})
    return ws


def promote_rollouts(ws: Workspace, rollouts: Mapping[str, str | Mapping[str, Any] | None]) -> None:
    """Promote answers by id, or rows with more columns; they take the place of those before."""
    promotion = new_promotion_id()
    rows: Sequence[Mapping[str, Any]] = [
        {"record_id": name, "partition": "all", "source": "s", "promotion_id": promotion}
        | (dict(row) if isinstance(row, Mapping) else {"text": row})
        for name, row in rollouts.items()
    ]
    batch = pa.RecordBatch.from_pylist(list(rows), _SCHEMA)
    main = _candidate(ws, "cleaned", _SCHEMA, [batch], "all")
    _promote(ws, "cleaned", "all", promotion, main, [], {"spec": {}})
