"""Retraction: the rows of a partition that the landing no longer holds leave a table, as one more promotion.

Old versions and releases keep them. How much of a corpus may go unasked is bounded by ``limits``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.sql import in_lists
from winnowry.gates.result import GateResult
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger
from winnowry.promotion.partitions import WITHDRAWN, gone_partitions, kept_partitions
from winnowry.promotion.production import Candidate, Findings, Production, Rows, Work
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import ARRIVED, Stage

IDS_AT_ONCE = 2000
"""Ids in one look-up."""
_LISTED = 10


class Retraction(Production):
    """Takes a gone partition out of the table of a stage."""

    by_suites = False

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.n_rows = work.part(work.request.stage.name).count_rows()

    def rows(self) -> Iterator[Rows]:
        """None: that is what is left of the partition."""
        self.work.request.progress.start(self.work.request.stage.name, self.work.partition, 0)
        return iter(())

    def findings(self, candidate: Candidate) -> Findings:
        """How many rows go, and whether that many may; rows that lie in another partition now do not count."""
        work = self.work
        metadata: dict[str, int] = {}
        verdicts: tuple[GateResult, ...] = ()
        if work.request.stage.name == ARRIVED:
            n_moved = _moved(work.ws, work.recipe, [work.partition])
            metadata = {"rows_retracted": self.n_rows - n_moved, "rows_moved": n_moved}
            verdicts = (_verdict(work.ws, work.recipe, work.partition),)
        return Findings(
            Ledger(0, 0, 0),
            outputs={},
            measures={WITHDRAWN: self.n_rows},
            metadata=metadata,
            verdicts=verdicts,
        )


def nothing_is_kept(ws: Workspace, recipe: Recipe, stage: Stage, partition: str) -> bool:
    """Whether a partition without landing objects has no record to keep: all are of objects that are still there."""
    if stage.name != ARRIVED or partition not in kept_partitions(ws, recipe):
        return False
    return not has_records_of_gone_objects(ws, recipe, partition)


def has_records_of_gone_objects(ws: Workspace, recipe: Recipe, partition: str) -> bool:
    """Whether a partition of ``raw`` has records of objects that the landing no longer lists."""
    present = landed_uris(ws, recipe)
    view = ws.lake.partition_view(recipe.corpus, ARRIVED, partition)
    return any(
        not pc.all(pc.is_in(batch.column(0), value_set=present)).as_py()
        for batch in view.scan(columns=["uri"], batch_rows=1 << 16)
        if batch.num_rows
    )


def landed_uris(ws: Workspace, recipe: Recipe) -> pa.Array:
    """URIs of the objects that the landing lists, as they are stored now and as older versions wrote them."""
    uris = ws.lake.open(recipe.corpus, "landing").to_table(columns=["uri"])["uri"].to_pylist()
    return pa.array(sorted({way for uri in uris for way in (ws.relative(uri), ws.store.resolve(uri))}), pa.string())


def _moved(ws: Workspace, recipe: Recipe, partitions: list[str]) -> int:
    """Rows of ``raw`` in gone partitions whose ids lie in a partition that is there."""
    gone = {*gone_partitions(ws, recipe), *partitions}
    raw = ws.lake.open(recipe.corpus, ARRIVED)
    n_moved = 0
    for partition in partitions:
        for batch in ws.lake.partition_view(recipe.corpus, ARRIVED, partition).scan(
            columns=["record_id"], batch_rows=IDS_AT_ONCE
        ):
            for some_ids in in_lists("record_id", batch.column(0).to_pylist(), IDS_AT_ONCE):
                elsewhere = {
                    value
                    for rows in raw.scan(columns=["record_id", "partition"], where=some_ids)
                    for value, holder in zip(*(column.to_pylist() for column in rows.columns), strict=True)
                    if holder not in gone
                }
                n_moved += len(elsewhere)
    return n_moved


def shrinkage(work: Work, before: PromotionRecord | None, n_rows: int) -> tuple[GateResult, ...]:
    """Whether a partition of ``raw`` may shrink as it does, in a corpus that shrinks; a changed recipe asks for it."""
    recipe, stage = work.recipe, work.request.stage
    if before is None or before.lineage.get("stage_hash") != stage.hash(recipe):
        return ()
    total = work.ws.lake.open(recipe.corpus, ARRIVED).count_rows()
    # What has moved to another partition may have to arrive there yet: the landing has counted it.
    lost = min(before.ledger["rows_out"] - n_rows, total - _landed_records(work.ws, recipe))
    return (_judged(recipe, lost, total, [work.partition]),) if lost > 0 else ()


def _landed_records(ws: Workspace, recipe: Recipe) -> int:
    rows = ws.lake.open(recipe.corpus, "landing").to_table(columns=["partitions"]).to_pylist()
    return sum(part["n_records"] for row in rows for part in row["partitions"])


def _verdict(ws: Workspace, recipe: Recipe, partition: str) -> GateResult:
    """Whether all gone partitions together may go."""
    gone = sorted({*gone_partitions(ws, recipe), partition})
    counts = _rows_by_partition(ws, recipe)
    n_gone, total = sum(counts.get(key, 0) for key in gone), sum(counts.values())
    limit = recipe.limits.retracted_fraction
    if n_gone > limit * total:  # only now is it worth asking which of them have moved
        n_moved = _moved(ws, recipe, gone)
        n_gone, total = n_gone - n_moved, total - n_moved
    return _judged(recipe, n_gone, total, gone)


def _judged(recipe: Recipe, n_gone: int, total: int, partitions: list[str]) -> GateResult:
    """The verdict on so many records of a corpus that its landing no longer holds."""
    limit = recipe.limits.retracted_fraction
    fraction = n_gone / total if total else 0.0
    passed = fraction <= limit
    message = f"{n_gone:,} of {total:,} records are no longer in the landing ({100 * fraction:.1f} %)"
    if not passed:
        more = f" and {len(partitions) - _LISTED} more" if len(partitions) > _LISTED else ""
        message += (
            f", of partition {', '.join(partitions[:_LISTED])}{more}: at most {100 * limit:g} % may be retracted "
            "unasked. Restore the objects; or, where a rule empties the landing, set `keep_gone: true`; or let them "
            "go: `limits: {max_retracted_fraction: 1}` in the recipe"
        )
    return GateResult(
        suite=f"{ARRIVED}.retraction",
        expectation="expect_retracted_fraction_to_be_at_most",
        column=None,
        parameters={"max_fraction": limit},
        observed=fraction,
        observed_number=fraction,
        unexpected_count=n_gone,
        severity="critical",
        verdict="pass" if passed else "fail",
        message=message,
    )


def _rows_by_partition(ws: Workspace, recipe: Recipe) -> dict[str, int]:
    """Rows of ``raw`` by partition, from what fragments say of themselves."""
    table = ws.lake.table(recipe.corpus, ARRIVED)
    dataset = table.dataset()
    owners = table.owners(dataset)
    counts: dict[str, int] = {}
    for fragment in dataset.get_fragments():
        partition = owners[fragment.fragment_id].partition
        counts[partition] = counts.get(partition, 0) + int(fragment.count_rows())
    return counts
