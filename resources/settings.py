"""Where the lake is and how to reach it: read from the environment when a run asks, never at import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from winnowry.runs.location import project_folder

if TYPE_CHECKING:
    from winnowry.storage.settings import StorageSettings


def project() -> Path:
    """The project: the folder of ``workspace.yaml`` and ``recipes/``."""
    return project_folder(otherwise=Path(__file__).resolve().parents[1])


class ProjectSettings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Root of the lake, and the store settings that belong to it.

    Attributes:
        root: folder or ``s3://bucket/prefix``; empty means ``WINNOWRY_ROOT``, else ``lake`` in the project. A relative
            folder lies in the project, whatever the working directory.
    """

    root: str = Field(default="", description="Folder or s3://bucket/prefix; empty: WINNOWRY_ROOT, else ./lake")

    def resolved_root(self) -> str:
        """The root as an absolute folder or an ``s3://`` address."""
        root = self.root or os.environ.get("WINNOWRY_ROOT") or "lake"
        return root if "://" in root else str((project() / Path(root).expanduser()).resolve())

    def storage(self) -> StorageSettings:
        """Endpoint, region and credentials from the standard AWS variables; secrets stay out of the configuration."""
        from winnowry.storage.settings import StorageSettings

        return StorageSettings.from_env()
