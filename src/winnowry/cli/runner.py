"""What ``run`` asks of whoever executes the stages, and what it gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from winnowry.cli.project import Project

if TYPE_CHECKING:
    from winnowry.pipeline.result import Progress, StageResult
    from winnowry.pipeline.workspace import Workspace
    from winnowry.recipe.model import Recipe

PARTITIONED = frozenset({"raw", "cleaned", "scored"})


@dataclass(frozen=True)
class RunRequest:
    """Which stages of a recipe to run.

    Attributes:
        workspace: the lake.
        recipe: what to run.
        project: code location that brings suites and assets.
        partitions: only these; every partition of the landing when empty.
        to: last stage; the last one of all when None.
        allow_missing: let corpus-wide stages run without some partitions, and record the gap.
    """

    workspace: Workspace
    recipe: Recipe
    project: Project
    partitions: tuple[str, ...] = ()
    to: str | None = None
    allow_missing: bool = False


@dataclass(frozen=True)
class Failure:
    """A stage that did not promote.

    Attributes:
        type: class of the error, e.g. ``GateFailed``.
    """

    stage: str
    partition: str | None
    type: str
    message: str


@dataclass(frozen=True)
class RunOutcome:
    """What happened, stage by stage in the order of execution.

    Attributes:
        results: promoted, skipped and rejected stages.
        failures: why stages did not promote; empty when the run succeeded.
        not_run: stages left out because one before them failed.
    """

    corpus: str
    run_id: str
    seconds: float
    results: tuple[StageResult, ...]
    failures: tuple[Failure, ...] = ()
    not_run: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def succeeded(self) -> bool:
        """Whether everything that was asked for is promoted and fresh."""
        return not self.failures

    def document(self) -> dict[str, Any]:
        """The JSON form; a failed run also has the ``error`` that every failed command prints."""
        document: dict[str, Any] = {
            "corpus": self.corpus,
            "run_id": self.run_id,
            "status": "succeeded" if self.succeeded else "failed",
            "seconds": self.seconds,
            "results": [result.to_dict() for result in self.results],
            "failures": [vars(failure) for failure in self.failures],
            "not_run": list(self.not_run),
        }
        if self.failures:
            first = self.failures[0]
            document["error"] = {
                "type": first.type,
                "message": first.message,
                "problems": [failure.message for failure in self.failures],
            }
        return document


class Runner(Protocol):
    """Executes the stages of a recipe."""

    def __call__(self, request: RunRequest, progress: Progress) -> RunOutcome:
        """Run the stages in order; a failed partition leaves the others running, and stops corpus-wide stages."""


def stages_to_run(stages: Sequence[str], to: str | None) -> list[str]:
    """The stages up to and including ``to``.

    >>> stages_to_run(["landing", "raw", "cleaned"], "raw")
    ['landing', 'raw']
    """
    return list(stages) if to is None else list(stages[: stages.index(to) + 1])
