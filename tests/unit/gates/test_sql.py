"""Quoting: nothing from a suite or recipe reaches a query unquoted."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from winnowry.gates import sql
from winnowry.gates.regex import portable
from winnowry.gates.row_condition import row_condition_sql
from winnowry.gates.sql import Unanswerable

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string()), ("f", pa.float64()), ("t", pa.timestamp("us", tz="UTC"))])


def test_a_quote_in_a_name_or_a_string_is_doubled() -> None:
    assert sql.identifier('n" FROM x; --') == '"n"" FROM x; --"'
    assert sql.text("'; DROP TABLE dataset; --") == "'''; DROP TABLE dataset; --'"


@pytest.mark.parametrize("value", ["a\x00b", "\ud800"])
def test_strings_that_no_query_can_hold_are_refused(value: str) -> None:
    with pytest.raises(Unanswerable):
        sql.text(value)


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("1", pa.int64()),
        (1, pa.string()),
        (True, pa.int64()),
        (2**63, pa.int64()),
        (dt.datetime(2024, 1, 1), pa.timestamp("us", tz="UTC")),
        ([1], pa.list_(pa.int64())),
    ],
)
def test_a_literal_of_another_type_than_the_column_is_refused(value: object, column: pa.DataType) -> None:
    with pytest.raises(Unanswerable):
        sql.literal(value, column)


def test_an_unknown_column_is_named_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"'zzz'.*n, s, f, t"):
        sql.column_type("zzz", SCHEMA)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^[0-9a-f]{32}$", r"^[0-9a-f]{32}\n?\z"),
        ("(a|b$)", r"(a|b\n?\z)"),
        (r"a\.b", r"a\.b"),
        (r"[\d_]", r"[\p{Nd}_]"),
    ],
)
def test_a_pattern_is_rewritten_to_mean_what_python_means(pattern: str, expected: str) -> None:
    assert portable(pattern) == expected


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?i)a", r"(a)\1", r"\b", "a$b", "(a$)b", "[a&&b]", "[[:alpha:]]", "a++", "["]
)
def test_a_pattern_that_may_mean_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(Unanswerable):
        portable(pattern)


@pytest.mark.parametrize(
    "query", ["n + 1 > 2", "n > m", "__import__('os')", "s.str.len() > 1", "1 < n < 3", "@x > 1", "n >"]
)
def test_a_row_condition_beyond_comparisons_is_refused(query: str) -> None:
    with pytest.raises((Unanswerable, LookupError)):
        row_condition_sql(query, SCHEMA)


def test_a_string_in_a_row_condition_stays_a_string() -> None:
    assert row_condition_sql('s == "x\' OR 1=1 --"', SCHEMA) == "COALESCE((\"s\") = 'x'' OR 1=1 --', FALSE)"
