"""Run a chain of operators over a batch: kept rows with their columns, rejected rows with every reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import ContractError, UsageError
from winnowry.engine.isolate import isolated
from winnowry.operators.base import FittedOperator, Operator

ERROR_RULE = "error"
"""The rule name of a row that crashed an operator; its value is the exception."""

STORED = "stored:"
"""Prefix of input columns that an earlier run computed: an operator is not called where all its columns are stored."""

_NO_FAULT_OF_A_ROW = (ContractError, UsageError)  # the operator or its arguments are wrong
_ERROR_CHARACTERS = 500


@dataclass(frozen=True)
class Reason:
    """Why a row was rejected: the operator, its rule, the measured value and the threshold."""

    operator: str
    rule: str
    value: str | None
    threshold: str | None


@dataclass
class Outcome:
    """The result of a chain over a batch.

    Attributes:
        kept: rows that passed every rule, with all columns.
        rejected: the other rows, with the columns computed before they were set aside, and their reasons in step.
        reasons: one list a rejected row.
        errors: rows that crashed, by the operator's name.
        calls: rows that each operator was called for, by its name.
    """

    kept: pa.RecordBatch
    rejected: list[tuple[pa.RecordBatch, list[list[Reason]]]] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)


def run_chain(
    operators: Sequence[Operator], batch: pa.RecordBatch, fits: Mapping[str, Mapping[str, Any]] | None = None
) -> Outcome:
    """Apply operators in order.

    Every rule over a computed column is evaluated, so that a rejected row lists all its reasons; rows already
    rejected are set aside before the next costly operator. A row that crashes an operator is rejected with the error
    and takes no other row with it.

    Args:
        operators: the chain.
        batch: n rows; must hold what the operators read. A column ``STORED`` + name counts as computed.
        fits: frozen statistics of fitted operators by operator name.

    Returns:
        Kept and rejected rows; together exactly the n rows.
    """
    outcome = Outcome(kept=batch)
    reasons: list[list[Reason]] = [[] for _ in range(batch.num_rows)]
    for operator in operators:
        if operator.COST == "costly":
            batch, reasons = _set_aside(outcome, batch, reasons)
        name = operator.op
        crashed: dict[int, str] = {}
        computed = _stored(operator, batch)
        if computed is None:
            outcome.calls[name] = outcome.calls.get(name, 0) + batch.num_rows
            fit = (fits or {}).get(operator.as_ or operator.op)
            computed, crashed = _apply_isolated(operator, batch, fit)
        if crashed:
            outcome.errors[name] = outcome.errors.get(name, 0) + len(crashed)
            for row, error in crashed.items():
                reasons[row].append(Reason(name, ERROR_RULE, error, None))
            lost = pa.array([row in crashed for row in range(batch.num_rows)])
            outcome.rejected.append((_own(batch.filter(lost)), [reasons[row] for row in sorted(crashed)]))
            batch = batch.filter(pc.invert(lost))
            reasons = [reason for row, reason in enumerate(reasons) if row not in crashed]
        batch = with_columns(batch, computed)
        for rule in operator.rules():
            values = batch.column(rule.column)
            failing = pc.indices_nonzero(pc.invert(rule.keeps(values))).to_pylist()
            if failing:
                measured = values.take(pa.array(failing)).to_pylist()
                for row, value in zip(failing, measured, strict=True):
                    reasons[row].append(Reason(name, rule.name, _text(value), _text(rule.threshold)))
    batch, _ = _set_aside(outcome, batch, reasons)
    outcome.kept = _own(batch)
    return outcome


def with_columns(batch: pa.RecordBatch, computed: pa.RecordBatch) -> pa.RecordBatch:
    """Add columns to a batch; a column of the same name is replaced in place."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns.update(zip(computed.schema.names, computed.columns, strict=True))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _set_aside(
    outcome: Outcome, batch: pa.RecordBatch, reasons: list[list[Reason]]
) -> tuple[pa.RecordBatch, list[list[Reason]]]:
    failed = [bool(reason) for reason in reasons]
    if not any(failed):
        return batch, reasons
    mask = pa.array(failed)
    outcome.rejected.append((_own(batch.filter(mask)), [reason for reason in reasons if reason]))
    return batch.filter(pc.invert(mask)), [reason for reason in reasons if not reason]


def _own(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without columns of the earlier run that no operator of this chain has claimed."""
    names = [name for name in batch.schema.names if not name.startswith(STORED)]
    return batch if len(names) == batch.num_columns else batch.select(names)


def _stored(operator: Operator, batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """The operator's columns as an earlier run computed them, or None where one of them is missing."""
    written = operator.writes().names
    if not all(STORED + name in batch.schema.names for name in written):
        return None
    return pa.RecordBatch.from_arrays([batch.column(STORED + name) for name in written], names=written)


def _apply(operator: Operator, batch: pa.RecordBatch, fit: Mapping[str, Any] | None) -> pa.RecordBatch:
    inputs = batch.select(operator.reads().names)
    if isinstance(operator, FittedOperator):
        if fit is None:
            raise ContractError(f"{operator.op}: there is no fit of it; run the fit stage first")
        computed = operator.apply_fitted(inputs, fit)
    else:
        computed = operator.apply(inputs)
    declared = operator.writes()
    if computed.schema.names != declared.names or [c.type for c in computed.columns] != [f.type for f in declared]:
        raise ContractError(f"{operator.op}: declared columns {declared}, returned {computed.schema}")
    if computed.num_rows != batch.num_rows:
        raise ContractError(f"{operator.op}: called for {batch.num_rows} rows, returned {computed.num_rows}")
    return computed


def _apply_isolated(
    operator: Operator, batch: pa.RecordBatch, fit: Mapping[str, Any] | None
) -> tuple[pa.RecordBatch, dict[int, str]]:
    """Columns of the rows that the operator did not crash on, and the error of each other row by its number."""
    parts = list(isolated(lambda rows: _apply(operator, rows, fit), batch, fatal=_NO_FAULT_OF_A_ROW))
    crashed = {
        part.start: f"{type(part.error).__name__}: {part.error}"[:_ERROR_CHARACTERS]
        for part in parts
        if part.error is not None
    }
    computed = [part.values for part in parts if part.values is not None]
    if len(computed) == 1:
        return computed[0], crashed
    joined = pa.Table.from_batches(computed, schema=None if computed else operator.writes()).combine_chunks()
    batches = joined.to_batches()
    return (batches[0] if batches else _empty(operator.writes())), crashed


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], type=f.type) for f in schema], names=schema.names)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(round(value, 6))
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
