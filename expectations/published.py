"""Suites of ``published``: exactly what was selected, each record once."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import contract, ledger
from expectations.valid2 import valid2_suites
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger, quality, and the letters of the VALID² card where the recipe sets their gate."""
    gate = recipe.gates.published
    quality: list[Any] = [gxe.ExpectTableRowCountToBeBetween(min_value=gate.min_rows)]
    if recipe.kind.has_text:
        quality += [
            gxe.ExpectColumnValuesToNotBeNull(column="text"),
            gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=1),
        ]
    return [
        Suite("published.contract", contract(schema)),
        ledger("published"),
        Suite("published.quality", quality),
        *valid2_suites(gate.valid2),
    ]
