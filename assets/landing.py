"""Stage ``landing``: which objects have landed, and which partitions they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.partitions import add_partitions
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult
    from winnowry.recipe.model import Recipe


def landing(recipe: Recipe) -> dg.AssetsDefinition:
    """The index of the corpus's landing objects; running it also makes new partitions known to Dagster."""

    def publish_partitions(context: dg.AssetExecutionContext, ws: Workspace, result: StageResult) -> dict[str, Any]:
        from winnowry.promotion.partitions import partitions_of

        keys = partitions_of(ws, recipe)
        new = add_partitions(context.instance, recipe, keys)
        if new:
            context.log.info(f"{result.corpus}: {len(new)} new partitions: {', '.join(new[:20])}")
        return {"partitions": len(keys), "new_partitions": len(new)}

    return stage_asset(
        recipe,
        "landing",
        description="Landing objects by URI with size, entity tag and the partitions they hold: a partition's run "
        "opens only its own objects, and a changed object is noticed. Records that cannot be read go to quarantine.",
        kinds={"python", "lance"},
        after=publish_partitions,
    )
