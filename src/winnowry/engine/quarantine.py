"""Rejected rows as rows of the ``quarantine`` table."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
import pyarrow as pa

from winnowry.core.tables import QUARANTINE
from winnowry.engine.chain import Reason

_NOT_COLUMNS = frozenset({"record_id", "partition", "text", "payload", "source", "license", "event_time", "meta",
                          "media_type", "uri", "position", "parent_ids", "promotion_id"})  # fmt: skip


def quarantine_rows(
    batch: pa.RecordBatch, reasons: Sequence[Sequence[Reason]], stage: str, not_measured: Set[str] = frozenset()
) -> pa.RecordBatch:
    """Rows set aside by a chain of operators.

    Args:
        batch: the rejected rows with the columns computed before they were set aside.
        reasons: every failing rule of each row, in chain order.
        stage: stage that rejected them.
        not_measured: columns that the records came with.
    """
    names = batch.schema.names
    computed = [name for name in names if name not in _NOT_COLUMNS and name not in not_measured]
    measured = batch.select(computed).to_pylist()
    where: Mapping[str, Any] = {
        name: batch.column(name).to_pylist() if name in names else [None] * batch.num_rows
        for name in ("record_id", "partition", "uri", "position", "parent_ids")
    }
    rows = [
        {
            "record_id": where["record_id"][row],
            "partition": where["partition"][row],
            "stage": stage,
            "operator": why[0].operator,
            "reason": why[0].rule,
            "value": why[0].value,
            "threshold": why[0].threshold,
            "reasons": [reason.__dict__ for reason in why],
            "columns": orjson.dumps(measured[row], default=_as_text).decode(),
            "uri": where["uri"][row],
            "position": where["position"][row],
            "payload": None,
            "parent_ids": where["parent_ids"][row],
            "promotion_id": "",  # of the promotion that will record it
        }
        for row, why in enumerate(reasons)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=QUARANTINE)


def _as_text(value: object) -> str:
    """What JSON has no word for; bytes, such as those of a thumbnail, in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def count_reasons(batch: pa.RecordBatch, into: Counter[str]) -> None:
    """Add a quarantine batch to counts by ``operator: rule``."""
    for operator, reason in zip(batch.column("operator").to_pylist(), batch.column("reason").to_pylist(), strict=True):
        into[f"{operator}: {reason}"] += 1
