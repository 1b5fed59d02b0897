"""What each stage reads, as data versions, and whether what is promoted still stands for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live, output_version, stale_reasons
from winnowry.promotion.partitions import gone_partitions, is_withdrawn, partitions_of
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Read, Stage, stage_named

Inputs = dict[str, str | None]

GONE = "gone: no landing object holds the partition any more"
"""Why the rows of a partition are retracted."""

NO_OBJECT = "no object"
"""Data version of the landing for a partition that is kept though no object holds it."""


def named(path: str) -> Any:
    """The object that ``module:name`` names; the graph names functions so that reading it imports none of them."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def inputs_of(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> Inputs:
    """Present data version of every input of a stage, keyed ``stage/partition``; None where it is not promoted.

    Partitions that a corpus-wide stage lacks are left out here; see :func:`incomplete_partitions`.
    """
    inputs: Inputs = {}
    for read in stage.edges(recipe):
        if read.role == "rows":
            inputs |= _versions(ws, recipe, read, partition)
    if stage.inputs is not None:
        more: Callable[[Workspace, Recipe, Stage, str | None], Mapping[str, str | None]] = named(stage.inputs)
        inputs |= more(ws, recipe, stage, partition)
    return inputs


def _versions(ws: Workspace, recipe: Recipe, read: Read, partition: str | None) -> Inputs:
    if read.how == "whole":
        return {read.stage: output_version(live(ws, recipe, read.stage))}
    if read.how == "every":
        signed = recipe.gates.left_out()
        keys = [key for key in partitions_of(ws, recipe) if key not in signed]
        present = {key: output_version(live(ws, recipe, read.stage, key), key) for key in keys}
        return {f"{read.stage}/{key}": version for key, version in present.items() if version is not None}
    assert partition is not None, f"{read.stage} is read by partition"
    record = live(ws, recipe, read.stage, partition if read.how == "same" else None)
    version = output_version(record, partition)
    if version is None and record is not None and recipe.keep_gone and stage_named(read.stage).starts:
        version = NO_OBJECT
    return {f"{read.stage}/{partition}": version}


def why_stale(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> list[str]:
    """Why the live promotion of a stage does not stand for recipe and inputs; empty when it does."""
    record = live_record(ws, recipe, stage, partition)
    return reasons_for(ws, recipe, stage, partition, record, inputs_of(ws, recipe, stage, partition))


def reasons_for(
    ws: Workspace,
    recipe: Recipe,
    stage: Stage,
    partition: str | None,
    record: PromotionRecord | None,
    inputs: Mapping[str, str | None],
) -> list[str]:
    """:func:`why_stale` of a live promotion and inputs that are known already."""
    reasons = damage(ws, recipe, stage, partition, record) + stale_reasons(stage, recipe, record, inputs)
    if reasons or record is None or stage.outdated is None:
        return reasons
    further: Callable[[Workspace, Recipe, PromotionRecord], list[str]] = named(stage.outdated)
    return further(ws, recipe, record)


def damage(
    ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None, record: PromotionRecord | None
) -> list[str]:
    """What a stage's tables lack of what its promotion wrote; such rows are made again, and nobody builds on them."""
    if stage.schema is None:
        return []
    key = partition if partition is not None else WHOLE_TABLE
    return ws.lake.broken_promises(recipe.corpus, stage.name, key, record)


def damaged_inputs(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> list[str]:
    """Stages whose rows a stage would read though some of them are lost; those of other partitions are left out."""
    damaged = []
    for read in stage.edges(recipe):
        key = partition if read.how == "same" else None
        before = stage_named(read.stage)
        if read.how == "every" or read.role == "beside" or (before.partitioned and key is None):
            continue
        if damage(ws, recipe, before, key, live(ws, recipe, read.stage, key)):
            damaged.append(read.stage if key is None else f"{read.stage}/{key}")
    return damaged


def why_held(ws: Workspace, recipe: Recipe, stage: Stage, partition: str) -> list[str]:
    """Why rows of a gone partition are still to be taken out of a stage's table; empty when none are there."""
    return [] if is_withdrawn(live_record(ws, recipe, stage, partition)) else [GONE]


def live_record(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> PromotionRecord | None:
    """The live promotion of a stage; one that left no record is told from the table."""
    record = live(ws, recipe, stage.name, partition)
    if record is None and stage.unrecorded is not None:
        before: Callable[[Workspace, Recipe, Stage], PromotionRecord | None] = named(stage.unrecorded)
        return before(ws, recipe, stage)
    return record


def incomplete_partitions(ws: Workspace, recipe: Recipe, stage: Stage) -> list[str]:
    """Partitions whose upstream stages are missing or stale, so that a corpus-wide stage would not see what there is.

    Gone ones that such a stage still holds are among them: nothing may be decided from their rows.
    """
    upstream = [
        stage_named(read.stage) for read in stage.edges(recipe) if read.how == "every" and read.role != "beside"
    ]
    if not upstream:
        return []
    signed = recipe.gates.left_out()
    stale = [
        partition
        for partition in partitions_of(ws, recipe)
        if partition not in signed and any(why_stale(ws, recipe, before, partition) for before in upstream)
    ]
    return stale + [
        partition
        for partition in gone_partitions(ws, recipe)
        if any(why_held(ws, recipe, before, partition) for before in upstream)
    ]
