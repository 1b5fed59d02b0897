"""Objects below the root: the landing, promotion records, Data Docs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from resources.settings import ProjectSettings

if TYPE_CHECKING:
    from winnowry.storage.objects import ObjectStore


class ObjectStoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The object store of the root, opened anew for every run or tick."""

    settings: ProjectSettings

    def open(self) -> ObjectStore:
        """The store.

        Raises:
            StorageError: the root cannot be named or reached.
        """
        from winnowry.storage.open import open_store

        return open_store(self.settings.resolved_root(), self.settings.storage())
