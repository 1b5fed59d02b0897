"""Stage → audit → promote: the one way rows become visible (docs/adr/0001).

``stage`` commits the candidate *detached*: a version nobody reads unless they ask for it by number. The gates audit
exactly that version. ``promote`` then commits side tables, and last the main table, whose commit is the commit point.
Every step can be repeated after a crash; ``recover`` finishes or abandons what a killed process left.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from winnowry.core.errors import DataError, LakehouseError, PromotionConflictError
from winnowry.core.ids import PromotionId
from winnowry.core.retry import Retry
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.columns import column_versions
from winnowry.lakehouse.record import WHOLE_TABLE, CandidateTable, PromotionRecord, RecordStore, Scope, landing_order
from winnowry.lakehouse.table import Owner, Table, fragment_metadata, is_conflict, next_fragment_id
from winnowry.lakehouse.wider import refuse_other_ids, widen, widened

logger = logging.getLogger(__name__)

_PROPERTY = "winnowry.promotion"
ABANDONED_AFTER = timedelta(hours=24)
"""A staged promotion that nobody has moved for so long belongs to a dead process."""

_COMMITS = Retry(attempts=200, first_wait_s=0.005, longest_wait_s=0.64)  # rivals on other partitions may win many
_REMOVALS = Retry(attempts=200, first_wait_s=0.01, longest_wait_s=0.01, growth="constant")


def stage(
    table: Table,
    fragments: list[dict[str, Any]],
    rows: int,
    *,
    scope: Scope,
    partition: str,
    stage_name: str,
    written_for: Any | None = None,
    base_version: int | None = None,
    updated: Sequence[dict[str, Any]] = (),
    removed: Sequence[int] = (),
) -> CandidateTable:
    """Commit written fragments detached, as the table will look and as the gates will audit it.

    Args:
        table: the table.
        fragments: metadata of the written fragments.
        rows: rows in them.
        scope: what they replace.
        partition: partition they belong to.
        stage_name: stage that wrote them (side tables hold several stages).
        written_for: the version that the fragments were written for, which may have columns that the table is to get.
        base_version: version to build on; the latest when None. A delta names the one it was worked out from.
        updated: for a delta, fragments that lost rows.
        removed: for a delta, fragments that lost all rows.

    Returns:
        The candidate with its two detached versions.
    """
    base = table.dataset(base_version)
    owners = table.owners(base)
    wide = base
    if written_for is not None:
        wide = widened(table, base, written_for.schema)
        refuse_other_ids(table, written_for, wide)
    if scope == "delta":
        gone = list(removed)
    else:
        gone = [f for f, owner in owners.items() if _replaced(owner, scope, partition, stage_name)]
    detached = _detach(wide, gone, fragments, list(updated))
    # A delta is judged as the table it makes; a partition or a table by the rows it brings.
    audited = detached if scope == "delta" else _detach(wide, list(owners), fragments, [])
    barrier.reach(f"staged:{table.name}")
    return CandidateTable(
        table=table.name,
        fragments=fragments,
        rows=rows,
        scope=scope,
        base_version=base.version,
        detached_version=detached,
        audit_version=audited,
        updated=list(updated),
        removed=list(removed),
        stage=stage_name,
        partition=partition,
    )


def _replaced(owner: Owner, scope: Scope, partition: str, stage_name: str) -> bool:
    if owner.stage and owner.stage != stage_name:
        return False  # a side table holds the rows of several stages
    return scope == "table" or owner.partition == partition


def _detach(base: Any, gone: list[int], fragments: list[dict[str, Any]], updated: list[dict[str, Any]]) -> int:
    import lance

    if not gone and not fragments and not updated:
        return int(base.version)
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=gone,
        updated_fragments=fragment_metadata(updated),
        new_fragments=fragment_metadata(fragments),
        fields_modified=[],
    )
    transaction = lance.Transaction(read_version=base.version, operation=operation)
    # The dataset object, not its URI: given a URI Lance silently builds on the latest version.
    return int(lance.LanceDataset.commit(base, transaction, detached=True).version)


class Promoter:
    """Commits staged promotions of one corpus.

    Args:
        table: gives a table by name.
        records: the promotion records.
        complete: does what follows the promotion of a stage's partition, if that was left out.
    """

    def __init__(
        self,
        table: Callable[[str], Table],
        records: RecordStore,
        complete: Callable[[str, str], None] = lambda stage_name, partition: None,
    ) -> None:
        self._table = table
        self._records = records
        self._complete = complete

    def live(self, stage_name: str, main: str, partition: str) -> PromotionId | None:
        """The promotion whose rows a reader of the main table sees for a partition.

        The table's own rows are the evidence; only a promotion without rows has to be believed from its record.
        """
        table = self._table(main)
        dataset = table.dataset_or_none()
        if dataset is not None and partition != WHOLE_TABLE:
            with_rows = table.newest_promotions(dataset).get(partition)
            if with_rows is not None:
                return PromotionId(with_rows)
        newest: PromotionRecord | None = None
        for record in self._records.of(stage_name, partition):
            if record.state == "promoted" and (newest is None or landing_order(record) > landing_order(newest)):
                newest = record
        return newest.id if newest else None

    def promote(
        self, record: PromotionRecord, *, reaudit: Callable[[PromotionRecord], None] | None = None
    ) -> PromotionRecord:
        """Make an audited candidate visible: side tables first, the main table last.

        Args:
            record: a staged (or, after a crash, committing) promotion.
            reaudit: rules over the whole table, asked again when the table has moved since the candidate was
                staged; raises to refuse.

        Returns:
            The record in state ``promoted``.

        Raises:
            PromotionConflictError: another run promoted the same partition since this one was staged, or files of the
                candidate are gone.
        """
        main = record.main
        assert main is not None
        if record.state == "staged":
            stored = self._records.load(record.stage, record.partition, record.id)
            if stored is not None and stored.state == "abandoned":  # an erasure has removed its files
                raise PromotionConflictError(
                    f"{record.corpus}/{record.stage}[{record.partition}]: this candidate was given up meanwhile, by an "
                    "erasure. Nothing was changed; run the stage again.",
                    stage=record.stage,
                    partition=record.partition,
                )
            record = self._records.advance(record, "committing")
        barrier.reach("committing")
        try:
            self._refuse_if_files_are_gone(record, main)
            self._refuse_if_superseded(record)
            for side in record.sides:
                self._commit(record, side, add_only=True)
                barrier.reach(f"promoted:{side.table}")
            version = self._commit(record, main, add_only=False, reaudit=reaudit)
        except (PromotionConflictError, DataError) as refusal:
            if (finished := self._finished(record)) is not None:
                return finished  # and what refused this came after it
            # Refused before the commit point: take back the side rows, so that nobody rolls this forward.
            self._drop_own_side_rows(record)
            self._records.advance(record, "rejected" if isinstance(refusal, DataError) else "abandoned")
            raise
        barrier.reach(f"promoted:{main.table}")
        if (finished := self._finished(record)) is not None:
            record = finished
        else:
            promoted_at = self._after_replaced(record)
            record = self._records.advance(record, "promoted", promoted_version=version, promoted_at=promoted_at)
        barrier.reach("recorded")
        self._drop_stale_side_rows(record)
        return record

    def recover(
        self, stage_name: str, partition: str, *, reaudit: Callable[[PromotionRecord], None] | None = None
    ) -> list[PromotionRecord]:
        """Finish the promotions that a killed process had begun to commit, abandon those it had only staged.

        What follows a promotion, such as its index, is done too where it was left out.

        The process may still be alive: whatever is decided here it would decide itself, and both may do it.

        Args:
            stage_name: the stage.
            partition: its partition.
            reaudit: as for :meth:`promote`.

        Returns:
            The promotions rolled forward.
        """
        finished = []
        for record in self._records.of(stage_name, partition):
            if record.state == "committing":
                with contextlib.suppress(PromotionConflictError, DataError):  # promote() has marked it
                    finished.append(self.promote(record, reaudit=reaudit))
                    logger.info("rolled forward promotion %s of %s/%s", record.id, stage_name, partition)
            elif record.state == "staged" and self._records.unmoved_for(record) > ABANDONED_AFTER:
                self._records.advance(record, "abandoned")
        self._complete(stage_name, partition)
        return finished

    def _finished(self, record: PromotionRecord) -> PromotionRecord | None:
        """The record as another process has finished it, or None.

        To write it again would date it anew: it would seem to be live though others have landed since.
        """
        stored = self._records.load(record.stage, record.partition, record.id)
        return stored if stored is not None and stored.state == "promoted" and record.state != "promoted" else None

    def _after_replaced(self, record: PromotionRecord) -> float:
        """Now, or just after the promotion this one replaces if that machine's clock was ahead of ours."""
        before = self._records.load(record.stage, record.partition, record.replaces) if record.replaces else None
        return max(time.time(), ((before.promoted_at or 0.0) if before is not None else 0.0) + 1e-3)

    def _refuse_if_files_are_gone(self, record: PromotionRecord, main: CandidateTable) -> None:
        """Refuse a candidate that is not whole any more: its commit would make a table that cannot be read."""
        lost = self._records.lost_files(record)
        if not lost:
            return
        table = self._table(main.table)
        dataset = table.dataset_or_none()
        if dataset is not None and self._landed(table, dataset, record, main) is not None:
            return  # it is visible already, and upkeep may have merged its files since
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        message = (
            f"{record.corpus}/{record.stage}[{record.partition}]: promotion {record.id} cannot be committed, because "
            f"{lost[0]}{more}. It is abandoned, and nothing was changed; the next run of the stage makes its rows anew."
        )
        logger.warning("%s", message)
        raise PromotionConflictError(message, stage=record.stage, partition=_named(record.partition))

    def _refuse_if_superseded(self, record: PromotionRecord) -> None:
        assert record.main is not None
        current = self.live(record.stage, record.main.table, record.partition)
        if current not in (record.replaces, record.id):
            raise PromotionConflictError(
                f"{record.corpus}/{record.stage}[{record.partition}]: promotion {current} landed while {record.id} was "
                f"being computed (it was to replace {record.replaces}). Nothing was changed; run the stage again.",
                stage=record.stage,
                partition=_named(record.partition),
            )

    def _commit(
        self,
        record: PromotionRecord,
        candidate: CandidateTable,
        *,
        add_only: bool,
        reaudit: Callable[[PromotionRecord], None] | None = None,
    ) -> int:
        """Commit one table of a promotion exactly once, whoever else commits meanwhile."""
        table = self._table(candidate.table)
        seen = candidate.base_version
        for attempt in _COMMITS.attempts_on(is_conflict):
            dataset = table.dataset()
            landed = self._landed(table, dataset, record, candidate)
            if landed is not None:
                return landed
            if not add_only:
                self._refuse_if_superseded(record)
                self._refuse_if_rewritten(table, dataset, record, candidate)
                self._refuse_if_columns_came(table, dataset, candidate)
                if candidate.fragments and widen(table, dataset, candidate.detached_version):
                    dataset = table.dataset()
                if reaudit is not None and dataset.version != seen:
                    reaudit(record)
                    seen = dataset.version
            barrier.reach(f"looked-up:{table.name}")
            gone: list[int] = []
            if not add_only:
                gone = (
                    candidate.removed
                    if candidate.scope == "delta"
                    else [
                        f
                        for f, owner in table.owners(dataset).items()
                        if _replaced(owner, candidate.scope, candidate.partition, candidate.stage)
                    ]
                )
            if add_only and not candidate.fragments:
                return int(dataset.version)
            exclusive = not add_only and (reaudit is not None or candidate.partition == WHOLE_TABLE)
            with attempt:
                return _commit_once(dataset, record.id, candidate, gone, exclusive=exclusive)
        raise LakehouseError(
            f"{table.uri}: {_COMMITS.attempts} commits were refused because other writers kept winning; run the stage "
            "again",
            stage=record.stage,
            table=table.name,
            partition=_named(record.partition),
        )

    @staticmethod
    def _landed(table: Table, dataset: Any, record: PromotionRecord, candidate: CandidateTable) -> int | None:
        """The version at which this promotion is already in the table, or None: the idempotence look-up."""
        in_rows = any(owner.promotion_id == record.id for owner in table.owners(dataset).values())
        if not in_rows and candidate.scope != "delta" and candidate.fragments:
            return None
        # Without rows of its own only the transaction can tell; versions since the base are young enough to be there.
        made = _promotions(table, dataset, candidate.base_version)
        version = next((version for version, by in made if by == record.id), None)
        return int(dataset.version) if version is None and in_rows else version

    def _refuse_if_rewritten(
        self, table: Table, dataset: Any, record: PromotionRecord, candidate: CandidateTable
    ) -> None:
        """Refuse when a rival has landed in a whole-table stage, though its record may not say so yet.

        It may have landed before the candidate's base too: a rival that has not recorded itself is not what the
        candidate says it replaces.
        """
        if candidate.partition != WHOLE_TABLE:
            return
        changed = None
        newest = next((by for _, by in _promotions(table, dataset)), None)
        if newest is not None and newest not in (record.id, record.replaces) and self._is_coming(record, newest):
            changed = f"promotion {newest} landed"
        elif candidate.updated or candidate.removed:
            base = table.dataset_or_none(candidate.base_version)
            if base is None or _touched(base, candidate) != _touched(dataset, candidate):
                changed = "rows were deleted or moved in fragments that it changes"
        if changed is not None:
            raise PromotionConflictError(
                f"{table.uri}: {changed} while {record.id} was being computed. Nothing was changed; run the stage "
                "again.",
                stage=record.stage,
                table=table.name,
            )

    @staticmethod
    def _refuse_if_columns_came(table: Table, dataset: Any, candidate: CandidateTable) -> None:
        """Refuse rows that lack a column which was added after they were staged."""
        if dataset.version != candidate.base_version and any(column_versions(table, dataset, candidate.base_version)):
            raise PromotionConflictError(
                f"{table.uri}: a column was added while rows were being promoted. Nothing was changed; run the stage "
                "again, so that they get it too.",
                table=table.name,
            )

    def _is_coming(self, record: PromotionRecord, promotion_id: str) -> bool:
        """Whether a promotion of the same stage that is in the table is live, or will be when it is recovered."""
        other = self._records.load(record.stage, record.partition, promotion_id)
        if other is None or other.state not in ("committing", "promoted"):
            return False
        replaced = self._records.load(record.stage, record.partition, record.replaces) if record.replaces else None
        # One that the replaced promotion had replaced is seen again where the table has lost its newest versions.
        return other.state == "committing" or replaced is None or landing_order(other) > landing_order(replaced)

    def _drop_stale_side_rows(self, record: PromotionRecord) -> None:
        """Remove side rows of earlier promotions of this partition; until then readers already ignore them."""
        for side in record.sides:
            self._remove_side_fragments(
                self._table(side.table),
                lambda owner, side=side: (  # type: ignore[misc]
                    _replaced(owner, "partition", side.partition, side.stage) and self._is_over(owner, record)
                ),
            )
        barrier.reach("tidied")

    def _is_over(self, owner: Owner, record: PromotionRecord) -> bool:
        """Whether a promotion of the same partition can never be live (again); the next one may be on its way."""
        assert record.main is not None
        if owner.promotion_id == record.id:
            return False
        other = self._records.load(record.stage, record.partition, owner.promotion_id)
        if other is None or other.state in ("staged", "committing"):
            return False
        return owner.promotion_id != self.live(record.stage, record.main.table, record.partition)

    def _drop_own_side_rows(self, record: PromotionRecord) -> None:
        for side in record.sides:
            table = self._table(side.table)
            table.note_owner(side.fragments, Owner(side.partition, side.stage, record.id))
            self._remove_side_fragments(table, lambda owner: owner.promotion_id == record.id)

    @staticmethod
    def _remove_side_fragments(table: Table, stale: Callable[[Owner], bool]) -> None:
        import lance

        for attempt in _REMOVALS.attempts_on(is_conflict):
            dataset = table.dataset()
            gone = [f for f, owner in table.owners(dataset).items() if stale(owner)]
            if not gone:
                return
            operation = lance.LanceOperation.Update(
                removed_fragment_ids=gone, updated_fragments=[], new_fragments=[], fields_modified=[]
            )
            with attempt:
                lance.LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
                return


def _named(partition: str) -> str | None:
    return None if partition == WHOLE_TABLE else partition


def _promotions(table: Table, dataset: Any, since: int = 0) -> Iterator[tuple[int, str]]:
    """Versions after ``since`` made by promotions, newest first, with the promotion's id; none before a removed one."""
    for version in range(int(dataset.version), since, -1):
        transaction = table.transaction(dataset, version)
        if transaction is None:
            return
        promotion = (transaction.transaction_properties or {}).get(_PROPERTY)
        if promotion:
            yield version, promotion


def _touched(dataset: Any, candidate: CandidateTable) -> dict[int, tuple[list[str], int]]:
    """Files and rows, at a version, of the fragments that a delta removes rows from."""
    ids = {fragment["id"] for fragment in candidate.updated} | set(candidate.removed)
    return {
        f.fragment_id: ([file.path for file in f.data_files()], f.count_rows())
        for f in dataset.get_fragments()
        if f.fragment_id in ids
    }


def _commit_once(
    dataset: Any, promotion_id: str, candidate: CandidateTable, gone: list[int], *, exclusive: bool
) -> int:
    import lance

    fragments = fragment_metadata(candidate.fragments)
    operation: Any
    if gone or candidate.updated:
        # Refuses a racing replace of the same fragments and rebases over commits to others. Built anew each time: a
        # re-read Update carries another update mode and hides rows from indexed queries.
        updated = fragment_metadata(candidate.updated)
        if exclusive:
            # Naming every fragment as updated makes any other change of the table a conflict.
            touched = {*gone, *(fragment.id for fragment in updated)}
            updated += [f.metadata for f in dataset.get_fragments() if f.fragment_id not in touched]
        operation = lance.LanceOperation.Update(
            removed_fragment_ids=gone,
            updated_fragments=updated,
            new_fragments=fragments,
            fields_modified=[],
        )
    else:
        # Nothing to remove, so nothing for Lance to see a conflict on: Append and Update would accept a stale base
        # and load the partition twice. Merge with every existing fragment listed is a true compare-and-set.
        first = next_fragment_id(dataset)
        for offset, fragment in enumerate(fragments):
            fragment.id = first + offset
        existing = [fragment.metadata for fragment in dataset.get_fragments()]
        operation = lance.LanceOperation.Merge([*existing, *fragments], dataset.lance_schema)
    transaction = lance.Transaction(
        read_version=dataset.version, operation=operation, transaction_properties={_PROPERTY: promotion_id}
    )
    return int(lance.LanceDataset.commit(dataset, transaction, max_retries=0).version)
