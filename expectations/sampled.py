"""Suites of ``sampled``: every keeper decided once, and the budget met."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import CRITICAL, WARNING, contract, ledger
from expectations.custom import ExpectNothingShared, ExpectTokenBudgetToBeMet
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger and budget."""
    gate = recipe.gates.sampled
    # The published method draws each record by itself, so its sum varies around the budget: report it, do not block.
    severity = WARNING if recipe.sample is not None and recipe.sample.mode == "paper" else CRITICAL
    return [
        Suite(
            "sampled.contract",
            [
                *contract(schema),
                gxe.ExpectColumnValuesToBeBetween(column="probability", min_value=0, max_value=1),
                gxe.ExpectColumnValuesToBeBetween(column="draw", min_value=0, max_value=1),
                gxe.ExpectColumnValuesToBeBetween(column=recipe.kind.size_column, min_value=0),
            ],
        ),
        ledger("sampled"),
        Suite(
            "sampled.budget",
            [
                ExpectTokenBudgetToBeMet(tolerance_records=gate.budget_tolerance_records, severity=severity),
                *([ExpectNothingShared(of=gate.disjoint[0], between=gate.disjoint[1])] if gate.disjoint else []),
            ],
        ),
    ]
