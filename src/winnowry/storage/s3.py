"""Objects in an S3-compatible store, through boto3."""

from __future__ import annotations

import base64
import builtins
import io
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO, cast

from winnowry.core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotFoundError,
    ObjectChangedError,
    StorageError,
    StoreUnreachableError,
    UsageError,
)
from winnowry.core.retry import Retry
from winnowry.storage import globs
from winnowry.storage.noncurrent import Noncurrent, remove_from_bucket
from winnowry.storage.objects import RESERVED_PREFIX, ObjectInfo, ObjectStore
from winnowry.storage.refusals import CHECK_BUCKET, CHECK_ENDPOINT, DENIED, what_to_do
from winnowry.storage.s3_reader import RangedReader
from winnowry.storage.settings import StorageSettings, without_password
from winnowry.storage.transient import BUSY, TRY_AGAIN, Patience

_MULTIPART_BYTES = 16 << 20
_BUFFER_BYTES = 256 << 10
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30
_ANSWER_TIMEOUT_S = 10
_PATIENCE = Patience(busy_s=90, absent_s=90)
_ANSWER_PATIENCE = Patience(busy_s=90, absent_s=5)  # a store that is busy is there; a wrong address is told at once
_BODIES = Retry(attempts=10, first_wait_s=0.2, longest_wait_s=16.0, jitter=False)  # over a minute in all
_CONDITIONAL_PUTS = Retry(attempts=8, first_wait_s=0.05, longest_wait_s=6.4, jitter=False)
_WRITER = "winnowry-writer"
_MISSING = {"404", "NoSuchKey", "NotFound"}
_LOST_RACE = {"412", "PreconditionFailed"}
_CONFLICT = {"409", "ConditionalRequestConflict", "OperationAborted"}


class S3Store:
    """A bucket, or a prefix in one, as an object store. Picklable: the client is made where it is used.

    Args:
        root: ``s3://bucket`` or ``s3://bucket/prefix``.
        settings: how to reach the store.
    """

    def __init__(self, root: str, settings: StorageSettings) -> None:
        _, prefix = _split_uri(root)
        _check_prefix(root, prefix.rstrip("/"))
        self._root = root.rstrip("/")
        self._settings = settings.completed()
        self._lock = threading.Lock()
        self._made: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self._root, "settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"], state["settings"])  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"S3Store({self._root!r}, endpoint={self._endpoint!r})"

    @property
    def root(self) -> str:
        """``s3://bucket/prefix`` without a trailing slash."""
        return self._root

    def resolve(self, uri: str) -> str:
        """See :meth:`ObjectStore.resolve`.

        Raises:
            UsageError: the URI has a ``..`` component, which S3 keys do not have.
        """
        if "://" in uri or uri.startswith("/"):
            return uri
        parts = [part for part in uri.split("/") if part != "."]
        if ".." in parts:
            raise UsageError(f"{uri}: '..' means nothing in S3; write the whole s3:// URI")
        return f"{self._root}/{'/'.join(parts)}"

    def at(self, uri: str) -> ObjectStore:
        """See :meth:`ObjectStore.at`: itself."""
        return self

    def literal_prefix(self, uri_glob: str) -> str:
        """See :meth:`ObjectStore.literal_prefix`."""
        bucket, folder, _ = self._split(uri_glob)
        return f"s3://{bucket}/{folder}"

    def list(self, uri_glob: str) -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`."""
        bucket, folder, pattern = self._split(uri_glob)
        base = f"s3://{bucket}/"

        def pages(prefix: str, delimiter: str) -> Iterator[Any]:
            with self._translated(base + prefix):
                paginator = self._client.get_paginator("list_objects_v2")
                yield from paginator.paginate(Bucket=bucket, Prefix=prefix, Delimiter=delimiter)

        def objects(prefix: str, cut: int, delimiter: str) -> Iterator[tuple[str, ObjectInfo]]:
            for page in pages(prefix, delimiter):
                for entry in page.get("Contents", ()):
                    key = entry["Key"]
                    if key.endswith("/") or key.rpartition("/")[2].startswith(RESERVED_PREFIX):
                        continue  # folder markers of other tools; our own probes
                    etag = entry["ETag"].strip('"')
                    yield key[cut:], ObjectInfo(base + key, entry["Size"], etag, entry["LastModified"])

        def folders(at: str, head: str) -> Iterator[str]:
            for page in pages(at + head, "/"):
                for entry in page.get("CommonPrefixes", ()):
                    yield entry["Prefix"][len(at) : -1]

        matches = globs.expand(
            folder,
            pattern,
            files=lambda at, head: objects(at + head, len(at), "/"),
            folders=folders,
            below=lambda at: objects(at, len(at), ""),
        )
        # AWS lists in key order, others do not (SeaweedFS: "a/" before "a-b/"), so only what matches is held to sort.
        yield from sorted(matches, key=lambda info: info.uri)

    def folders(self, uri: str) -> builtins.list[str]:
        """See :meth:`ObjectStore.folders`."""
        absolute = self.resolve(uri).rstrip("/") + "/"
        bucket, prefix = _split_uri(absolute)
        with self._translated(absolute):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]
        return sorted(name[len(prefix) : -1] for name in prefixes)

    def open(self, uri: str, *, etag: str | None = None) -> BinaryIO:
        """See :meth:`ObjectStore.open`; every ranged request is conditional on the etag."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        with self._translated(absolute, etag):
            head = self._client.head_object(Bucket=bucket, Key=key)
        opened_as = head["ETag"].strip('"')
        if etag is not None and etag != opened_as:
            raise ObjectChangedError(_changed(absolute, f"is {opened_as} now, was listed as {etag}"))

        def fetch(start: int, end: int) -> bytes:
            return self._fetch(absolute, opened_as, start, end)

        return cast(BinaryIO, io.BufferedReader(RangedReader(head["ContentLength"], fetch), _BUFFER_BYTES))

    def read(self, uri: str) -> bytes:
        """See :meth:`ObjectStore.read`."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        with self._translated(absolute):
            return self._whole(absolute, lambda: self._client.get_object(Bucket=bucket, Key=key))

    def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        """See :meth:`ObjectStore.write`; ``if_absent`` is a conditional PUT (``If-None-Match: *``)."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        if not if_absent:
            with self._translated(absolute):
                self._client.put_object(Bucket=bucket, Key=key, Body=data)
            return True
        from botocore.exceptions import ClientError

        # A PUT that is retried after a lost answer finds its own object: the mark tells it from another writer's.
        writer = uuid.uuid4().hex
        for attempt in _CONDITIONAL_PUTS.attempts_on(_is_conflict):
            with self._translated(absolute), attempt:
                try:
                    self._client.put_object(
                        Bucket=bucket, Key=key, Body=data, IfNoneMatch="*", Metadata={_WRITER: writer}
                    )
                    return True
                except ClientError as error:
                    if _code(error) not in _LOST_RACE:
                        raise
                    return self._wrote(bucket, key, writer)
        raise StorageError(
            f"{absolute} at {self._endpoint}: racing writes were still refused after {_CONDITIONAL_PUTS.attempts} tries"
        )

    def upload(self, uri: str, stream: BinaryIO) -> None:
        """See :meth:`ObjectStore.upload`; in parts of 16 MiB when it is longer than one."""
        from boto3.s3.transfer import TransferConfig

        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        config = TransferConfig(
            multipart_threshold=_MULTIPART_BYTES, multipart_chunksize=_MULTIPART_BYTES, max_concurrency=4
        )
        with self._translated(absolute):
            # A view of the stream that cannot be closed: the caller owns it.
            self._client.upload_fileobj(_Unclosed(stream), bucket, key, Config=config)

    def delete(self, uri: str) -> None:
        """See :meth:`ObjectStore.delete`."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        with self._translated(absolute):
            self._client.delete_object(Bucket=bucket, Key=key)

    def exists(self, uri: str) -> bool:
        """See :meth:`ObjectStore.exists`."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        try:
            with self._translated(absolute):
                self._client.head_object(Bucket=bucket, Key=key)
        except NotFoundError:
            return False
        return True

    def stated_checksum(self, uri: str) -> tuple[int, str]:
        """See :class:`~winnowry.storage.checksums.StatesChecksums`; one request, and nothing is read."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        with self._translated(absolute):
            head = self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        stated, size = head.get("ChecksumSHA256"), int(head["ContentLength"])
        if not stated:
            return size, f"etag:{head['ETag'].strip(chr(34))}"
        if "-" in stated:
            return size, f"parts:{stated}"
        return size, base64.b64decode(stated).hex()

    def remove_noncurrent(self, uri: str) -> Noncurrent:
        """See :class:`~winnowry.storage.noncurrent.KeepsVersions`."""
        absolute = self.resolve(uri)
        bucket, key = _split_uri(absolute)
        with self._translated(absolute):
            return remove_from_bucket(self._client, bucket, f"{key.rstrip('/')}/")

    def check(self) -> None:
        """See :meth:`ObjectStore.check`."""
        self.answer()
        name = f"{self._root}/{RESERVED_PREFIX}check-{uuid.uuid4().hex}"
        self.write(name, b"")
        self.delete(name)

    def answer(self) -> None:
        """Check within half a minute that the endpoint answers for the root.

        Reads and writes wait longer than a caller wants to wait to learn of a wrong address.

        Raises:
            BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see :meth:`ObjectStore.check`.
        """
        bucket, prefix = _split_uri(f"{self._root}/")
        with (
            closing(_client(self._settings, _ANSWER_PATIENCE, read_timeout=_ANSWER_TIMEOUT_S)) as client,
            self._translated(self._root),
        ):
            # Not HeadBucket: its refusals have no body, and credentials for one prefix may not ask it.
            client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)

    @property
    def _endpoint(self) -> str:
        return without_password(self._settings.endpoint) if self._settings.endpoint else "AWS S3"

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _client(self._settings, _PATIENCE)
            return self._made

    def _split(self, uri_glob: str) -> tuple[str, str, str]:
        """Bucket, folder key (empty or with a trailing slash), pattern below it; the root is never a pattern."""
        absolute = self.resolve(uri_glob)
        base = self._root + "/"
        literal = base if absolute.startswith(base) else ""
        prefix = literal + globs.literal_folder(absolute[len(literal) :])
        bucket, _ = _split_uri(absolute)
        start = len(f"s3://{bucket}/")
        return bucket, prefix[start:], absolute[max(len(prefix), start) :]

    def _fetch(self, uri: str, etag: str, start: int, end: int) -> bytes:
        bucket, key = _split_uri(uri)

        def get() -> Any:
            answer = self._client.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=f'"{etag}"'
            )
            if answer["ETag"].strip('"') != etag:  # a server that ignores the condition
                raise ObjectChangedError(_changed(uri, f"changed while it was read (was {etag})"))
            return answer

        with self._translated(uri, etag):
            data = self._whole(uri, get)
        if len(data) != end - start:
            raise StorageError(
                f"{uri} at {self._endpoint}: requested bytes {start} to {end}, received {len(data)} bytes"
            )
        return data

    def _whole(self, uri: str, get: Callable[[], Any]) -> bytes:
        """The body of an answer; asked for again when it breaks off: retries are of requests, not of their bodies."""
        for attempt in _BODIES.attempts_on(lambda error: isinstance(error, _BrokenOff)):
            with attempt:
                return _body(get())
        raise StoreUnreachableError(
            f"{uri} at {self._endpoint}: its content broke off {_BODIES.attempts} times; {TRY_AGAIN}"
        )

    def _wrote(self, bucket: str, key: str, writer: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            return bool(self._client.head_object(Bucket=bucket, Key=key)["Metadata"].get(_WRITER) == writer)
        except ClientError as error:
            if _code(error) in _MISSING:
                return False
            raise

    @contextmanager
    def _translated(self, uri: str, etag: str | None = None) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            CredentialRetrievalError,
            EndpointConnectionError,
            HTTPClientError,
            NoCredentialsError,
            PartialCredentialsError,
            ProfileNotFound,
            SSOError,
            TokenRetrievalError,
        )

        where = f"{uri} at {self._endpoint}"
        try:
            yield
        except ClientError as error:
            code = _code(error)
            what = error.response.get("Error", {}).get("Message") or code
            if code in DENIED:
                raise AccessDeniedError(f"{where}: access denied ({code}); {what_to_do(code)}") from error
            if code in BUSY:
                raise StoreUnreachableError(f"{where}: the store did not get to it ({code}); {TRY_AGAIN}") from error
            if code == "NoSuchBucket" or (code in _MISSING and not self._has_bucket(uri)):
                bucket, _ = _split_uri(uri)
                raise BucketNotFoundError(f"{where}: there is no bucket {bucket!r}; {CHECK_BUCKET}") from error
            if code in _LOST_RACE and etag is not None:
                raise ObjectChangedError(_changed(uri, f"changed while it was read (was {etag})")) from error
            if code in _MISSING:
                if etag is not None:
                    raise ObjectChangedError(_changed(uri, f"is gone, was listed as {etag}")) from error
                raise NotFoundError(f"{where}: there is no such object") from error
            raise StorageError(f"{where}: {code}: {what}") from error
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise AccessDeniedError(
                f"{where}: {error}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
            ) from error
        except (CredentialRetrievalError, SSOError, TokenRetrievalError) as error:
            raise AccessDeniedError(f"{where}: {error}; {what_to_do('ExpiredToken')}") from error
        except (EndpointConnectionError, ConnectionError, HTTPClientError) as error:
            raise StoreUnreachableError(
                f"{where}: nothing usable answers ({type(error).__name__}); {CHECK_ENDPOINT}, or wait: {TRY_AGAIN}"
            ) from error
        except (BotoCoreError, Boto3Error) as error:
            raise StorageError(f"{where}: {error}") from error

    def _has_bucket(self, uri: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _ = _split_uri(uri)
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            return _code(error) not in _MISSING | {"NoSuchBucket"}
        except BotoCoreError:
            return True
        return True


class _Unclosed(io.RawIOBase):
    """Reads from a stream and leaves it open."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        # Parts must be full: a short read means the end to the transfer.
        pieces, wanted = [], size
        while size < 0 or wanted > 0:
            piece = self._stream.read(wanted if size >= 0 else _MULTIPART_BYTES)
            if not piece:
                break
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)


def _client(settings: StorageSettings, patience: Patience = _PATIENCE, *, read_timeout: int = _READ_TIMEOUT_S) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session(
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key.get_secret_value() if settings.secret_access_key else None,
            aws_session_token=settings.session_token.get_secret_value() if settings.session_token else None,
            region_name=settings.region,
            profile_name=settings.profile if settings.access_key_id is None else None,
        )
        client = session.client(
            "s3",
            region_name=settings.region or session.region_name or "us-east-1",
            endpoint_url=settings.endpoint,
            verify=(settings.ca_bundle or True) if settings.verify_tls else False,
            config=Config(
                s3={"addressing_style": "path" if settings.path_style else "virtual"},
                # Checksum trailers are refused or stored as content by some S3-compatible servers.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=_CONNECT_TIMEOUT_S,
                read_timeout=read_timeout,
                retries={"total_max_attempts": 1, "mode": "standard"},  # all of them are the patience's
                max_pool_connections=32,
            ),
        )
    except BotoCoreError as error:
        raise AccessDeniedError(f"cannot set up S3 access: {error}") from error
    except ValueError as error:
        raise UsageError(f"{without_password(settings.endpoint or '')}: not an S3 endpoint ({type(error).__name__}); "
                         "expected http(s)://host:port") from error  # fmt: skip
    patience.attach(client)
    return client


class _BrokenOff(Exception):
    """The body of an answer ended too soon."""


def _body(answer: Any) -> bytes:
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    try:
        data: bytes = answer["Body"].read()
    except (IncompleteReadError, HTTPClientError) as error:
        raise _BrokenOff from error
    return data


def _split_uri(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise UsageError(f"{uri}: expected s3://bucket/prefix")
    return bucket, key


def _check_prefix(root: str, prefix: str) -> None:
    """Refuse a folder that S3 and Lance would not take for the same one, or whose tables lie outside it.

    Raises:
        UsageError: with what is in the way.
    """
    parts = prefix.split("/") if prefix else []
    wrong = {
        "a backslash": "\\" in prefix,
        "two slashes in a row": "" in parts,
        "the component '.'": "." in parts,
        "the component '..'": ".." in parts,
        "a control character": any(ord(char) < 32 or ord(char) == 127 for char in prefix),
    }
    ways = [what for what, there in wrong.items() if there]
    if ways:
        raise UsageError(f"root {root!r}: it has {' and '.join(ways)}, which stores and Lance read differently; choose "
                         "another prefix")  # fmt: skip


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_conflict(error: Exception) -> bool:
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and _code(error) in _CONFLICT


def _changed(uri: str, what: str) -> str:
    return f"{uri}: the object {what}; run the landing stage again to index it as it is"
