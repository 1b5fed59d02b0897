"""Stages ``fit`` and ``scored``: frozen statistics, and the scores of keepers made with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import when_upstream_changed
from assets.partitions import EVERY, SAME
from assets.stage import stage_asset

if TYPE_CHECKING:
    from assets.partitions import Partitions
    from winnowry.recipe.model import Recipe


def fit(recipe: Recipe) -> dg.AssetsDefinition:
    """Statistics of the fitted operators; computed once, so that a new partition never shifts old scores."""
    return stage_asset(
        recipe,
        "fit",
        description="Statistics that scores are normalised with, computed once from a sample of the keepers and then "
        "frozen under the operator's fingerprint: a later partition does not shift earlier scores.",
        kinds={"python", "json"},
        deps=[
            dg.AssetDep([recipe.corpus, "cleaned"], partition_mapping=EVERY),
            dg.AssetDep([recipe.corpus, "duplicates"]),
        ],
        automation=when_upstream_changed(),
    )


def scored(recipe: Recipe, partitions: Partitions) -> dg.AssetsDefinition:
    """Scores of one partition's keepers, without their text."""
    operators = ", ".join(operator.op for operator in recipe.score)
    return stage_asset(
        recipe,
        "scored",
        description=f"Scores of the keepers, without their text ({operators}).",
        kinds={"python", "lance"},
        deps=[
            dg.AssetDep([recipe.corpus, "cleaned"], partition_mapping=SAME),
            dg.AssetDep([recipe.corpus, "duplicates"]),
            dg.AssetDep([recipe.corpus, "fit"]),
        ],
        partitions=partitions,
        automation=when_upstream_changed(),
    )
