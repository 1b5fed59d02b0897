"""Objects as files below a folder."""

from __future__ import annotations

import builtins
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from winnowry.core.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotFoundError,
    ObjectChangedError,
    StorageError,
    UsageError,
)
from winnowry.storage import globs
from winnowry.storage.objects import RESERVED_PREFIX, ObjectInfo

_BUFFER_BYTES = 1 << 20


class LocalStore:
    """A folder as an object store; needs no server.

    Args:
        root: the folder, absolute or relative to the working directory; it is created by the first write.
    """

    def __init__(self, root: str) -> None:
        if "://" in root and not root.startswith("file://"):
            raise UsageError(f"{root}: a local root is a folder or a file:// URI; open other roots with open_store()")
        self._root = os.path.abspath(_path_of(root))  # noqa: PTH100 - resolve() would follow links

    @property
    def root(self) -> str:
        """Absolute path of the folder."""
        return self._root

    def resolve(self, uri: str) -> str:
        """See :meth:`ObjectStore.resolve`; ``file://`` URIs become paths, URIs of other schemes stay."""
        if "://" in uri and not uri.startswith("file://"):
            return uri
        return os.path.normpath(Path(self._root) / _path_of(uri))

    def literal_prefix(self, uri_glob: str) -> str:
        """See :meth:`ObjectStore.literal_prefix`."""
        folder, _ = self._split(uri_glob)
        return folder

    def list(self, uri_glob: str) -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`; a folder that does not exist holds nothing."""
        folder, pattern = self._split(uri_glob)
        return globs.expand(folder, pattern, files=_files, folders=_folders, below=_below)

    def folders(self, uri: str) -> builtins.list[str]:
        """See :meth:`ObjectStore.folders`."""
        path = self._path(uri)
        with _translated(path):
            return sorted(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []

    def open(self, uri: str, *, etag: str | None = None) -> BinaryIO:
        """See :meth:`ObjectStore.open`."""
        path = self._path(uri)
        try:
            with _translated(path, etag):
                raw = _CheckedFile(path, etag)
        except IsADirectoryError:
            raise NotFoundError(f"{path}: is a folder, expected an object") from None
        return cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES))

    def read(self, uri: str) -> bytes:
        """See :meth:`ObjectStore.read`."""
        with self.open(uri) as stream:
            return stream.read()

    def write(self, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        """See :meth:`ObjectStore.write`; a hard link decides the race of ``if_absent``."""
        return self._put(uri, io.BytesIO(data), if_absent)

    def upload(self, uri: str, stream: BinaryIO) -> None:
        """See :meth:`ObjectStore.upload`."""
        self._put(uri, stream, if_absent=False)

    def delete(self, uri: str) -> None:
        """See :meth:`ObjectStore.delete`."""
        path = self._path(uri)
        with _translated(path), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()

    def exists(self, uri: str) -> bool:
        """See :meth:`ObjectStore.exists`."""
        path = self._path(uri)
        with _translated(path):
            return path.is_file()

    def check(self) -> None:
        """See :meth:`ObjectStore.check`."""
        folder = Path(self._root)
        if not folder.is_dir():
            raise BucketNotFoundError(f"{folder}: there is no such folder; create it or pass another --root")
        with _translated(folder):
            handle, name = tempfile.mkstemp(prefix=RESERVED_PREFIX, dir=folder)
            os.close(handle)
            Path(name).unlink()

    def _split(self, uri_glob: str) -> tuple[str, str]:
        # The root is a name, not a pattern, whatever characters it has.
        absolute = self.resolve(uri_glob)
        base = self._root.rstrip("/") + "/"
        start = len(base) if absolute.startswith(base) else 0
        folder = absolute[:start] + globs.literal_folder(absolute[start:])
        return folder, absolute[len(folder) :]

    def _path(self, uri: str) -> Path:
        absolute = self.resolve(uri)
        if "://" in absolute:
            raise UsageError(f"{absolute}: not below a folder; a local store reads paths and file:// URIs")
        return Path(absolute)

    def _put(self, uri: str, stream: BinaryIO, if_absent: bool) -> bool:
        path = self._path(uri)
        with _translated(path):
            if if_absent and path.exists():
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=RESERVED_PREFIX, dir=path.parent)
            unfinished = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    os.fchmod(handle, 0o666 & ~_umask())
                    shutil.copyfileobj(stream, file, _BUFFER_BYTES)
                    file.flush()
                    os.fsync(handle)
                if not if_absent:
                    unfinished.replace(path)
                    return True
                try:
                    path.hardlink_to(unfinished)
                except FileExistsError:
                    return False
                return True
            finally:
                unfinished.unlink(missing_ok=True)


class _CheckedFile(io.FileIO):
    """A file that is checked against its listing: reading fails once it has changed."""

    def __init__(self, path: Path, etag: str | None) -> None:
        super().__init__(path, "rb")
        self._path = path
        self._opened_as = _etag(os.fstat(self.fileno()))
        if etag is not None and etag != self._opened_as:
            self.close()
            raise ObjectChangedError(_changed(path, f"is {self._opened_as} now, was listed as {etag}"))
        self._checked = etag is not None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        if self._checked and not count:
            self._compare()
        return count or 0

    def close(self) -> None:
        super().close()

    def _compare(self) -> None:
        # The open handle shows writes in place, the path shows that another file took the name.
        try:
            seen = {_etag(os.fstat(self.fileno())), _etag(self._path.stat())}
        except FileNotFoundError:
            raise ObjectChangedError(_changed(self._path, "was removed while it was read")) from None
        if seen != {self._opened_as}:
            raise ObjectChangedError(_changed(self._path, "changed while it was read"))


def _changed(path: Path, what: str) -> str:
    return f"{path}: the object {what}; run the landing stage again to index it as it is"


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _path_of(uri: str) -> str:
    if not uri.startswith("file://"):
        return os.path.expanduser(uri) if uri.startswith("~") else uri  # noqa: PTH111
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"{uri}: file URIs name this machine only; write file:///{parts.netloc}{parts.path}")
    return unquote(uri[len("file://") + len(parts.netloc) :])


def _umask() -> int:
    # Reading the mask sets it for a moment, which races with other threads: take it from /proc where there is one.
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022


@contextmanager
def _translated(path: Path, etag: str | None = None) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise AccessDeniedError(f"{error.filename or path}: no permission ({error.strerror})") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        if etag is not None:
            raise ObjectChangedError(_changed(path, f"is gone, was listed as {etag}")) from error
        raise NotFoundError(f"{path}: there is no such object") from error
    except IsADirectoryError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error


def _scan(folder: str) -> list[os.DirEntry[str]]:
    with _translated(Path(folder)):
        try:
            with os.scandir(folder or "/") as entries:
                return [entry for entry in entries if not entry.name.startswith(RESERVED_PREFIX)]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _info(path: str, status: os.stat_result) -> ObjectInfo:
    modified = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)
    return ObjectInfo(path, status.st_size, _etag(status), modified)


def _stat(path: str) -> os.stat_result | None:
    """Status of a file; None when it went meanwhile, is a dangling link, or is not a regular file or folder."""
    with _translated(Path(path)):
        try:
            return Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None


def _files(folder: str, head: str) -> Iterator[tuple[str, ObjectInfo]]:
    names = sorted(entry.name for entry in _scan(folder) if entry.name.startswith(head))
    for name in names:
        status = _stat(folder + name)
        if status is not None and stat.S_ISREG(status.st_mode):
            yield name, _info(folder + name, status)


def _folders(folder: str, head: str) -> Iterator[str]:
    names = [entry.name for entry in _scan(folder) if entry.name.startswith(head) and entry.is_dir()]
    yield from sorted(names, key=lambda name: name + "/")


def _below(
    folder: str, prefix: str = "", parents: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, ObjectInfo]]:
    entries = [(entry.name + "/" if entry.is_dir() else entry.name) for entry in _scan(folder)]
    for name in sorted(entries):
        status = _stat(folder + name)
        if status is None:
            continue
        if name.endswith("/"):
            identity = (status.st_dev, status.st_ino)
            if identity not in parents:  # a link to a parent folder would never end
                yield from _below(folder + name, prefix + name, parents | {identity})
        elif stat.S_ISREG(status.st_mode):
            yield prefix + name, _info(folder + name, status)
