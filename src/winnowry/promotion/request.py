"""What was asked for: one stage of one recipe, for one partition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from winnowry.core.progress import NoProgress, Progress
from winnowry.engine.base import Engine
from winnowry.engine.registry import engine_named
from winnowry.gates.suite import Suite
from winnowry.lakehouse.record import WHOLE_TABLE
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import Stage

SuiteProvider = Callable[[str, Recipe, pa.Schema], list[Suite]]
"""Gives the suites that judge a stage; the code location's ``expectations`` hands one in."""


@dataclass
class Request:
    """Which stage of which recipe, for which partition, on whose behalf.

    Attributes:
        ws: the lake.
        recipe: a checked recipe.
        stage: one of the recipe's stages.
        partition: partition key; None for a stage over the whole corpus.
        suites: gives the suites that judge the stage.
        run_id: recorded in the lineage.
        reason: why the stage runs.
        progress: hears how far the stage is.
        allow_missing: go on without partitions that are missing or stale; the gap is recorded.
        force: take nothing over from an earlier promotion or attempt: compute every row anew.
        retry_refused: try again what a gate refused, though neither inputs nor rules have changed since.
        engine: what units of work run on.
    """

    ws: Workspace
    recipe: Recipe
    stage: Stage
    partition: str | None
    suites: SuiteProvider
    run_id: str
    reason: str
    progress: Progress = field(default_factory=NoProgress)
    allow_missing: bool = False
    force: bool = False
    retry_refused: bool = False
    engine: Engine = field(default_factory=engine_named)

    @property
    def key(self) -> str:
        """Partition key of the promotion record."""
        return self.partition if self.partition is not None else WHOLE_TABLE

    @property
    def corpus(self) -> str:
        """Corpus of the recipe."""
        return self.recipe.corpus

    @property
    def label(self) -> str:
        """The stage as messages name it: ``corpus/stage[partition]``."""
        return f"{self.corpus}/{self.stage.name}[{self.key}]"
