"""One audit of a candidate: what is asked of Lance, and how each metric of Great Expectations is answered by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.gates import sql
from winnowry.gates.aggregates import Scalar, compile_aggregate, row_count
from winnowry.gates.conditions import MapCondition, compile_condition
from winnowry.gates.facts import METRIC
from winnowry.gates.sql import Unanswerable
from winnowry.lakehouse.view import TableView

PANDAS_ROWS = 100_000
"""Rows up to which a metric without SQL is computed by pandas."""

NUMBERS = 50_000_000
"""Values of one numeric column that are read for an exact median or quantile (8 bytes each)."""

DISTINCT = 100_000
"""Distinct values of one column that are read for expectations on the set of values."""

SHOWN_CHARACTERS = 1000
"""Longer strings are cut in samples of failing rows."""

ROW_ID = "record_id"
"""Column by which failing rows are named, where the table has it."""

_MAP_SUFFIXES = (
    ".condition",
    ".unexpected_count",
    ".unexpected_values",
    ".unexpected_index_list",
    ".unexpected_index_query",
    ".unexpected_rows",
    ".filtered_row_count",
)
_MAP_FAMILIES = ("column_values.", "column_pair_values.", "compound_columns.")


class RefusedError(Exception):
    """A metric that neither Lance nor, at this size, pandas can answer."""


@dataclass
class Session:
    """One audit: the candidate, the facts of the pipeline, and what has been answered so far.

    Attributes:
        view: the candidate's rows.
        facts: measurements for custom expectations.
        scans: aggregate queries run.
        lookups: queries for failing rows run.
        by_pandas: metrics that went to pandas.
    """

    view: TableView
    facts: Mapping[str, Any]
    scans: int = 0
    lookups: int = 0
    by_pandas: list[str] = field(default_factory=list)
    _scalars: dict[str, Any] = field(default_factory=dict)
    _frames: dict[Any, Any] = field(default_factory=dict)
    _rows: dict[Any, list[dict[str, Any]]] = field(default_factory=dict)
    _schema: pa.Schema | None = None

    @property
    def schema(self) -> pa.Schema:
        """Schema of the candidate."""
        if self._schema is None:
            self._schema = self.view.schema
        return self._schema

    @property
    def n_rows(self) -> int:
        """Rows of the candidate, from the table's metadata."""
        if "COUNT(*)" not in self._scalars:
            self._scalars["COUNT(*)"] = self.view.count_rows()
        return int(self._scalars["COUNT(*)"])

    def scan(self, expressions: Iterable[str]) -> dict[str, Exception]:
        """Answer scalar expressions by one query.

        Returns:
            The expressions that could not be answered, with the reason; the others are in :meth:`scalar`.
        """
        wanted = sorted(set(expressions) - set(self._scalars))
        if "COUNT(*)" in wanted:
            wanted.remove("COUNT(*)")
            self.n_rows  # noqa: B018 the property keeps what it finds
        failed: dict[str, Exception] = {}
        if not wanted:
            return failed
        try:
            self._scalars.update(self._ask(wanted))
        except (ValueError, OSError, RuntimeError) as error:
            if len(wanted) == 1:
                return {wanted[0]: error}
            for expression in wanted:  # one expression must not take the others with it
                failed |= self.scan([expression])
        return failed

    def _ask(self, expressions: list[str]) -> dict[str, Any]:
        named = {f"m{i}": expression for i, expression in enumerate(expressions)}
        # A subquery next to aggregates would be evaluated once per row of the table.
        inner = [f"{e} AS {name}" for name, e in named.items() if not e.startswith("(SELECT")] or ["1 AS one"]
        outer = [f"{e} AS {name}" if e.startswith("(SELECT") else name for name, e in named.items()]
        source = f" FROM (SELECT {', '.join(inner)} FROM dataset) AS scanned" if inner != ["1 AS one"] else ""
        self.scans += 1
        row = self.view.sql(f"SELECT {', '.join(outer)}{source}").to_pylist()[0]
        return {expression: row[f"m{i}"] for i, expression in enumerate(expressions)}

    def scalar(self, expression: str) -> Any:
        """The answer to an expression of an earlier :meth:`scan`."""
        return self._scalars[expression]

    def failing(self, condition: MapCondition, limit: int) -> list[dict[str, Any]]:
        """Up to ``limit`` rows that fail, with their record id where the table has one."""
        if not self.scalar(condition.unexpected_count()):
            return []
        key = (condition, limit)
        if key not in self._rows:
            names = dict.fromkeys((*condition.columns, *((ROW_ID,) if ROW_ID in self.schema.names else ())))
            selected = {name: self._shown(name) for name in names}
            order = ROW_ID if ROW_ID in names else None
            self.lookups += 1
            self._rows[key] = self.view.sql(condition.unexpected_rows(selected, order, limit)).to_pylist()
        return self._rows[key]

    def _shown(self, name: str) -> str:
        column = sql.identifier(name)
        if name != ROW_ID and sql.is_text(self.schema.field(name).type):
            return f"substr({column}, 1, {SHOWN_CHARACTERS})"
        return column

    def numbers(self, name: str, rows: str | None) -> Any:
        """All values of a numeric column as a pandas frame with that column."""
        if not sql.is_number(sql.column_type(name, self.schema)):
            raise Unanswerable(f"{name} is not numeric")
        if self.n_rows > NUMBERS:
            raise RefusedError(
                f"an exact quantile of {name!r} needs all its values, and {self.view.name} has {self.n_rows:,} rows "
                f"(limit {NUMBERS:,}): gate a smaller partition, or bound the mean instead"
            )
        where = f" WHERE {rows}" if rows is not None else ""
        return self._frame(f"SELECT {sql.identifier(name)} FROM dataset{where}", [name])

    def distinct(self, name: str, rows: str | None) -> Any:
        """Distinct values of a column, with a null where the column has one, as a pandas frame."""
        key = sql.key(name, self.schema)
        where = f" WHERE {rows}" if rows is not None else ""
        query = f"SELECT DISTINCT {key} AS {sql.identifier(name)} FROM dataset{where} LIMIT {DISTINCT + 1}"
        frame = self._frame(query, [name])
        if len(frame) > DISTINCT:
            raise RefusedError(
                f"column {name!r} of {self.view.name} has more than {DISTINCT:,} distinct values; use "
                "expect_column_values_to_be_in_set, which counts rows instead"
            )
        return frame

    def frame(self, names: Iterable[str]) -> Any:
        """Whole columns as a pandas frame, for metrics without SQL.

        Raises:
            RefusedError: too many rows.
        """
        if self.n_rows > PANDAS_ROWS:
            raise RefusedError(
                f"no SQL for it, and {self.view.name} has {self.n_rows:,} rows; pandas is used up to {PANDAS_ROWS:,}"
            )
        key = tuple(names)
        if key not in self._frames:
            self._frames[key] = self.view.to_table(columns=list(key)).to_pandas()
        return self._frames[key]

    def _frame(self, query: str, names: list[str]) -> Any:
        if query not in self._frames:
            table = self.view.sql(query)
            if not table.num_columns:
                table = pa.schema([self.schema.field(name) for name in names]).empty_table()
            self._frames[query] = table.to_pandas()
        return self._frames[query]


@dataclass(frozen=True)
class Plan:
    """How one metric is answered: scalar expressions of the round's scan, and what is made of them.

    Attributes:
        answer: of the session, once it has scanned the expressions.
        expressions: what :meth:`Session.scan` has to be asked for.
    """

    answer: Any
    expressions: tuple[str, ...] = ()


def plan_metric(metric: Any, session: Session) -> Plan | None:
    """Plan a metric.

    Args:
        metric: has ``metric_name``, ``metric_domain_kwargs`` and ``metric_value_kwargs``.
        session: the audit.

    Returns:
        How it is answered; None to let Great Expectations compute it, from other metrics or by pandas.

    Raises:
        Unanswerable: SQL cannot give it the meaning that pandas gives it.
    """
    name, domain, values = metric.metric_name, metric.metric_domain_kwargs, metric.metric_value_kwargs or {}
    schema = session.schema
    if name == "table.columns":
        return Plan(lambda s: list(s.schema.names))
    if name == "table.column_types":
        return Plan(lambda s: [{"name": n, "type": t} for n, t in s.schema.empty_table().to_pandas().dtypes.items()])
    if name == "table.row_count":
        return _scalar(row_count(domain, schema))
    if name == METRIC:
        return Plan(lambda s: s.facts)
    aggregate = compile_aggregate(name, domain, schema)
    if aggregate is not None:
        return _scalar(aggregate)
    if name == "column_values.value_length.map":
        if sql.is_text(sql.column_type(domain["column"], schema)):
            return Plan(lambda s: (None, {}, {}))
        return None
    suffix = next((s for s in _MAP_SUFFIXES if name.endswith(s)), None)
    if suffix is None or not name.startswith(_MAP_FAMILIES):
        return None
    condition = compile_condition(name.removesuffix(suffix), domain, values, schema)
    return _map_plan(suffix, condition, values)


def _scalar(scalar: Scalar) -> Plan:
    return Plan(lambda s: scalar.convert(s.scalar(scalar.expression)), (scalar.expression,))


def _map_plan(suffix: str, condition: MapCondition, values: Mapping[str, Any]) -> Plan:
    if suffix == ".condition":
        return Plan(lambda s: (condition, {}, {}))
    if suffix == ".filtered_row_count":
        return _scalar(Scalar(condition.judged_count(), int))
    count = condition.unexpected_count()
    if suffix == ".unexpected_count":
        return _scalar(Scalar(count, int))
    options = values.get("result_format") or {}
    limit = int(options.get("partial_unexpected_count", 20))
    if suffix == ".unexpected_values":
        return Plan(lambda s: _values(s.failing(condition, limit), condition.columns), (count,))
    if suffix == ".unexpected_index_list":
        ids = options.get("unexpected_index_column_names")
        if not ids:
            return Plan(lambda s: None)
        return Plan(lambda s: s.failing(condition, limit), (count,))
    if suffix == ".unexpected_rows":
        return Plan(lambda s: _as_frame(s.failing(condition, limit)), (count,))
    return Plan(lambda s: None)  # the query that would list all failing rows is the table itself


def _values(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[Any]:
    if len(columns) == 1:
        return [row[columns[0]] for row in rows]
    if len(columns) == 2:
        return [(row[columns[0]], row[columns[1]]) for row in rows]
    return [{name: row[name] for name in columns} for row in rows]


def _as_frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
