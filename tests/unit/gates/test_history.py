"""Verdicts in the ``gates`` table are read back as they were given."""

from __future__ import annotations

from typing import Any

import pytest

from winnowry.core.tables import GATES
from winnowry.gates.history import gate_results, gate_rows
from winnowry.gates.result import GateResult


def verdict(**changed: Any) -> GateResult:
    values: dict[str, Any] = {
        "suite": "cleaned.quality",
        "expectation": "expect_column_values_to_be_between",
        "column": "n_words",
        "parameters": {"min_value": 1},
        "observed": None,
        "observed_number": 0.25,
        "unexpected_count": 3,
        "severity": "critical",
        "verdict": "fail",
        "message": "n_words: be between: 3 of 12 rows do not meet it",
        "samples": [{"record_id": "a", "n_words": 0}],
    }
    return GateResult(**{**values, **changed})


RESULTS = [
    verdict(),
    verdict(column=None, observed=[1, "é", None, {"a": 0.5}], unexpected_count=None, samples=[]),
    verdict(observed=0, observed_number=None, verdict="broken", parameters={}),
    verdict(observed="", verdict="pass", severity="warning", message=""),
]


def test_results_become_rows_of_the_table_and_come_back_equal() -> None:
    rows = gate_rows(RESULTS, "p1", "cleaned", 1 << 63, "2024")
    assert rows.schema.equals(GATES)
    assert gate_results(rows) == RESULTS
    assert set(rows["promotion_id"].to_pylist()) == {"p1"}
    assert rows["version"].to_pylist() == [1 << 63] * len(RESULTS)


def test_no_results_are_a_table_without_rows() -> None:
    assert gate_rows([], "p1", "cleaned", 1, "2024").schema.equals(GATES)
    assert gate_results(GATES.empty_table()) == []


@pytest.mark.parametrize("name", ["samples", "message"])
def test_rows_of_older_versions_lack_what_may_be_null(name: str) -> None:
    rows = gate_rows([verdict(samples=[], message="")], "p1", "cleaned", 1, "2024").to_pylist()
    import pyarrow as pa

    older = pa.Table.from_pylist([{**rows[0], name: None}], schema=GATES)
    assert gate_results(older) == [verdict(samples=[], message="")]
