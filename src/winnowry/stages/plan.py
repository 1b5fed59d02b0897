"""What a run would do and why, without doing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from winnowry.core.errors import RecipeError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.corpus_recipe import other_recipe
from winnowry.promotion.lineage import live
from winnowry.promotion.partitions import (
    gone_partitions,
    is_withdrawn,
    kept_partitions,
    landing_is_whole,
    partitions_of,
)
from winnowry.promotion.refusal import Judged, standing_refusal
from winnowry.promotion.request import SuiteProvider
from winnowry.recipe.check_gates import lacking_for
from winnowry.recipe.model import Recipe
from winnowry.stages.attempts import stopped_steps
from winnowry.stages.cascade import Following, may_follow
from winnowry.stages.duplicates.groups import duplicate_keys, policy_of
from winnowry.stages.freshness import GONE, Inputs, inputs_of, live_record, reasons_for
from winnowry.stages.gaps import check_accepted
from winnowry.stages.graph import Stage, stage_named, stages_in
from winnowry.stages.identity import changed_identities

_SHOWN = 5  # names of stages that are listed
_LISTED = 10  # partitions
_REFUSED = "refused, waits for a change of inputs or rule"


@dataclass(frozen=True)
class PlanEntry:
    """One stage of one partition: would it run, and why.

    Attributes:
        action: ``wait``: a gate refused it and nothing has changed since, or it reads what did not get that far.
        rows_in: records the live promotion accounted for, or None when there is none.
    """

    stage: str
    partition: str | None
    action: Literal["run", "skip", "wait"]
    reasons: list[str]
    rows_in: int | None

    @property
    def refused(self) -> bool:
        """Whether it is its own gate whose refusal stands."""
        return self.action == "wait" and self.reasons[0].startswith(_REFUSED)


@dataclass(frozen=True)
class ExpectedRecall:
    """What near-duplicate detection can be expected to find.

    Attributes:
        operator: name of the operator, or the one its column has.
        ngram: words or characters of an n-gram.
        unit: which of the two.
        bands: keys of a record.
        rows: hash functions of a key.
        threshold: Jaccard similarity near which the curve is steepest.
        recall: (similarity, probability that two records so similar are found).
    """

    operator: str
    unit: str
    ngram: int
    bands: int
    rows: int
    threshold: float
    recall: list[tuple[float, float]]


@dataclass(frozen=True)
class Plan:
    """Every stage and partition of a corpus, in run order; those that the landing no longer holds come first.

    Attributes:
        note: what a plan cannot know, and which records would be new because they would be known by something else.
        deduplication: what each operator can be expected to find.
        recommendation: the change of the recipe that the live comparison recommends: recipe paths to values, and
            ``why``; None where there is no comparison or it recommends to keep the recipe as it is.
        other_recipe: the recipe that the corpus belongs to, where that is another one, which a run refuses to replace:
            its ``file``, when it ran last, and the ``differences``, a line a key.
    """

    corpus: str
    entries: list[PlanEntry]
    note: str | None = None
    deduplication: list[ExpectedRecall] = field(default_factory=list)
    recommendation: dict[str, Any] | None = None
    may_follow: list[Following] = field(default_factory=list)
    other_recipe: dict[str, Any] | None = None

    @property
    def to_run(self) -> list[PlanEntry]:
        """Entries that would run."""
        return [entry for entry in self.entries if entry.action == "run"]

    @property
    def waiting(self) -> list[PlanEntry]:
        """Entries that a run would not try: a gate's refusal stands, for them or for what they read."""
        return [entry for entry in self.entries if entry.action == "wait"]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-serialisable data; ``n_wait`` and ``other_recipe`` only where there is something to say."""
        waiting = len(self.waiting)
        fresh = len(self.entries) - len(self.to_run) - waiting
        document = {**asdict(self), "n_run": len(self.to_run), "n_skip": fresh}
        if self.other_recipe is None:
            del document["other_recipe"]
        return document | ({"n_wait": waiting} if waiting else {})


def plan(ws: Workspace, recipe: Recipe, suites: SuiteProvider | None = None, *, as_landed: bool = False) -> Plan:
    """Compare live promotions with the recipe and the landing objects as they are now.

    A stage downstream of one that would run is planned to run too; it may still be skipped then, when its input turns
    out to be the same.

    Args:
        ws: the lake.
        recipe: the recipe.
        suites: gives the suites that would judge; None: as those that judged what was refused.
        as_landed: plan the partitions as the landing was listed last; what has left it since is not retracted yet.

    Raises:
        EmptySourceError: a source matches no object.
        RecipeError: columns that do not fit their tables, all of them.
        UsageError: deduplicating operators disagree about which record of a group stays.
    """
    ws = ws.snapshot()
    check_accepted(recipe)
    lacking = lacking_for(recipe, [stage.name for stage in stages_in(recipe)])
    if lacking:
        raise RecipeError(tuple(lacking))
    expected = expected_recall(recipe)
    entries: list[PlanEntry] = []
    retracted: list[PlanEntry] = []
    leaving: dict[str, str] = {}
    partitions: list[str] = []
    note = None
    will_run: set[tuple[str, str | None]] = set()
    problems: list[str] = []
    waiting: set[tuple[str, str | None]] = set()
    signed = recipe.gates.left_out()
    for stage in stages_in(recipe):
        if stage.partitioned and not partitions:
            partitions = [key for key in partitions_of(ws, recipe) if key not in leaving]
        for partition in partitions if stage.partitioned else [None]:
            if partition in signed:
                entries.append(
                    PlanEntry(stage.name, partition, "skip", [f"left out, {signed[partition].signed()}"], None)
                )
                continue
            record = live_record(ws, recipe, stage, partition)
            try:
                inputs = inputs_of(ws, recipe, stage, partition)
            except UsageError as error:  # a column that does not fit its table
                problems.append(str(error))
                continue
            reasons = reasons_for(ws, recipe, stage, partition, record, inputs)
            upstream = _upstream(stage, recipe, partition, will_run)  # so that it would have other inputs
            judged = inputs if reasons and not upstream else None
            waits = _waits(ws, recipe, stage, partition, judged, waiting, suites)
            reasons += [f"upstream {name} would run" for name in upstream]
            if waits:
                waiting.add((stage.name, partition))
            elif reasons:
                will_run.add((stage.name, partition))
            rows = record.ledger.get("rows_in") if record is not None else None
            action: Literal["run", "skip", "wait"] = "wait" if waits else "run" if reasons else "skip"
            entries.append(PlanEntry(stage.name, partition, action, waits or reasons or ["unchanged"], rows))
            if stage.starts:
                leaving = {} if as_landed else _leaving(ws, recipe, stage, inputs)
                leaving |= dict.fromkeys(gone_partitions(ws, recipe), GONE)
                retracted = _retractions(ws, recipe, leaving)
                will_run |= {(entry.stage, entry.partition) for entry in retracted}
            if stage.starts and action == "run":
                note = (
                    f"the {stage.name} stage finds the partitions of new and changed objects; they are planned once it "
                    "has run"
                )
    if problems:
        raise RecipeError(tuple(problems))
    notes = [*([note] if note is not None else []), *changed_identities(ws, recipe), *_kept(ws, recipe)]
    notes += ws.lake.lost_tags(recipe.corpus)
    notes += [stopped.sentence() for stopped in stopped_steps(ws, recipe, suites)]
    return Plan(
        recipe.corpus,
        retracted + entries,
        "\n".join(notes) or None,
        expected,
        _recommendation(ws, recipe),
        may_follow(recipe, ((entry.stage, entry.action == "run") for entry in entries)),
        other_recipe(ws, recipe),
    )


def _waits(
    ws: Workspace,
    recipe: Recipe,
    stage: Stage,
    partition: str | None,
    inputs: Inputs | None,
    waiting: set[tuple[str, str | None]],
    suites: SuiteProvider | None,
) -> list[str]:
    """What a stage waits for: stages that it reads, or a change after its own refusal; empty where it would run.

    Without ``inputs``, of a fresh stage or one that will have others, it waits for others only.
    """
    names = {read.stage: read for read in stage.edges(recipe) if read.role != "beside"}
    before = [
        (name, key)
        for name, key in sorted(waiting, key=str)
        if name in names and (names[name].how != "same" or key == partition)
    ]
    if before:
        listed = [name if key is None or key == partition else f"{name} ({key})" for name, key in before]
        shown = listed[:_SHOWN] + ([f"{len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else [])
        return [f"waits for {', '.join(shown)}"]
    if inputs is None:
        return []
    refused = standing_refusal(Judged(ws, recipe, stage, partition), suites, inputs)
    if refused is None:
        return []
    blocking = [f"{gate.expectation}: {gate.message}" for gate in refused.gates if gate.blocks]
    return [f"{_REFUSED}: {'; '.join(blocking)}"]


def _kept(ws: Workspace, recipe: Recipe) -> list[str]:
    """Says which partitions stay though nothing of them is in the landing."""
    unlanded = kept_partitions(ws, recipe)
    more = f" and {len(unlanded) - _LISTED} more" if len(unlanded) > _LISTED else ""
    listed = ", ".join(unlanded[:_LISTED]) + more
    return [f"kept though no landing object holds them (keep_gone): {listed}"] if unlanded else []


def _leaving(ws: Workspace, recipe: Recipe, start: Stage, objects: Inputs) -> dict[str, str]:
    """Partitions that a run would retract once it has listed the landing, and why."""
    record = live_record(ws, recipe, start, None)
    if record is None or recipe.keep_gone or not landing_is_whole(ws, recipe):
        return {}
    before = record.lineage.get("inputs", {})
    rows = ws.lake.open(recipe.corpus, start.name).to_table(columns=["uri", "size", "partitions"]).to_pylist()
    # An object of the same name and size somewhere else is taken for the same one: a lake may have moved.
    arrived = {
        (_name(uri), int(state.rpartition(":")[2])) for uri, state in objects.items() if state and uri not in before
    }
    listed = {ws.relative(uri) for uri in objects}
    staying, lost = set[str](), set[str]()
    for row in rows:
        there = ws.relative(row["uri"]) in listed or (_name(row["uri"]), row["size"]) in arrived
        (staying if there else lost).update(part["partition"] for part in row["partitions"])
    unread = any(before.get(uri) != state for uri, state in objects.items())
    reason = f"{GONE}, unless a new or changed one does" if unread else GONE
    return dict.fromkeys(lost - staying, reason)


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _retractions(ws: Workspace, recipe: Recipe, leaving: dict[str, str]) -> list[PlanEntry]:
    entries = []
    for stage in stages_in(recipe):
        for partition in sorted(leaving) if stage.partitioned else ():
            record = live_record(ws, recipe, stage, partition)
            if record is not None and not is_withdrawn(record):
                rows = record.ledger.get("rows_in")
                entries.append(PlanEntry(stage.name, partition, "run", [leaving[partition]], rows))
    return entries


def _recommendation(ws: Workspace, recipe: Recipe) -> dict[str, Any] | None:
    if recipe.comparison is None:
        return None
    record = live(ws, recipe, "comparison")
    summary: dict[str, Any] = record.facts.get("comparison", {}) if record else {}
    # One by the older method took its draws for independent: what it recommends is not shown.
    recommendation: dict[str, Any] | None = summary.get("recommendation") if "draw_share" in summary else None
    return recommendation


def expected_recall(recipe: Recipe) -> list[ExpectedRecall]:
    """The recall curve of every operator of a recipe that has one.

    Raises:
        UsageError: deduplicating operators disagree about which record of a group stays.
    """
    operators = duplicate_keys(recipe)
    policy_of(operators)
    forecasts = []
    for operator in operators:
        forecast = operator.forecast()
        if forecast is not None:
            curve = [(similarity, round(expected, 6)) for similarity, expected in forecast.recall.items()]
            values = forecast._asdict() | {"recall": curve, "threshold": round(forecast.threshold, 4)}
            forecasts.append(ExpectedRecall(operator=operator.as_ or operator.op, **values))
    return forecasts


def _upstream(stage: Stage, recipe: Recipe, partition: str | None, will_run: set[tuple[str, str | None]]) -> list[str]:
    """Stages that a stage reads and that would run; those that another one of them reads are not named again."""
    reads = [read for read in stage.edges(recipe) if read.role in ("rows", "content")]
    through = {
        behind.stage for read in reads if read.how == "whole" for behind in stage_named(read.stage).edges(recipe)
    }
    through |= {behind.stage for name in set(through) for behind in stage_named(name).edges(recipe)}
    names = []
    for read in reads:
        if read.how == "same" and (read.stage, partition) in will_run:
            names.append(f"{read.stage}/{partition}")
        elif read.how in ("whole", "part") and (read.stage, None) in will_run and not stage_named(read.stage).starts:
            names.append(read.stage)
        elif read.how == "every" and read.stage not in through:
            running = sorted(key for name, key in will_run if name == read.stage and key is not None)
            if running:
                more = f" and {len(running) - 3} more" if len(running) > 3 else ""
                names.append(f"{read.stage} ({', '.join(running[:3])}{more})")
    return names
