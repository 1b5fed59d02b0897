"""Suites of ``duplicates``: every dropped record names a record that stays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import RECORD_ID, contract, ledger
from expectations.custom import ExpectKeepersToBeKept
from winnowry.gates.native import gxe
from winnowry.gates.suite import Suite
from winnowry.operators.dedup.keys import DuplicateKeys


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract and ledger; how much may be duplicated is a property of the source, not a rule."""
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
    ]
