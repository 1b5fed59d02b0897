"""What ``Lake.add_column`` is asked for, as the specification of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from winnowry.columns.definitions import Definitions
from winnowry.columns.spec import (
    ColumnSpec,
    Resources,
    check_name,
    check_where,
    from_operator,
    operator_column,
    python_column,
    sql_column,
)
from winnowry.core.arguments import check_choice
from winnowry.core.errors import UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.base import Operator

OnError = Literal["fail", "null"]


@dataclass(frozen=True)
class ColumnRequest:
    """A column of a table, given by one of ``sql``, ``op`` and ``python``, or by an earlier ``version`` of itself.

    Attributes:
        corpus: the corpus.
        table: its table.
        name: of the column.
        resources: what computing it may use.
    """

    corpus: str
    table: str
    name: str
    sql: str | None
    op: str | Operator | None
    python: str | None
    type: str | None
    where: str | None
    version: str | None
    max_null_fraction: float
    on_error: OnError
    resources: Resources

    def specification(self, ws: Workspace) -> ColumnSpec:
        """The specification, checked against the table.

        Raises:
            NotFoundError: no such corpus or table.
            UsageError: it does not fit the table, or not one way to compute it is given.
        """
        check_choice("on_error", self.on_error, OnError)
        ws.lake.check_table(self.corpus, self.table)
        return self._new(ws) if self.version is None else self._earlier(ws, self.version)

    def _new(self, ws: Workspace) -> ColumnSpec:
        ways = (("sql", self.sql), ("op", self.op), ("python", self.python))
        named = [option for option, value in ways if value is not None]
        if len(named) != 1:
            raise UsageError(f"give one of sql, op and python; got {' and '.join(named) or 'none'}")
        if self.type is not None and self.python is None:
            raise UsageError("type is for python: the type of the others is known")
        dataset = ws.lake.table(self.corpus, self.table).dataset()
        check_name(self.name)
        check_where(dataset, self.where)
        options: dict[str, Any] = {
            "where": self.where,
            "max_null_fraction": self.max_null_fraction,
            "on_error": self.on_error,
            "resources": self.resources,
        }
        if self.sql is not None:
            return sql_column(dataset, self.table, self.name, self.sql, **options)
        if isinstance(self.op, Operator):
            return from_operator(dataset, self.table, self.name, self.op, **options)
        if self.op is not None:
            return operator_column(dataset, self.table, self.name, self.op, **options)
        assert self.python is not None
        return python_column(dataset, self.table, self.name, self.python, type_=self.type, **options)

    def _earlier(self, ws: Workspace, version: str) -> ColumnSpec:
        if any(other is not None for other in (self.sql, self.op, self.python, self.type, self.where)):
            raise UsageError("version says how the column was computed: leave out sql, op, python, type and where")
        definition = Definitions(ws, self.corpus).get(self.table, self.name)
        known = [] if definition is None else [definition.spec, *(spec for spec, _ in definition.earlier)]
        matches = [spec for spec in known if spec.version.startswith(version)]
        if len(matches) != 1:
            listed = ", ".join(spec.version for spec in known) or "none"
            raise UsageError(
                f"version {version!r}: {len(matches)} of the versions of {self.table}.{self.name} fit; known: {listed}"
            )
        return matches[0]
