"""Files below the root by the SHA-256 of their contents, and copies of them where a process needs a path."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from winnowry.core.errors import NotFoundError, StorageError, UsageError
from winnowry.storage.objects import ObjectStore

FOLDER = "artefacts"
"""Folder below the root."""

_AT_ONCE_BYTES = 64 << 20  # a larger file is streamed
_BLOCK_BYTES = 1 << 20
_PREFIX = "winnowry-artefacts-"
_ABANDONED_S = 60.0
_lock = threading.RLock()
_folders: dict[int, Path] = {}


class Artefacts:
    """Files that tasks need, as objects ``artefacts/SHA-256`` below the root; picklable.

    An object never changes, so writers need no agreement: of two that write one at once both write the same bytes.

    Args:
        store: the store of the root.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, path: Path) -> str:
        """Copy a file below the root, unless its content is there; a killed copy leaves nothing and is made again.

        Returns:
            SHA-256 of the content.

        Raises:
            UsageError: the file is gone, cannot be read, or changed while it was copied.
        """
        try:
            sha256 = file_sha256(path)
            uri = self._uri(sha256)
            if self._store.exists(uri):
                return sha256
            with path.open("rb") as file:
                if path.stat().st_size <= _AT_ONCE_BYTES:
                    content = file.read()
                    if hashlib.sha256(content).hexdigest() != sha256:
                        raise UsageError(_changed(path))
                    self._store.write(uri, content, if_absent=True)
                else:
                    self._store.upload(uri, cast(BinaryIO, _Checked(file, path, sha256)))
        except OSError as error:
            raise UsageError(f"{path}: cannot be copied below the root: {error.strerror or error}") from error
        return sha256

    def get(self, sha256: str) -> Path:
        """A file with this content on this machine; read it, do not change it.

        Where the root is a folder it is the object itself, elsewhere a copy that ends with this process. The content
        is compared with its hash once a process.

        Raises:
            StorageError: the object is gone, or holds something else.
        """
        uri = self._store.resolve(self._uri(sha256))
        path = Path(uri) if "://" not in uri else process_folder() / sha256
        with _lock:
            try:
                if "://" in uri and not path.exists():
                    self._copy(uri, path)
                content = file_sha256(path)
            except (NotFoundError, FileNotFoundError) as error:
                raise StorageError(f"{uri}: is gone; run the stage again, which copies the file anew") from error
        if content != sha256:
            raise StorageError(
                f"{uri}: holds other bytes than were copied (SHA-256 {content[:16]}…); delete it and run the stage "
                "again, which copies the file anew"
            )
        return path

    def tree(self, contents: Mapping[str, str]) -> Path:
        """A folder of this process that holds files under the absolute paths they had where they were copied from.

        Args:
            contents: SHA-256 of each file, by its absolute path.

        Returns:
            The folder; ``/a/b.txt`` lies in it as ``a/b.txt``. The same contents give the same folder.
        """
        key = hashlib.sha256(json.dumps([self._store.root, sorted(contents.items())]).encode()).hexdigest()[:16]
        with _lock:
            folder = process_folder() / "trees" / key
            if not folder.exists():
                unfinished = Path(tempfile.mkdtemp(dir=process_folder()))
                for path, sha256 in contents.items():
                    link = unfinished / path.lstrip("/")
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(self.get(sha256))
                folder.parent.mkdir(exist_ok=True)
                unfinished.rename(folder)
        return folder

    def _copy(self, uri: str, path: Path) -> None:
        unfinished = path.with_suffix(".unfinished")
        with self._store.open(uri) as stream, unfinished.open("wb") as file:
            shutil.copyfileobj(stream, file, _BLOCK_BYTES)
        unfinished.rename(path)

    @staticmethod
    def _uri(sha256: str) -> str:
        return f"{FOLDER}/{sha256}"


class _Checked(RawIOBase):
    """A file that fails at its end, before the store makes it an object, when its content is not what it was."""

    def __init__(self, file: BinaryIO, path: Path, sha256: str) -> None:
        super().__init__()
        self._file, self._path, self._sha256, self._digest = file, path, sha256, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        if not block and size and self._digest.hexdigest() != self._sha256:
            raise UsageError(_changed(self._path))
        return block


def _changed(path: Path) -> str:
    return f"{path}: changed while it was copied below the root; run again when nobody writes it"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read again when its size or time has changed."""
    status = path.stat()
    return _file_sha256(os.fspath(path), status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _file_sha256(path: str, inode: int, size: int, modified_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def process_folder() -> Path:
    """The folder for copies of this process; it is removed when the process ends.

    A process that is killed leaves its folder: the next one to make a folder on this machine removes it. A process
    holds a lock in its folder as long as it lives.
    """
    with _lock:
        process = os.getpid()
        if process not in _folders:
            _remove_abandoned(Path(tempfile.gettempdir()))
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            fcntl.flock(os.open(folder / "lock", os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)
            _folders[process] = folder
            atexit.register(_remove, folder, process)
        return _folders[process]


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a process that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(temporary: Path) -> None:
    for folder in temporary.glob(_PREFIX + "*"):
        try:
            if time.time() - folder.stat().st_mtime < _ABANDONED_S:
                continue  # it may have no lock yet
            handle = os.open(folder / "lock", os.O_RDWR)
        except OSError:
            continue  # another user's, or another process removed it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # at work
        finally:
            os.close(handle)
