"""What Lance writes on a folder is made to outlast a power cut: it never asks the disk for that itself.

A name can outlive what it names: after a cut a file may be there and be empty. So files come before the folders that
name them, those before the folders above, data before manifests, and all of it before the record, tag or seal that
claims it. What an object store has acknowledged is durable.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_WRITTEN_BACK_S = 3600.0  # the kernel writes back by itself within a minute
_VERSIONS = "_versions"
_FOLDERS = ("data", "_deletions", "_indices", "_transactions", "_refs/tags")
_ABOVE = ".."

_settled: dict[str, set[str]] = {}
"""What each folder holds that this process has made durable, or that the kernel has long since."""


def is_folder(uri: str) -> bool:
    """Whether a table lies in a folder of this machine."""
    return "://" not in uri


def settle(uri: str, written: Iterable[str] = ()) -> None:
    """Make everything durable that a table holds now; nothing happens on an object store.

    Costs a listing of the table's folders where nothing is new.

    Args:
        uri: the table, two levels below its root.
        written: names of data files that are complete now: another thread may have come upon them unfinished.

    Raises:
        OSError: the disk refused; nothing may be claimed to be stored.
    """
    table = Path(uri)
    if not is_folder(uri) or not table.is_dir():
        return
    # Listed first and made durable last: what these versions name was written before them.
    manifests = _new(table / _VERSIONS)
    complete = _settled.setdefault(f"{uri}/data:complete", set())
    names = [name for name in written if name not in complete]
    for name in names:
        with suppress(FileNotFoundError):  # whoever claims it finds out
            _fsync(table / "data" / name)
    complete.update(names)
    for folder in _FOLDERS:
        _settle_below(table / folder)
    # The newest comes first in order of names, and is to be whole only when those before it are.
    _sync(table / _VERSIONS, sorted(manifests, reverse=True))
    for folder in ("_refs", ""):
        _sync(table / folder, _new(table / folder))
    if _ABOVE not in _settled[uri]:
        _fsync(table.parent)
        _fsync(table.parent.parent)
        _settled[uri].add(_ABOVE)


def settle_folder(uri: str) -> None:
    """Make durable which names a folder holds, after some were removed; nothing happens on an object store."""
    if is_folder(uri):
        with suppress(FileNotFoundError):
            _fsync(Path(uri))


def _settle_below(folder: Path) -> None:
    """A folder and the new folders in it, the deepest first."""
    new = _new(folder)
    for name in new:
        if (folder / name).is_dir():
            _settle_below(folder / name)
    _sync(folder, new)


def _new(folder: Path) -> list[str]:
    """Names that a folder holds and that are not known to be durable."""
    try:
        names = [name for name in os.listdir(folder) if "#" not in name]  # noqa: PTH208 - thousands, mostly known
    except (FileNotFoundError, NotADirectoryError):
        return []
    settled = _settled.get(str(folder))
    if settled is None:
        before = time.time() - _WRITTEN_BACK_S
        old = [name for name in names if _is_older(folder / name, before)]
        settled = _settled[str(folder)] = {_key(folder, name) for name in old}
    return [name for name in names if _key(folder, name) not in settled]


def _sync(folder: Path, names: list[str]) -> None:
    """Files of a folder, then the folder; nothing happens without a name."""
    if not names:
        return
    keys = [_key(folder, name) for name in names]
    for name in names:
        with suppress(FileNotFoundError):  # somebody has replaced or removed it
            _fsync(folder / name)
    _fsync(folder)
    _settled[str(folder)].update(keys)


def _key(folder: Path, name: str) -> str:
    """What a name stands for: a tag that moves keeps its name, and a folder of an index or a blob gets more files."""
    if folder.name not in ("tags", "_indices", "data") or (folder.name == "data" and "." in name):
        return name
    try:
        status = (folder / name).stat()
    except OSError:
        return name
    return f"{name}:{status.st_ino}:{status.st_mtime_ns}"


def _is_older(path: Path, moment: float) -> bool:
    """Whether a file was written before a moment; a folder is looked into."""
    try:
        status = path.stat()
    except OSError:
        return False
    return not stat.S_ISDIR(status.st_mode) and status.st_mtime < moment


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
