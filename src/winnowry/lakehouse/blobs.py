"""Large objects as Lance keeps them: bytes in the table's own files, or references to where they lie."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
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


def blob_at(uri: str, place: tuple[int, int] | None = None) -> Any:
    """A large object that stays where it lies.

    Args:
        uri: absolute, with its scheme.
        place: first byte and size of a part of what lies there; None: all of it.
    """
    import lance

    return lance.Blob.from_uri(uri) if place is None else lance.Blob.from_uri(uri, *place)


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


def blob_sizes(dataset: Any, column: str, references: pa.Array, addresses: pa.Array) -> pa.Array:
    """Bytes of large objects, without reading them.

    Args:
        dataset: where they are.
        column: of it.
        references: what a scan of the column gives, n rows.
        addresses: of the same rows.

    Returns:
        n sizes, int64; null where there is no object.
    """
    rows = references.to_pylist()
    sizes = [None if row is None else row["size"] for row in rows]
    elsewhere = [at for at, row in enumerate(rows) if row is not None and row["blob_uri"] and place_of(row) is None]
    if elsewhere:  # the table does not know how large what it refers to as a whole is
        for at, blob in zip(
            elsewhere, dataset.take_blobs(column, addresses=addresses.take(pa.array(elsewhere))), strict=True
        ):
            with blob:
                sizes[at] = blob.size()
    return pa.array(sizes, pa.int64())


def read_blobs(dataset: Any, column: str, addresses: pa.Array) -> list[bytes | None]:
    """Whole large objects; None where there is none."""
    contents: list[bytes | None] = []
    for blob in open_blobs(dataset, column, addresses):
        if blob is None:
            contents.append(None)
            continue
        with blob:
            contents.append(blob.readall())
    return contents


def copied_blobs(dataset: Any, column: str, references: pa.Array, addresses: pa.Array) -> list[Any]:
    """Large objects for another table: bytes are copied, references stay references."""
    rows = references.to_pylist()
    here = [at for at, row in enumerate(rows) if row is not None and not row["blob_uri"]]
    copies: list[Any] = [
        blob_at(row["blob_uri"], place_of(row)) if row is not None and row["blob_uri"] else None for row in rows
    ]
    if here:
        for at, data in zip(here, read_blobs(dataset, column, addresses.take(pa.array(here))), strict=True):
            copies[at] = blob_of(data or b"")
    return copies


def place_of(reference: Mapping[str, Any]) -> tuple[int, int] | None:
    """First byte and size of a reference to a part of an object; None of one to the whole."""
    return (reference["position"], reference["size"]) if reference["size"] else None


def pieces_of(sizes: Sequence[int | None], most_bytes: int) -> list[tuple[int, int]]:
    """Cut rows into (start, stop) whose objects have at most so many bytes, unless one object has more.

    >>> pieces_of([4, 4, 4, 20, None], 10)
    [(0, 2), (2, 3), (3, 4), (4, 5)]
    """
    pieces: list[tuple[int, int]] = []
    start, held = 0, 0
    for at, size in enumerate(sizes):
        if at > start and held + (size or 0) > most_bytes:
            pieces.append((start, at))
            start, held = at, 0
        held += size or 0
    return [*pieces, (start, len(sizes))] if len(sizes) > start else pieces
