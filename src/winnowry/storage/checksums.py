"""What a stored object holds, as size and digest: of a file by reading it, of an S3 object as the store says."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol, runtime_checkable

from winnowry.storage.objects import ObjectStore


class Checksum(NamedTuple):
    """Size and digest of an object.

    Attributes:
        size: bytes.
        digest: SHA-256 in hexadecimal digits; of an S3 object that has none ``parts:…`` (the store's SHA-256 of the
            SHA-256 of its parts) or ``etag:…``.
    """

    size: int
    digest: str

    @property
    def is_of_content(self) -> bool:
        """Whether reading the object gives the digest."""
        return self.kind == "content"

    @property
    def kind(self) -> str:
        """What the digest is of; only digests of one kind can be compared."""
        return self.digest.partition(":")[0] if ":" in self.digest else "content"


@runtime_checkable
class StatesChecksums(Protocol):
    """A store that knows the checksums of its objects."""

    def stated_checksum(self, uri: str) -> tuple[int, str]:
        """Size and digest of an object as the store states them, as :class:`Checksum` has them."""
        ...


def checksum(store: ObjectStore, uri: str, *, read: bool = False) -> Checksum:
    """Size and digest of an object; a store that states them is asked, and any other one is read.

    Args:
        store: where it lies.
        uri: the object.
        read: read it even where the store states what it holds.

    Raises:
        NotFoundError: there is no such object.
    """
    holder = store.at(uri)
    if isinstance(holder, StatesChecksums) and not read:
        return Checksum(*holder.stated_checksum(uri))
    with store.open(uri) as stream:
        digest = hashlib.sha256()
        size = 0
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return Checksum(size, digest.hexdigest())
