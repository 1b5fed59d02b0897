"""Suites of an added column: the table is what it was, and the column has its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa

from expectations.contract import CRITICAL
from winnowry.gates.facts import ExpectFact
from winnowry.gates.suite import Suite


class ExpectTableToBeUnchanged(ExpectFact):
    """Rows and other columns are those from before the column."""

    sentence: ClassVar[str] = "Adding a column must change neither the rows nor the other columns of the table."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["column"]``: rows, and names and types of the other columns, before and after."""
        column = facts["column"]
        if column["rows_before"] != column["rows_after"]:
            message = f"{column['rows_before']:,} rows before, {column['rows_after']:,} after"
            return False, column["rows_after"] - column["rows_before"], message
        changed = sorted(set(column["others_before"].items()) ^ set(column["others_after"].items()))
        if changed:
            return False, len(changed), f"columns changed: {', '.join(name for name, _ in changed)}"
        return True, 0, f"{column['rows_after']:,} rows and {len(column['others_after'])} other columns as before"


class ExpectColumnToBeFilled(ExpectFact):
    """Rows that should have a value have one, but for a tolerated share."""

    max_null_fraction: float
    success_keys: ClassVar[tuple[str, ...]] = ("max_null_fraction",)
    args_keys: ClassVar[tuple[str, ...]] = ("max_null_fraction",)
    sentence: ClassVar[str] = "At most a fraction $max_null_fraction of the rows may be null or NaN."

    def judge(self, facts: Mapping[str, Any]) -> tuple[bool, Any, str]:
        """Judge ``facts["column"]``: ``without_value`` of ``wanted`` rows."""
        column = facts["column"]
        share = column["without_value"] / column["wanted"] if column["wanted"] else 0.0
        message = (
            f"{column['without_value']:,} of {column['wanted']:,} rows are null or NaN ({share:.2%}); "
            f"{self.max_null_fraction:.2%} allowed (--max-null-fraction)"
        )
        return share <= self.max_null_fraction, share, message


def suites(column: Any, schema: pa.Schema) -> list[Suite]:
    """Contract and values of one added column.

    Args:
        column: its specification (``name``, ``max_null_fraction``).
        schema: the table with the column.
    """
    return [
        Suite("column.contract", [ExpectTableToBeUnchanged(severity=CRITICAL)]),
        Suite(
            "column.values",
            [ExpectColumnToBeFilled(max_null_fraction=column.max_null_fraction, severity=CRITICAL)],
        ),
    ]
