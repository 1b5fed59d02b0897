"""Where the project template lies: the code location that a project uses and `winnowry init --full` copies."""

from __future__ import annotations

from pathlib import Path

from winnowry.core.errors import NotFoundError

CODE = ("assets", "resources", "expectations")
"""Python packages of the code location; a project that lacks one uses the packaged one."""
FOLDERS = (*CODE, "recipes")
"""Folders of the template; ``setup.py`` puts the same ones into the wheel."""
FILES = ("workspace.yaml", "dagster.yaml")
"""Files of the template, beside the folders."""

_PACKAGE = Path(__file__).resolve().parents[1]


def template_root() -> Path:
    """The folder that holds ``assets/``, ``resources/``, ``expectations/``, ``recipes/`` and ``workspace.yaml``.

    An installed wheel carries a copy in the package. An editable install carries none: there the repository itself is
    the template, so that what a developer edits is what runs.

    Returns:
        Absolute path of an existing folder; treat it as read-only.

    Raises:
        NotFoundError: neither place holds a template, so the installation is incomplete.
    """
    candidates = (_PACKAGE / "template", _PACKAGE.parents[1])
    for candidate in candidates:
        if is_project(candidate):
            return candidate
    raise NotFoundError(
        f"this installation of winnowry lacks its project template: looked for {', '.join((*FOLDERS, FILES[0]))}"
        f" in {' and '.join(str(path) for path in candidates)}; reinstall the wheel, or from a checkout run"
        " `pip install --editable .`"
    )


def is_project(folder: Path) -> bool:
    """Whether a folder has the shape of a winnowry project: every folder of the template and a ``workspace.yaml``."""
    return (folder / FILES[0]).is_file() and all((folder / name).is_dir() for name in FOLDERS)
