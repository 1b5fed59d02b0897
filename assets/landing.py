"""The stage that says which partitions there are also makes new ones known to Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.partitions import follow_lake

if TYPE_CHECKING:
    from assets.stage import After
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult
    from winnowry.recipe.model import Recipe


def publish_partitions(recipe: Recipe) -> After:
    """What to do once the landing of a corpus is listed."""

    def publish(
        context: dg.AssetExecutionContext | dg.OpExecutionContext, ws: Workspace, result: StageResult
    ) -> dict[str, Any]:
        from winnowry.promotion.partitions import partitions_of

        keys = partitions_of(ws, recipe)
        new = follow_lake(context.instance, recipe, ws)
        if new:
            context.log.info(f"{result.corpus}: {len(new)} new partitions: {', '.join(new[:20])}")
        return {"partitions": len(keys), "new_partitions": len(new)}

    return publish
