"""Which partitions a stage over the whole corpus goes on without, and which it takes as they were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from winnowry.core.errors import UsageError
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.gaps import Gap, Gaps
from winnowry.promotion.lineage import live, output_version
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.model import Recipe
from winnowry.stages.freshness import inputs_of, why_stale
from winnowry.stages.graph import Stage, stage_named, stage_of, stages_in


def gaps_of(ws: Workspace, recipe: Recipe, stage: Stage) -> Gaps:
    """What a corpus-wide stage would go on without now, and what it would take as it was.

    The rows of a partition's last good promotion stay, and are named as stale. They are not read where two of its
    tables no longer fit together: scores of records that were cleaned anew since.
    """
    before = upstream(recipe, stage)
    signed = recipe.gates.left_out()
    gaps: list[Gap] = []
    unfit: set[str] = set()
    for partition in partitions_of(ws, recipe) if before else ():
        if partition in signed:
            continue
        gap = _gap(ws, recipe, before, partition)
        if gap is not None and gap.kind == "stale" and not _fits(ws, recipe, before, partition):
            unfit.add(partition)
            gap = Gap(partition, "missing", gap.stage, f"{gap.why}; its rows are of an earlier state of what it reads")
        if gap is not None:
            gaps.append(gap)
    present = {key: accepted for key, accepted in signed.items() if before}
    return Gaps(tuple(gaps), present, frozenset(unfit))


def check_accepted(recipe: Recipe) -> None:
    """Refuse a signature for something that there is not.

    Raises:
        UsageError: the recipe has no such stage, or it runs otherwise than the signature says.
    """
    for accepted in recipe.gates.accept or ():
        if accepted.stage is None:
            continue
        stage = stage_of(recipe, accepted.stage)
        if stage.partitioned and accepted.partition is None:
            raise UsageError(
                f"gates.accept: stage {stage.name} runs once a partition: say which `partition` is accepted"
            )
        if not stage.partitioned and accepted.partition is not None:
            raise UsageError(f"gates.accept: stage {stage.name} runs over the whole corpus: it takes no `partition`")


def upstream(recipe: Recipe, stage: Stage) -> list[Stage]:
    """The partitioned stages that a corpus-wide stage rests on, directly or not, upstream ones first."""
    names: set[str] = set()
    open_ends = [stage]
    while open_ends:
        for read in open_ends.pop().edges(recipe):
            if read.stage not in names and read.role != "beside":
                names.add(read.stage)
                open_ends.append(stage_named(read.stage))
    return [one for one in stages_in(recipe) if one.name in names and one.partitioned]


def _gap(ws: Workspace, recipe: Recipe, before: list[Stage], partition: str) -> Gap | None:
    gap: Gap | None = None
    for stage in before:
        record = live(ws, recipe, stage.name, partition)
        reasons = why_stale(ws, recipe, stage, partition)
        if not reasons:
            continue
        refused = _refused(ws, recipe, stage, partition)
        why = "was refused by its gate" if refused is not None else "; ".join(reasons)
        if record is None:
            return Gap(partition, "missing", stage.name, why)
        since = refused.created_at if refused is not None else _changed_at(ws, recipe, stage, partition, record)
        if gap is None:
            gap = Gap(partition, "stale", stage.name, why, record.id, _iso(record.promoted_at), _iso(since))
    return gap


def _refused(ws: Workspace, recipe: Recipe, stage: Stage, partition: str) -> PromotionRecord | None:
    records = [r for r in ws.lake.records(recipe.corpus).of(stage.name, partition) if r.state in _JUDGED]
    newest = max(records, key=lambda record: (record.created_at, record.id), default=None)
    return newest if newest is not None and newest.state == "rejected" else None


_JUDGED = ("promoted", "rejected")


def _changed_at(ws: Workspace, recipe: Recipe, stage: Stage, partition: str, record: PromotionRecord) -> float | None:
    """When an input of a promotion changed: the newest promotion of those that are not what it read."""
    before = record.lineage.get("inputs", {})
    changed = [name for name, version in inputs_of(ws, recipe, stage, partition).items() if before.get(name) != version]
    moments = []
    for name in changed:
        of_stage, _, key = name.partition("/")
        read = next((edge for edge in stage.edges(recipe) if edge.stage == of_stage), None)
        if read is not None:
            made = live(ws, recipe, of_stage, key if read.how == "same" else None)
            moments.append(made.promoted_at if made is not None else None)
    return max((moment for moment in moments if moment is not None), default=None)


def _fits(ws: Workspace, recipe: Recipe, before: list[Stage], partition: str) -> bool:
    """Whether the rows of a partition's tables are about the same records."""
    for stage, read_stage in _together(recipe, before):
        record = live(ws, recipe, stage.name, partition)
        version = output_version(live(ws, recipe, read_stage, partition), partition)
        if record is not None and record.lineage.get("inputs", {}).get(f"{read_stage}/{partition}") != version:
            return False
    return True


def _together(recipe: Recipe, before: list[Stage]) -> Iterator[tuple[Stage, str]]:
    """Pairs of tables of which a release joins rows by id: texts are in ``cleaned``, the bytes of files in ``raw``."""
    first = before[0].name if before else ""
    for stage in before:
        for read in stage.edges(recipe):
            if read.how == "same" and (read.stage != first or recipe.kind.carries == "blob"):
                yield stage, read.stage


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


_SHOWN = 10


def waits_for(ws: Workspace, recipe: Recipe, stage: Stage, partitions: list[str]) -> str:
    """Partitions that a stage waits for, each with the first of its stages that is missing, stale or refused."""
    before = upstream(recipe, stage)
    shown = []
    for partition in partitions[:_SHOWN]:
        gap = _gap(ws, recipe, before, partition)
        shown.append(f"{partition} ({gap.stage}: {gap.why})" if gap is not None else partition)
    return ", ".join(shown) + (f" and {len(partitions) - _SHOWN} more" if len(partitions) > _SHOWN else "")
