"""Mistakes of declared columns beside the rest of the recipe."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import get_args

from winnowry.core.tables import RAW, SCORED
from winnowry.operators.base import Derivation, FittedOperator, Operator
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.recipe.columns import AddedColumn, ColumnTable
from winnowry.recipe.messages import Problem, did_you_mean
from winnowry.recipe.tables import FROM_SAMPLED, cleaned_columns, columns_written
from winnowry.records.kinds import TEXT, Kind

_FORMS = ("sql", "operator", "python")


def check_columns(
    columns: Sequence[AddedColumn | None],
    clean: Sequence[Operator | None],
    score: Sequence[Operator | None],
    kind: Kind = TEXT,
    carried: Set[str] = frozenset(),
    beside: Set[str] = frozenset(),
) -> list[Problem]:
    """All problems among the parts; None stands for a part with a mistake of its own.

    Expressions of SQL are judged by the table, when a plan or a run meets it.

    Args:
        columns: the columns.
        clean: operators.
        score: operators.
        kind: of the records.
        carried: fields of the records that are columns of ``cleaned``.
        beside: what ``raw`` has of a record beside its bytes.
    """
    problems: list[Problem] = []
    unknown = None in clean or None in score
    own = _own_columns(clean, score, kind, carried, beside)
    first: dict[str, int] = {}
    for index, column in enumerate(columns):
        if column is None:
            continue
        at = ("columns", index)
        if column.stage in first:
            problems.append(Problem((*at, "name"), f"columns.{first[column.stage]} is {column.stage} already"))
        first.setdefault(column.stage, index)
        forms = [form for form in _FORMS if getattr(column, form) is not None]
        if len(forms) != 1:
            problems.append(Problem(at, f"give one of sql, operator and python; got {' and '.join(forms) or 'none'}"))
        if column.type is not None and column.python is None:
            problems.append(Problem((*at, "type"), "`type` is for `python`: the type of the others is known"))
        if column.name in own[column.table]:
            problems.append(Problem((*at, "name"), f"{column.table} has a column {column.name} of its own"))
        problems += _operator(column, at, None if unknown else own[column.table] | _added(columns, column.table))
        problems += _python(column, at)
    return problems


def _own_columns(
    clean: Sequence[Operator | None],
    score: Sequence[Operator | None],
    kind: Kind,
    carried: Set[str],
    beside: Set[str],
) -> dict[str, Set[str]]:
    keys = [operator for operator in clean if isinstance(operator, DuplicateKeys)]
    others = [operator for operator in clean if not isinstance(operator, DuplicateKeys)]
    scored = columns_written(score)
    cleaned = {*cleaned_columns(kind).names} | beside | carried | columns_written(others)
    content = {"payload"} if kind.carries == "blob" else set()
    sized = ({*SCORED.names} - {TEXT.size_column}) | {kind.size_column}
    # In the order of ColumnTable: as read, as cleaned, as scored, as released.
    own = (
        {*RAW.names} | beside | {field.name for field in kind.columns},
        cleaned | columns_written(keys),
        sized | scored,
        cleaned | content | scored | sized | {*FROM_SAMPLED},
    )
    return dict(zip(get_args(ColumnTable), own, strict=True))


def _added(columns: Sequence[AddedColumn | None], table: str) -> set[str]:
    return {column.name for column in columns if column is not None and column.table == table}


def _operator(column: AddedColumn, at: tuple[str | int, ...], have: Set[str] | None) -> list[Problem]:
    operator = column.operator
    if operator is None:
        return []
    where = (*at, "operator")
    if isinstance(operator, FittedOperator):
        return [Problem(where, f"{operator.op} needs statistics of the corpus: put it into `score`")]
    if isinstance(operator, Derivation):
        return [Problem(where, f"{operator.op} makes records of records: put it into `clean`")]
    problems = []
    names = operator.writes().names
    if len(names) > 1 and column.name not in names:
        problems.append(Problem(where, f"{operator.op} writes {', '.join(names)}: name the column as one of them"))
    for name in operator.reads().names if have is not None else ():
        assert have is not None
        if name not in have:
            hint = did_you_mean(name, have)
            problems.append(Problem(where, f"{operator.op} reads {name!r}, which {column.table} does not have{hint}"))
    return problems


def _python(column: AddedColumn, at: tuple[str | int, ...]) -> list[Problem]:
    if column.python is None:
        return []
    file = Path(column.python.rpartition(":")[0])
    return [] if file.is_file() else [Problem((*at, "python"), f"{file}: no such file")]
