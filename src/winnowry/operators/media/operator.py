"""Operators that look at pictures, sounds and films: the bytes are decoded once for a whole chain of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Derivation, Derived, Operator, Refusal, Rule
from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.views import PAYLOAD, SPAN, SPAN_TYPE, View, Views, Wants

CONTENT = pa.schema([pa.field(PAYLOAD, pa.large_binary())])
SPAN_FIELD = pa.field(SPAN, SPAN_TYPE)
"""What a :class:`MediaDerivation` writes of every child."""


class MediaOperator(Operator):
    """A measure of media: a row of columns for each row, from its view.

    A subclass says what it :meth:`wants` of a decoded file and computes its columns in :meth:`apply_media`. In a chain
    the views are shared; alone, :meth:`apply` makes its own. A file that cannot be decoded raises ``DecodeError`` from
    the view: the operator turns it into null columns and a reason, never into a crash.
    """

    COST = "costly"

    def reads(self) -> pa.Schema:
        """``payload``, large_binary: the bytes of the file."""
        return CONTENT

    def wants(self) -> Wants:
        """What the decoder shall make of each file."""
        raise NotImplementedError

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the declared columns of a batch that no other operator looks at."""
        return self.apply_media(without_content(batch), Views.of_batch(batch, self.wants()))

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Compute the declared columns.

        Args:
            batch: n rows with the columns of :meth:`reads` but the bytes.
            views: of the n rows; made for at least what :meth:`wants` says.

        Returns:
            n rows in the same order with exactly the columns of :meth:`writes`.
        """
        raise NotImplementedError


class MediaMeasure(MediaOperator):
    """A measure of media. Its column ``decode_error`` says why a file cannot be decoded; the others are null then.

    A subclass has the parameter ``decodable``, declares its columns by :meth:`columns` and its rules by :meth:`limits`,
    and computes the values of one file in :meth:`values_of`.
    """

    decodable: bool = Field(default=True, description="whether only files that decode are kept")

    def columns(self, columns: Iterable[tuple[str, pa.DataType]]) -> pa.Schema:
        """``decode_error`` and other columns; after ``as``, if given."""
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        return pa.schema([pa.field(prefix + name, kind) for name, kind in (("decode_error", pa.string()), *columns)])

    def limits(self, *, rejects_null: Collection[str] = (), **columns: str) -> tuple[Rule, ...]:
        """The rule ``decodable``, and one for each limit that is set.

        Args:
            rejects_null: limits that a null does not meet; of the others a file that cannot be decoded fails none.
            columns: parameter of a limit to the column that it is about: ``min_…`` is the least, ``max_…`` the most.
        """
        prefix = f"{self.as_}_" if self.as_ is not None else ""
        decodes = Rule(name="decodable", column=f"{prefix}decode_error", comparison="==", threshold="", null="keep")
        return (
            *((decodes,) if self.decodable else ()),
            *(
                Rule(
                    name=name,
                    column=prefix + column,
                    comparison=">=" if name.startswith("min_") else "<=",
                    threshold=threshold,
                    null="reject" if name in rejects_null else "keep",
                )
                for name, column in columns.items()
                if (threshold := getattr(self, name)) is not None
            ),
        )

    def apply_media(self, batch: pa.RecordBatch, views: Views) -> pa.RecordBatch:
        """Measure n files, each by itself."""
        return as_batch(self.writes(), (self._row(view) for view in views))

    def _row(self, view: View) -> tuple[Any, ...]:
        try:
            return (None, *self.values_of(view))
        except DecodeError as error:
            return (str(error), *(None,) * (len(self.writes()) - 1))

    def values_of(self, view: View) -> Sequence[Any]:
        """The values of a file, in the order of its columns behind ``decode_error``.

        Raises:
            DecodeError: it cannot be decoded, or is not what it says.
        """
        raise NotImplementedError


def as_batch(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.RecordBatch:
    """Rows of values as a batch."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class MediaDerivation(Derivation):
    """An operator that replaces each file by parts of it, its children, without copying a byte.

    It writes ``span`` among its columns: the part of the *root* that a child is. Children have no bytes of their own;
    their views are those of their root, decoded once, with the span.
    """

    COST = "costly"

    def reads(self) -> pa.Schema:
        """``payload``, large_binary: the bytes of the file."""
        return CONTENT

    def wants(self) -> Wants:
        """What the decoder shall make of each file."""
        raise NotImplementedError

    def derive(self, batch: pa.RecordBatch) -> Derived:
        """Make the children of a batch that no other operator looks at."""
        return self.derive_media(without_content(batch), Views.of_batch(batch, self.wants()))

    def derive_media(self, batch: pa.RecordBatch, views: Views) -> Derived:
        """Make the children; those of a row do not depend on the other rows. A file that does not decode has none.

        Args:
            batch: n rows with the columns of :meth:`reads` but the bytes.
            views: of the n rows.

        Returns:
            The children with the columns of :meth:`writes`, among them ``span``.
        """
        parents: list[int] = []
        parts: list[Sequence[Any]] = []
        refused: dict[int, Refusal] = {}
        for row, view in enumerate(views):
            try:
                made = self.parts_of(view)
            except DecodeError as error:
                refused[row] = Refusal("decodable", str(error), None)
                continue
            parents += [row] * len(made)
            parts += made
        return Derived(pa.array(parents, pa.int64()), as_batch(self.writes(), parts), refused)

    def parts_of(self, view: View) -> Sequence[Sequence[Any]]:
        """The children of a file, in their order: of each the values of :meth:`writes`.

        Raises:
            DecodeError: it cannot be decoded.
        """
        raise NotImplementedError

    @model_validator(mode="after")
    def _has_no_other_name(self) -> Self:
        if self.as_ is not None:
            raise ValueError(f"{self.op} says what a record is, and has no columns under another name")
        return self


def without_content(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the bytes of files."""
    return batch.select([name for name in batch.schema.names if name != PAYLOAD])
