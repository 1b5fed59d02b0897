"""The assets of a corpus: one a stage, made from the stage graph; what only one stage needs lies in its own file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.added_columns import column_origin
from assets.keys import stage_key
from assets.landing import publish_partitions
from assets.partitions import EVERY, SAME
from assets.stage import stage_asset
from winnowry.stages.graph import Stage, stages_in

if TYPE_CHECKING:
    from assets.partitions import Partitions
    from assets.stage import After
    from winnowry.recipe.model import Recipe


def stage_assets(recipe: Recipe, partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Every stage of a recipe, the columns that it adds to tables last."""
    return [
        stage_asset(
            recipe,
            stage,
            deps=dependencies(recipe, stage),
            partitions=partitions if stage.partitioned else None,
            after=after_stage(recipe, stage),
        )
        for stage in stages_in(recipe)
    ]


def dependencies(recipe: Recipe, stage: Stage) -> list[dg.AssetDep]:
    """The stages that a stage reads, with how their partitions belong together."""
    mappings: dict[str, dg.PartitionMapping] = {"same": SAME, "every": EVERY}
    return [
        dg.AssetDep(stage_key(recipe.corpus, read.stage), partition_mapping=mappings.get(read.how))
        for read in stage.edges(recipe)
        if read.role != "complete"
    ]


def after_stage(recipe: Recipe, stage: Stage) -> After | None:
    """What there is to do once a stage is up to date, beside its own work."""
    if stage.starts:
        return publish_partitions(recipe)
    return column_origin if stage.column_of is not None else None
