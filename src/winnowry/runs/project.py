"""The project a command works in: the nearest folder with a ``workspace.yaml``, or the packaged template."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from winnowry.core.errors import NotFoundError, UsageError


@dataclass(frozen=True)
class Project:
    """A folder with ``workspace.yaml`` and ``recipes/``, and with code where it does not use the packaged one.

    Attributes:
        root: the folder.
        packaged: it is the template that comes with winnowry, because no project was found.
    """

    root: Path
    packaged: bool = False

    def module(self, name: str) -> ModuleType:
        """Import one of the project's modules, e.g. ``expectations.registry``.

        A package of the code location that the project does not have is the one that comes with winnowry.

        Raises:
            NotFoundError: the project has no such module.
            UsageError: another project's module of that name is already loaded in this process.
        """
        from winnowry.runs.template import CODE, template_root

        roots = [self.root]
        if any(not (self.root / package / "__init__.py").is_file() for package in CODE):
            roots.append(template_root())
        package = name.split(".")[0]
        packaged = package in CODE and not (self.root / package / "__init__.py").is_file()
        path = roots[-1 if packaged else 0].joinpath(*name.split(".")).with_suffix(".py")
        if not path.is_file():
            raise NotFoundError(f"{path} does not exist; a project has it (compare with: winnowry init --full DIR)")
        for root in reversed(roots):
            if str(root) not in sys.path:
                sys.path.insert(0, str(root))
        module = importlib.import_module(name)
        loaded = Path(module.__file__ or "").resolve()
        if loaded != path.resolve():
            raise UsageError(f"module {name} was already loaded from {loaded}, not from {path}; start a new process")
        return module


def home_folder(start: Path | None = None) -> Path:
    """The folder that a command works in, wherever below it is called: it holds ``lake`` and ``.winnowry``.

    The nearest folder at or above ``start`` (the working directory) with a ``workspace.yaml`` or a lake called
    ``lake``; ``start`` itself where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "workspace.yaml").is_file() or _is_lake(folder / "lake"):
            return folder
    return here


def _is_lake(folder: Path) -> bool:
    """Whether something was promoted below a folder, or its landing lies there."""
    return (folder / "landing").is_dir() or any(folder.glob("*/promotions"))


def find_project(start: Path | None = None) -> Project:
    """The nearest folder at or above ``start`` (the working directory) with a ``workspace.yaml``, else the template."""
    from winnowry.runs.template import template_root

    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "workspace.yaml").is_file():
            return Project(folder)
    return Project(template_root(), packaged=True)
