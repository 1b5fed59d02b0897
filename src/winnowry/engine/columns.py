"""Columns of a batch under way through a chain."""

from __future__ import annotations

import pyarrow as pa


def with_columns(batch: pa.RecordBatch, computed: pa.RecordBatch) -> pa.RecordBatch:
    """Add columns to a batch; a column of the same name is replaced in place."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns.update(zip(computed.schema.names, computed.columns, strict=True))
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
