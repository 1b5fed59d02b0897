"""The object store protocol: what winnowry asks of a folder or an S3 bucket."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol, runtime_checkable

RESERVED_PREFIX = ".winnowry-"
"""Object names that start so are winnowry's own (unfinished writes, probes); listings leave them out."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it.

    Attributes:
        uri: absolute path, or ``s3://bucket/key``.
        size: bytes.
        etag: identifies the content as stored; compared for equality only.
        modified_at: last change, UTC.
        obstacle: why it cannot be opened, as a snake_case code and what is there; None where it can. Its URI is then
            for people only.
    """

    uri: str
    size: int
    etag: str
    modified_at: datetime
    obstacle: tuple[str, str] | None = None


@runtime_checkable
class ObjectStore(Protocol):
    """Objects below a root; relative URIs start at the root, absolute ones are used unchanged.

    Every method raises :class:`~winnowry.core.errors.StorageError` (the bucket does not exist, access is denied, the
    store cannot be reached), whose message names the URI and the endpoint and never a secret.
    """

    @property
    def root(self) -> str:
        """Absolute folder or ``s3://bucket/prefix``, without a trailing slash."""
        ...

    def resolve(self, uri: str) -> str:
        """Make a URI absolute; idempotent. Wildcards are left alone."""
        ...

    def at(self, uri: str) -> ObjectStore:
        """The store that holds a URI, itself or one that it sends the URI to; that one may be able to do more."""
        ...

    def literal_prefix(self, uri_glob: str) -> str:
        """The folder of a pattern before its first wildcard, absolute, ending with ``/``.

        For a URI without wildcards it is the folder that holds the object.
        """
        ...

    def list(self, uri_glob: str) -> Iterator[ObjectInfo]:
        """Objects that match a pattern, sorted by URI; listed page by page, only matches are held.

        What has several names through links is listed once. What matches and is no object that can be opened has an
        :attr:`ObjectInfo.obstacle`.

        Args:
            uri_glob: ``*`` and ``?`` stay inside a path component, ``**`` stands for any number of components,
                ``[ab]`` is a set. Only what lies below the literal prefix is listed.
        """
        ...

    def folders(self, uri: str) -> builtins.list[str]:
        """Names of the folders directly below a folder, sorted; none where there is no such folder."""
        ...

    def open(self, uri: str, *, etag: str | None = None) -> BinaryIO:
        """Open an object for reading: seekable, streamed in bounded memory.

        Args:
            uri: the object.
            etag: the content expected, as a listing showed it.

        Raises:
            NotFoundError: there is no such object (and no etag was given).
            ObjectChangedError: the object is gone or is not the one with this etag, or changes while it is read.
        """
        ...

    def read(self, uri: str) -> bytes:
        """The whole object.

        Raises:
            NotFoundError: there is no such object.
        """
        ...

    def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        """Write an object; readers see the old content or all of the new one.

        Args:
            uri: the object.
            data: its content.
            if_absent: write only if no such object exists; of racing writers exactly one succeeds.

        Returns:
            False when ``if_absent`` is set and the object was there first, else True.
        """
        ...

    def upload(self, uri: str, stream: BinaryIO) -> None:
        """Write a stream of any length as one object, in bounded memory; atomic as :meth:`write`."""
        ...

    def delete(self, uri: str) -> None:
        """Remove an object; nothing happens when it is not there."""
        ...

    def exists(self, uri: str) -> bool:
        """Whether there is an object at exactly this URI (a folder is none)."""
        ...

    def check(self) -> None:
        """Write and remove an object below the root.

        Raises:
            BucketNotFoundError: the bucket or folder does not exist.
            AccessDeniedError: the credentials are wrong or may not write.
            StoreUnreachableError: nothing answers at the endpoint.
        """
        ...
