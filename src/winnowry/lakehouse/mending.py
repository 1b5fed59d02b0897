"""Repair of what a power cut leaves of a table in a folder: versions and tags whose names outlived what is in them.

A torn version was never acknowledged: a record says that something landed only once its version is durable. Nothing
is thrown away: it is set aside under another name, which upkeep removes later.

A process at work writes neither in place, so what is torn is not on its way. Two processes that mend at once must not
meet either, or one would set aside what somebody has committed under the name that the other one freed: they take
turns.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winnowry.lakehouse.durable import is_folder

logger = logging.getLogger(__name__)

_MAGIC = b"LANC"
_TAIL = struct.Struct("<QHH4s")  # where the content begins, versions of the format, magic
ASIDE = "#0"
"""End of the name of what is set aside, much as Lance calls what is not finished: no listing takes it for a version."""


def mend_versions(uri: str) -> list[str]:
    """Set aside the newest versions that are cut short, down to one that is whole; detached ones are left alone.

    Args:
        uri: the table.

    Returns:
        What was set aside, by path; nothing on an object store.

    Raises:
        OSError: the folder may not be changed.
    """
    folder = Path(uri) / "_versions"
    if not is_folder(uri) or not _torn(folder):
        return []
    with _alone(folder):
        return [_set_aside(manifest) for manifest in _torn(folder)]


def mend_tags(uri: str) -> list[str]:
    """Set aside tags that cannot be read; whoever tags a release makes its tag again.

    Args:
        uri: the table.

    Returns:
        What was set aside, by path; nothing on an object store.

    Raises:
        OSError: the folder may not be changed.
    """
    folder = Path(uri) / "_refs" / "tags"
    if not is_folder(uri) or not _unreadable(folder):
        return []
    with _alone(folder):
        return [_set_aside(tag) for tag in _unreadable(folder)]


def has_versions(uri: str) -> bool:
    """Whether a table in a folder has any version; False on an object store."""
    return is_folder(uri) and bool(_versions(Path(uri) / "_versions"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _torn(folder: Path) -> list[Path]:
    """Manifests of attached versions that are newer than the newest whole one."""
    numbers = _versions(folder)
    torn = []
    # Newer tables count down, so that the newest has the lowest number.
    for number in sorted(numbers, key=lambda n: n if n >= 1 << 63 else -n):
        manifest = folder / numbers[number]
        try:
            if _is_whole(manifest):
                break
        except FileNotFoundError:
            continue  # somebody else has set it aside
        torn.append(manifest)
    return torn


def _versions(folder: Path) -> dict[int, str]:
    """Names of manifests of attached versions by the number in them."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - of thousands
    except (FileNotFoundError, NotADirectoryError):
        return {}
    stems = {name: name.removesuffix(".manifest") for name in names if name.endswith(".manifest")}
    return {int(stem): name for name, stem in stems.items() if stem.isdigit()}


def _unreadable(folder: Path) -> list[Path]:
    return [tag for tag in sorted(folder.glob("*.json")) if not _is_tag(tag)]


def _is_whole(manifest: Path) -> bool:
    """Whether a manifest ends as one ends; a panic of Lance's is the answer to some that do not."""
    if manifest.is_dir():
        return False
    with manifest.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < _TAIL.size:
            return False
        file.seek(size - _TAIL.size)
        begins_at, _, _, magic = _TAIL.unpack(file.read())
    return bool(magic == _MAGIC and begins_at < size)


def _is_tag(tag: Path) -> bool:
    if tag.is_dir():
        return False
    try:
        document = json.loads(tag.read_bytes())
    except FileNotFoundError:
        return True  # somebody else has set it aside, or the tag was removed
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("version"), int)


def _set_aside(path: Path) -> str:
    aside = path.with_name(path.name + ASIDE)
    path.rename(aside)
    logger.warning("%s was cut short, as by a loss of power, and is set aside as %s", path, aside.name)
    return str(path)
