"""Columns of ``raw``: the payload is text, or for files that are no text a large object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from winnowry.core.tables import RAW
from winnowry.lakehouse.blobs import blob_array, blob_field
from winnowry.recipe.model import Recipe


def raw_schema(recipe: Recipe) -> pa.Schema:
    """Columns of ``raw`` for a recipe."""
    if not recipe.media:
        return RAW
    return RAW.set(RAW.get_field_index("payload"), blob_field("payload"))


def raw_batch(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of :func:`raw_schema`; a payload is a text, or a large object of ``lakehouse.blobs``."""
    if schema.equals(RAW):
        return pa.RecordBatch.from_pylist(list(rows), schema=RAW)
    at = schema.get_field_index("payload")
    plain = pa.RecordBatch.from_pylist([{**row, "payload": None} for row in rows], schema=RAW)
    columns = [*plain.columns]
    columns[at] = blob_array([row["payload"] for row in rows])
    return pa.RecordBatch.from_arrays(columns, schema=schema)
