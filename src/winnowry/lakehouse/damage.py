"""Tables that hold less than their promotion records promise: commits are lost, and what is there is not the truth.

A record says ``promoted`` only after its commit. So a table may be ahead of its records, by a promotion that has not
noted itself yet, and never behind them. One that shows an older promotion, fewer rows or fewer versions than the newest
promoted record says is *damaged*: a power cut took its newest manifests, or an older copy was put in its place. Nothing
is read beside the manifest: a fragment says how many rows it holds, and how many of them are deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from winnowry.core.retry import Retry
from winnowry.lakehouse.record import CandidateTable, PromotionRecord, RecordStore, landing_order
from winnowry.lakehouse.table import Owner, Table, is_conflict
from winnowry.storage.objects import ObjectStore

Counts = Mapping[Owner, int]

DETACHED = 1 << 63
"""Version numbers from here on are those of detached versions."""

_DETACHED_PREFIX = "d"
_STANDS_FOR_LOST = "winnowry.lost"
_RESERVING = Retry(attempts=50, first_wait_s=0.005, longest_wait_s=0.64)

_counted: WeakKeyDictionary[Any, Counts] = WeakKeyDictionary()


@dataclass(frozen=True)
class Promises:
    """What promotion records promise of the tables of one corpus.

    Args:
        table: gives a table by name.
        records: the promotion records.
    """

    table: Callable[[str], Table]
    records: RecordStore

    def broken(self, stage: str, partition: str, live: PromotionRecord | None) -> list[str]:
        """What the tables lack of the newest promotion of a stage's partition, in words; empty when nothing.

        Args:
            stage: the stage.
            partition: its partition, or ``__all__``.
            live: the promotion that readers see now, as the rows of the table say.
        """
        newest = self._newest(stage, partition, live)
        if newest is None or newest.main is None:
            return []
        if live is not None and newest.id != live.id:
            shown = f"{newest.main.table} shows promotion {live.id}, and {newest.id} was promoted after it"
            return [f"damaged: {shown}: the table has lost its newest versions"]
        lost = (self._lost(newest, newest.main, main=True), *(self._lost(newest, side) for side in newest.sides))
        return [reason for reason in lost if reason]

    def _newest(self, stage: str, partition: str, live: PromotionRecord | None) -> PromotionRecord | None:
        """The newest promoted record, or the live one while that is still on its way to being recorded."""
        if live is None or live.state != "promoted":
            return None
        newest = live
        for record in self.records.after(stage, partition, live.id):
            if record.state == "promoted" and landing_order(record) > landing_order(newest):
                newest = record
        return newest

    def _lost(self, record: PromotionRecord, candidate: CandidateTable, *, main: bool = False) -> str | None:
        promised = record.ledger.get("rows_out", 0) if candidate.scope == "delta" else candidate.rows
        table = self.table(candidate.table)
        dataset = table.dataset_or_none()
        where = (
            f"{candidate.table}[{candidate.partition}] " if candidate.scope == "partition" else f"{candidate.table} "
        )
        if dataset is None:
            return f"damaged: the table {candidate.table} is gone" if main or promised else None
        held = rows_held(table, dataset)
        if candidate.scope == "delta":
            present = sum(held.values())
            if record.promoted_version is not None and int(dataset.version) < record.promoted_version:
                return (
                    f"damaged: {candidate.table} is at version {int(dataset.version)}, and promotion {record.id} made "
                    f"version {record.promoted_version}: the table has lost its newest versions"
                )
        else:
            present = sum(rows for owner, rows in held.items() if owner.promotion_id == record.id)
        others = {owner.promotion_id for owner in held} - {record.id} if candidate.scope == "table" else set()
        if others and self._is_newer(record, others):
            return None
        if others:
            return (
                f"damaged: {candidate.table} shows rows of an older promotion than {record.id}, which replaced it: the "
                "table has lost its newest versions"
            )
        if present >= promised:
            return None
        return f"damaged: {where} holds {present:,} of the {promised:,} rows that promotion {record.id} wrote"

    def _is_newer(self, record: PromotionRecord, others: set[str]) -> bool:
        """Whether one of some promotions has landed after a record's; it may not have noted itself yet."""
        records = [self.records.load(record.stage, record.partition, other) for other in sorted(others)]
        return any(
            other is not None and (other.state == "committing" or landing_order(other) > landing_order(record))
            for other in records
        )


def rows_held(table: Table, dataset: Any) -> Counts:
    """Rows that a version of a table holds, by who wrote them; from its manifest alone."""
    known = _counted.get(dataset)
    if known is None:
        owners = table.owners(dataset)
        counts: Counter[Owner] = Counter()
        for fragment in dataset.get_fragments():
            counts[owners[fragment.fragment_id]] += fragment.physical_rows - fragment.num_deletions
        _counted[dataset] = known = counts
    return known


def table_versions(table: Table, store: ObjectStore) -> set[int]:
    """Numbers of the versions that a table has a manifest of, detached ones included; one listing."""
    numbers = (version_of(info.uri) for info in store.list(f"{table.uri}/_versions/*.manifest"))
    return {number for number in numbers if number is not None}


def version_of(name: str) -> int | None:
    """Number of the version that a manifest holds, by its path; None where the path is not one of a manifest."""
    folder, _, file = name.rpartition("/")
    stem = file.removesuffix(".manifest")
    if folder.rpartition("/")[2] != "_versions" or stem == file:
        return None
    if stem.startswith(_DETACHED_PREFIX) and stem[1:].isdigit():
        return int(stem[1:])
    if not stem.isdigit():
        return None
    # Newer tables count down, so that a listing begins with the newest.
    return int(stem) if int(stem) < DETACHED else (1 << 64) - 1 - int(stem)


def is_complete(table: Table, store: ObjectStore, version: int) -> bool:
    """Whether every data file of a version is there."""
    dataset = table.dataset_or_none(version)
    return dataset is not None and all(
        store.exists(f"{table.uri}/data/{file.path}")
        for fragment in dataset.get_fragments()
        for file in fragment.data_files()
    )


def go_on_after(table: Table, version: int) -> None:
    """Commit nothing, so often that the next commit makes a version after a given one."""
    import lance

    for attempt in _RESERVING.attempts_on(is_conflict, raise_last=True):
        with attempt:
            dataset = table.dataset()
            while int(dataset.version) < version:
                nothing = lance.Transaction(
                    read_version=dataset.version,
                    operation=lance.LanceOperation.Append([]),
                    transaction_properties={_STANDS_FOR_LOST: "true"},
                )
                dataset = lance.LanceDataset.commit(dataset, nothing, max_retries=0)
            return


def stands_for_lost(table: Table, dataset: Any, version: int) -> bool:
    """Whether a version was only made so that the number of a lost one is not used again."""
    transaction = table.transaction(dataset, version)
    return transaction is not None and _STANDS_FOR_LOST in (transaction.transaction_properties or {})
