"""An execution engine of Great Expectations that lets Lance count.

Great Expectations asks an engine for metrics in rounds. Here a round becomes one aggregate query over the candidate,
and a look-up of at most 20 rows for every condition that some row fails. What SQL cannot answer with the meaning that
pandas gives it goes to Great Expectations' own pandas code on the columns concerned, up to a number of rows, and is
refused by name beyond that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from winnowry.gates.native import MetricResolutionError, PandasExecutionEngine
from winnowry.gates.row_condition import columns_of, row_condition_sql
from winnowry.gates.session import ROW_ID, Plan, RefusedError, Session, plan_metric
from winnowry.gates.sql import Unanswerable

_OF_NUMBERS = ("column.median", "column.quantile_values")
_OF_DISTINCT = ("column.distinct_values",)  # and what starts with it, except the plain count

_session: ContextVar[Session] = ContextVar("winnowry_gate_session")


@contextmanager
def audit(session: Session) -> Iterator[Session]:
    """Let every :class:`LanceExecutionEngine` of this thread answer for one candidate."""
    token = _session.set(session)
    try:
        yield session
    finally:
        _session.reset(token)


class LanceExecutionEngine(PandasExecutionEngine):
    """Answers the metrics of native expectations by Lance SQL; see the module."""

    _wanted: Any = None  # the metric that pandas is computing

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[Any],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> dict[Any, Any]:
        """Answer one round of metrics.

        Raises:
            MetricResolutionError: names the metrics that could not be answered; the others are kept for the repeat.
        """
        session = _session.get()
        answers: dict[Any, Any] = {}
        failed: dict[Any, Exception] = {}
        plans: dict[Any, Plan] = {}
        rest = []
        wanted = sorted(metrics_to_resolve, key=lambda metric: str(metric.id))
        for metric in wanted:
            try:
                plan = plan_metric(metric, session)
            except Unanswerable:
                plan = None
            except (LookupError, ValueError, TypeError, RefusedError) as error:
                failed[metric] = error
                continue
            if plan is None:
                rest.append(metric)
            else:
                plans[metric] = plan
        unanswered = session.scan(e for plan in plans.values() for e in plan.expressions)
        for metric, plan in plans.items():
            broken = [unanswered[e] for e in plan.expressions if e in unanswered]
            try:
                if broken:
                    raise broken[0]
                answers[metric.id] = plan.answer(session)
            except Exception as error:  # any failure makes this metric broken, and no other
                failed[metric] = error
        for metric in rest:
            try:
                answers.update(self._by_pandas(metric, {**(metrics or {}), **answers}, runtime_configuration))
            except Exception as error:
                failed[metric] = error
        if failed:
            raise MetricResolutionError(
                message="; ".join(f"{metric.metric_name}: {_message_of(error)}" for metric, error in failed.items()),
                failed_metrics=tuple(failed),
            )
        return answers

    def _by_pandas(self, metric: Any, metrics: dict[Any, Any], runtime: dict[str, Any] | None) -> dict[Any, Any]:
        session = _session.get()
        self._wanted = metric
        before = len(session.by_pandas)
        try:
            resolved = super().resolve_metrics(
                metrics_to_resolve=[metric], metrics=metrics, runtime_configuration=runtime
            )
        finally:
            self._wanted = None
            del session.by_pandas[before + 1 :]
        return {key: value.item() if _is_numpy_scalar(value) else value for key, value in resolved.items()}

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> Any:
        """Rows for pandas: only the columns that the metric names, and only up to a number of rows."""
        session = _session.get()
        metric = self._wanted
        name = metric.metric_name if metric is not None else "?"
        column: Any = domain_kwargs.get("column") or (metric.metric_domain_kwargs.get("column") if metric else None)
        condition = domain_kwargs.get("row_condition")
        session.by_pandas.append(name)
        try:
            if name in _OF_NUMBERS:
                return session.numbers(column, row_condition_sql(condition, session.schema))
            if name.startswith(_OF_DISTINCT):
                return session.distinct(column, row_condition_sql(condition, session.schema))
        except Unanswerable:
            pass
        batch: Any = self.batch_manager.active_batch_data
        whole = batch.dataframe
        try:
            batch._dataframe = session.frame(_columns(domain_kwargs, metric, session))
            return super().get_domain_records(domain_kwargs)
        finally:
            batch._dataframe = whole

    def facts(self) -> Mapping[str, Any]:
        """Measurements of the pipeline, for :class:`winnowry.gates.native_facts.Facts`."""
        return _session.get().facts


def _columns(domain: Mapping[str, Any], metric: Any, session: Session) -> list[str]:
    candidates = [
        domain.get("column"),
        domain.get("column_A"),
        domain.get("column_B"),
        *(domain.get("column_list") or ()),
    ]
    if metric is not None:
        candidates += [metric.metric_domain_kwargs.get(name) for name in ("column", "column_A", "column_B")]
        candidates += list(metric.metric_domain_kwargs.get("column_list") or ())
    named = {name for name in candidates if isinstance(name, str)}
    names = session.schema.names
    if not named:
        return list(names)
    if domain.get("row_condition"):
        named.update(columns_of(domain["row_condition"], session.schema))
    unknown = sorted(named - set(names))
    if unknown:
        raise LookupError(f"the table has no column {unknown[0]!r}; its columns are {', '.join(names)}")
    return [name for name in names if name in named or name == ROW_ID]


def _is_numpy_scalar(value: Any) -> bool:
    """Data Docs cannot show numpy's numbers."""
    return type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()


def _message_of(error: BaseException) -> str:
    return str(error) or type(error).__name__
