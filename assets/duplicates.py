"""Stage ``duplicates``: who is not the keeper of its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import when_upstream_changed
from assets.partitions import EVERY
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe


def duplicates(recipe: Recipe) -> dg.AssetsDefinition:
    """Corpus-wide, order-free decision over the narrow key columns of ``cleaned``."""
    return stage_asset(
        recipe,
        "duplicates",
        description="Cleaned records that are not the keeper of their group, decided over the whole corpus: the result "
        "does not depend on the order in which partitions were run.",
        kinds={"python", "lance"},
        deps=[dg.AssetDep([recipe.corpus, "cleaned"], partition_mapping=EVERY)],
        automation=when_upstream_changed(),
    )
