"""Operators that look at pictures, sounds and films: the bytes are decoded once for a whole chain of them."""

from __future__ import annotations

import pyarrow as pa

from winnowry.operators.base import Derivation, Derived, Operator
from winnowry.operators.media.views import PAYLOAD, SPAN, SPAN_TYPE, Views, Wants

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
        """Make the children; those of a row do not depend on the other rows.

        Args:
            batch: n rows with the columns of :meth:`reads` but the bytes.
            views: of the n rows.

        Returns:
            The children with the columns of :meth:`writes`, among them ``span``.
        """
        raise NotImplementedError


def without_content(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the bytes of files."""
    return batch.select([name for name in batch.schema.names if name != PAYLOAD])
