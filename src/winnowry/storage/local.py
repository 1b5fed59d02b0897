"""Objects as files below a folder."""

from __future__ import annotations

import builtins
import errno
import io
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
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
from winnowry.storage.objects import RESERVED_PREFIX, ObjectInfo, ObjectStore

_log = logging.getLogger(__name__)
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

    def at(self, uri: str) -> ObjectStore:
        """See :meth:`ObjectStore.at`: itself."""
        return self

    def literal_prefix(self, uri_glob: str) -> str:
        """See :meth:`ObjectStore.literal_prefix`."""
        folder, _ = self._split(uri_glob)
        return folder

    def list(self, uri_glob: str) -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`; a folder that does not exist holds nothing.

        Links are followed, except to a folder above. A file that several names lead to is listed by its own name
        where that matches, else by the first of the links.
        """
        folder, pattern = self._split(uri_glob)
        names = _Names(folder, pattern)
        for info in globs.expand(folder, pattern, files=_files, folders=_folders, below=_below):
            if info.obstacle is not None or names.is_first(info.uri):
                yield _with_name_for_people(info)
            else:
                _log.debug("%s: a link to an object that is listed by another name", _shown(info.uri))

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
            if path.is_dir():
                raise StorageError(f"{path}: is a folder, and a file belongs there; move it away")
            if if_absent and path.exists():
                return False
            known = _nearest_folder(path)
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
                else:
                    try:
                        path.hardlink_to(unfinished)
                    except FileExistsError:
                        return False
                _make_names_durable(path, known)
                return True
            finally:
                unfinished.unlink(missing_ok=True)


def _nearest_folder(path: Path) -> Path:
    """The lowest folder above a path that is there."""
    return next(folder for folder in path.parents if folder.is_dir())


def _make_names_durable(path: Path, known: Path) -> None:
    """A file whose content is durable keeps its name too when the power is lost, and so do its new folders."""
    for folder in path.parents:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder == known:
            return


class _CheckedFile(io.FileIO):
    """A file that is checked against its listing: reading fails once it has changed."""

    def __init__(self, path: Path, etag: str | None) -> None:
        super().__init__(path, "rb", opener=_open_at_once)
        self._path = path
        status = os.fstat(self.fileno())
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise StorageError(f"{path}: is {_kind(status.st_mode)}, expected a file")
        self._opened_as = _etag(status)
        if etag is not None and etag != self._opened_as:
            self.close()
            raise ObjectChangedError(_changed(path, f"is {self._opened_as} now, was listed as {etag}"))
        self._checked = etag is not None

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _translated(self._path):
            count = super().readinto(buffer)
        if self._checked and not count:
            self._compare()
        return count or 0

    def readall(self) -> bytes:
        with _translated(self._path):
            data = super().readall()
        if self._checked:
            self._compare()
        return data

    def _compare(self) -> None:
        # The open handle shows writes in place, the path shows that another file took the name.
        try:
            seen = {_etag(os.fstat(self.fileno())), _etag(self._path.stat())}
        except FileNotFoundError:
            raise ObjectChangedError(_changed(self._path, "was removed while it was read")) from None
        if seen != {self._opened_as}:
            raise ObjectChangedError(_changed(self._path, "changed while it was read"))


def _open_at_once(path: str, flags: int) -> int:
    """Opening a named pipe would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _info(path: str) -> ObjectInfo | None:
    """An object as it is; None where there is none any more, or a folder."""
    with _translated(Path(path)):
        try:
            status, obstacle = _status(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
    if stat.S_ISDIR(status.st_mode):
        return None
    modified = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC)
    return ObjectInfo(path, status.st_size, _etag(status), modified, obstacle)


def _with_name_for_people(info: ObjectInfo) -> ObjectInfo:
    """An object whose name no table can hold is listed by an escaped one, and cannot be opened."""
    name = _shown(info.uri)
    if name == info.uri:
        return info
    parts = list(zip(name.split("/"), info.uri.split("/"), strict=True))
    first = next(number for number, (shown, stored) in enumerate(parts) if shown != stored)
    below = "/".join(shown for shown, _ in parts[first:])  # what lies above is the place of somebody's lake
    value = f"rename {below} (its bytes that are no UTF-8 are written as \\xNN)"
    return replace(info, uri=name, obstacle=("name_not_utf8", value))


def _status(path: str) -> tuple[os.stat_result, tuple[str, str] | None]:
    """The status of what a name leads to, and why it cannot be opened."""
    try:
        status = Path(path).stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP) or not os.path.islink(path):  # noqa: PTH114
            raise
        what = "leads to itself" if error.errno == errno.ELOOP else "leads to nothing"
        return Path(path).lstat(), ("broken_link", f"link to {_shown(os.readlink(path))}, which {what}")  # noqa: PTH115
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return status, None
    return status, ("not_a_file", _kind(status.st_mode))


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _files(folder: str, head: str) -> Iterator[tuple[str, ObjectInfo]]:
    names = sorted(entry.name for entry in _scan(folder) if entry.name.startswith(head))
    for name in names:
        info = _info(folder + name)
        if info is not None:
            yield name, info


def _folders(folder: str, head: str) -> Iterator[str]:
    names = [entry.name for entry in _scan(folder) if entry.name.startswith(head) and _is_folder(entry)]
    yield from sorted(names, key=lambda name: name + "/")


def _below(
    folder: str, prefix: str = "", parents: frozenset[tuple[int, int]] | None = None
) -> Iterator[tuple[str, ObjectInfo]]:
    parents = _identities_above(folder) if parents is None else parents
    entries = [(entry.name + "/" if _is_folder(entry) else entry.name) for entry in _scan(folder)]
    for name in sorted(entries):
        if not name.endswith("/"):
            info = _info(folder + name)
            if info is not None:
                yield prefix + name, info
            continue
        identity = _identity(folder + name)
        if identity is not None and identity not in parents:  # a link to a folder above would never end
            yield from _below(folder + name, prefix + name, parents | {identity})


def _identity(folder: str) -> tuple[int, int] | None:
    with _translated(Path(folder)):
        try:
            status = Path(folder).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return status.st_dev, status.st_ino


def _identities_above(folder: str) -> frozenset[tuple[int, int]]:
    """A folder and those that hold it."""
    real = Path(os.path.realpath(folder or "/"))
    identities = [_identity(str(above)) for above in (real, *real.parents)]
    return frozenset(identity for identity in identities if identity is not None)


class _Names:
    """Tells which of several names of a file is the one to read.

    A file is read by its own name where the pattern matches that; else by the first of the links that lead to it.

    Args:
        folder: the literal start of the pattern.
        pattern: relative to it.
    """

    def __init__(self, folder: str, pattern: str) -> None:
        self._folder = folder
        self._real_folder = os.path.realpath(folder or "/").rstrip("/") + "/"
        self._matches = globs.compile_pattern(pattern).fullmatch
        self._by_link: set[str] = set()
        self._last: tuple[str, str] = ("", "")  # a folder and where it really lies

    def is_first(self, path: str) -> bool:
        """Whether a listed path is the name by which its file is read."""
        folder, _, name = path.rpartition("/")
        if self._last[0] != folder:
            self._last = (folder, os.path.realpath(folder or "/"))
        real = os.path.realpath(path) if os.path.islink(path) else f"{self._last[1].rstrip('/')}/{name}"  # noqa: PTH114
        if real.startswith(self._real_folder):
            own_name = real[len(self._real_folder) :]
            if own_name == path.removeprefix(self._folder):
                return True
            if self._matches(own_name) and f"/{RESERVED_PREFIX}" not in f"/{own_name}":
                return False
        is_new = real not in self._by_link
        self._by_link.add(real)
        return is_new
