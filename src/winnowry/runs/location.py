"""The packaged code location, loaded for a project that has none of its own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from winnowry.runs.project import Project

_loaded: dict[str, Path] = {}  # of this process, in which only one project can be loaded


def code_location(definitions_file: str) -> ModuleType:
    """The module with the Dagster definitions ``defs`` of the project that a file lies in.

    The file's folder is the project: its ``recipes/`` are shown, and its lake is the default one. A Python package
    ``assets``, ``resources`` or ``expectations`` beside the file is used instead of the packaged one.

    Args:
        definitions_file: ``__file__`` of the project's ``definitions.py``.
    """
    folder = Path(definitions_file).resolve().parent
    _loaded["folder"] = folder
    return Project(folder).module("assets.definitions")


def project_folder(otherwise: Path) -> Path:
    """The project that this process has loaded the code location for.

    Args:
        otherwise: where the code location lies itself: the project, where it was loaded directly.
    """
    return _loaded.get("folder", otherwise)
