"""Names of columns that cannot be, told with the recipe: a table that has one cannot be read, or lacks another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import pyarrow as pa

from winnowry.core.column_names import wrong_name, wrong_word
from winnowry.core.tables import LANDING, QUARANTINE, RAW, SAMPLED, SCORED, TEXT
from winnowry.operators.base import Operator
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.messages import Path, Problem
from winnowry.recipe.tables import FROM_SAMPLED, cleaned_columns
from winnowry.records.kinds import Kind

_OWNED = frozenset({"record_id", "partition", "promotion_id", "parent_ids", "source"})
"""Columns by which winnowry knows a row: no operator writes them, whatever it is called."""


def fixed_columns(kind: Kind) -> set[str]:
    """Columns of winnowry's tables, whatever operators there are."""
    tables = (LANDING, RAW, QUARANTINE, cleaned_columns(kind), SCORED, SAMPLED)
    return {name for table in tables for name in table.names} | {*FROM_SAMPLED, kind.size_column, "text"}


def check_names(
    operators: Mapping[str, Sequence[Operator | None]],
    columns: Sequence[AddedColumn | None],
    kind: Kind,
    carried: Set[str],
) -> list[Problem]:
    """All problems of the names of columns that operators write and that are declared.

    Args:
        operators: those of `clean` and of `score`, by that name; None stands for one with a mistake of its own.
        columns: None as above.
        kind: of the records.
        carried: fields of the records that are columns of ``cleaned``.
    """
    problems: list[Problem] = []
    fixed = fixed_columns(kind)
    spelled = {name.lower(): (name, "winnowry's tables") for name in fixed}
    spelled |= {name.lower(): (name, "`carry` of a source") for name in carried}
    writers: dict[str, Operator] = {}
    for stage, index, operator in _each(operators):
        at = (stage, index, *(("as",) if operator.as_ is not None else ()))
        expected = wrong_word(operator.as_) if operator.as_ is not None else None
        if expected is not None:
            problems.append(Problem(at, f"{operator.as_!r} cannot be the name of a column: expected {expected}"))
            continue
        for column in operator.writes():
            message = _written(operator, stage, column, kind, fixed)
            near, of = spelled.setdefault(column.name.lower(), (column.name, f"{operator.op}, in `{stage}`"))
            before = writers.setdefault(column.name, operator)
            if message is None and near != column.name:
                message = f"column {column.name!r} and {near!r} of {of} differ in nothing but case"
            elif message is None and column.name in carried:
                message = f"column {column.name!r} is carried from a source too, and would be lost"
            elif message is None and _replaces(before, operator, column.name, kind):
                message = f"column {column.name!r} is written by {before.op} too, whose values would be lost"
            if message is not None:
                problems.append(Problem(at, f"{message}; give it another name: `as`"))
    return problems + list(_declared(columns, spelled))


def _each(operators: Mapping[str, Sequence[Operator | None]]) -> Iterator[tuple[str, int, Operator]]:
    for stage, chain in operators.items():
        for index, operator in enumerate(chain):
            if operator is not None:
                yield stage, index, operator


def _written(operator: Operator, stage: str, column: pa.Field, kind: Kind, fixed: Set[str]) -> str | None:
    """What is wrong with a column that an operator writes, beside the columns of winnowry's tables."""
    name = column.name
    expected = wrong_name(name)
    if expected is not None:
        return f"column {name!r}, which {operator.op} writes, cannot be named so: expected {expected}"
    measures_size = name == kind.size_column and pa.types.is_integer(column.type)
    transforms = stage == "clean" and (
        column in kind.columns or (name == "text" and column.type in (TEXT, pa.string()))
    )
    if name in fixed and not (measures_size or transforms) and (operator.as_ is not None or name in _OWNED):
        return f"column {name!r} is one of winnowry's own"
    return None


def _replaces(before: Operator, operator: Operator, name: str, kind: Kind) -> bool:
    """Whether an operator that was given a name writes over what another kind of operator has measured."""
    named = before.as_ is not None or operator.as_ is not None
    return (
        named
        and before.op != operator.op
        and name not in ("text", kind.size_column, *(field.name for field in kind.columns))
    )


def _declared(columns: Sequence[AddedColumn | None], spelled: Mapping[str, tuple[str, str]]) -> Iterator[Problem]:
    names: dict[tuple[str, str], str] = {}
    for index, column in enumerate(columns):
        if column is None:
            continue
        at: Path = ("columns", index, "name")
        expected = wrong_name(column.name)
        near, of = spelled.get(column.name.lower(), (column.name, ""))
        first = names.setdefault((column.table, column.name.lower()), column.name)
        if expected is not None:
            yield Problem(at, f"{column.name!r} cannot be the name of a column: expected {expected}")
        elif near != column.name:
            yield Problem(at, f"{column.name!r} and {near!r} of {of} differ in nothing but case")
        elif first != column.name:
            yield Problem(at, f"{column.name!r} and {first!r}, declared before it, differ in nothing but case")
