"""Column aggregates of Great Expectations as scalar SQL expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from winnowry.gates import sql
from winnowry.gates.row_condition import row_condition_sql
from winnowry.gates.sql import Unanswerable


@dataclass(frozen=True)
class Scalar:
    """One value of the aggregate query.

    Attributes:
        expression: SQL over the table ``dataset``.
        convert: makes the value that pandas would return.
    """

    expression: str
    convert: Callable[[Any], Any] = lambda value: value


def row_count(domain: Mapping[str, Any], schema: pa.Schema) -> Scalar:
    """Rows of the table, or those that meet the row condition."""
    rows = row_condition_sql(domain.get("row_condition"), schema)
    return Scalar("COUNT(*)" if rows is None else f"COUNT(CASE WHEN {rows} THEN 1 END)", int)


def compile_aggregate(metric: str, domain: Mapping[str, Any], schema: pa.Schema) -> Scalar | None:
    """Translate an aggregate of one column.

    Returns:
        None when the metric is not one of these.

    Raises:
        Unanswerable: not with the meaning that pandas has.
        LookupError: no such column.
    """
    if metric not in _AGGREGATES:
        return None
    name = domain.get("column")
    if not isinstance(name, str):
        raise Unanswerable(f"{metric} without a column")
    rows = row_condition_sql(domain.get("row_condition"), schema)
    return _AGGREGATES[metric](name, rows, schema)


def _seen(expression: str, rows: str | None) -> str:
    return expression if rows is None else f"CASE WHEN {rows} THEN {expression} END"


def _missing_is_nan(value: Any) -> Any:
    return float("nan") if value is None else value


def _extreme(function: str) -> Callable[..., Scalar]:
    def extreme(name: str, rows: str | None, schema: pa.Schema) -> Scalar:
        kind = sql.column_type(name, schema)
        if not sql.is_scalar(kind) or pa.types.is_boolean(kind):
            raise Unanswerable(f"{function} of {kind}")
        convert = _as_timestamp if pa.types.is_timestamp(kind) else _missing_is_nan
        return Scalar(f"{function}({_seen(sql.value(name, schema), rows)})", convert)

    return extreme


def _as_timestamp(value: datetime | None) -> Any:
    import pandas as pd

    return pd.NaT if value is None else pd.Timestamp(value)


def _statistic(function: str, empty: float) -> Callable[..., Scalar]:
    def statistic(name: str, rows: str | None, schema: pa.Schema) -> Scalar:
        kind = sql.column_type(name, schema)
        if not sql.is_number(kind):
            raise Unanswerable(f"{function} of {kind}")
        number = _seen(sql.value(name, schema), rows)
        if function != "SUM":
            number = f"CAST({number} AS DOUBLE)"
        return Scalar(f"{function}({number})", lambda value: empty if value is None else value)

    return statistic


def _distinct_count(name: str, rows: str | None, schema: pa.Schema) -> Scalar:
    present = f"(NOT {sql.is_null(name, schema)})"
    judged = present if rows is None else f"{rows} AND {present}"
    groups = f"SELECT {sql.key(name, schema)} AS k FROM dataset WHERE {judged} GROUP BY 1"
    return Scalar(f"(SELECT COUNT(*) FROM ({groups}) AS distinct_values)", int)


_NAN = float("nan")
_AGGREGATES: dict[str, Callable[..., Scalar]] = {
    "column.min": _extreme("MIN"),
    "column.max": _extreme("MAX"),
    "column.sum": _statistic("SUM", 0),
    "column.mean": _statistic("AVG", _NAN),
    "column.standard_deviation": _statistic("STDDEV_SAMP", _NAN),
    "column.distinct_values.count": _distinct_count,
}
