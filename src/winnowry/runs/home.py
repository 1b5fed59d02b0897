"""The folder of the Dagster instance that commands and the UI share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from winnowry.runs.project import home_folder


def dagster_home() -> Path:
    """Where the instance lies: ``WINNOWRY_HOME``, ``DAGSTER_HOME`` or ``.winnowry`` beside the lake of the project."""
    for name in ("WINNOWRY_HOME", "DAGSTER_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser().resolve()
    return home_folder() / ".winnowry"


def prepare_home(home: Path, project: Path) -> Path:
    """Make the folder, with the project's ``dagster.yaml``, else the packaged one, unless it has one."""
    from winnowry.runs.template import template_root

    home.mkdir(parents=True, exist_ok=True)
    settings = project / "dagster.yaml"
    if not settings.is_file():
        settings = template_root() / "dagster.yaml"
    if settings.is_file() and not (home / "dagster.yaml").exists():
        shutil.copyfile(settings, home / "dagster.yaml")
    return home
