"""Columns that a recipe adds to its tables: what the catalogue knows of them once they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.keys import stage_key

if TYPE_CHECKING:
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import StageResult


def column_origin(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, ws: Workspace, result: StageResult
) -> dict[str, Any]:
    """The columns that this one is computed from."""
    from winnowry.columns.definitions import Definitions

    table, _, name = result.stage.partition(".")
    definition = Definitions(ws, result.corpus).get(table, name)
    if definition is None:
        return {}
    deps = [dg.TableColumnDep(stage_key(result.corpus, table), column) for column in definition.spec.inputs]
    return {"dagster/column_lineage": dg.TableColumnLineage({name: deps})}
