"""Gate results as rows of the ``gates`` table, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from winnowry.core.tables import GATES
from winnowry.gates.result import GateResult

_FIELDS = tuple(field.name for field in fields(GateResult))


def gate_rows(results: Sequence[GateResult], promotion_id: str, table: str, version: int, partition: str) -> pa.Table:
    """One row per expectation.

    Args:
        results: verdicts.
        promotion_id: the promotion they judged.
        table: its main table.
        version: the audited (detached) version.
        partition: partition key.
    """
    judged = {
        "promotion_id": promotion_id,
        "table": table,
        "version": version,
        "partition": partition,
        "judged_at": datetime.now(UTC),
    }
    return pa.Table.from_pylist([judged | _row(result) for result in results], schema=GATES)


def gate_results(rows: pa.Table) -> list[GateResult]:
    """Read what :func:`gate_rows` wrote; the columns about the promotion are left out.

    Args:
        rows: rows of the ``gates`` table, with at least the columns of a result.
    """
    return [_result(row) for row in rows.to_pylist()]


def _row(result: GateResult) -> dict[str, Any]:
    row = {name: getattr(result, name) for name in _FIELDS}
    return row | {
        "parameters": json.dumps(result.parameters, default=str, sort_keys=True),
        "observed": None if result.observed is None else json.dumps(result.observed, default=str),
        "samples": json.dumps(result.samples, default=str),
    }


def _result(row: Mapping[str, Any]) -> GateResult:
    values = {name: row[name] for name in _FIELDS}
    values |= {
        "parameters": json.loads(row["parameters"]),
        "observed": None if row["observed"] is None else json.loads(row["observed"]),
        "samples": json.loads(row["samples"] or "[]"),
        "message": row["message"] or "",
    }
    return GateResult(**values)
