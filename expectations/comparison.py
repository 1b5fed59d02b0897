"""Suites of ``comparison``: every planned measurement taken, and a better selection where a recipe asks for it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import CRITICAL, WARNING, contract, ledger
from expectations.proof import ExpectControlsToBeToldApart, ExpectSelectionToBeBetter
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger and proof."""
    gate = recipe.gates.comparison
    proof: list[Any] = [ExpectControlsToBeToldApart(severity=WARNING if gate is None else CRITICAL)]
    if gate is not None:
        proof.append(ExpectSelectionToBeBetter(reference=gate.better_than, on=gate.on, severity=CRITICAL))
    return [
        Suite(
            "comparison.contract",
            [
                *contract(schema, key="measurement_id"),
                gxe.ExpectColumnValuesToBeBetween(column="bits_per_byte", min_value=0, strict_min=True),
            ],
        ),
        ledger("comparison"),
        Suite("comparison.proof", proof),
    ]
