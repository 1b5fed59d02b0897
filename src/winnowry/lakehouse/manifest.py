"""The manifest of a table's version: the one small file that names every data file of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from winnowry.lakehouse.view import TableView
    from winnowry.storage.objects import ObjectStore

_CHUNK = 1 << 20
_LAST = 2**64 - 1  # manifests are named by what is left to it, so that the newest sorts first


@dataclass(frozen=True)
class Manifest:
    """A version's manifest as it is stored.

    Attributes:
        path: below the table, with ``/``.
        sha256: of its bytes, hexadecimal.
        size: bytes.
    """

    path: str
    sha256: str
    size: int


def manifest_of(store: ObjectStore, view: TableView) -> Manifest | None:
    """Find and digest the manifest of a view's version; None where it is stored under a name not known here.

    Raises:
        StorageError: the store cannot be read.
    """
    for path in (f"_versions/{_LAST - view.version:020}.manifest", f"_versions/{view.version}.manifest"):
        uri = f"{view.uri}/{path}"
        if store.exists(uri):
            digest, size = hashlib.sha256(), 0
            with store.open(uri) as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
            return Manifest(path, digest.hexdigest(), size)
    return None
