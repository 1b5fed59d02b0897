"""Custom expectations decide on facts; expected verdicts by hand."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


def ledger(**changed: Any) -> dict[str, Any]:
    even = {"rows_in": 10, "rows_out": 7, "rows_quarantined": 3, "missing": [], "unexpected": [], "duplicated": []}
    return {"ledger": {**even, **changed}}


@pytest.mark.parametrize(
    ("facts", "met"),
    [
        (ledger(), True),
        (ledger(rows_out=6), False),
        (ledger(missing=["a"], unexpected=["b"]), False),  # the counts balance, the ids do not
        (ledger(duplicated=["a"]), False),
    ],
)
def test_a_ledger_balances_by_count_and_by_id(facts: dict[str, Any], met: bool) -> None:
    from expectations.custom import ExpectLedgerToBalance

    assert ExpectLedgerToBalance().judge(facts)[0] is met


@pytest.mark.parametrize(("out", "derived", "met"), [(9, 6, True), (9, 7, False), (8, 6, False)])
def test_a_ledger_counts_what_was_consumed_and_what_was_made_of_it(out: int, derived: int, met: bool) -> None:
    from expectations.custom import ExpectLedgerToBalance

    facts = ledger(rows_out=out, rows_derived=derived, rows_consumed=4)
    verdict, _, message = ExpectLedgerToBalance().judge(facts)
    assert verdict is met
    assert f"10 in - 4 replaced by {derived} made of them" in message


@pytest.mark.parametrize(("inputs_kept", "kept", "quarantined"), [(8, True, True), (4, False, False)])
def test_shares_are_of_inputs_where_records_were_made_of_records(
    inputs_kept: int, kept: bool, quarantined: bool
) -> None:
    from expectations.custom import ExpectFractionKeptToBeAtLeast, ExpectFractionQuarantinedToBeAtMost

    facts = ledger(rows_out=70, rows_quarantined=50, rows_derived=120, rows_consumed=10, inputs_kept=inputs_kept)
    assert ExpectFractionKeptToBeAtLeast(min_fraction=0.5).judge(facts)[0] is kept
    assert ExpectFractionQuarantinedToBeAtMost(max_fraction=0.5).judge(facts)[0] is quarantined


def test_a_missing_fact_is_an_error_not_a_pass() -> None:
    from expectations.custom import ExpectLedgerToBalance, ExpectNoCollidingIds

    with pytest.raises(LookupError, match="ledger"):
        ExpectLedgerToBalance().judge({})
    with pytest.raises(LookupError, match=r"global\.colliding_ids"):
        ExpectNoCollidingIds().judge({"global": {}})


@pytest.mark.parametrize(("selected", "met"), [(1000, True), (980, True), (1020, True), (979, False), (1021, False)])
def test_a_budget_is_met_within_one_record(selected: int, met: bool) -> None:
    from expectations.custom import ExpectTokenBudgetToBeMet

    facts = {"budget": {"tokens": 1000, "selected_tokens": selected, "largest_record": 20}}
    assert ExpectTokenBudgetToBeMet(tolerance_records=1).judge(facts)[0] is met


@pytest.mark.parametrize(("now", "met"), [(100, True), (150, True), (151, False), (50, True), (49, False)])
def test_drift_is_relative_to_the_median_of_trailing_partitions(now: float, met: bool) -> None:
    from expectations.custom import ExpectNoDrift

    facts = {"measures": {"n_rows": now}, "trailing": {"n_rows": [1, 100, 10_000]}}
    assert ExpectNoDrift(measure="n_rows", max_relative_change=0.5).judge(facts)[0] is met


def test_one_trailing_partition_is_too_few_for_drift() -> None:
    from expectations.custom import ExpectNoDrift

    facts = {"measures": {"n_rows": 1}, "trailing": {"n_rows": [10_000]}}
    assert ExpectNoDrift(measure="n_rows").judge(facts)[0]


@pytest.mark.parametrize(("rho", "met"), [(0.3, True), (-0.31, False), (0.31, False), (None, True)])
def test_a_score_may_not_follow_length(rho: float | None, met: bool) -> None:
    from expectations.custom import ExpectScoreLengthCorrelation

    expectation = ExpectScoreLengthCorrelation(score="gc", max_correlation=0.3)
    assert expectation.judge({"correlation": {"gc": rho}})[0] is met


def test_a_column_of_another_type_or_missing_is_named() -> None:
    from expectations.custom import ExpectColumnTypes

    expectation = ExpectColumnTypes(types={"record_id": "string", "n_tokens": "int64"})
    assert expectation.judge({"column_types": {"record_id": "string", "n_tokens": "int64", "more": "bool"}})[0]
    met, wrong, message = expectation.judge({"column_types": {"record_id": "large_string"}})
    assert not met
    assert wrong == 2
    assert message == "record_id is large_string, expected string; n_tokens is missing, expected int64"
