"""Stage ``cleaned``: records that passed every cleaning rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.partitions import SAME
from assets.stage import stage_asset

if TYPE_CHECKING:
    from assets.partitions import Partitions
    from winnowry.recipe.model import Recipe


def cleaned(recipe: Recipe, partitions: Partitions) -> dg.AssetsDefinition:
    """Kept records of one partition; every other record is in quarantine with all its reasons."""
    operators = ", ".join(operator.op for operator in recipe.clean)
    return stage_asset(
        recipe,
        "cleaned",
        description=f"Records that passed every cleaning rule, with the columns the rules looked at ({operators}). "
        "Every other record of `raw` is in `quarantine` with operator, reason, value and threshold.",
        kinds={"python", "lance"},
        deps=[dg.AssetDep([recipe.corpus, "raw"], partition_mapping=SAME)],
        partitions=partitions,
    )
