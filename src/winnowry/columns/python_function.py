"""A user's function from a Python file, identified by the hash of the file.

The lake names the file. Who may write to the lake could name any other one, so a file is run only if the account that
runs winnowry has put it where its code is, or has named it itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sysconfig
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from winnowry.core.errors import UsageError
from winnowry.core.machine_notes import MachineNotes


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


def trust(path: Path, code: str) -> None:
    """Note that this account has named a file to be run: with ``column add``, or in a recipe.

    The note is outside the lake, in ``XDG_STATE_HOME``; where that cannot be written, it holds in this process.
    """
    _named.add((str(path), code))
    if _NOTES.read().get(str(path)) != code:
        _NOTES.add({str(path): code})


def check_trusted(path: Path, code: str, root: str) -> None:
    """Refuse to run a file that only the lake speaks for.

    Args:
        path: the file that the lake names.
        code: hash of its content.
        root: the lake, in which no code lies, whoever has written it.

    Raises:
        UsageError: it lies neither in the project nor in an installed package, and this account has never named it.
    """
    real = path.resolve()
    ours = [_project(), *(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))]
    in_lake = "://" not in root and real.is_relative_to(Path(root).resolve())
    if any(real.is_relative_to(folder.resolve()) for folder in ours) and not in_lake:
        return
    if (str(path), code) in _named or _NOTES.read().get(str(path)) == code:
        return
    raise UsageError(
        f"{path}: the lake names this file as code to run, but it lies neither in the project ({_project()}) nor in an "
        "installed package, and you have not named it on this machine. If it is yours, add the column once more with "
        "winnowry column add … --python FILE:FUNCTION, or declare it in the recipe; if not, somebody else has written "
        "to the lake"
    )


_named: set[tuple[str, str]] = set()
_NOTES = MachineNotes("code.json", "XDG_STATE_HOME", "~/.local/state")


def _project() -> Path:
    """The nearest folder at or above the working directory with a ``workspace.yaml``, else that directory."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "workspace.yaml").is_file()), here)


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _changed(path: Path) -> str:
    return f"{path} changed since the column was added: restore it, or drop the column and add it again"
