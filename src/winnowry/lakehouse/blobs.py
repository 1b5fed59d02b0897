"""Large objects as Lance keeps them: bytes in the table's own files, or references to where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def blob_field(name: str) -> pa.Field:
    """A column of large objects."""
    import lance

    return lance.blob_field(name)


def blob_of(data: bytes) -> Any:
    """A large object that the table holds."""
    import lance

    return lance.Blob.from_bytes(data) if data else lance.Blob.empty()


def blob_at(uri: str) -> Any:
    """A large object that stays where it lies.

    Args:
        uri: absolute, with its scheme.
    """
    import lance

    return lance.Blob.from_uri(uri)


def blob_array(values: Sequence[Any]) -> pa.Array:
    """Large objects as an Arrow array; None is null, an empty one is not."""
    import lance

    return lance.blob_array(list(values))


def blob_columns(schema: pa.Schema) -> list[str]:
    """Columns of large objects, which a scan gives as references."""
    return [field.name for field in schema if getattr(field.type, "extension_name", None) == "lance.blob.v2"]


def open_blobs(dataset: Any, column: str, addresses: pa.Array) -> list[Any]:
    """Large objects as seekable files, one for each row address, None where there is none; read as far as asked."""
    found: list[Any] = dataset.take_blobs(column, addresses=addresses)
    return found
