"""Which stages may follow those that a plan names, once it is known what those found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stages_in


@dataclass(frozen=True)
class Following:
    """A stage that runs too if the rows before it turn out to have changed.

    Attributes:
        stage: its name.
        runs: how often at most: its known partitions that are fresh as far as the plan can see; None where no
            partition is known yet.
    """

    stage: str
    runs: int | None


def may_follow(recipe: Recipe, entries: Iterable[tuple[str, bool]]) -> list[Following]:
    """Stages downstream of what would run that a plan calls fresh, or knows no partition of.

    A plan follows the data versions that are there. What a run of the first stage finds, e.g. in a changed object, is
    in none of them.

    Args:
        recipe: the recipe.
        entries: stage of every entry of the plan, and whether it would run.
    """
    listed = list(entries)
    reached = {stage for stage, runs in listed if runs}
    following = []
    for stage in stages_in(recipe):
        before = {read.stage for read in stage.edges(recipe) if read.role in ("rows", "content")}
        if not before & reached:
            continue
        reached.add(stage.name)
        own = [runs for name, runs in listed if name == stage.name]
        fresh = own.count(False)
        if fresh or not own:
            following.append(Following(stage.name, fresh if own else None))
    return following
