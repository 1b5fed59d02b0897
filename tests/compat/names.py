"""The few Python names that the tests of compatibility use: when a module moves, only this file is edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from winnowry.cli.main import main as main
from winnowry.core.errors import WinnowryError
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.fingerprint import data_hash, metadata_hash, stage_hash, stage_spec
from winnowry.recipe.load import load_recipe
from winnowry.stages.inputs import inputs_of
from winnowry.stages.run import stages_of

PARTITIONED = ("raw", "cleaned", "scored")


def hashes(recipe_file: Path) -> dict[str, Any]:
    """What a recipe's data is known by: its hashes, and of every stage the specification and its hash."""
    recipe = load_recipe(recipe_file)
    stages = {
        stage: {"hash": stage_hash(recipe, stage), "spec": stage_spec(recipe, stage)}
        for stage in stages_of(recipe)
        if "." not in stage  # an added column is known by its own version, see `column list`
    }
    columns = [column.fingerprint() for column in recipe.columns or ()]
    return {
        "data_hash": data_hash(recipe),
        "metadata_hash": metadata_hash(recipe),
        "order": list(stages_of(recipe)),
        "stages": stages,
        "columns": columns,
    }


def inputs(root: Path, recipe_file: Path, *, without_data: bool = False) -> dict[str, Any]:
    """The data version of every input of every stage of a recipe in a lake, by stage or ``stage/partition``.

    Args:
        root: the lake.
        recipe_file: the recipe.
        without_data: the lake has none: landing is left out, and one partition stands for all.
    """
    recipe = load_recipe(recipe_file)
    ws = Workspace.open(str(root))
    known: dict[str, Any] = {}
    for stage in stages_of(recipe):
        if "." in stage or (without_data and stage == "landing"):
            continue
        partitions = ["some"] if without_data else partitions_of(ws, recipe)
        for partition in partitions if stage in PARTITIONED else [None]:
            try:
                value: Any = inputs_of(ws, recipe, stage, partition)
            except WinnowryError as error:
                value = type(error).__name__
            known[stage if partition is None else f"{stage}/{partition}"] = value
    return known
