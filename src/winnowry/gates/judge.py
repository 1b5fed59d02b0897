"""Judge a candidate without Great Expectations: one query for all expectations, and look-ups for those that fail.

Only for kinds of :data:`winnowry.gates.specification.KINDS` and expectations on facts, and only as Great Expectations
judges them, result for result. Whatever is not so simple, or raises, is left to Great Expectations: see
:mod:`winnowry.gates.direct`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from winnowry.gates.aggregates import compile_aggregate
from winnowry.gates.conditions import MapCondition, compile_condition
from winnowry.gates.facts import ExpectFact
from winnowry.gates.session import Session
from winnowry.gates.specification import Specification

_OF_ROWS = {
    "ExpectColumnValuesToNotBeNull": "column_values.nonnull",
    "ExpectColumnValuesToBeUnique": "column_values.unique",
    "ExpectColumnValuesToMatchRegex": "column_values.match_regex",
    "ExpectColumnValuesToBeInSet": "column_values.in_set",
    "ExpectColumnValuesToBeBetween": "column_values.between",
    "ExpectColumnValueLengthsToBeBetween": "column_values.value_length.between",
}
_NO_COLUMN = object()


@dataclass(frozen=True)
class Configuration:
    """What was asked for.

    Attributes:
        type: as Great Expectations names it.
        kwargs: arguments.
        severity: ``critical``, ``warning`` or ``info``.
        meta: of an expectation on facts the ``sentence`` for people and the values ``shown`` in it.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """The result of one expectation, with the names that Great Expectations gives its parts."""

    expectation_config: Configuration
    success: bool
    result: Mapping[str, Any]
    exception_info: None = None


@dataclass(frozen=True)
class JudgedSuite:
    """The results of one suite."""

    suite_name: str
    results: tuple[Judged, ...]


@dataclass(frozen=True)
class _Question:
    """An expectation with the scalars that it needs, and what decides once they are there."""

    asked: Specification | ExpectFact
    expressions: tuple[str, ...]
    answer: Callable[[Session], tuple[bool, dict[str, Any]]]


def judge(session: Session, suites: Mapping[str, Sequence[Any]], samples: int) -> list[JudgedSuite] | None:
    """Judge all suites, or none.

    Args:
        session: the candidate and the facts about it.
        suites: expectations by name of their suite.
        samples: failing rows shown of each expectation.

    Returns:
        A result a suite, expectations of a column together; None where one expectation needs Great Expectations, or
        could not be judged: what broke is then found, and said, there.
    """
    expectations = [expectation for of_suite in suites.values() for expectation in of_suite]
    if not all(isinstance(expectation, Specification | ExpectFact) for expectation in expectations):
        return None
    with suppress(Exception):  # whatever raises is Great Expectations' to report
        questions = {
            name: [_question(session, expectation, samples) for expectation in _in_order(of_suite)]
            for name, of_suite in suites.items()
        }
        if session.scan(e for of_suite in questions.values() for question in of_suite for e in question.expressions):
            return None
        return [
            JudgedSuite(name, tuple(_judged(session, question) for question in of_suite))
            for name, of_suite in questions.items()
        ]
    return None


def _judged(session: Session, question: _Question) -> Judged:
    success, result = question.answer(session)
    asked = question.asked
    meta = {"sentence": asked.sentence, "shown": asked.shown} if isinstance(asked, ExpectFact) else {}
    return Judged(Configuration(asked.kind, dict(asked.arguments), asked.severity, meta), success, result)


def _in_order(expectations: Sequence[Specification | ExpectFact]) -> list[Specification | ExpectFact]:
    """As Great Expectations orders them: those of a column together, columns as they first come."""
    columns: dict[object, list[Specification | ExpectFact]] = {}
    for expectation in expectations:
        columns.setdefault(expectation.arguments.get("column", _NO_COLUMN), []).append(expectation)
    return [expectation for of_column in columns.values() for expectation in of_column]


def _question(session: Session, asked: Specification | ExpectFact, samples: int) -> _Question:
    if isinstance(asked, ExpectFact):
        return _Question(asked, (), lambda s: _of_fact(asked, s))
    values = asked.values
    if asked.class_name in _OF_ROWS:
        return _of_rows(session, asked, values, samples)
    if asked.class_name == "ExpectTableColumnsToMatchSet":
        return _Question(asked, (), lambda s: _columns(s.schema.names, values))
    if asked.class_name == "ExpectTableRowCountToBeBetween":
        return _Question(asked, ("COUNT(*)",), lambda s: _between(s.n_rows, values))
    distinct = compile_aggregate("column.distinct_values.count", {"column": values["column"]}, session.schema)
    assert distinct is not None
    return _Question(
        asked,
        (distinct.expression,),
        lambda s: _between(distinct.convert(s.scalar(distinct.expression)), values),
    )


def _of_fact(asked: ExpectFact, session: Session) -> tuple[bool, dict[str, Any]]:
    met, observed, message = asked.judge(session.facts)
    return bool(met), {"observed_value": observed, "details": {"message": message}}


def _columns(present: Sequence[str], values: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    wanted, there = set(values["column_set"]), set(present)
    result: dict[str, Any] = {"observed_value": sorted(there)}
    differences = {
        name: sorted(names) for name, names in (("unexpected", there - wanted), ("missing", wanted - there)) if names
    }
    if differences:
        result["details"] = {"mismatched": differences}
    return not (differences if values["exact_match"] else differences.get("missing")), result


def _between(observed: int, values: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    low, high = values["min_value"], values["max_value"]
    above = low is None or (observed > low if values["strict_min"] else observed >= low)
    below = high is None or (observed < high if values["strict_max"] else observed <= high)
    return above and below, {"observed_value": observed}


def _of_rows(session: Session, asked: Specification, values: Mapping[str, Any], samples: int) -> _Question:
    column = {"column": values["column"]}
    condition = compile_condition(_OF_ROWS[asked.class_name], column, values, session.schema)
    nulls = compile_condition("column_values.nonnull", column, {}, session.schema).unexpected_count()
    judges_nulls = asked.class_name == "ExpectColumnValuesToNotBeNull"
    wanted = ("COUNT(*)", condition.unexpected_count(), *(() if judges_nulls else (nulls,)))

    def answer(s: Session) -> tuple[bool, dict[str, Any]]:
        missing = None if judges_nulls else int(s.scalar(nulls))
        return _row_verdict(s, condition, missing, values["mostly"], samples)

    return _Question(asked, wanted, answer)


def _row_verdict(
    session: Session, condition: MapCondition, missing: int | None, mostly: float, samples: int
) -> tuple[bool, dict[str, Any]]:
    """Success and details.

    Args:
        session: after its scan.
        condition: says which rows fail.
        missing: rows that are not judged; None where every row is.
        mostly: share of the judged rows that have to meet it.
        samples: failing rows shown.
    """
    total, failing = session.n_rows, int(session.scalar(condition.unexpected_count()))
    judged = total - (missing or 0)
    met = judged == 0 or (judged - failing) / judged >= mostly

    def percent(part: int, whole: int) -> float | None:
        return part / whole * 100 if whole else None

    result: dict[str, Any] = {
        "element_count": total,
        "unexpected_count": failing,
        "unexpected_percent": percent(failing, judged),
    }
    rows = session.failing(condition, samples)
    shown = [row[condition.columns[0]] for row in rows]
    result["partial_unexpected_list"] = shown
    ids = ["record_id"] if "record_id" in session.schema.names else None
    if ids is not None:
        result["unexpected_index_column_names"] = ids
    if missing is not None:
        result["missing_count"] = missing
        result["missing_percent"] = percent(missing, total)
        result["unexpected_percent_total"] = percent(failing, total)
        result["unexpected_percent_nonmissing"] = percent(failing, judged)
    counts = sorted(Counter(shown).most_common(samples), key=lambda pair: (-pair[1], pair[0]))
    result["partial_unexpected_counts"] = [{"value": value, "count": n} for value, n in counts]
    if ids is not None:
        result["partial_unexpected_index_list"] = rows
    return met, result
