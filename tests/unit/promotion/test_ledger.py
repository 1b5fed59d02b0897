"""Conservation where records are made of records."""

from __future__ import annotations

import numpy as np
import pytest

from winnowry.promotion.ledger import Descent, Ids, Ledger

NONE: dict[str, list[str]] = {}


def ids(*names: str) -> Ids:
    return np.sort(np.asarray(names, dtype="S32"))


def descent(rows: dict[str, list[str]] | list[tuple[str, list[str]]]) -> Descent:
    pairs = sorted(rows.items() if isinstance(rows, dict) else rows)
    return Descent(
        np.asarray([name for name, _ in pairs], dtype="S32"),
        np.asarray([parent for _, parents in pairs for parent in parents], dtype="S32"),
        np.asarray([len(parents) for _, parents in pairs], dtype=np.int64),
    )


def mistakes(ledger: Ledger) -> tuple[list[str], list[str], list[str]]:
    return ledger.missing, ledger.unexpected, ledger.duplicated


def test_inputs_may_be_kept_quarantined_or_consumed() -> None:
    kept = descent({"a": [], "b1": ["b"], "b2": ["b"]})
    ledger = Ledger.derived(ids("a", "b", "c", "d"), kept, descent({"c": [], "d1": ["d"]}))
    assert mistakes(ledger) == ([], [], [])
    assert ledger.counts() == {
        "rows_in": 4, "rows_out": 3, "rows_quarantined": 2, "rows_derived": 3, "rows_consumed": 2, "inputs_kept": 2,
    }  # fmt: skip
    assert ledger.kept_fraction == 0.5  # of a and b; c and everything made of d is in quarantine


def test_without_a_derived_row_the_counts_are_those_of_other_stages() -> None:
    ledger = Ledger.derived(ids("a", "b"), descent({"a": []}), descent({"b": []}))
    assert ledger.facts() == Ledger.of(ids("a", "b"), ids("a"), ids("b")).facts()
    assert set(ledger.counts()) == {"rows_in", "rows_out", "rows_quarantined"}


@pytest.mark.parametrize(
    ("kept", "quarantined", "expected"),
    [
        ({"a1": ["a"]}, NONE, (["b"], [], [])),  # b is lost
        ({"a1": ["a"], "b": [], "x": []}, NONE, ([], ["x"], [])),  # x was made of nothing
        ({"a1": ["a"], "b1": ["b", "z"]}, NONE, ([], ["b1"], [])),  # z is no input
        ({"a1": ["a"], "b": []}, {"a1": ["a"]}, ([], [], ["a1"])),  # a1 is in both
        ({"a1": ["a"], "b": []}, {"a": []}, ([], [], ["a"])),  # a stands beside its child
        ([("a1", ["a"]), ("a1", ["a"]), ("b", [])], NONE, ([], [], ["a1"])),
    ],
)
def test_what_is_lost_invented_or_twice_is_named(
    kept: dict[str, list[str]], quarantined: dict[str, list[str]], expected: tuple[list[str], ...]
) -> None:
    assert mistakes(Ledger.derived(ids("a", "b"), descent(kept), descent(quarantined))) == expected


def test_a_record_made_of_several_consumes_all_of_them() -> None:
    ledger = Ledger.derived(ids("a", "b", "c"), descent({"ab": ["a", "b"], "c": []}), descent(NONE))
    assert mistakes(ledger) == ([], [], [])
    assert (ledger.rows_derived, ledger.rows_consumed, ledger.inputs_kept) == (1, 2, 3)


def test_no_inputs_and_no_rows_balance() -> None:
    assert mistakes(Ledger.derived(ids(), descent(NONE), descent(NONE))) == ([], [], [])
