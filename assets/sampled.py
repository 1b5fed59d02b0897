"""Stage ``sampled``: which keepers are in the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import when_upstream_changed
from assets.partitions import EVERY
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe


def sampled(recipe: Recipe) -> dg.AssetsDefinition:
    """One exact-budget draw over the whole corpus."""
    sample = recipe.sample
    how = f" ({sample.method} by {sample.by}, seed {sample.seed})" if sample is not None else ""
    return stage_asset(
        recipe,
        "sampled",
        description=f"Every keeper with its inclusion probability, its permanent random number and whether it is "
        f"selected{how}.",
        kinds={"python", "lance"},
        deps=[dg.AssetDep([recipe.corpus, "scored"], partition_mapping=EVERY)],
        automation=when_upstream_changed(),
    )
