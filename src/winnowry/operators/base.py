"""The operator contract: a frozen specification that writes columns, and rules over those columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from winnowry.core.sql import identifier, in_list, literal
from winnowry.operators.input_path import InputPath, input_paths, with_moved_paths
from winnowry.operators.quality import Quality

Comparison = Literal[">=", ">", "<=", "<", "==", "in"]


class Rule(BaseModel):
    """Keep a row when ``column comparison threshold`` holds; a rule is data, so it can be re-asked later.

    Attributes:
        name: the operator parameter that sets the threshold, e.g. ``min_words``; a fault of those that `allow` names.
        column: the column compared; must be written by the operator (or by an earlier one).
        comparison: how; ``in`` compares against a list.
        threshold: number, string or list of strings.
        null: what a null column value means: ``reject`` (default) or ``keep``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    column: str
    comparison: Comparison
    threshold: float | int | str | bool | tuple[str, ...]
    null: Literal["reject", "keep"] = "reject"

    def keeps(self, values: pa.Array) -> pa.Array:
        """Evaluate the rule on a column.

        Args:
            values: the column, n rows.

        Returns:
            Boolean array of n rows without nulls; NaN fails every comparison.
        """
        if self.comparison == "in":
            assert isinstance(self.threshold, tuple)
            passes = pc.is_in(values, value_set=pa.array(list(self.threshold), type=values.type))
            passes = pc.if_else(pc.is_null(values), pa.scalar(None, pa.bool_()), passes)
        else:
            function = {
                ">=": pc.greater_equal, ">": pc.greater, "<=": pc.less_equal, "<": pc.less, "==": pc.equal,
            }[self.comparison]  # fmt: skip
            passes = function(values, pa.scalar(self.threshold))
        return pc.fill_null(passes, self.null == "keep")

    def sql(self) -> str:
        """The same rule as a SQL predicate that is true for kept rows and never null."""
        column = identifier(self.column)
        if self.comparison == "in":
            assert isinstance(self.threshold, tuple)
            predicate = in_list(column, self.threshold)
        else:
            operator = "=" if self.comparison == "==" else self.comparison
            predicate = f"{column} {operator} {literal(self.threshold)}"
        return f"COALESCE({predicate}, {'TRUE' if self.null == 'keep' else 'FALSE'})"


class Operator(BaseModel):
    """Base of all operators.

    A subclass is a frozen, picklable specification. It declares the columns it reads and writes and computes them
    in :meth:`apply`, a pure function: no storage, clock, network or global state; total on null and empty input;
    the same result however rows are cut into batches. Raise ``VERSION`` whenever results change.

    An operator is a *measure*, which gives one row for one row, or a :class:`Derivation`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    VERSION: ClassVar[int] = 1
    COST: ClassVar[Literal["cheap", "costly"]] = "cheap"
    """Rows that a rule rejected are set aside before the next costly operator, never before a cheap one."""
    QUALITIES: ClassVar[Mapping[str, Quality]] = {}
    """What its columns say of quality, by their names without ``as``; of the others nothing is said. Of a column of
    text it is whether there is one: it says what is wrong."""
    ONLY_RULES: ClassVar[frozenset[str]] = frozenset()
    """Parameters that say which rules there are; those that a rule is named after need not be listed."""

    op: str
    """Registered name, ``modality.verb_or_measure``; subclasses narrow it to a Literal."""
    as_: str | None = Field(default=None, alias="as", description="name of the written column or column prefix")

    def reads(self) -> pa.Schema:
        """Columns needed in the input batch; a value type of ``text`` is ``pa.large_string()``."""
        raise NotImplementedError

    def writes(self) -> pa.Schema:
        """Columns returned by :meth:`apply`, exactly these, in this order.

        A written column that already exists replaces it (that is how ``text`` is transformed).
        """
        raise NotImplementedError

    def rules(self) -> tuple[Rule, ...]:
        """Rules over the written columns; a row that fails any of them goes to quarantine."""
        return ()

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the declared columns.

        Args:
            batch: n rows with at least the columns of :meth:`reads`.

        Returns:
            n rows in the same order with exactly the columns of :meth:`writes`.
        """
        raise NotImplementedError

    def qualities(self) -> dict[str, Quality]:
        """:attr:`QUALITIES` by the names of the written columns."""
        unnamed = self.model_copy(update={"as_": type(self).model_fields["as_"].default})
        names = zip(unnamed.writes().names, self.writes().names, strict=True)
        return {written: self.QUALITIES[name] for name, written in names if name in self.QUALITIES}

    def fingerprint(self) -> dict[str, Any]:
        """What identifies the columns of this operator: its name, version and every parameter they depend on."""
        return {**self.model_dump(mode="json", by_alias=True), "version": self.VERSION}

    def input_paths(self) -> tuple[InputPath, ...]:
        """Files that it reads: the values of its fields of type :class:`InputPath`, however deep."""
        return tuple(input_paths(self))

    def with_input_paths(self, places: Mapping[str, str]) -> Self:
        """The same operator, which reads its files elsewhere; it is declared, hashed and named as before.

        Args:
            places: where a declared path leads; paths that are not among them stay.
        """
        operator: Self = with_moved_paths(
            self, lambda path: InputPath(path.declared, places.get(path.declared, str(path)))
        )
        return operator


class FittedOperator(Operator):
    """An operator whose columns depend on statistics of a reference pool, frozen in a *fit* artefact.

    The pipeline computes :meth:`components` on a deterministic sample of the corpus once, calls :meth:`fit`, stores
    the result under a version, and hands it to every later :meth:`apply_fitted`; so a new partition never shifts
    old scores.
    """

    def components(self) -> pa.Schema:
        """Columns of :meth:`measure`."""
        raise NotImplementedError

    def measure(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the un-normalised components (n rows in, n rows out)."""
        raise NotImplementedError

    def fit(self, components: pa.Table) -> dict[str, Any]:
        """Summarise the reference pool's components as JSON-serialisable statistics."""
        raise NotImplementedError

    def apply_fitted(self, batch: pa.RecordBatch, fit: Mapping[str, Any]) -> pa.RecordBatch:
        """Compute the declared columns of :meth:`writes` with frozen statistics."""
        raise NotImplementedError


@dataclass(frozen=True)
class Refusal:
    """Why a derivation makes nothing of a record, where it is more than that there is nothing in it."""

    rule: str
    value: str | None = None
    threshold: str | None = None


@dataclass(frozen=True)
class Derived:
    """The children that a derivation made of a batch.

    Attributes:
        parent: int32 or int64, n values, ascending, none null: the row of the batch that each child comes from.
        batch: n rows with exactly the written columns; children of one parent in their order.
        refused: by row, why it has no children; rows without children that are not in it have none of their own.
    """

    parent: pa.Array
    batch: pa.RecordBatch
    refused: Mapping[int, Refusal] = field(default_factory=dict)


class Derivation(Operator):
    """An operator that replaces each record by the records it makes of it (1:N), its *children*.

    A child has the columns of :meth:`Operator.writes`, an id of its own, and every other column of its parent, among
    them what earlier operators measured of the parent. :meth:`Operator.rules` are about the children. A parent of
    which nothing is made goes to quarantine under the rule ``no_children``.

    Records made of several others (N:1) are not possible: a batch may be cut anywhere, and would cut their groups too.
    """

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Not defined: a derivation gives more or fewer rows than it is handed; see :meth:`derive`.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{self.op} makes records of records and has no columns for the rows it is handed: use derive")

    def derive(self, batch: pa.RecordBatch) -> Derived:
        """Make the children; pure and total as :meth:`Operator.apply` is.

        Args:
            batch: n rows with at least the columns of :meth:`Operator.reads`.

        Returns:
            The children of every row; those of a row do not depend on the other rows.
        """
        raise NotImplementedError


def has_derivation(operators: Iterable[Operator]) -> bool:
    """Whether a chain of operators makes records of records."""
    return any(isinstance(operator, Derivation) for operator in operators)
