"""Run a chain of operators over a batch: kept rows with their columns, rejected rows with every reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import ContractError, UsageError
from winnowry.engine.children import PATH, children_of
from winnowry.engine.columns import with_columns
from winnowry.engine.isolate import Part, isolated
from winnowry.operators.base import Derivation, Derived, FittedOperator, Operator, Refusal
from winnowry.operators.media.operator import MediaDerivation, MediaOperator, without_content
from winnowry.operators.media.views import PAYLOAD, SPAN, Views, Wants

Values = TypeVar("Values")

ERROR_RULE = "error"
"""The rule name of a row that crashed an operator; its value is the exception."""

NO_CHILDREN = "no_children"
"""The rule name of a row that a derivation made nothing of."""

EMPTY_RULE = "empty"
"""The rule name of a row of which nothing is left: a text that is empty or white space, or a file without a byte.

Its operator is the one that left nothing, or :data:`ARRIVED` where there never was anything."""

ARRIVED = "source"
"""What stands for the operator of a row that arrived empty."""

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
    operators: Sequence[Operator],
    batch: pa.RecordBatch,
    fits: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    refuse_empty: bool = False,
) -> Outcome:
    """Apply operators in order.

    Every rule over a computed column is evaluated, so that a rejected row lists all its reasons; rows already rejected
    are set aside before the next costly operator and before a derivation. A row that crashes an operator is rejected
    with the error and takes no other row with it. A derivation replaces its rows by their children; a row without
    children is rejected under the rule :data:`NO_CHILDREN`, or under the one that the derivation names. Operators on
    media share one view of each row, which is decoded once, for what all of them want.

    Args:
        operators: the chain.
        batch: n rows; must hold what the operators read, and ``record_id`` where there is a derivation. A column
            ``STORED`` + name counts as computed.
        fits: frozen statistics of fitted operators by operator name.
        refuse_empty: reject rows that pass every rule with a ``size`` of 0 (or, without that column, with an empty
            ``text``) under the rule :data:`EMPTY_RULE`.

    Returns:
        Kept and rejected rows; together exactly the n rows, or those made of them.
    """
    chain = _Chain(batch, fits or {}, _wants(operators))
    for operator in operators:
        if operator.COST == "costly" or isinstance(operator, Derivation):
            chain.set_aside()
        if isinstance(operator, Derivation):
            chain.derive(operator)
        else:
            chain.measure(operator)
        chain.ask(operator)
    chain.set_aside()
    if refuse_empty:
        chain.refuse_empty()
    return replace(chain.outcome, kept=_own(chain.batch))


@dataclass(frozen=True)
class _Seen:
    """Rows with the views of their media; None where no operator looks at any."""

    batch: pa.RecordBatch
    views: Views | None

    @property
    def num_rows(self) -> int:
        return int(self.batch.num_rows)

    def slice(self, offset: int = 0, length: int | None = None) -> _Seen:
        batch = self.batch.slice(offset, length)
        views = self.views
        return _Seen(batch, views[offset : offset + batch.num_rows] if views is not None else None)


class _Chain:
    """A chain under way: the rows that are still in it, and their reasons so far."""

    def __init__(
        self, batch: pa.RecordBatch, fits: Mapping[str, Mapping[str, Any]], wants: Wants | None = None
    ) -> None:
        self.batch = batch
        self.views = Views.of_batch(batch, wants) if wants is not None else None
        self.fits = fits
        self.reasons: list[list[Reason]] = [[] for _ in range(batch.num_rows)]
        # Which operator left nothing of a row.
        self.emptied: list[str | None] = [ARRIVED if empty else None for empty in _empty_rows(batch)]
        self.outcome = Outcome(kept=batch)

    def measure(self, operator: Operator) -> None:
        """Add the columns of an operator; rows that crash it leave."""
        computed = _stored(operator, self.batch)
        if computed is None:
            fit = self.fits.get(operator.as_ or operator.op)
            parts = self._isolated(operator, lambda rows: _apply(operator, rows, fit))
            computed = _joined([part.values for part in parts if part.values is not None], operator.writes())
        self.batch = with_columns(self.batch, computed)
        if "text" in computed.schema.names:
            self._note_empty(operator)

    def derive(self, operator: Derivation) -> None:
        """Replace the rows by their children; rows that crash the operator and rows without children leave."""
        parts = self._isolated(operator, lambda rows: _derive(operator, rows))
        computed = [part for part in parts if part.values is not None]
        # Crashed rows have left: the parts that were computed now lie one behind the other.
        starts = np.cumsum([0, *(part.n_rows for part in computed)])
        values = [part.values for part in computed if part.values is not None]
        parents = [start + derived.parent.to_numpy() for start, derived in zip(starts, values, strict=False)]
        parent = np.concatenate(parents).astype(np.int64) if parents else np.empty(0, np.int64)
        written = _joined([derived.batch for derived in values], operator.writes())
        refused = {
            int(start) + row: why
            for start, derived in zip(starts, values, strict=False)
            for row, why in derived.refused.items()
        }
        childless = np.bincount(parent, minlength=self.batch.num_rows) == 0
        batch = self.batch
        for row in np.flatnonzero(childless).tolist():
            why = refused.get(row, Refusal(NO_CHILDREN))
            self.reasons[row].append(Reason(operator.op, why.rule, why.value, why.threshold))
        views = self.views
        self.set_aside()
        # Children of media have no bytes of their own: their views are those of their root.
        inherited = without_content(batch) if isinstance(operator, MediaDerivation) else batch
        self.batch = children_of(inherited, parent, written, operator.op)
        if views is not None:
            spans = written.column(SPAN) if SPAN in written.schema.names else None
            self.views = views.children(parent.tolist(), spans)
        self.reasons = [[] for _ in range(self.batch.num_rows)]
        self.emptied = [None] * self.batch.num_rows
        self._note_empty(operator)

    def refuse_empty(self) -> None:
        """Reject the rows of which nothing is left."""
        for row, operator in enumerate(self.emptied):
            if operator is not None:
                self.reasons[row].append(Reason(operator, EMPTY_RULE, None, None))
        self.set_aside()

    def _note_empty(self, operator: Operator) -> None:
        empty = _empty_rows(self.batch)
        self.emptied = [
            (before or operator.op) if now else None for before, now in zip(self.emptied, empty, strict=True)
        ]

    def ask(self, operator: Operator) -> None:
        """Ask every rule of an operator about its columns."""
        for rule in operator.rules():
            values = self.batch.column(rule.column)
            failing = pc.indices_nonzero(pc.invert(rule.keeps(values))).to_pylist()
            if failing:
                measured = values.take(pa.array(failing)).to_pylist()
                for row, value in zip(failing, measured, strict=True):
                    self.reasons[row].append(Reason(operator.op, rule.name, _text(value), _text(rule.threshold)))

    def set_aside(self) -> None:
        """Reject the rows that have a reason."""
        failed = [bool(reason) for reason in self.reasons]
        if any(failed):
            self._reject(failed)

    def _reject(self, rows: list[bool]) -> None:
        mask = pa.array(rows, pa.bool_())
        rejected = [reason for reason, leaves in zip(self.reasons, rows, strict=True) if leaves]
        self.outcome.rejected.append((_own(self.batch.filter(mask)), rejected))
        self.batch = self.batch.filter(pc.invert(mask))
        if self.views is not None:
            self.views = self.views.filter([not leaves for leaves in rows])
        self.reasons = [reason for reason, leaves in zip(self.reasons, rows, strict=True) if not leaves]
        self.emptied = [operator for operator, leaves in zip(self.emptied, rows, strict=True) if not leaves]

    def _isolated(self, operator: Operator, compute: Callable[[_Seen], Values]) -> list[Part[Values]]:
        """Call an operator; rows that crash it are rejected with the error, alone."""
        name, batch = operator.op, self.batch
        self.outcome.calls[name] = self.outcome.calls.get(name, 0) + batch.num_rows
        parts = list(isolated(compute, _Seen(batch, self.views), fatal=_NO_FAULT_OF_A_ROW))
        crashed = {part.start: part.error for part in parts if part.error is not None}
        if crashed:
            self.outcome.errors[name] = self.outcome.errors.get(name, 0) + len(crashed)
            for row, error in crashed.items():
                message = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS]
                self.reasons[row].append(Reason(name, ERROR_RULE, message, None))
            self._reject([row in crashed for row in range(batch.num_rows)])
        return parts


def _own(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without columns of the earlier run that no operator of this chain has claimed, and without paths."""
    names = [name for name in batch.schema.names if not name.startswith(STORED) and name != PATH]
    return batch if len(names) == batch.num_columns else batch.select(names)


def _stored(operator: Operator, batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """The operator's columns as an earlier run computed them, or None where one of them is missing."""
    written = operator.writes().names
    if not all(STORED + name in batch.schema.names for name in written):
        return None
    return pa.RecordBatch.from_arrays([batch.column(STORED + name) for name in written], names=written)


def _wants(operators: Sequence[Operator]) -> Wants | None:
    """What all operators on media want; None without any."""
    wants = [operator.wants() for operator in operators if isinstance(operator, MediaOperator | MediaDerivation)]
    return reduce(or_, wants) if wants else None


def _inputs(operator: Operator, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns that an operator reads; one on media has views in the place of bytes."""
    names = operator.reads().names
    on_media = isinstance(operator, MediaOperator | MediaDerivation)
    return batch.select([name for name in names if not (on_media and name == PAYLOAD)])


def _apply(operator: Operator, rows: _Seen, fit: Mapping[str, Any] | None) -> pa.RecordBatch:
    batch = rows.batch
    inputs = _inputs(operator, batch)
    if isinstance(operator, MediaOperator):
        assert rows.views is not None
        computed = operator.apply_media(inputs, rows.views)
    elif isinstance(operator, FittedOperator):
        if fit is None:
            raise ContractError(f"{operator.op}: there is no fit of it; run the fit stage first")
        computed = operator.apply_fitted(inputs, fit)
    else:
        computed = operator.apply(inputs)
    _check_columns(operator, computed)
    if computed.num_rows != batch.num_rows:
        raise ContractError(f"{operator.op}: called for {batch.num_rows} rows, returned {computed.num_rows}")
    return computed


def _derive(operator: Derivation, seen: _Seen) -> Derived:
    batch = seen.batch
    inputs = _inputs(operator, batch)
    if isinstance(operator, MediaDerivation):
        assert seen.views is not None
        derived = operator.derive_media(inputs, seen.views)
    else:
        derived = operator.derive(inputs)
    _check_columns(operator, derived.batch)
    parent = derived.parent
    if not pa.types.is_integer(parent.type) or parent.null_count or len(parent) != derived.batch.num_rows:
        raise ContractError(f"{operator.op}: {derived.batch.num_rows} children need as many row numbers as parents")
    rows = parent.to_numpy()
    if len(rows) and (rows[0] < 0 or rows[-1] >= batch.num_rows or (rows[1:] < rows[:-1]).any()):
        raise ContractError(f"{operator.op}: parents must be rows of the batch, ascending")
    return derived


def _check_columns(operator: Operator, computed: pa.RecordBatch) -> None:
    declared = operator.writes()
    if computed.schema.names != declared.names or [c.type for c in computed.columns] != [f.type for f in declared]:
        raise ContractError(f"{operator.op}: declared columns {declared}, returned {computed.schema}")


def _empty_rows(batch: pa.RecordBatch) -> list[bool]:
    """Which rows are files of no size; of texts those that are null, empty or white space.

    A file with a size may have an empty text beside it.
    """
    if "size" in batch.schema.names:
        empty = pc.equal(batch.column("size"), 0)
    elif "text" in batch.schema.names:
        text = batch.column("text")
        try:
            empty = pc.or_(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text))
        except pa.ArrowInvalid:  # one text is no UTF-8, and an operator has let it pass: the others are judged
            binary = text.cast(pa.large_binary()).to_pylist()
            return [data is None or not data.decode("utf-8", "replace").strip() for data in binary]
    else:
        return [False] * batch.num_rows
    missing: list[bool] = pc.fill_null(empty, fill_value=True).to_pylist()
    return missing


def _joined(parts: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Batches of one schema as one; without any, no rows."""
    if len(parts) == 1:
        return parts[0]
    batches = pa.Table.from_batches(parts, schema=None if parts else schema).combine_chunks().to_batches()
    return batches[0] if batches else _empty(schema)


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
