"""What is done to a lake while its power is cut: ``python -m tests.faults.power_scenes SCENE ROOT``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults.worker import CORPUS, land_second, suites_of, walk

DROPPED = "gone"


def age(root: Path) -> None:
    """Thirty days pass."""
    old = time.time() - 30 * 86400
    for path in (root / CORPUS).rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))


def first(root: Path) -> None:
    """Every stage up to the first release."""
    walk(root)


def second(root: Path) -> None:
    """Corrected, withdrawn and new records: partitions are replaced, the next release is a difference to the first."""
    walk(root)


def column(root: Path) -> None:
    """A column is added, its values are replaced, and another one comes and goes."""
    from winnowry.columns.fill import add_column
    from winnowry.columns.listing import drop
    from winnowry.columns.spec import sql_column
    from winnowry.lakehouse.workspace import Workspace

    ws = Workspace.open(str(root))
    dataset = ws.lake.table(CORPUS, "published").dataset()
    for name, sql, take_place in (
        ("twice", "size * 2", False),
        ("twice", "size + size", True),
        (DROPPED, "size", False),
    ):
        spec = sql_column(dataset, "published", name, sql)
        add_column(ws, CORPUS, spec, suites=suites_of("none"), take_place=take_place)
    drop(ws, CORPUS, "published", DROPPED)


def maintain(root: Path) -> None:
    """Fragments are merged, old versions and candidates removed."""
    from winnowry.inspect.maintain import maintain as maintain_all
    from winnowry.lakehouse.workspace import Workspace

    maintain_all(Workspace.open(str(root)), keep_days=7)


def tag(root: Path) -> None:
    """The tag that readers follow goes back a release, and forward again."""
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.releases.releases import rollback

    ws = Workspace.open(str(root))
    for to in ("v1", "v2"):
        rollback(ws, CORPUS, to)


SCENES: Mapping[str, Callable[[Path], None]] = {
    scene.__name__: scene for scene in (first, second, column, maintain, tag)
}

PREPARED: Mapping[str, Callable[[Path], None]] = {"second": land_second, "maintain": age}
"""What is done to the lake of the scene before, with power."""


if __name__ == "__main__":
    SCENES[sys.argv[1]](Path(sys.argv[2]))
