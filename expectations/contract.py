"""The contract that every table has: its columns, their types, and records that can be told apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.custom import ExpectLedgerToBalance
from winnowry.gates.native import FailureSeverity, gxe
from winnowry.gates.suite import Suite

WARNING = FailureSeverity.WARNING  # reports, where the default, critical, blocks
RECORD_ID = "^[0-9a-f]{32}$"


def contract(schema: pa.Schema, *, key: str = "record_id") -> list[Any]:
    """Columns, types, nullability and identity.

    Args:
        schema: what the stage writes.
        key: column that tells rows apart.
    """
    found: list[Any] = [gxe.ExpectTableColumnsToMatchSet(column_set=list(schema.names), exact_match=False)]
    for field in schema:
        type_ = pandas_type(field.type)
        if type_ is not None:
            found.append(gxe.ExpectColumnValuesToBeOfType(column=field.name, type_=type_))
        if not field.nullable:
            found.append(gxe.ExpectColumnValuesToNotBeNull(column=field.name))
    found.append(gxe.ExpectColumnValuesToBeUnique(column=key))
    if key == "record_id":
        found.append(gxe.ExpectColumnValuesToMatchRegex(column=key, regex=RECORD_ID))
    return found


def pandas_type(type_: pa.DataType) -> str | None:
    """Name under which Great Expectations knows an Arrow type; None for nested and binary ones."""
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "str"
    if pa.types.is_timestamp(type_):
        return "Timestamp"
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return str(type_.to_pandas_dtype().__name__)
    return None


def ledger(stage: str) -> Suite:
    """No record lost, invented or twice."""
    return Suite(f"{stage}.ledger", [ExpectLedgerToBalance()])
