"""Stage ``published``: releases for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import when_upstream_changed
from assets.partitions import EVERY
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe


def published(recipe: Recipe) -> dg.AssetsDefinition:
    """Text, scores and provenance of the selected records; each release is tagged."""
    return stage_asset(
        recipe,
        "published",
        description="The records for training with text, scores and provenance. Each release is a tag (`v1`, `v2`, …); "
        f"`{recipe.publish.tag}` moves last.",
        kinds={"python", "lance"},
        deps=[
            dg.AssetDep([recipe.corpus, "sampled"]),
            *([dg.AssetDep([recipe.corpus, "comparison"])] if recipe.comparison is not None else []),
            dg.AssetDep([recipe.corpus, "cleaned"], partition_mapping=EVERY),
            dg.AssetDep([recipe.corpus, "scored"], partition_mapping=EVERY),
        ],
        automation=when_upstream_changed(),
    )
