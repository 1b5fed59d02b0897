"""A root opened for work: its object store and its lakehouse."""

from __future__ import annotations

from dataclasses import dataclass, replace

from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.snapshot import LakeSnapshot
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store
from winnowry.storage.settings import StorageSettings


@dataclass(frozen=True)
class Workspace:
    """A root and what is needed to work on it.

    Attributes:
        root: resolved root: an absolute folder or ``s3://bucket/prefix``.
        store: objects below the root (landing, records, artefacts).
        lake: tables below the root.
    """

    root: str
    store: ObjectStore
    lake: Lakehouse

    def relative(self, uri: str) -> str:
        """How the lake stores where an object lies: relative to the root where it is below it, so that a lake can move.

        Args:
            uri: of an object, as a listing says it or as it is stored.
        """
        whole = self.store.resolve(uri)
        short = whole.removeprefix(self.root.rstrip("/") + "/")
        return f"./{short}" if short.startswith("~") else short  # which would be somebody's home folder

    def snapshot(self) -> Workspace:
        """The same root for one plan: tables and records are looked at once, and nothing can be written."""
        return self if isinstance(self.lake, LakeSnapshot) else replace(self, lake=LakeSnapshot(self.lake))

    @staticmethod
    def open(root: str, settings: StorageSettings | None = None) -> Workspace:
        """Open a root; reads the environment only when no settings are given.

        Raises:
            StorageError: the root cannot be reached.
        """
        settings = settings if settings is not None else StorageSettings.from_env()
        store = open_store(root, settings)
        return Workspace(store.root, store, Lakehouse(store, settings.lance_options(store.root)))
