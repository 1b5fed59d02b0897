"""The lake: tables, promotions and the object store below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from resources.object_store import ObjectStoreResource

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace


class LakehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The workspace that stages run in."""

    objects: ObjectStoreResource

    def open(self) -> Workspace:
        """The workspace of the configured root.

        Raises:
            StorageError: the root cannot be named or reached.
        """
        from winnowry.lakehouse.lake import Lakehouse
        from winnowry.lakehouse.workspace import Workspace

        store = self.objects.open()
        return Workspace(store.root, store, Lakehouse(store, self.objects.settings.storage().lance_options(store.root)))
