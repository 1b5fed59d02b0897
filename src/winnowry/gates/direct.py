"""Judge a candidate without Great Expectations' graph of metrics.

For each suite Great Expectations builds a graph of every metric and of all that it depends on, which is most of what a
gate costs. Where Lance answers all metrics of all expectations, nothing depends on anything. Then the metrics are asked
for in one query, and each expectation's own ``_validate`` decides, so that the verdicts and their details are Great
Expectations' own. A candidate with an expectation of another sort is judged by a checkpoint, as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from great_expectations import __version__
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation, Expectation
from great_expectations.validator.v1_validator import calc_validation_statistics

from winnowry.gates.session import Plan, Session, plan_metric

_MAP_METRICS = ("unexpected_count", "unexpected_values", "unexpected_index_list", "unexpected_index_query")
_NULLS = "column_values.nonnull.unexpected_count"
_NO_COLUMN = object()


class _NotDirectError(Exception):
    """An expectation needs the graph."""


@dataclass(frozen=True)
class _Metric:
    """What an engine is asked for, as Great Expectations names it."""

    metric_name: str
    metric_domain_kwargs: Mapping[str, Any]
    metric_value_kwargs: Mapping[str, Any]


class _Answers(Mapping[str, Any]):
    """The metrics of one expectation by name, answered by the session when they are asked for."""

    def __init__(self, expectation: Any, session: Session, result_format: Mapping[str, Any]) -> None:
        self._session = session
        self._values = {**expectation._get_success_kwargs(), "result_format": result_format}
        self._domain = {key: self._values.get(key) for key in expectation.domain_keys}
        self._plans = {name: self._plan(name) for name in _metrics_of(expectation)}

    def _plan(self, name: str) -> Plan:
        values = {} if name == _NULLS else self._values
        plan = plan_metric(_Metric(name, self._domain, values), self._session)
        if plan is None:
            raise _NotDirectError(name)
        return plan

    @cached_property
    def expressions(self) -> tuple[str, ...]:
        """What the session must have scanned before a metric is asked for."""
        return tuple(expression for plan in self._plans.values() for expression in plan.expressions)

    def __getitem__(self, name: str) -> Any:
        return self._plans[name].answer(self._session)

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)


def judge_directly(
    session: Session, suites: Mapping[str, Sequence[Any]], result_format: Mapping[str, Any]
) -> list[ExpectationSuiteValidationResult] | None:
    """Judge all suites, or none.

    Args:
        session: the candidate and the facts about it, of the audit that is open.
        suites: expectations by name of their suite.
        result_format: as for a checkpoint.

    Returns:
        A result a suite, as a checkpoint gives; None where one expectation needs Great Expectations' graph, or could
        not be judged: what broke is then found, and said, by the checkpoint.
    """
    with suppress(Exception):  # whatever an expectation raises is the checkpoint's to report
        asked = [
            (suite, expectation, _Answers(expectation, session, result_format))
            for suite, expectations in suites.items()
            for expectation in _in_order(expectations)
        ]
        if session.scan(expression for _, _, answers in asked for expression in answers.expressions):
            return None
        judged: dict[str, list[ExpectationValidationResult]] = {suite: [] for suite in suites}
        for suite, expectation, answers in asked:
            judged[suite].append(_judge(expectation, answers, result_format))
        now = datetime.now(UTC)
        return [suite_result(suite, results, now) for suite, results in judged.items()]
    return None


def _metrics_of(expectation: Any) -> tuple[str, ...]:
    kind = type(expectation)
    if getattr(expectation, "row_condition", None) is not None or expectation.suite_parameter_options:
        raise _NotDirectError("rows or values that are only known later")
    if kind.metrics_validate is not Expectation.metrics_validate:
        raise _NotDirectError(kind.__name__)
    if kind.get_validation_dependencies is ColumnMapExpectation.get_validation_dependencies:
        return ("table.row_count", _NULLS, *(f"{expectation.map_metric}.{suffix}" for suffix in _MAP_METRICS))
    names = tuple(kind.metric_dependencies)
    if not names or kind.get_validation_dependencies is not BatchExpectation.get_validation_dependencies:
        raise _NotDirectError(kind.__name__)
    return names


def _judge(expectation: Any, answers: _Answers, result_format: Mapping[str, Any]) -> ExpectationValidationResult:
    response = expectation._validate(
        metrics=answers, runtime_configuration={"result_format": dict(result_format)}, execution_engine=None
    )
    result: ExpectationValidationResult = expectation._build_evr(raw_response=response)
    return result


def _in_order(expectations: Sequence[Any]) -> list[Any]:
    """As a checkpoint orders them: those of a column together, columns as they first come."""
    columns: dict[object, list[Any]] = {}
    for expectation in expectations:
        column = getattr(expectation, "column", None)
        columns.setdefault(column if isinstance(column, str) else _NO_COLUMN, []).append(expectation)
    return [expectation for of_column in columns.values() for expectation in of_column]


def suite_result(
    name: str, results: list[ExpectationValidationResult], judged_at: datetime
) -> ExpectationSuiteValidationResult:
    """The results of a suite as a checkpoint puts them together."""
    statistics = calc_validation_statistics(results)
    return ExpectationSuiteValidationResult(
        results=results,
        success=statistics.success,
        suite_name=name,
        statistics={
            "evaluated_expectations": statistics.evaluated_expectations,
            "successful_expectations": statistics.successful_expectations,
            "unsuccessful_expectations": statistics.unsuccessful_expectations,
            "success_percent": statistics.success_percent,
        },
        meta={
            "great_expectations_version": __version__,
            "run_id": RunIdentifier(run_time=judged_at),
            "validation_time": judged_at,
        },
    )
