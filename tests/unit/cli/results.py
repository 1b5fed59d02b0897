"""Stage results to show and to run with."""

from __future__ import annotations

from typing import Any

from winnowry.gates.result import GateResult
from winnowry.promotion.result import StageResult


def gate(verdict: Any = "pass", **changes: Any) -> GateResult:
    said: dict[str, Any] = {
        "suite": "cleaned.quality",
        "expectation": "expect_column_values_to_be_between",
        "column": "n_words",
        "parameters": {"min_value": 50},
        "observed": 0.5,
        "observed_number": 0.5,
        "unexpected_count": 3,
        "severity": "critical",
        "verdict": verdict,
        "message": "3 of 6 values are below 50",
        "samples": [{"record_id": "f" * 32, "n_words": 7}],
    }
    return GateResult(**{**said, **changes})


def result(stage: str, partition: str | None = None, status: Any = "promoted", **changes: Any) -> StageResult:
    said: dict[str, Any] = {
        "corpus": "letters",
        "stage": stage,
        "partition": partition,
        "status": status,
        "reason": "not promoted yet",
        "table": stage,
        "uri": f"/lake/letters/{stage}.lance",
        "version": None if status == "rejected" else 2,
        "rows_in": 1_200,
        "rows_out": 1_000,
        "rows_quarantined": 200,
        "quarantined_by_reason": {"text.length: min_words": 200},
        "seconds": 1.25,
        "gates": (gate(),),
    }
    return StageResult(**{**said, **changes})
