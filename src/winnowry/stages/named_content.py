"""Files that a manifest names: found below the landing folder of their source, and nowhere else.

A manifest is data that somebody else wrote. A path in it may lead to any file of this machine, and a lake would take it
in and publish it; so a path that leads out of the folder is refused before anything is opened.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from pathlib import Path

from winnowry.core.errors import NotFoundError
from winnowry.engine.chain import Reason
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Source
from winnowry.stages.large_objects import Content, take_content

_EXPECTED = "below the folder that the `uri` of the source begins with"


class NamedContents:
    """Files that manifests name, each looked at once where the lake only refers to it.

    Args:
        ws: the lake.
        max_bytes: of a file that is copied.
    """

    def __init__(self, ws: Workspace, max_bytes: int) -> None:
        self._ws = ws
        self._max_bytes = max_bytes
        self._referenced: dict[str, Content | Reason] = {}

    def take(self, source: Source, manifest: str, path: str) -> Content | Reason:
        """A file, or why it is refused: ``outside_landing``, ``missing_file``, or as any other file.

        Args:
            source: of the manifest.
            manifest: URI of it.
            path: of the file, as the manifest says it.
        """
        place = self._place(source, manifest, path)
        if place is None:
            return Reason(f"source.{source.format}", "outside_landing", path[:300], _EXPECTED)
        if place in self._referenced:
            return self._referenced[place]
        try:
            with self._ws.store.open(place) as stream:
                content = take_content(stream, source, place, self._max_bytes, whole=True)
        except NotFoundError:
            content = Reason(f"source.{source.format}", "missing_file", path[:300], None)
        if source.options.by_reference:
            self._referenced[place] = content
        return content

    def _place(self, source: Source, manifest: str, path: str) -> str | None:
        """The URI that a path leads to; None where that is not below the landing folder."""
        store = self._ws.store
        folder = store.literal_prefix(store.resolve(source.uri))
        if "\0" in path or ("://" in path and not path.startswith(folder)):
            return None
        scheme, separator, start = folder.rpartition("://")
        here = store.resolve(manifest).rpartition("/")[0]
        below = path if "://" not in path else path[len(scheme) + len(separator) :]
        base = here[len(scheme) + len(separator) :]
        whole = posixpath.normpath(posixpath.join(base, below))
        if not whole.startswith(start.rstrip("/") + "/"):
            return None
        if not separator and not _leads_below(whole, start):
            return None
        return scheme + separator + whole


def _leads_below(path: str, folder: str) -> bool:
    """Whether a file lies below a folder once links are followed; one that is not there does."""
    with suppress(OSError):
        return Path(path).resolve().is_relative_to(Path(folder).resolve())
    return False
