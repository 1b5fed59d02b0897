"""What ``run`` asks of whoever executes the stages, and what it gets back."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from winnowry.core.errors import NotFoundError, WinnowryError
from winnowry.runs.request import RunRequest, stages_to_run
from winnowry.stages.graph import Stage, stage_of

if TYPE_CHECKING:
    from winnowry.core.progress import Progress
    from winnowry.promotion.gaps import Gap
    from winnowry.promotion.result import StageResult


_ROUNDS = 3
"""How often partitions are run again that outdate each other; each time fewer do."""


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

    @property
    def place(self) -> str:
        """The stage, with its partition where it has one: ``cleaned[2024-01-02]``."""
        return self.stage if self.partition is None else f"{self.stage}[{self.partition}]"


@dataclass(frozen=True)
class Waiting:
    """A stage that never ran.

    Attributes:
        waits_for: what failed before it, as ``STAGE`` or ``STAGE[PARTITION]``.
    """

    stage: str
    partition: str | None
    waits_for: list[str]


@dataclass(frozen=True)
class RunOutcome:
    """What happened, stage by stage in the order of execution.

    Attributes:
        results: promoted, skipped and rejected stages.
        failures: why stages did not promote; empty when the run succeeded.
        not_run: stages left out because one before them failed.
        waiting: stages and partitions that never ran, each with what it waits for.
        gaps: partitions that corpus-wide stages went on without, or took as they were.
        left_out: partitions that the recipe leaves out of releases, each with who accepted that, and why.
        tag: tag that the recipe publishes under.
    """

    corpus: str
    run_id: str
    seconds: float
    results: tuple[StageResult, ...]
    failures: tuple[Failure, ...] = ()
    not_run: tuple[str, ...] = ()
    tag: str | None = None
    waiting: tuple[Waiting, ...] = ()
    gaps: tuple[Gap, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

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
            "waiting": [vars(waiting) for waiting in self.waiting],
            "gaps": [vars(gap) for gap in self.gaps],
            "left_out": dict(self.left_out),
        }
        if self.failures:
            first = self.failures[0]
            document["error"] = {
                "type": first.type,
                "message": first.message,
                "problems": [failure.message for failure in self.failures],
            }
        return document


class StageFailed(Exception):
    """A stage that an executor could not bring to promotion.

    Args:
        failure: which, and why.
        result: what the gates saw, when it was a gate that refused.
    """

    def __init__(self, failure: Failure, result: StageResult | None = None) -> None:
        self.failure, self.result = failure, result
        super().__init__(failure.message)


class ExecuteStages(Protocol):
    """Brings consecutive stages of one partition, or of the corpus, up to date."""

    def __call__(self, stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        """Run them in order and yield the result of each; raises :class:`StageFailed` at the first that fails."""


@dataclass(frozen=True)
class PartitionOutcome:
    """What became of a partition: results in the order of the stages, and the failure that ended them, if any."""

    partition: str | None
    results: Sequence[StageResult]
    failed: StageFailed | None = None


class TakePartitions(Protocol):
    """Takes many partitions through consecutive stages, in an order and a number at once of its own choice."""

    def __call__(self, stages: Sequence[str], partitions: Sequence[str]) -> Iterator[PartitionOutcome]:
        """Run them and yield what became of each, in the order given."""


class Runner(Protocol):
    """Executes the stages of a recipe."""

    def __call__(self, request: RunRequest, progress: Progress) -> RunOutcome:
        """Run the stages in order; a failed partition leaves the others running, and stops corpus-wide stages."""


def run_in_order(
    request: RunRequest,
    progress: Progress,
    run_id: str,
    execute: ExecuteStages,
    take: TakePartitions | None = None,
) -> RunOutcome:
    """Run the stages of a recipe: partitions through their stages, then what needs all of them.

    A partition that fails is left out of the stages after it, the others go on; a corpus-wide stage is not run after
    a failure unless ``allow_missing`` says so. Partitions that the landing no longer holds come last: what moved out
    of them has arrived by then.

    Args:
        request: what to run.
        progress: told how many stage runs there are, and about refused ones; ``execute`` tells it about the others.
        run_id: name of this run.
        execute: runs stages.
        take: runs the partitioned stages; one partition after the other with ``execute`` when None.

    Raises:
        RecipeError: the recipe lacks what a later one of the stages needs.
        NotFoundError: a partition was named that the landing does not hold.
    """
    started = time.perf_counter()
    results: list[StageResult] = []
    failures: list[Failure] = []
    steps = stages_to_run(request)
    stages = [step.name for step in steps]
    not_run: tuple[str, ...] = ()
    waiting: list[Waiting] = []
    signed = request.recipe.gates.left_out()
    partitions: _Partitions | None = None
    for stretch in stretches(steps):
        group = tuple(step.name for step in stretch)
        if stretch[0].partitioned:
            if partitions is None:
                partitions = _wanted(request)
                n_partitions = len(partitions.left_out(signed))
                progress.expect(sum(n_partitions if step.partitioned else 1 for step in steps))
            if not partitions:
                failures.append(Failure(group[0], None, "EmptySourceError", _nothing_landed(request)))
                not_run = tuple(stages[stages.index(group[0]) + 1 :])
                break
            waiting += [Waiting(name, f.partition, [f.place]) for f in failures if f.partition for name in group]
            partitions = partitions.without({failure.partition for failure in failures}).left_out(signed)
            outcomes = _take_through(request, stretch, partitions, execute, take)
        elif failures and not request.allow_missing:
            not_run = tuple(stages[stages.index(group[0]) :])
            waiting += [Waiting(name, None, [f.place for f in failures]) for name in not_run]
            break
        else:
            outcomes = one_by_one(execute, group, [None])
        for done in outcomes:
            results.extend(done.results)
            if done.failed is not None:
                failure = done.failed.failure
                failures.append(failure)
                rest = group[group.index(failure.stage) + 1 :] if done.partition is not None else ()
                waiting += [Waiting(name, done.partition, [failure.place]) for name in rest]
                if done.failed.result is not None:
                    results.append(done.failed.result)
                    progress.finish(done.failed.result)
        stopped = next((failure for failure in failures if failure.partition is None), None)
        if stopped is not None:
            not_run = tuple(stages[stages.index(stopped.stage) + 1 :])
            waiting += [Waiting(name, None, [stopped.place]) for name in not_run]
            break
    seconds = time.perf_counter() - started
    recipe = request.recipe
    return RunOutcome(
        recipe.corpus,
        run_id,
        seconds,
        _last(results),
        tuple(failures),
        not_run,
        recipe.publish.tag,
        tuple(waiting),
        _gaps(results),
        {key: accepted.signed() for key, accepted in signed.items()},
    )


def _gaps(results: Sequence[StageResult]) -> tuple[Gap, ...]:
    """What the last corpus-wide stage went on without, or took as it was."""
    from winnowry.promotion.gaps import GAPS, Gap

    whole = [result for result in results if result.partition is None and result.status != "rejected"]
    return tuple(Gap(**gap) for gap in whole[-1].metadata.get(GAPS, ())) if whole else ()


def _last(results: Iterable[StageResult]) -> tuple[StageResult, ...]:
    """One result a stage and partition: of those that ran twice the one that stands."""
    last: dict[tuple[str, str | None], StageResult] = {}
    for result in results:
        key = (result.stage, result.partition)
        if key not in last or result.status != "skipped":
            last[key] = result
    return tuple(last.values())


@dataclass(frozen=True)
class _Partitions:
    """What a run takes through the partitioned stages.

    Attributes:
        landed: partitions of the landing.
        unlanded: those that the recipe keeps though no object holds them.
        gone: those to be retracted.
    """

    landed: list[str]
    unlanded: list[str]
    gone: list[str]

    def __len__(self) -> int:
        return len(self.landed) + len(self.unlanded) + len(self.gone)

    def left_out(self, signed: Collection[str]) -> _Partitions:
        """Without those that somebody has signed for to be left out; what is gone is retracted all the same."""
        return replace(
            self,
            landed=[key for key in self.landed if key not in signed],
            unlanded=[key for key in self.unlanded if key not in signed],
        )

    def without(self, failed: set[str | None]) -> _Partitions:
        """Without those that failed; where one could not be retracted, no other is: they are judged together."""
        gone = [] if failed & set(self.gone) else self.gone
        return _Partitions(
            [key for key in self.landed if key not in failed], [key for key in self.unlanded if key not in failed], gone
        )


def _take_through(
    request: RunRequest,
    stretch: Sequence[Stage],
    partitions: _Partitions,
    execute: ExecuteStages,
    take: TakePartitions | None,
) -> Iterator[PartitionOutcome]:
    """Partitions through a stretch: those of the landing, those that are kept, those that go; some once more."""
    group = tuple(step.name for step in stretch)

    def through(keys: Sequence[str]) -> Iterator[PartitionOutcome]:
        return take(group, keys) if take is not None else one_by_one(execute, group, keys)

    unsettled, failed = False, set[str | None]()
    for keys in (partitions.landed, partitions.unlanded):
        for done in through(keys) if keys else ():
            unsettled |= any(result.metadata.get("unsettles_others") for result in done.results)
            if done.failed is not None:
                failed.add(done.partition)
            yield done
    for done in one_by_one(execute, group, partitions.gone):
        yield done
        if done.failed is not None:
            break
    if unsettled:
        present = [key for key in (*partitions.landed, *partitions.unlanded) if key not in failed]
        yield from _settle(request, stretch[0], present, through)


def _settle(
    request: RunRequest, first: Stage, keys: list[str], through: Callable[[Sequence[str]], Iterator[PartitionOutcome]]
) -> Iterator[PartitionOutcome]:
    """Partitions again that others have outdated meanwhile, by records that they share an id with."""
    from winnowry.stages.freshness import why_stale

    for _ in range(_ROUNDS):
        again = [key for key in keys if why_stale(request.workspace, request.recipe, first, key)]
        if not again:
            return
        for done in through(again):
            if done.failed is not None:
                keys = [key for key in keys if key != done.partition]
            yield done


def one_by_one(execute: ExecuteStages, stages: Sequence[str], keys: Sequence[str | None]) -> Iterator[PartitionOutcome]:
    """Take one partition after the other, or the corpus (None), through stages."""
    for partition in keys:
        results: list[StageResult] = []
        failed: StageFailed | None = None
        try:
            results.extend(execute(stages, partition))
        except StageFailed as error:
            failed = error
        yield PartitionOutcome(partition, results, failed)


def skip_while_fresh(
    request: RunRequest, progress: Progress, run_id: str, stages: Iterable[str], partition: str | None
) -> Iterator[StageResult]:
    """Results of the stages, from the first, that have nothing to do; ends before the first that has."""
    for stage in stages:
        fresh = skip_if_fresh(request, stage, partition, run_id)
        if fresh is None:
            return
        progress.finish(fresh)
        yield fresh


def skip_if_fresh(request: RunRequest, stage: str, partition: str | None, run_id: str) -> StageResult | None:
    """The result of a stage that has nothing to do, or None."""
    from winnowry.promotion.partitions import is_gone
    from winnowry.stages.freshness import incomplete_partitions, why_held, why_stale
    from winnowry.stages.run import run_stage

    ws, recipe = request.workspace, request.recipe
    try:
        step = stage_of(recipe, stage)
        if partition is not None and is_gone(ws, recipe, partition):
            stale = why_held(ws, recipe, step, partition)
        else:
            stale = incomplete_partitions(ws, recipe, step) or why_stale(ws, recipe, step, partition)
        if stale or request.forces(stage, partition):
            return None
        suites = request.project.module("expectations.registry").suites_for
        return run_stage(ws, recipe, stage, partition, suites=suites, run_id=run_id, engine=request.open_engine())
    except WinnowryError:
        return None  # the run will meet the same error and record it


def stretches(stages: Sequence[Stage]) -> list[tuple[Stage, ...]]:
    """Cut stages into stretches that one execution takes a partition, or the corpus, through.

    The stage that says which partitions there are is on its own: only then are they known.

    >>> from winnowry.stages.graph import STAGES
    >>> [[stage.name for stage in stretch] for stretch in stretches(STAGES[:6])]
    [['landing'], ['raw', 'cleaned'], ['duplicates', 'fit'], ['scored']]
    """
    return [tuple(group) for _, group in groupby(stages, key=lambda stage: (stage.starts, stage.partitioned))]


def _nothing_landed(request: RunRequest) -> str:
    """Why there is no partition to take through the stages."""
    from winnowry.stages.landing_losses import live_losses

    lost = live_losses(request.workspace, request.recipe)
    reasons = [source.nothing_taken() for source in lost.sources if source.yields_nothing] if lost is not None else []
    return "\n".join(reasons or [f"{request.recipe.corpus}: no record has landed"])


def _wanted(request: RunRequest) -> _Partitions:
    from winnowry.promotion.partitions import gone_partitions, kept_partitions, partitions_of

    ws, recipe = request.workspace, request.recipe
    unlanded, gone = kept_partitions(ws, recipe), gone_partitions(ws, recipe)
    present = [*partitions_of(ws, recipe), *gone]
    forced = [forced.partition("/")[2] for forced in request.force if "/" in forced]
    unknown = [key for key in (*request.partitions, *forced) if key not in present]
    if unknown:
        near = difflib.get_close_matches(unknown[0], present, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        listed = ", ".join(present[:20]) + (f" and {len(present) - 20} more" if len(present) > 20 else "")
        raise NotFoundError(f"{request.recipe.corpus} has no partition {', '.join(unknown)}{hint}\nThere are: {listed}")
    wanted = list(request.partitions) or present
    leaving = {*unlanded, *gone}
    return _Partitions(
        [key for key in wanted if key not in leaving],
        [key for key in wanted if key in unlanded],
        [key for key in wanted if key in gone],
    )
