"""What a run would do and why, without doing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from winnowry.core.errors import RecipeError, UsageError
from winnowry.lakehouse.lake import PARTITIONED
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live, stale_reasons
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.model import Recipe
from winnowry.stages.column import declared_column, why_stale
from winnowry.stages.duplicates.groups import duplicate_keys, policy_of
from winnowry.stages.inputs import Inputs, inputs_of
from winnowry.stages.landing import landing_state
from winnowry.stages.run import stages_of


@dataclass(frozen=True)
class PlanEntry:
    """One stage of one partition: would it run, and why.

    Attributes:
        rows_in: records the live promotion accounted for, or None when there is none.
    """

    stage: str
    partition: str | None
    action: Literal["run", "skip"]
    reasons: list[str]
    rows_in: int | None


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
    """Every stage and partition of a corpus, in run order.

    Attributes:
        note: what a plan cannot know.
        deduplication: what each operator can be expected to find.
        recommendation: the change of the recipe that the live comparison recommends: recipe paths to values, and
            ``why``; None where there is no comparison or it recommends to keep the recipe as it is.
    """

    corpus: str
    entries: list[PlanEntry]
    note: str | None = None
    deduplication: list[ExpectedRecall] = field(default_factory=list)
    recommendation: dict[str, Any] | None = None

    @property
    def to_run(self) -> list[PlanEntry]:
        """Entries that would run."""
        return [entry for entry in self.entries if entry.action == "run"]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-serialisable data."""
        return {**asdict(self), "n_run": len(self.to_run), "n_skip": len(self.entries) - len(self.to_run)}


def plan(ws: Workspace, recipe: Recipe) -> Plan:
    """Compare live promotions with the recipe and the landing objects as they are now.

    A stage downstream of one that would run is planned to run too; it may still be skipped then, when its input turns
    out to be the same.

    Raises:
        EmptySourceError: a source matches no object.
        RecipeError: columns that do not fit their tables, all of them.
        UsageError: deduplicating operators disagree about which record of a group stays.
    """
    expected = expected_recall(recipe)
    entries: list[PlanEntry] = []
    landing = live(ws, recipe, "landing")
    state: Inputs = dict(landing_state(ws, recipe))
    reasons = stale_reasons(recipe, "landing", landing, state)
    entries.append(_entry(ws, recipe, "landing", None, reasons))
    partitions = partitions_of(ws, recipe)
    note = None
    if reasons:
        note = "the landing stage finds the partitions of new and changed objects; they are planned once it has run"
    changed_partitions = _touched(landing is not None, reasons, partitions)
    will_run: set[tuple[str, str | None]] = set()
    problems: list[str] = []
    for stage in stages_of(recipe)[1:]:
        column = declared_column(recipe, stage)
        if column is not None:
            try:
                why = why_stale(ws, recipe, column)
            except UsageError as error:
                problems.append(str(error))
                continue
            entries.append(PlanEntry(stage, None, "run" if why else "skip", why or ["unchanged"], None))
            continue
        keys: list[str | None] = list(partitions) if stage in PARTITIONED else [None]
        for partition in keys:
            inputs = inputs_of(ws, recipe, stage, partition)
            why = stale_reasons(recipe, stage, live(ws, recipe, stage, partition), inputs)
            why += [f"upstream {up} would run" for up in _upstream(stage, partition, partitions, will_run)]
            if stage == "raw" and partition in changed_partitions and not why:
                why.append("landing would run")
            if why:
                will_run.add((stage, partition))
            entries.append(_entry(ws, recipe, stage, partition, why))
    if problems:
        raise RecipeError(tuple(problems))
    return Plan(recipe.corpus, entries, note, expected, _recommendation(ws, recipe))


def _recommendation(ws: Workspace, recipe: Recipe) -> dict[str, Any] | None:
    if recipe.comparison is None:
        return None
    record = live(ws, recipe, "comparison")
    found: dict[str, Any] | None = record.facts.get("comparison", {}).get("recommendation") if record else None
    return found


def expected_recall(recipe: Recipe) -> list[ExpectedRecall]:
    """The recall curve of every operator of a recipe that has one.

    Raises:
        UsageError: deduplicating operators disagree about which record of a group stays.
    """
    operators = duplicate_keys(recipe)
    policy_of(operators)
    found = []
    for operator in operators:
        forecast = operator.forecast()
        if forecast is not None:
            curve = [(similarity, round(expected, 6)) for similarity, expected in forecast.recall.items()]
            values = forecast._asdict() | {"recall": curve, "threshold": round(forecast.threshold, 4)}
            found.append(ExpectedRecall(operator=operator.as_ or operator.op, **values))
    return found


def _touched(landed: bool, reasons: list[str], partitions: list[str]) -> set[str]:
    return set() if landed or not reasons else set(partitions)


def _upstream(
    stage: str, partition: str | None, partitions: list[str], will_run: set[tuple[str, str | None]]
) -> list[str]:
    reads: dict[str, tuple[str, ...]] = {
        "cleaned": ("raw",),
        "duplicates": ("cleaned",),
        "scored": ("cleaned", "duplicates", "fit"),
        "sampled": ("scored",),
        "comparison": ("sampled",),
        "published": ("sampled", "comparison"),
    }
    found = []
    for upstream in reads.get(stage, ()):
        if upstream not in PARTITIONED:
            if (upstream, None) in will_run:
                found.append(upstream)
        elif partition is not None:
            if (upstream, partition) in will_run:
                found.append(f"{upstream}/{partition}")
        else:
            running = [key for key in partitions if (upstream, key) in will_run]
            if running:
                shown = ", ".join(running[:3]) + (f" and {len(running) - 3} more" if len(running) > 3 else "")
                found.append(f"{upstream} ({shown})")
    return found


def _entry(ws: Workspace, recipe: Recipe, stage: str, partition: str | None, reasons: list[str]) -> PlanEntry:
    record = live(ws, recipe, stage, partition)
    rows = record.ledger.get("rows_in") if record is not None else None
    return PlanEntry(stage, partition, "run" if reasons else "skip", reasons or ["unchanged"], rows)
