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


@pytest.mark.parametrize(
    ("quarantined", "refused", "limit", "strict", "met"),
    [
        (5, 0, 0.5, False, True),
        (5, 0, 0.5, True, False),
        (4, 0, 0.5, True, True),
        (0, 10, 0.5, False, True),  # 10 of 20, all of them refused by landing
        (0, 11, 0.5, False, False),
        (4, 4, 0.5, False, False),  # 8 of 14
        (0, 0, 0.0, False, True),
    ],
)
def test_what_landing_refused_counts_with_what_raw_refuses(
    quarantined: int, refused: int, limit: float, strict: bool, met: bool
) -> None:
    from expectations.custom import ExpectFractionQuarantinedToBeAtMost

    facts = ledger(rows_quarantined=quarantined) | {"landing": {"refused": refused}}
    assert ExpectFractionQuarantinedToBeAtMost(max_fraction=limit, strict_max=strict).judge(facts)[0] is met


@pytest.mark.parametrize(
    ("gate", "dropped", "expected"),
    [
        (None, 50, []),  # half of a web crawl is nothing unusual
        (None, 51, ["warning"]),
        (None, 90, ["warning"]),
        (None, 91, ["critical", "warning"]),
        ({"max_dropped_fraction": 0.2}, 20, []),
        ({"max_dropped_fraction": 0.2}, 21, ["critical"]),
        ({"max_dropped_fraction": 1.0}, 100, []),
    ],
)
def test_the_share_of_duplicates_is_limited(gate: dict[str, float] | None, dropped: int, expected: list[str]) -> None:
    from expectations.duplicates import suites
    from winnowry.core.tables import DUPLICATES
    from winnowry.recipe.model import Recipe

    gates = {} if gate is None else {"duplicates": gate}
    sources = [{"name": "s", "uri": "x"}]
    recipe = Recipe.model_validate({"version": 1, "corpus": "c", "sources": sources, "gates": gates})
    (quality,) = [suite for suite in suites(recipe, DUPLICATES) if suite.name == "duplicates.quality"]
    methods = {"minhash": dropped} if dropped else {}
    facts = ledger(rows_in=100, rows_quarantined=dropped) | {"duplicates": methods}
    failed = [one for one in quality.build() if not one.judge(facts)[0]]
    assert [one.severity for one in failed] == expected
    assert all(f"({dropped}.0%): {dropped} minhash; to accept it: " in one.judge(facts)[2] for one in failed)


@pytest.mark.parametrize(
    ("shares", "met"), [({"dedup.lines": 0.5}, True), ({"a": 0.1, "b": 0.51}, False), ({"a": None}, True)]
)
def test_texts_that_are_mostly_repeats_warn(shares: dict[str, float | None], met: bool) -> None:
    from expectations.custom import ExpectFewRepeatsToBeRemoved

    assert ExpectFewRepeatsToBeRemoved(max_fraction=0.5).judge({"repeats": shares})[0] is met


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


def test_what_lies_in_several_splits_is_named() -> None:
    from expectations.custom import ExpectNothingShared

    expectation = ExpectNothingShared(of="speaker", between="split")
    assert expectation.judge({"shared": []})[:2] == (True, 0)
    met, observed, message = expectation.judge({"shared": ["anna in dev, train", "bert in dev, test"]})
    assert (met, observed) == (False, 2)
    assert "anna in dev, train" in message


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
