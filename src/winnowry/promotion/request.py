"""What was asked for: one stage of one recipe, for one partition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from winnowry.core.progress import NoProgress, Progress
from winnowry.gates.suite import Suite
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe

SuiteProvider = Callable[[str, Recipe, pa.Schema], list[Suite]]
"""Gives the suites that judge a stage; the code location's ``expectations`` hands one in."""


@dataclass
class Request:
    """What was asked for: which stage of which recipe, for which partition, on whose behalf."""

    ws: Workspace
    recipe: Recipe
    stage: str
    partition: str | None
    suites: SuiteProvider
    run_id: str
    reason: str
    progress: Progress = field(default_factory=NoProgress)
    allow_missing: bool = False
    force: bool = False
    """Take nothing over from an earlier promotion: compute every row anew."""

    @property
    def key(self) -> str:
        """Partition key of the promotion record."""
        return self.partition if self.partition is not None else WHOLE_TABLE

    @property
    def corpus(self) -> str:
        """Corpus of the recipe."""
        return self.recipe.corpus
