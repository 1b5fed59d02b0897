"""Suites of ``duplicates``: every dropped record names a record that stays, and not nearly all are dropped."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import RECORD_ID, WARNING, contract, ledger
from expectations.custom import ExpectFractionDroppedToBeAtMost, ExpectKeepersToBeKept
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.recipe.gates import DuplicatesGate

USUAL = 0.5
"""More than this share of duplicates warns where the recipe sets no limit."""


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger and quality.

    How much is duplicated is a property of the source: half of a web crawl and more is nothing unusual. Where hardly
    anything is left, the texts were most likely alike only in what an operator compares, such as tables of numbers.
    """
    gate = recipe.gates.duplicates
    limit = (gate or DuplicatesGate()).max_dropped_fraction
    quality = [ExpectFractionDroppedToBeAtMost(max_fraction=limit)]
    if gate is None:
        quality.append(ExpectFractionDroppedToBeAtMost(max_fraction=USUAL, severity=WARNING))
    methods = [operator.method for operator in recipe.clean if isinstance(operator, DuplicateKeys)]
    by_method = [gxe.ExpectColumnValuesToBeInSet(column="method", value_set=methods)] if methods else []
    return [
        Suite(
            "duplicates.contract",
            [
                *contract(schema),
                gxe.ExpectColumnValuesToMatchRegex(column="kept_record_id", regex=RECORD_ID),
                gxe.ExpectColumnValuesToBeBetween(column="similarity", min_value=0, max_value=1),
                gxe.ExpectColumnValuesToNotBeNull(column="twin_record_id"),
                gxe.ExpectColumnValuesToMatchRegex(column="twin_record_id", regex=RECORD_ID),
                gxe.ExpectColumnValuesToBeBetween(column="steps", min_value=1),
                gxe.ExpectColumnValuesToBeBetween(column="group_size", min_value=2),
                *by_method,
                ExpectKeepersToBeKept(),
            ],
        ),
        ledger("duplicates"),
        Suite("duplicates.quality", quality),
    ]
