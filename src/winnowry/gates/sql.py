"""Pieces of DataFusion SQL: quoted names, literals, and values as pandas sees them.

Names and values come from suites and recipes. Nothing here puts one into a query unquoted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime

import pyarrow as pa

from winnowry.core import sql
from winnowry.core.errors import UsageError


class Unanswerable(Exception):
    """Lance SQL cannot answer this with the meaning that pandas gives it; pandas may still."""


def identifier(name: str) -> str:
    """Quote a column name.

    Raises:
        Unanswerable: the name cannot be written in a query.
    """
    return _answerable(sql.identifier, name)


def text(value: str) -> str:
    """Quote a string.

    Raises:
        Unanswerable: the string cannot be written in a query.
    """
    return _answerable(sql.literal, value)


def _answerable(quote: Callable[[str], str], value: str) -> str:
    try:
        return quote(value)
    except UsageError as error:
        raise Unanswerable(str(error)) from error


def number(value: object) -> str:
    """Write an integer or a float; booleans are not numbers here.

    >>> number(-1)
    '(-1)'
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unanswerable(f"{value!r} is not a number")
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise Unanswerable(f"{value} does not fit 64 bits")
        return f"({value})"
    if not math.isfinite(value):
        return sql.literal(value)
    return f"CAST('{value!r}' AS DOUBLE)"


def literal(value: object, column: pa.DataType) -> str:
    """Write a value that is to be compared with a column.

    Args:
        value: a Python value.
        column: type of the column.

    Raises:
        Unanswerable: pandas would compare these types in a way of its own, or not at all.
    """
    if is_text(column) and isinstance(value, str):
        return text(value)
    if is_number(column):
        return number(value)
    if pa.types.is_timestamp(column) and isinstance(value, datetime):
        if (value.tzinfo is None) != (column.tz is None):
            raise Unanswerable("a time with and one without time zone cannot be compared")
        return f"arrow_cast({text(value.isoformat())}, {text(_arrow_name(column))})"
    if pa.types.is_date(column) and isinstance(value, date) and not isinstance(value, datetime):
        return f"CAST({text(value.isoformat())} AS DATE)"
    if pa.types.is_boolean(column) and isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    raise Unanswerable(f"{value!r} ({type(value).__name__}) cannot be compared with a column of type {column}")


def in_set(expression: str, values: Iterable[object], column: pa.DataType) -> str:
    """The predicate of values in a set; nulls are dropped, because rows without a value are judged apart.

    Args:
        expression: what is compared, in parentheses.
        values: members.
        column: type of the expression.
    """
    known = (v for v in values if v is not None and not (isinstance(v, float) and math.isnan(v)))
    return sql.in_list(expression, known, lambda value: literal(value, column))


def is_text(column: pa.DataType) -> bool:
    """Whether a column holds strings."""
    return bool(pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column))


def is_number(column: pa.DataType) -> bool:
    """Whether a column holds integers or floats."""
    return bool(pa.types.is_integer(column) or pa.types.is_floating(column))


def is_scalar(column: pa.DataType) -> bool:
    """Whether values of a column can be grouped the way pandas finds duplicates."""
    return bool(
        is_text(column)
        or is_number(column)
        or pa.types.is_boolean(column)
        or pa.types.is_timestamp(column)
        or pa.types.is_date(column)
    )


def value(name: str, schema: pa.Schema) -> str:
    """A column as pandas sees it: NaN is null, and -0.0 is 0.0 (DataFusion orders floats totally, so -0.0 < 0.0)."""
    quoted = identifier(name)
    if pa.types.is_floating(column_type(name, schema)):
        return f"CASE WHEN isnan({quoted}) THEN NULL WHEN abs({quoted}) = 0 THEN abs({quoted}) ELSE {quoted} END"
    return quoted


def key(name: str, schema: pa.Schema) -> str:
    """A column as something to group by.

    Raises:
        Unanswerable: values of this type cannot be grouped the way pandas finds duplicates.
    """
    kind = column_type(name, schema)
    if not is_scalar(kind):
        raise Unanswerable(f"values of column {name!r} ({kind}) cannot be grouped")
    return value(name, schema)


def is_null(name: str, schema: pa.Schema) -> str:
    """True where pandas finds no value: null or NaN."""
    quoted = identifier(name)
    if pa.types.is_floating(column_type(name, schema)):
        return f"({quoted} IS NULL OR isnan({quoted}))"
    return f"({quoted} IS NULL)"


def column_type(name: str, schema: pa.Schema) -> pa.DataType:
    """Type of a column.

    Raises:
        LookupError: the table has no such column, or two.
    """
    if schema.names.count(name) != 1:
        raise LookupError(f"the table has no column {name!r}; its columns are {', '.join(schema.names)}")
    return schema.field(name).type


def _arrow_name(column: pa.DataType) -> str:
    units = {"s": "Second", "ms": "Millisecond", "us": "Microsecond", "ns": "Nanosecond"}
    zone = "None" if column.tz is None else f'Some("{column.tz}")'
    return f"Timestamp({units[column.unit]}, {zone})"
