"""References to bytes that lie outside the lake: what is read through one is what was there when it was made.

A reference is a place: an object, or a range of one. Nothing keeps the object from being written anew with other bytes
of the same size, so whatever is read is compared with the SHA-256 that the row has of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from winnowry.core.errors import NotFoundError, ObjectChangedError, StorageError
from winnowry.lakehouse.blobs import blob_columns, pieces_of, place_of, read_blobs
from winnowry.lakehouse.view import TableView
from winnowry.storage.objects import ObjectStore

DIGEST = "content_sha256"
"""The column with the hash of a row's large object."""

_CONTENT_BYTES = 64 << 20
_ROWS_AT_ONCE = 1024
_CHUNK_BYTES = 1 << 20
_WHAT_TO_DO = "put the object back as it was, or run the recipe again, which reads what lies there now"


def read_contents(
    dataset: Any, column: str, rows: pa.RecordBatch | pa.Table, addresses: pa.Array
) -> list[bytes | None]:
    """Whole large objects; those that lie outside the lake only if they are what they were.

    Args:
        dataset: where they are.
        column: of it.
        rows: n rows with the column as a scan gives it; and :data:`DIGEST`, without which nothing is compared.
        addresses: of the same rows.

    Raises:
        ObjectChangedError: what a row refers to is gone, or holds other bytes; names it.
    """
    references = rows[column].to_pylist()
    elsewhere = {row["blob_uri"] for row in references if row is not None and row["blob_uri"]}
    try:
        contents = read_blobs(dataset, column, addresses)
    except (OSError, ValueError) as error:
        if not elsewhere:
            raise
        listed = ", ".join(sorted(elsewhere)[:3])
        raise ObjectChangedError(
            f"{listed}: cannot be read as the lake refers to it: {error}; {_WHAT_TO_DO}"
        ) from error
    if not elsewhere or DIGEST not in rows.schema.names:
        return contents
    digests = rows[DIGEST].to_pylist()
    for reference, data, digest in zip(references, contents, digests, strict=True):
        if reference is None or not reference["blob_uri"]:
            continue
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            where = _named(reference)
            raise ObjectChangedError(f"{where}: holds other bytes than the lake refers to; {_WHAT_TO_DO}")
    return contents


def _named(reference: dict[str, Any]) -> str:
    place = place_of(reference)
    part = f", bytes {place[0]:,} to {place[0] + place[1]:,}" if place is not None else ""
    return f"{reference['blob_uri']}{part}"


def contents_of(dataset: Any, column: str, where: str | None = None) -> Iterator[tuple[str, bytes | None]]:
    """Ids and large objects of rows, in the order of the table, about 64 MiB at a time.

    Raises:
        ObjectChangedError: as for :func:`read_contents`, with the first object that is not what it was.
    """
    names = [name for name in ("record_id", "size", column, DIGEST) if name in dataset.schema.names]
    scanner = dataset.scanner(columns=names, filter=where, with_row_address=True, batch_size=_ROWS_AT_ONCE)
    for batch in scanner.to_batches():
        sizes = batch.column("size").to_pylist() if "size" in names else [_CONTENT_BYTES] * batch.num_rows
        for start, stop in pieces_of(sizes, _CONTENT_BYTES):
            piece = batch.slice(start, stop - start)
            contents = read_contents(dataset, column, piece, piece.column("_rowaddr"))
            yield from zip(piece.column("record_id").to_pylist(), contents, strict=True)


def places_by_id(view: TableView, column: str = "payload") -> dict[str, tuple[str, int, int]]:
    """Where the bytes of records lie that a table refers to: URI, first byte and size (0: all of it)."""
    places: dict[str, tuple[str, int, int]] = {}
    for batch in view.scan(columns=["record_id", column]):
        for row in batch.to_pylist():
            reference = row[column]
            if reference is not None and reference["blob_uri"]:
                places[row["record_id"]] = (reference["blob_uri"], reference["position"], reference["size"])
    return places


@dataclass(frozen=True)
class ChangedObject:
    """An object that holds other bytes than rows refer to, or none.

    Attributes:
        uri: the object.
        gone: whether it cannot be opened.
        rows: how many rows refer to what is not there any more.
        partitions: partitions of those rows.
    """

    uri: str
    gone: bool
    rows: int
    partitions: tuple[str, ...]


def changed_objects(
    store: ObjectStore, dataset: Any, *, read: bool, known: dict[tuple[str, int, int, str], bool]
) -> list[ChangedObject]:
    """Objects outside the lake that are not what the rows of a table refer to.

    Args:
        store: opens them.
        dataset: the table, at a version.
        read: whether bytes are read and hashed; else only whether each object is there and long enough.
        known: answers so far, by reference and hash; other versions of a table refer to the same.
    """
    counts: dict[str, tuple[int, bool, set[str]]] = {}
    for column in blob_columns(dataset.schema):
        names = [column, DIGEST, "partition"]
        if not set(names) <= {*dataset.schema.names}:
            continue
        for batch in dataset.scanner(columns=names, batch_size=_ROWS_AT_ONCE).to_batches():
            for row in batch.to_pylist():
                reference = row[column]
                if reference is None or not reference["blob_uri"]:
                    continue
                uri = reference["blob_uri"]
                key = (uri, reference["position"], reference["size"], row[DIGEST])
                if key not in known:
                    known[key] = _holds(store, uri, place_of(reference), row[DIGEST] if read else None)
                if not known[key]:
                    n, gone, partitions = counts.get(uri, (0, not _is_there(store, uri), set()))
                    counts[uri] = (n + 1, gone, partitions | {row["partition"]})
    return [ChangedObject(uri, gone, n, tuple(sorted(of))) for uri, (n, gone, of) in sorted(counts.items())]


def _holds(store: ObjectStore, uri: str, place: tuple[int, int] | None, digest: str | None) -> bool:
    """Whether an object holds what is referred to; without a hash whether it is there and long enough."""
    try:
        with store.at(uri).open(uri) as stream:
            start, size = place if place is not None else (0, stream.seek(0, 2))
            if digest is None:
                return stream.seek(0, 2) >= start + size
            stream.seek(start)
            actual, left = hashlib.sha256(), size
            while left and (chunk := stream.read(min(left, _CHUNK_BYTES))):
                actual.update(chunk)
                left -= len(chunk)
            return actual.hexdigest() == digest
    except (NotFoundError, StorageError):
        return False


def _is_there(store: ObjectStore, uri: str) -> bool:
    try:
        return store.at(uri).exists(uri)
    except StorageError:
        return False
