"""The contract that every table has: its columns, their types, and records that can be told apart."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from expectations.custom import ExpectColumnTypes, ExpectLedgerToBalance
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite

CRITICAL: Literal["critical"] = "critical"  # blocks the promotion
WARNING: Literal["warning"] = "warning"  # reports
UNUSUAL = 0.1
"""More than this share of refused records warns where the recipe sets no limit."""
RECORD_ID = "^[0-9a-f]{32}$"


def contract(schema: pa.Schema, *, key: str = "record_id") -> list[Any]:
    """Columns, types, nullability and identity.

    Args:
        schema: what the stage writes.
        key: column that tells rows apart.
    """
    expectations = columns_and_types(schema)
    expectations.append(gxe.ExpectColumnValuesToBeUnique(column=key))
    if key == "record_id":
        expectations.append(gxe.ExpectColumnValuesToMatchRegex(column=key, regex=RECORD_ID))
    return expectations


def columns_and_types(schema: pa.Schema) -> list[Any]:
    """Columns, types and nullability."""
    expectations: list[Any] = [gxe.ExpectTableColumnsToMatchSet(column_set=list(schema.names), exact_match=False)]
    # One expectation for all types: Great Expectations takes about 12 ms of CPU for each, and 1M rows take no longer.
    expectations.append(ExpectColumnTypes(types={field.name: str(field.type) for field in schema}))
    for field in schema:
        if not field.nullable:
            expectations.append(gxe.ExpectColumnValuesToNotBeNull(column=field.name))
    return expectations


def ledger(stage: str) -> Suite:
    """No record lost, invented or twice."""
    return Suite(f"{stage}.ledger", [ExpectLedgerToBalance()])


def refusal_limits(recipe: Any) -> list[tuple[float, bool, Any]]:
    """Largest shares of records that may be refused on the way into ``raw``, by ``landing`` and ``raw`` together.

    Returns:
        For each the share, whether it is too much itself, and the severity. The recipe's limit; without one, half is
        too much, and more than a tenth warns.
    """
    limit = recipe.gates.max_refused_fraction
    if limit is not None:
        return [(limit, False, CRITICAL)]
    return [(recipe.gates.raw.max_quarantined_fraction, True, CRITICAL), (UNUSUAL, False, WARNING)]
