"""Columns that a recipe adds to its tables: an asset each, with its own gate, beside the table it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.automation import when_upstream_changed
from assets.keys import stage_key
from assets.partitions import EVERY
from assets.stage import stage_asset

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult
    from winnowry.recipe.columns import AddedColumn
    from winnowry.recipe.model import Recipe

_PARTITIONED = ("raw", "cleaned", "scored")


def added_columns(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The declared columns of a recipe, in order."""
    return [_asset(recipe, column) for column in recipe.columns or ()]


def _asset(recipe: Recipe, column: AddedColumn) -> dg.AssetsDefinition:
    computed = (
        f"SQL `{column.sql}`"
        if column.sql is not None
        else f"operator `{column.operator.op}`"
        if column.operator is not None
        else f"function `{str(column.python).rpartition('/')[2]}`"
    )
    mapping = EVERY if column.table in _PARTITIONED else None
    return stage_asset(
        recipe,
        column.stage,
        description=f"Column `{column.name}` of `{column.table}`: {computed}. Written beside the data, which is not "
        "rewritten, and seen by nobody before its gate has passed. Later rows get it before they are seen.",
        kinds={"lance", "sql" if column.sql is not None else "python"},
        deps=[dg.AssetDep([recipe.corpus, column.table], partition_mapping=mapping)],
        automation=when_upstream_changed(),
        after=_lineage,
    )


def _lineage(context: dg.AssetExecutionContext, ws: Workspace, result: StageResult) -> dict[str, Any]:
    """The columns that this one is computed from."""
    from winnowry.columns.definitions import Definitions

    table, _, name = result.stage.partition(".")
    definition = Definitions(ws, result.corpus).get(table, name)
    if definition is None:
        return {}
    deps = [dg.TableColumnDep(stage_key(result.corpus, table), column) for column in definition.spec.inputs]
    return {"dagster/column_lineage": dg.TableColumnLineage({name: deps})}
