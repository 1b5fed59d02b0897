"""Gate results as rows of the ``gates`` table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa

from winnowry.core.tables import GATES
from winnowry.gates.result import GateResult


def gate_rows(results: Sequence[GateResult], promotion_id: str, table: str, version: int, partition: str) -> pa.Table:
    """One row an expectation.

    Args:
        results: verdicts.
        promotion_id: the promotion they judged.
        table: its main table.
        version: the audited (detached) version.
        partition: partition key.
    """
    now = datetime.now(UTC)
    rows = [
        {
            "promotion_id": promotion_id,
            "table": table,
            "version": version,
            "partition": partition,
            "suite": result.suite,
            "expectation": result.expectation,
            "column": result.column,
            "parameters": json.dumps(result.parameters, default=str, sort_keys=True),
            "observed": None if result.observed is None else json.dumps(result.observed, default=str),
            "observed_number": result.observed_number,
            "unexpected_count": result.unexpected_count,
            "samples": json.dumps(result.samples, default=str),
            "severity": result.severity,
            "verdict": result.verdict,
            "message": result.message,
            "judged_at": now,
        }
        for result in results
    ]
    return pa.Table.from_pylist(rows, schema=GATES)
