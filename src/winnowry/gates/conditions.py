"""Row-wise conditions of Great Expectations as SQL: which rows are judged, and which of these are unexpected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from winnowry.gates import sql
from winnowry.gates.regex import portable
from winnowry.gates.row_condition import row_condition_sql
from winnowry.gates.sql import Unanswerable

_SET_LIMIT = 10_000  # members of a set that are written into a query


@dataclass(frozen=True)
class MapCondition:
    """One condition on rows.

    Attributes:
        columns: the columns judged, in the order of the expectation.
        judged: predicate of the rows that are judged.
        unexpected: predicate of the judged rows that fail; None for uniqueness, which no row fails by itself.
        keys: grouping expressions of a uniqueness condition.
    """

    columns: tuple[str, ...]
    judged: str
    unexpected: str | None = None
    keys: tuple[str, ...] = ()

    def judged_count(self) -> str:
        """Scalar expression: rows judged."""
        return f"COUNT(CASE WHEN {self.judged} THEN 1 END)"

    def unexpected_count(self) -> str:
        """Scalar expression: judged rows that fail."""
        if self.unexpected is not None:
            return f"COUNT(CASE WHEN {self.judged} AND {self.unexpected} THEN 1 END)"
        keys = ", ".join(self.keys)
        groups = f"SELECT COUNT(*) AS n FROM dataset WHERE {self.judged} GROUP BY {keys} HAVING COUNT(*) > 1"
        return f"(SELECT COALESCE(SUM(n), 0) FROM ({groups}) AS repeated)"

    def unexpected_rows(self, selected: Mapping[str, str], order: str | None, limit: int) -> str:
        """Query for failing rows.

        Args:
            selected: column name → expression over the table, as the answer shall show it.
            order: column that makes the choice of rows repeatable, or None.
            limit: most rows wanted.
        """
        listed = ", ".join(f"{expression} AS {sql.identifier(name)}" for name, expression in selected.items())
        ordered = f" ORDER BY {sql.identifier(order)}" if order is not None else ""
        if self.unexpected is not None:
            return f"SELECT {listed} FROM dataset WHERE {self.judged} AND {self.unexpected}{ordered} LIMIT {limit}"
        named = ", ".join(f"{key} AS k{i}" for i, key in enumerate(self.keys))
        numbers = ", ".join(str(i + 1) for i in range(len(self.keys)))
        groups = f"SELECT {named} FROM dataset WHERE {self.judged} GROUP BY {numbers} HAVING COUNT(*) > 1 LIMIT {limit}"
        joined = " AND ".join(f"(({key}) IS NOT DISTINCT FROM repeated.k{i})" for i, key in enumerate(self.keys))
        return (
            f"SELECT {listed} FROM dataset JOIN ({groups}) AS repeated ON {joined} "
            f"WHERE {self.judged}{ordered} LIMIT {limit}"
        )


def compile_condition(
    family: str, domain: Mapping[str, Any], values: Mapping[str, Any], schema: pa.Schema
) -> MapCondition:
    """Translate a condition metric.

    Args:
        family: metric name without its last part, such as ``column_values.between``.
        domain: domain arguments of the metric (columns, row condition).
        values: its value arguments.
        schema: columns of the table.

    Raises:
        Unanswerable: SQL would not mean what pandas means.
        LookupError: no such column.
        ValueError: arguments that contradict each other, as Great Expectations would say.
    """
    rows = row_condition_sql(domain.get("row_condition"), schema)
    if family == "compound_columns.unique":
        return _compound_unique(domain, rows, schema)
    if family in _PAIRS:
        return _pair(family, domain, values, rows, schema)
    name = domain.get("column")
    if not isinstance(name, str):
        raise Unanswerable(f"{family} without a column")
    sql.column_type(name, schema)
    if family in ("column_values.nonnull", "column_values.null"):
        missing = sql.is_null(name, schema)
        unexpected = missing if family.endswith("nonnull") else f"(NOT {missing})"
        return MapCondition((name,), rows or "TRUE", unexpected)
    judged = _both(rows, f"(NOT {sql.is_null(name, schema)})")
    if family == "column_values.unique":
        return MapCondition((name,), judged, keys=(sql.key(name, schema),))
    expected = _EXPECTED.get(family)
    if expected is None:
        raise Unanswerable(f"no SQL for {family}")
    return MapCondition((name,), judged, f"(NOT ({expected(name, values, schema)}))")


def _both(rows: str | None, predicate: str) -> str:
    return predicate if rows is None else f"{rows} AND {predicate}"


def _between(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    kind = sql.column_type(name, schema)
    low, high = values.get("min_value"), values.get("max_value")
    if low is None and high is None:
        raise ValueError("min_value and max_value cannot both be None")
    if low is not None and high is not None and low > high:
        raise ValueError("min_value cannot be greater than max_value")
    if pa.types.is_boolean(kind):
        raise Unanswerable("ranges of booleans")
    return _range(f"({sql.value(name, schema)})", low, high, values, kind)


def _range(expression: str, low: Any, high: Any, values: Mapping[str, Any], kind: pa.DataType) -> str:
    parts = []
    if low is not None:
        parts.append(f"{expression} {'>' if values.get('strict_min') else '>='} {sql.literal(low, kind)}")
    if high is not None:
        parts.append(f"{expression} {'<' if values.get('strict_max') else '<='} {sql.literal(high, kind)}")
    return " AND ".join(parts)


def _in_set(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    members = values.get("value_set")
    if members is None:
        return "TRUE"  # vacuously, as in Great Expectations
    kind = sql.column_type(name, schema)
    if len(members) > _SET_LIMIT:
        raise Unanswerable(f"a set of more than {_SET_LIMIT} values")
    if pa.types.is_float32(kind) or pa.types.is_float16(kind) or not (sql.is_text(kind) or sql.is_number(kind)):
        raise Unanswerable(f"sets of {kind}")
    return sql.in_set(f"({sql.value(name, schema)})", members, kind)


def _not_in_set(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    if values.get("value_set") is None:
        return "TRUE"
    return f"NOT ({_in_set(name, values, schema)})"


def _match_regex(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    if not sql.is_text(sql.column_type(name, schema)):
        raise Unanswerable("regular expressions on anything but strings")
    return f"regexp_like({sql.identifier(name)}, {sql.text(portable(values['regex']))})"


def _not_match_regex(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    return f"NOT {_match_regex(name, values, schema)}"


def _length(name: str, schema: pa.Schema) -> str:
    if not sql.is_text(sql.column_type(name, schema)):
        raise Unanswerable("lengths of anything but strings")
    return f"character_length({sql.identifier(name)})"


def _length_between(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    low, high = values.get("min_value"), values.get("max_value")
    if low is None and high is None:
        raise ValueError("min_value and max_value cannot both be None")
    return _range(_length(name, schema), low, high, values, pa.int64())


def _length_equals(name: str, values: Mapping[str, Any], schema: pa.Schema) -> str:
    return f"{_length(name, schema)} = {sql.number(values['value'])}"


_EXPECTED: dict[str, Callable[[str, Mapping[str, Any], pa.Schema], str]] = {
    "column_values.between": _between,
    "column_values.in_set": _in_set,
    "column_values.not_in_set": _not_in_set,
    "column_values.match_regex": _match_regex,
    "column_values.not_match_regex": _not_match_regex,
    "column_values.value_length.between": _length_between,
    "column_values.value_length.equals": _length_equals,
}

_PAIRS = {"column_pair_values.a_greater_than_b": ">", "column_pair_values.equal": "="}


def _pair(
    family: str, domain: Mapping[str, Any], values: Mapping[str, Any], rows: str | None, schema: pa.Schema
) -> MapCondition:
    names = (domain["column_A"], domain["column_B"])
    kinds = [sql.column_type(name, schema) for name in names]
    alike = all(map(sql.is_number, kinds)) or all(map(sql.is_text, kinds)) or kinds[0] == kinds[1]
    if not alike or not all(map(sql.is_scalar, kinds)):
        raise Unanswerable(f"comparison of {kinds[0]} with {kinds[1]}")
    ignored = domain.get("ignore_row_if", "both_values_are_missing")
    judged = _present(names, ignored, schema, every="either_value_is_missing", none="neither")
    operator = _PAIRS[family]
    if operator == ">" and values.get("or_equal"):
        operator = ">="
    left, right = (sql.value(name, schema) for name in names)
    return MapCondition(names, _both(rows, judged), f"(NOT COALESCE(({left}) {operator} ({right}), FALSE))")


def _compound_unique(domain: Mapping[str, Any], rows: str | None, schema: pa.Schema) -> MapCondition:
    names = tuple(domain["column_list"])
    ignored = domain.get("ignore_row_if", "all_values_are_missing")
    judged = _present(names, ignored, schema, every="any_value_is_missing", none="never")
    return MapCondition(names, _both(rows, judged), keys=tuple(sql.key(name, schema) for name in names))


def _present(names: tuple[str, ...], ignored: str, schema: pa.Schema, *, every: str, none: str) -> str:
    """Predicate of the rows that ``ignore_row_if`` leaves."""
    if ignored == none:
        return "TRUE"
    joint = " OR " if ignored == every else " AND "
    if ignored not in (every, "both_values_are_missing", "all_values_are_missing"):
        raise ValueError(f"unrecognised value of ignore_row_if: {ignored!r}")
    return f"(NOT ({joint.join(sql.is_null(name, schema) for name in names)}))"
