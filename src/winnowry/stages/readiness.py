"""What may run now, of all that a plan would run: what a sensor asks, and a run that walks the plan.

A *pass* is frozen: what has landed goes through to the last stage before the landing is looked at again. Without that,
data which come faster than a pass takes would keep the corpus-wide stages waiting for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from winnowry.core.jsonable import digest
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import package_versions
from winnowry.promotion.partitions import gone_partitions, partitions_of
from winnowry.promotion.refusal import rules_digest
from winnowry.promotion.request import SuiteProvider
from winnowry.recipe.model import Recipe
from winnowry.stages.attempts import signatures, token_of
from winnowry.stages.freshness import live_record
from winnowry.stages.graph import Stage, stages_in
from winnowry.stages.landing import landing_state
from winnowry.stages.plan import PlanEntry, plan

State = Literal["fresh", "run", "wait", "refused"]
Place = tuple[str, str | None]
"""Name of a stage, and the partition, or None for one over the whole corpus."""


@dataclass(frozen=True)
class Step:
    """Stages that one run takes a partition, or the corpus, through.

    Attributes:
        stages: in their order; the first one is ready, each of the others once those before it have run.
        token: of the attempt, see :mod:`winnowry.stages.attempts`.
    """

    stages: tuple[str, ...]
    partition: str | None
    token: str

    @property
    def target(self) -> str:
        """The first stage and the partition: ``raw/2024-01-01``."""
        return self.stages[0] if self.partition is None else f"{self.stages[0]}/{self.partition}"

    @property
    def places(self) -> list[Place]:
        """What it runs."""
        return [(stage, self.partition) for stage in self.stages]


@dataclass(frozen=True)
class Readiness:
    """How every stage and partition stands.

    Attributes:
        steps: what may run now of what has landed.
        landing: the look at the landing, where it has changed or was never looked at; for when nothing else runs.
        states: of every stage and partition.
        partitions: keys that the corpus has, and those whose rows are still to be retracted.
    """

    steps: list[Step]
    landing: Step | None
    states: dict[Place, State] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """How many stages stand how: ``12 fresh, 1 refused``."""
        counts = Counter(self.states.values())
        return ", ".join(f"{counts[state]} {state}" for state in ("run", "wait", "refused", "fresh") if counts[state])


def readiness(ws: Workspace, recipe: Recipe, suites: SuiteProvider) -> Readiness:
    """Ask the plan, and tell what is ready from what waits for it.

    Args:
        ws: the lake.
        recipe: the recipe.
        suites: gives the suites that will judge.

    Raises:
        EmptySourceError, RecipeError, UsageError: see :func:`winnowry.stages.plan.plan`.
    """
    ws = ws.snapshot()
    entries = plan(ws, recipe, suites, as_landed=True).entries
    stages = {stage.name: stage for stage in stages_in(recipe)}
    start = next(stage for stage in stages.values() if stage.starts)
    unsettled = {(e.stage, e.partition) for e in entries if e.action != "skip" and not stages[e.stage].starts}
    has_landed = live_record(ws, recipe, start, None) is not None
    if not has_landed or not any(stages[entry.stage].partitioned for entry in entries):
        ready: list[PlanEntry] = []
    else:
        ready = [
            entry
            for entry in entries
            if entry.action == "run"
            and not stages[entry.stage].starts
            and not _before(recipe, stages[entry.stage], entry.partition, unsettled)
        ]
    would_run = {(entry.stage, entry.partition) for entry in entries if entry.action == "run"}
    rules = rules_digest(suites)
    steps: list[Step] = []
    covered: set[Place] = set()
    for entry in ready:
        if (entry.stage, entry.partition) in covered:
            continue
        chain = _chain(recipe, stages, entry, would_run, unsettled)
        covered.update((stage, entry.partition) for stage in chain)
        steps.append(Step(chain, entry.partition, token_of(ws, recipe, entry.stage, entry.partition, suites, rules)))
    landing = None
    if (start.name, None) in would_run:
        landing = Step((start.name,), None, token_of(ws, recipe, start.name, None, suites, rules))
    runs = {step.places[0] for step in steps} | ({(start.name, None)} if landing is not None and not steps else set())
    states = {(entry.stage, entry.partition): _state(entry, runs) for entry in entries}
    return Readiness(steps, landing, states, [*partitions_of(ws, recipe), *gone_partitions(ws, recipe)])


def _state(entry: PlanEntry, runs: set[Place]) -> State:
    if entry.action == "skip":
        return "fresh"
    if entry.refused:
        return "refused"
    return "run" if (entry.stage, entry.partition) in runs else "wait"


def _before(recipe: Recipe, stage: Stage, partition: str | None, unsettled: Iterable[Place]) -> set[Place]:
    """What a stage reads of what is not settled."""
    reads = {read.stage: read.how for read in stage.edges(recipe) if read.role != "beside"}
    return {(name, key) for name, key in unsettled if name in reads and (reads[name] != "same" or key == partition)} - {
        (stage.name, partition)
    }


def _chain(
    recipe: Recipe, stages: dict[str, Stage], first: PlanEntry, would_run: set[Place], unsettled: set[Place]
) -> tuple[str, ...]:
    """Stages of the same partition that have nothing to wait for but each other."""
    chain = [first.stage]
    rest = unsettled - {(first.stage, first.partition)}
    for name in list(stages)[list(stages).index(first.stage) + 1 :]:
        place = (name, first.partition)
        stage = stages[name]
        if place not in would_run or stage.starts:
            continue
        if {read.stage for read in stage.edges(recipe)} & set(chain) and not _before(
            recipe, stage, first.partition, rest - {place}
        ):
            chain.append(name)
            rest = rest - {place}
    return tuple(chain)


def fingerprint(ws: Workspace, recipe: Recipe, suites: SuiteProvider) -> str:
    """Digest of what a plan depends on, cheap to take: where it is the same, so is the plan.

    What is damaged without a new version of a table is not in it: plan anew from time to time all the same.

    Raises:
        EmptySourceError: a source matches no object.
    """
    lake, corpus = ws.lake, recipe.corpus
    tables = {}
    for stage in stages_in(recipe):
        if stage.schema is not None and stage.column_of is None:
            tables[stage.name] = _version(ws, corpus, stage.name)
    tables["gates"] = _version(ws, corpus, "gates")  # a refusal changes no other table
    records = [
        info.uri.rpartition("/")[2]
        for stage in stages_in(recipe)
        if stage.schema is None
        for info in ws.store.list(f"{lake.corpus_uri(corpus)}/promotions/{stage.name}/*/*.json")
    ]
    return digest(
        [
            landing_state(ws, recipe),
            [(stage.name, stage.hash(recipe)) for stage in stages_in(recipe)],
            signatures(recipe),
            rules_digest(suites),
            package_versions(),
            tables,
            records,
        ]
    )


def _version(ws: Workspace, corpus: str, table: str) -> int | None:
    dataset = ws.lake.table(corpus, table).dataset_or_none()
    return int(dataset.version) if dataset is not None else None
