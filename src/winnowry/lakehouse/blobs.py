"""Large objects as Lance keeps them: bytes in the table's own files, or references to where they lie."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_HELD_SIZE = 128 << 10  # bytes: reading it costs a store little more than the request
_HELD_IN_ALL = 64 << 20  # bytes, of one call


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


class HeldBlob(io.BytesIO):
    """A small object that is in memory, with what ``lance.BlobFile`` has beyond a file."""

    def size(self) -> int:
        """Bytes of the object."""
        return self.getbuffer().nbytes

    def readall(self) -> bytes:
        """Everything from the present place on."""
        return self.read()

    def read_range(self, offset: int, length: int) -> bytes:
        """A part of the object; the present place stays."""
        return self.getvalue()[offset : offset + length]

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several parts of the object, as (offset, length)."""
        return [self.read_range(offset, length) for offset, length in ranges]


def open_blobs(dataset: Any, column: str, addresses: pa.Array) -> list[Any]:
    """Large objects as seekable files, one for each row address, None where there is none.

    Objects up to 128 KiB (64 MiB in all) are read at once, in a few requests rather than one each; of larger ones only
    what is asked for.
    """
    files: list[Any] = dataset.take_blobs(column, addresses=addresses)
    held, total = [], 0
    for place, blob in enumerate(files):
        if blob is not None and blob.size() <= _HELD_SIZE and total + blob.size() <= _HELD_IN_ALL:
            held.append(place)
            total += blob.size()
    if len(held) > 1:
        small = dataset.read_blobs(column, addresses=addresses.take(pa.array(held)), preserve_order=True)
        for place, (_, data) in zip(held, small, strict=True):
            files[place].close()
            files[place] = HeldBlob(data)
    return files
