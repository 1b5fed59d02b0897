"""What a run is asked to do: which stages of a recipe, which partitions, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from winnowry.core.errors import RecipeError, UsageError
from winnowry.recipe.check_gates import lacking_for
from winnowry.runs.project import Project
from winnowry.stages.graph import Stage, stage_of, stages_in

if TYPE_CHECKING:
    from winnowry.engine.base import Engine
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.recipe.model import Recipe


@dataclass(frozen=True)
class RunRequest:
    """Which stages of a recipe to run.

    Attributes:
        workspace: the lake.
        recipe: what to run.
        project: code location that brings suites and assets.
        partitions: only these; every partition of the landing, and of the tables, when empty.
        to: last stage; the last one of all when None.
        allow_missing: let corpus-wide stages run without some partitions, and record the gap.
        jobs: partitions that go through their stages at once; as many as pay off when None.
        recipe_file: where the recipe was read from: the code location runs this one, and no other of its corpus.
        engine: name of what units of work run on, e.g. ``local[8]``; None: the one that ``WINNOWRY_ENGINE`` names.
        retry_refused: try again what a gate refused, though neither inputs nor rules have changed since.
        force: stages that are made again though they are fresh, as ``STAGE`` or ``STAGE/PARTITION``.
    """

    workspace: Workspace
    recipe: Recipe
    project: Project
    partitions: tuple[str, ...] = ()
    to: str | None = None
    allow_missing: bool = False
    jobs: int | None = None
    recipe_file: Path | None = None
    engine: str | None = None
    retry_refused: bool = False
    force: tuple[str, ...] = ()

    def forces(self, stage: str, partition: str | None) -> bool:
        """Whether a stage of a partition is made again though it is fresh."""
        return stage in self.force or f"{stage}/{partition}" in self.force

    def check_forced(self) -> None:
        """Refuse names of what cannot be forced.

        Raises:
            UsageError: the recipe has no such stage, it comes after the last one of the run, or it has no partitions.
        """
        names = [step.name for step in stages_to_run(self)]
        for forced in self.force:
            name, _, partition = forced.partition("/")
            step = stage_of(self.recipe, name)
            if partition and not step.partitioned:
                raise UsageError(f"--force {forced}: stage {name} runs over the whole corpus: name it alone")
            if name not in names:
                raise UsageError(f"--force {forced}: the run ends with {names[-1]}, before that stage")
            if partition and self.partitions and partition not in self.partitions:
                raise UsageError(f"--force {forced}: the run takes only {', '.join(self.partitions)}")

    def open_engine(self) -> Engine:
        """The engine of this run; opened in each process that runs stages, since it may hold connections.

        Raises:
            UsageError: there is no such engine.
        """
        from winnowry.engine.registry import engine_named

        return engine_named(self.engine)


def stages_to_run(request: RunRequest) -> list[Stage]:
    """The stages of a run, in their order.

    Raises:
        RecipeError: the recipe lacks what one of them needs.
        UsageError: the recipe has no stage of the name that the run is to end with.
    """
    known = list(stages_in(request.recipe))
    last = len(known) if request.to is None else known.index(stage_of(request.recipe, request.to)) + 1
    lacking = lacking_for(request.recipe, [stage.name for stage in known[:last]])
    if lacking:
        raise RecipeError(tuple(lacking))
    return known[:last]
