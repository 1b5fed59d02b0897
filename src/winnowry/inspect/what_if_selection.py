"""What a changed recipe would select and leave out as duplicates, from stored scores and draws; no text is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ids, read_ids
from winnowry.promotion.lineage import live
from winnowry.reading.sample_columns import sample_columns
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import DRAWN, KEPT, LEFT_OUT, SCORED, stage_named
from winnowry.stages.sampled import draw


@dataclass(frozen=True)
class Later:
    """What happens to records after cleaning, now and then; None where there is nothing or it is not judged.

    Attributes:
        duplicates_now: records that others stand for.
        duplicates_then: the same by the changed recipe.
        selected_now: records that the sample drew.
        selected_then: records that the changed sample draws from the stored scores.
        selected_tokens_now: their size.
        selected_tokens_then: their size.
        enters: records that only the changed sample draws.
        leaves: records that only the live sample drew.
        unit: what the size is counted in.
        not_judged: what was not judged, and why, a sentence each.
    """

    duplicates_now: int | None
    duplicates_then: int | None
    selected_now: int | None
    selected_then: int | None
    selected_tokens_now: int | None
    selected_tokens_then: int | None
    enters: int | None
    leaves: int | None
    unit: str
    not_judged: tuple[str, ...]


def after_cleaning(ws: Workspace, changed: Recipe, moves: bool) -> Later | None:
    """Judge what comes after the cleaning rules; None where nothing of it is promoted.

    Args:
        ws: the lake.
        changed: the changed recipe.
        moves: records enter or leave by the cleaning rules, or it cannot be told whether they do.
    """
    groups, drawn = live(ws, changed, LEFT_OUT), live(ws, changed, DRAWN)
    if groups is None and drawn is None:
        return None
    why_groups = _why_no_groups(groups, changed, moves) if groups is not None else None
    duplicates = ws.lake.open(changed.corpus, LEFT_OUT).count_rows() if groups is not None else None
    why_draw = _why_no_draw(ws, changed, why_groups) if drawn is not None else None
    before, tokens = _selected(ws, changed) if drawn is not None else (None, None)
    then, tokens_then = _drawn(ws, changed) if drawn is not None and why_draw is None else (None, None)
    both = len(np.intersect1d(before, then)) if before is not None and then is not None else 0
    return Later(
        duplicates_now=duplicates,
        duplicates_then=duplicates if why_groups is None else None,
        selected_now=None if before is None else len(before),
        selected_then=None if then is None else len(then),
        selected_tokens_now=tokens,
        selected_tokens_then=tokens_then,
        enters=None if then is None else len(then) - both,
        leaves=None if then is None or before is None else len(before) - both,
        unit=changed.sample.drawn_unit(changed.kind)[0] if changed.sample is not None else changed.kind.unit,
        not_judged=tuple(why for why in (why_groups, why_draw) if why is not None),
    )


def _why_no_groups(record: PromotionRecord, changed: Recipe, moves: bool) -> str | None:
    """Why the groups of duplicates cannot be told; None where they are the live ones."""
    lines = _changed(record, changed, LEFT_OUT, "clean")
    if lines:
        return f"duplicates: not judged: the groups would be formed anew ({'; '.join(lines)})"
    operators = stage_named(LEFT_OUT).specification(changed)["clean"]
    if moves and operators:
        return "duplicates: not judged: records enter or leave before the groups are formed"
    return None


def _why_no_draw(ws: Workspace, changed: Recipe, why_groups: str | None) -> str | None:
    """Why the sample cannot be drawn from the stored scores; None where it can."""
    if changed.sample is None:
        return "selection: not judged: the changed recipe has no sample"
    if why_groups is not None:
        return "selection: not judged: it is drawn from the keepers of the groups of duplicates"
    for partition in ws.lake.partitions(changed.corpus, SCORED):
        record = live(ws, changed, SCORED, partition)
        lines = _changed(record, changed, SCORED, "score") if record is not None else []
        if lines:
            return f"selection: not judged: scores would be computed anew ({'; '.join(lines)})"
    stored = ws.lake.open(changed.corpus, SCORED).schema.names
    beside = ws.lake.open(changed.corpus, KEPT).schema.names
    wanted = ((changed.sample.by, stored), *((name, [*stored, *beside]) for name in changed.sample.strata))
    lacking = sorted({name for name, names in wanted if name is not None and name not in names})
    return f"selection: not judged: no stored column {', '.join(lacking)}" if lacking else None


def _changed(record: PromotionRecord, changed: Recipe, stage: str, part: str) -> list[str]:
    before: dict[str, Any] = {part: record.lineage.get("spec", {}).get(part)}
    return diff_specs(before, {part: stage_named(stage).specification(changed)[part]})


def _selected(ws: Workspace, changed: Recipe) -> tuple[Ids, int]:
    """Ids and size of the live selection."""
    view, (size, per_unit) = ws.lake.open(changed.corpus, DRAWN), _counted(changed)
    drawn_size = f"{size} * repeats" if "repeats" in view.schema.names else size
    row = view.sql(f"SELECT COALESCE(SUM({drawn_size}), 0) AS n FROM dataset WHERE selected").to_pylist()[0]
    return read_ids(view, where="selected"), int(row["n"]) // per_unit


def _drawn(ws: Workspace, changed: Recipe) -> tuple[Ids, int]:
    """Ids and size of the selection that the changed sample makes."""
    columns = sample_columns(ws, changed)
    selection = draw(changed, columns)
    ids = np.asarray(columns["record_id"].to_pylist(), dtype="S32")[selection.selected]
    return np.sort(ids), selection.selected_tokens // _counted(changed)[1]


def _counted(changed: Recipe) -> tuple[str, int]:
    """What of a record is counted, in SQL, and how much of that one of the unit is."""
    kind, sample = changed.kind, changed.sample
    return ("1", 1) if sample is not None and sample.counts_records(kind) else (kind.size_column, kind.sizes_per_unit)
