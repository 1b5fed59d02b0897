"""Stage ``comparison``: whether the selection is worth it, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.automation import when_upstream_changed
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.recipe.model import Recipe


def comparison(recipe: Recipe) -> dg.AssetsDefinition:
    """A proxy trained on the selection and on its rivals, at the same budget."""
    return stage_asset(
        recipe,
        "comparison",
        description="Bits per byte of a proxy trained on the recipe's selection, on its rivals and on controls, with "
        "the same token budget and several seeds.",
        kinds={"python", "lance"},
        deps=[dg.AssetDep([recipe.corpus, "sampled"])],
        automation=when_upstream_changed(),
    )
