"""Which partitions a corpus has: those of the landing, and those that its tables still hold.

The landing is the truth about what exists. A partition that no landing object holds any more is *gone*: its rows are
retracted from every table, unless the recipe says ``keep_gone``.
"""

from __future__ import annotations

import difflib

from winnowry.core.errors import MissingPartitionsError, UsageError
from winnowry.core.tables import UNPARTITIONED
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import ARRIVED, stages_in

WITHDRAWN = "withdrawn"
"""Fact of the promotion that took a gone partition out of a table: how many rows it had."""


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
    """Partitions of a corpus: the declared ones, else those that have landed; and those that are kept.

    Gone ones are not among them, see :func:`gone_partitions`.
    """
    declared = declared_partitions(recipe)
    landed = landed_partitions(ws, recipe)
    if recipe.keep_gone:
        return sorted({*(declared or landed), *_kept(ws, recipe, landed)})
    if declared is None:
        return landed
    unlanded = set(declared) - set(landed)
    return sorted(set(declared) - (unlanded & set(_held(ws, recipe)) if unlanded else set()))


def kept_partitions(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions of which no landing object is left and which the recipe keeps, sorted."""
    return _kept(ws, recipe, landed_partitions(ws, recipe)) if recipe.keep_gone else []


def gone_partitions(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions that tables hold though no landing object does any more, sorted; without those that are kept."""
    if ws.lake.table(recipe.corpus, "landing").dataset_or_none() is None:
        return []  # nothing was listed yet: nothing is known to be gone
    if not landing_is_whole(ws, recipe):
        return []  # what lost its rows there is not gone
    landed = landed_partitions(ws, recipe)
    present = {*landed, *(_kept(ws, recipe, landed) if recipe.keep_gone else ())}
    return [key for key in _held(ws, recipe) if key not in present]


def landing_is_whole(ws: Workspace, recipe: Recipe) -> bool:
    """Whether the landing table holds what its promotion wrote; else nothing of it says what is gone."""
    record = ws.lake.live_record(recipe.corpus, "landing")
    return not ws.lake.broken_promises(recipe.corpus, "landing", WHOLE_TABLE, record)


def _kept(ws: Workspace, recipe: Recipe, landed: list[str]) -> list[str]:
    present = set(landed)
    return [key for key in ws.lake.partitions(recipe.corpus, ARRIVED) if key not in present]


def _held(ws: Workspace, recipe: Recipe) -> list[str]:
    """Partitions with rows in a partitioned table, or rejected by such a stage, sorted."""
    lake, corpus = ws.lake, recipe.corpus
    stages = [stage.name for stage in stages_in(recipe) if stage.partitioned and stage.schema is not None]
    held = {key for stage in stages for key in lake.partitions(corpus, stage)}
    table = lake.table(corpus, "quarantine")
    dataset = table.dataset_or_none()
    for owner in set(table.owners(dataset).values()) if dataset is not None else ():
        if owner.stage not in stages or owner.partition in {*held, UNPARTITIONED}:
            continue
        # Rows of a promotion that never landed, or that another has replaced, wait there to be removed.
        if lake.promoter(corpus).live(owner.stage, owner.stage, owner.partition) == owner.promotion_id:
            held.add(owner.partition)
    return sorted(held)


def is_withdrawn(record: PromotionRecord | None) -> bool:
    """Whether a live promotion says that the landing no longer holds its partition; or there is none."""
    return record is None or WITHDRAWN in record.facts


def is_gone(ws: Workspace, recipe: Recipe, partition: str) -> bool:
    """Whether the landing no longer holds a partition of the corpus.

    Raises:
        UsageError: the corpus does not have it and never had; with near misses.
        MissingPartitionsError: the landing has lost rows.
    """
    known = partitions_of(ws, recipe)
    if partition in known:
        return False
    if not landing_is_whole(ws, recipe):
        raise MissingPartitionsError(
            f"{recipe.corpus}: rows of `landing` are lost, so that nobody knows which partitions there are; run that "
            "stage first"
        )
    gone = gone_partitions(ws, recipe)
    record = ws.lake.live_record(recipe.corpus, ARRIVED, partition)
    if partition in gone or (record is not None and is_withdrawn(record)):
        return True
    near = difflib.get_close_matches(partition, [*known, *gone], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {len(known)}: {', '.join(known[:10])}"
    raise UsageError(f"{recipe.corpus}: no partition {partition!r}{hint}")
