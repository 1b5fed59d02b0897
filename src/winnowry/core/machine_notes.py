"""What is noted for one user on one machine, in the folders of the XDG base directories; none of it lies in a lake."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MachineNotes:
    """A file of names with a text each.

    Attributes:
        name: of the file.
        variable: environment variable of its folder, such as ``XDG_CACHE_HOME``.
        folder: the folder where that is not set.
        most: notes that are kept, the newest ones.
    """

    name: str
    variable: str
    folder: str
    most: int = 200_000

    def read(self) -> dict[str, str]:
        """The notes; none where there is no file, or one that cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            notes = json.loads(self._file().read_text(encoding="utf-8"))
            if isinstance(notes, dict):
                return notes
        return {}

    def add(self, notes: Mapping[str, str]) -> None:
        """Write notes beside those that are there, whole or not at all; without a word where nothing can be written."""
        with contextlib.suppress(OSError):
            file = self._file()
            file.parent.mkdir(parents=True, exist_ok=True)
            newest = list({**self.read(), **notes}.items())[-self.most :]
            handle, half = tempfile.mkstemp(dir=file.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(dict(newest), stream, indent=1)
            Path(half).replace(file)

    def _file(self) -> Path:
        return Path(os.environ.get(self.variable) or self.folder).expanduser() / "winnowry" / self.name
