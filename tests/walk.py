"""Run a whole recipe through ``pipeline.run`` in this process, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from expectations.registry import suites_for
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.promotion.result import StageResult
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe
from winnowry.stages.run import run_stage, stages_of

PARTITIONED = ("raw", "cleaned", "scored")


def run_all(
    ws: Workspace, recipe: Recipe, *, to: str = "published", order: Iterable[str] | None = None
) -> list[StageResult]:
    """Every stage up to ``to``; ``order`` permutes the partitions."""
    results = []
    stages = stages_of(recipe)
    for stage in stages[: stages.index(to) + 1]:
        keys: list[str | None] = [None]
        if stage in PARTITIONED:
            keys = list(order) if order is not None else list(partitions_of(ws, recipe))
        for key in keys:
            results.append(run_stage(ws, recipe, stage, key, suites=suites_for, run_id="test"))
    return results


def open_recipe(root: Path, recipe_path: Path) -> tuple[Workspace, Recipe]:
    """A workspace on a folder and a checked recipe."""
    return Workspace.open(str(root)), load_recipe(recipe_path)
