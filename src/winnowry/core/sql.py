"""Names and values in SQL: nothing is put into a query unquoted.

DuckDB and DataFusion (``dataset.sql``) quote a name with double quotes. A filter of Lance quotes it with back-quotes
and reads double quotes as a string. Text is quoted alike in all three: a backslash is a character like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from winnowry.core.errors import UsageError


def identifier(name: str) -> str:
    """Quote a name for DuckDB and DataFusion.

    Raises:
        UsageError: the name cannot be written in a query.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + _writable(name).replace('"', '""') + '"'


def lance_identifier(name: str) -> str:
    """Quote a column's name for a filter of Lance.

    Raises:
        UsageError: the name cannot be written in a filter; Lance knows no way to write a back-quote.

    >>> lance_identifier("select")
    '`select`'
    """
    if "`" in name:
        raise UsageError(f"column name {name!r} contains a back-quote, which no filter of Lance can hold")
    return f"`{_writable(name)}`"


def literal(value: object) -> str:
    """Write text, a number or a truth value.

    Raises:
        UsageError: the text cannot be written in a query.
        TypeError: the value is of another type.

    >>> literal("it's"), literal(-1), literal(0.5), literal(True), literal(float("inf"))
    ("'it''s'", '-1', '0.5', 'TRUE', "CAST('inf' AS DOUBLE)")
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, float):
        return f"CAST('{value}' AS DOUBLE)"
    if isinstance(value, str):
        return "'" + _writable(value).replace("'", "''") + "'"
    raise TypeError(f"{value!r} ({type(value).__name__}) is no text, number or truth value")


def in_list(column: str, values: Iterable[object], write: Callable[[object], str] = literal) -> str:
    """The predicate of rows whose value is one of several; without values it is true for no row.

    Args:
        column: an expression; a name that needs quotes is quoted already.
        values: what to compare with.
        write: writes a value.

    >>> in_list("record_id", ["a", "b'"]), in_list("record_id", [])
    ("record_id IN ('a', 'b''')", 'FALSE')
    """
    members = ", ".join(write(value) for value in values)
    return f"{column} IN ({members})" if members else "FALSE"


def in_lists(column: str, values: Sequence[object], size: int) -> Iterator[str]:
    """:func:`in_list` for at most ``size`` values at once, in order.

    >>> list(in_lists("n", [1, 2, 3], 2))
    ['n IN (1, 2)', 'n IN (3)']
    """
    for start in range(0, len(values), size):
        yield in_list(column, values[start : start + size])


def _writable(text: str) -> str:
    if "\x00" in text:
        raise UsageError(f"{text!r} contains a NUL character, which no query can hold")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{text!r} is not valid Unicode") from error
    return text
