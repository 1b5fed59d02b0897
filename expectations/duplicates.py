"""Suites of ``duplicates``: every dropped record names a record that stays."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import RECORD_ID, contract, ledger
from expectations.custom import ExpectKeepersToBeKept
from winnowry.gates.native import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract and ledger; how much may be duplicated is a property of the source, not a rule."""
    return [
        Suite(
            "duplicates.contract",
            [
                *contract(schema),
                gxe.ExpectColumnValuesToMatchRegex(column="kept_record_id", regex=RECORD_ID),
                gxe.ExpectColumnValuesToBeBetween(column="similarity", min_value=0, max_value=1),
                ExpectKeepersToBeKept(),
            ],
        ),
        ledger("duplicates"),
    ]
