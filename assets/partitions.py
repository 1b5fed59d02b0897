"""Partitions of a corpus, and how partitioned and corpus-wide stages depend on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from winnowry.promotion.partitions import declared_partitions

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe

SAME = dg.IdentityPartitionMapping()
"""A partition needs the same partition of the stage before it."""

EVERY = dg.AllPartitionMapping()
"""A corpus-wide stage needs every partition; a partition needs the whole of a corpus-wide stage."""

Partitions = dg.StaticPartitionsDefinition | dg.DynamicPartitionsDefinition


def dynamic_name(corpus: str) -> str:
    """Name of the corpus's dynamic partitions in the Dagster instance."""
    return f"{corpus}_partitions"


def partitions_of_corpus(recipe: Recipe) -> Partitions:
    """The one partitions definition that all stages of a corpus share.

    Static where the recipe declares its keys; else dynamic: ``landing`` and the sensor add the keys they find.
    """
    keys = declared_partitions(recipe)
    return (
        dg.StaticPartitionsDefinition(keys)
        if keys is not None
        else dg.DynamicPartitionsDefinition(name=dynamic_name(recipe.corpus))
    )


def add_partitions(instance: dg.DagsterInstance, recipe: Recipe, keys: list[str]) -> list[str]:
    """Make partition keys known to Dagster; those that are new, in order. Declared partitions need no adding."""
    if declared_partitions(recipe) is not None:
        return []
    name = dynamic_name(recipe.corpus)
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in keys if key not in known]
    if new:
        instance.add_dynamic_partitions(name, new)
    return new


def follow_lake(instance: dg.DagsterInstance, recipe: Recipe, ws: Workspace) -> list[str]:
    """Make Dagster know the partitions of a lake and no others; those that are new, in order.

    A partition that the landing no longer holds is known until its rows are out of every table: that is work to do.
    """
    from winnowry.promotion.partitions import gone_partitions, partitions_of

    present = [*partitions_of(ws, recipe), *gone_partitions(ws, recipe)]
    new = add_partitions(instance, recipe, present)
    if declared_partitions(recipe) is None and present:
        name = dynamic_name(recipe.corpus)
        for key in set(instance.get_dynamic_partitions(name)).difference(present):
            instance.delete_dynamic_partition(name, key)
    return new
