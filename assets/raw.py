"""Stage ``raw``: records as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.stage import stage_asset

if TYPE_CHECKING:
    from assets.partitions import Partitions
    from winnowry.recipe.model import Recipe


def raw(recipe: Recipe, partitions: Partitions) -> dg.AssetsDefinition:
    """Records of one partition, as they lie in the landing objects."""
    return stage_asset(
        recipe,
        "raw",
        description=f"{recipe.description or recipe.corpus}: records as they arrived, with where they lay, their event "
        "time and license.",
        kinds={"python", "lance"},
        deps=[dg.AssetDep([recipe.corpus, "landing"])],
        partitions=partitions,
    )
