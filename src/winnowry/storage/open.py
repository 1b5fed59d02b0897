"""Open a root, wherever it is."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from winnowry.core.errors import UsageError
from winnowry.storage.local import LocalStore
from winnowry.storage.objects import ObjectInfo, ObjectStore
from winnowry.storage.settings import StorageSettings

if TYPE_CHECKING:
    from winnowry.storage.s3 import S3Store


def open_store(root: str, settings: StorageSettings | None = None) -> ObjectStore:
    """Open the object store of a root; nothing is created yet (see :meth:`ObjectStore.check`).

    An S3 endpoint is asked whether it answers for the bucket, so that a wrong address, bucket or key is told at once
    rather than after the retries of whatever comes first.

    Absolute URIs work whatever the root is: a local root can have sources on S3 and the other way round.

    Args:
        root: a folder, ``file:///folder`` or ``s3://bucket/prefix``.
        settings: how to reach S3; from the environment by default, read when an S3 URI is first used.

    Raises:
        UsageError: the root is of another scheme, or names no bucket.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError: S3 does not answer, or refuses.
    """
    if not root:
        raise UsageError("the root is empty: expected a folder or s3://bucket/prefix")
    if "@" in root.partition("://")[2].partition("/")[0]:
        raise UsageError("the root names a place, not a user and password: credentials come from the environment")
    return _AnyStore(root, settings)


class _AnyStore:
    """Sends each URI to the store of its scheme."""

    def __init__(self, root: str, settings: StorageSettings | None) -> None:
        self._settings = settings
        self._local: LocalStore | None = None
        self._s3: ObjectStore | None = None
        scheme = _scheme(root)
        self._home: ObjectStore
        if scheme == "s3":
            self._home = self._s3 = store = self._open_s3(root)
            store.answer()
        else:
            self._home = self._local = LocalStore(root)

    def __repr__(self) -> str:
        return f"open_store({self.root!r})"

    @property
    def root(self) -> str:
        return self._home.root

    def resolve(self, uri: str) -> str:
        return self._of(uri).resolve(uri)

    def at(self, uri: str) -> ObjectStore:
        return self._of(uri)

    def literal_prefix(self, uri_glob: str) -> str:
        return self._of(uri_glob).literal_prefix(uri_glob)

    def list(self, uri_glob: str) -> Iterator[ObjectInfo]:
        return self._of(uri_glob).list(uri_glob)

    def folders(self, uri: str) -> builtins.list[str]:
        return self._of(uri).folders(uri)

    def open(self, uri: str, *, etag: str | None = None) -> BinaryIO:
        return self._of(uri).open(uri, etag=etag)

    def read(self, uri: str) -> bytes:
        return self._of(uri).read(uri)

    def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        return self._of(uri).write(uri, data, if_absent=if_absent)

    def upload(self, uri: str, stream: BinaryIO) -> None:
        self._of(uri).upload(uri, stream)

    def delete(self, uri: str) -> None:
        self._of(uri).delete(uri)

    def exists(self, uri: str) -> bool:
        return self._of(uri).exists(uri)

    def check(self) -> None:
        self._home.check()

    def _of(self, uri: str) -> ObjectStore:
        scheme = _scheme(uri)
        if scheme == "s3":
            if self._s3 is None:
                self._s3 = self._open_s3(uri[: uri.find("/", len("s3://") + 1)] if uri.count("/") > 2 else uri)
            return self._s3
        if scheme == "file" or uri.startswith(("/", "~")):
            if self._local is None:
                self._local = LocalStore("/")
            return self._local
        return self._home

    def _open_s3(self, root: str) -> S3Store:
        from winnowry.storage.s3 import S3Store

        return S3Store(root, self._settings if self._settings is not None else StorageSettings.from_env())


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return ""
    if scheme not in ("s3", "file"):
        raise UsageError(f"{uri}: cannot read {scheme}://; expected a folder, file:// or s3://bucket/prefix")
    return scheme
