"""A user's function from a Python file, identified by the hash of the file."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from winnowry.core.errors import UsageError


@lru_cache(maxsize=64)
def load_function(path: Path, name: str) -> tuple[Callable[..., Any], str]:
    """Import a file and return one of its functions and the SHA-256 of the file.

    Raises:
        UsageError: the file or the function is not there, or importing the file failed (e.g. a missing package).
    """
    code = _hash_of(path)
    spec = importlib.util.spec_from_file_location(f"winnowry_user_{code[:16]}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{path}: importing it failed: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UsageError(f"{path}: has no function {name!r}; it has {', '.join(callables) or 'none'}")
    return function, code


def same_function(path: Path, name: str, code: str) -> Callable[..., Any]:
    """The function, if the file is still the one whose hash is ``code``.

    Raises:
        UsageError: the file changed: the column would hold the values of two functions.
    """
    function, now = load_function(path, name)
    if now != code:
        raise UsageError(_changed(path))
    return function


def check_same(path: Path, code: str) -> None:
    """Refuse a file that is no longer the one whose hash is ``code``; it is not imported.

    Raises:
        UsageError: the file changed, or is not there.
    """
    if _hash_of(path) != code:
        raise UsageError(_changed(path))


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _changed(path: Path) -> str:
    return f"{path} changed since the column was added: restore it, or drop the column and add it again"
