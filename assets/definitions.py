"""The code location that ``workspace.yaml`` names: every corpus in ``recipes/``, as Dagster definitions."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import dagster as dg

from assets.follow import corpus_job, follow_sensor
from assets.maintenance import maintenance_job, maintenance_schedule
from assets.partitions import partitions_of_corpus
from assets.stages import stage_assets
from assets.valid2 import valid2
from assets.walk import backfill_schedule, walk_job
from resources.lakehouse import LakehouseResource
from resources.object_store import ObjectStoreResource
from resources.settings import ProjectSettings, project
from winnowry.core.errors import RecipeError
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe

logger = logging.getLogger(__name__)

GIVEN_RECIPE = "WINNOWRY_RECIPE"
"""Environment variable by which `winnowry run` names the recipe it was given."""
FORKSERVER_PRELOAD = ["lance", "assets.definitions"]


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by Dagster, not at import."""
    named = os.environ.get(GIVEN_RECIPE)
    return definitions_of(project() / "recipes", also=Path(named) if named else None)


def definitions_of(recipes: Path, *, also: Path | None = None) -> dg.Definitions:
    """Definitions of every recipe in a folder.

    A recipe with mistakes does not take the others with it: it is shown as an asset that cannot be materialized, with
    the mistakes as its description, and logged.

    Args:
        recipes: the folder.
        also: one more recipe, from anywhere; it stands in for the folder's recipe of the same corpus.
    """
    settings = ProjectSettings()
    objects = ObjectStoreResource(settings=settings)
    lakehouse = LakehouseResource(objects=objects)
    parts: list[dg.Definitions] = []
    corpora: dict[str, Path] = {}
    if also is not None:
        recipe = load_recipe(also)
        corpora[recipe.corpus] = also
        parts.append(corpus_definitions(recipe, lakehouse))
    for path in sorted(recipes.glob("*.yaml")):
        try:
            recipe = load_recipe(path)
            if also is not None and corpora.get(recipe.corpus) == also:
                continue
            if recipe.corpus in corpora:
                raise RecipeError((f"{path}: corpus {recipe.corpus!r} is already in {corpora[recipe.corpus].name}",))
        except RecipeError as error:
            logger.error("%s has mistakes and was left out:\n%s", path, error)
            parts.append(dg.Definitions(assets=[broken_recipe(path, error)]))
        else:
            corpora[recipe.corpus] = path
            parts.append(corpus_definitions(recipe, lakehouse))
    shared = dg.Definitions(
        resources={"settings": settings, "objects": objects, "lakehouse": lakehouse},
        executor=executor(),
    )
    return dg.Definitions.merge(*parts, shared)


def corpus_definitions(recipe: Recipe, lakehouse: LakehouseResource) -> dg.Definitions:
    """Assets, jobs, schedules and the sensor of one corpus."""
    partitions = partitions_of_corpus(recipe)
    job, walk, maintenance = corpus_job(recipe), walk_job(recipe, lakehouse), maintenance_job(recipe)
    return dg.Definitions(
        assets=[
            *stage_assets(recipe, partitions),
            *([valid2(recipe)] if recipe.has_releases else []),
        ],
        jobs=[job, walk, maintenance],
        schedules=[backfill_schedule(recipe, walk), maintenance_schedule(recipe, maintenance)],
        sensors=[follow_sensor(recipe, job, walk)],
    )


def broken_recipe(path: Path, error: RecipeError) -> dg.AssetSpec:
    """Stands in the asset graph for a recipe that cannot be read."""
    listed = "\n".join(f"    {problem}" for problem in error.problems)
    return dg.AssetSpec(
        dg.AssetKey(["broken_recipes", "".join(c if c.isalnum() else "_" for c in path.stem)]),
        group_name="broken_recipes",
        kinds={"yaml"},
        description=f"**{path.name} has mistakes; its assets are left out until they are mended:**\n\n{listed}",
    )


def executor() -> Any:
    """In-process, which is fastest where a run is one partition; ``WINNOWRY_EXECUTOR=forkserver`` in deployments.

    Lance does not survive a fork, so the multiprocess executor starts its steps from a fork server.
    """
    if os.environ.get("WINNOWRY_EXECUTOR") != "forkserver":
        return dg.in_process_executor
    start = {"forkserver": {"preload_modules": FORKSERVER_PRELOAD}}
    return dg.multiprocess_executor.configured({"start_method": start})
