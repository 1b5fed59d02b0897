"""Which partitions a corpus has."""

from __future__ import annotations

from winnowry.core.errors import UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe


def declared_partitions(recipe: Recipe) -> list[str] | None:
    """Partitions that the recipe's sources list, or None when they come from the data."""
    keys: set[str] = set()
    for source in recipe.sources:
        listed = source.partition.keys
        if not listed:
            return None
        keys |= set(listed)
    return sorted(keys)


def landed_partitions(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions that the landing table has seen, sorted."""
    table = ws.lake.table(recipe.corpus, "landing")
    if table.dataset_or_none() is None:
        return []
    seen = {
        part["partition"]
        for row in ws.lake.open(recipe.corpus, "landing").to_table(columns=["partitions"]).to_pylist()
        for part in row["partitions"]
    }
    return sorted(seen)


def partitions_of(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions of a corpus: the declared ones, else those that have landed."""
    declared = declared_partitions(recipe)
    return declared if declared is not None else landed_partitions(ws, recipe)


def check_partition(ws: Workspace, recipe: Recipe, partition: str) -> None:
    """Refuse a partition that the corpus does not have.

    Raises:
        UsageError: with near misses.
    """
    import difflib

    known = partitions_of(ws, recipe)
    if partition not in known:
        near = difflib.get_close_matches(partition, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {len(known)}: {', '.join(known[:10])}"
        raise UsageError(f"{recipe.corpus}: no partition {partition!r}{hint}")
