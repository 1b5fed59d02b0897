"""The lakehouse of a root: corpora, their tables, what is live in them, releases and gate history."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from winnowry.core.tables import GATES, QUARANTINE
from winnowry.lakehouse.promotion import Promoter, is_conflict
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, RecordStore
from winnowry.lakehouse.table import Owner, Table, fragment_metadata
from winnowry.lakehouse.view import TableView
from winnowry.storage.objects import ObjectStore

MAIN_TABLE: Mapping[str, str] = {
    "landing": "landing",
    "raw": "raw",
    "cleaned": "cleaned",
    "duplicates": "duplicates",
    "scored": "scored",
    "sampled": "sampled",
    "published": "published",
}
"""The table whose commit is the commit point of a stage."""

PARTITIONED = frozenset({"raw", "cleaned", "scored"})
"""Stages that run once a partition; the others run once a corpus."""

SIDE_TABLES = frozenset({"quarantine"})

_INDEX_ATTEMPTS = 20


class Lakehouse:
    """Tables and promotion records below a root.

    Args:
        store: object store of the root.
        storage_options: what Lance needs to reach the same place.
    """

    def __init__(self, store: ObjectStore, storage_options: Mapping[str, str]) -> None:
        self.store = store
        self._options = dict(storage_options)

    def corpus_uri(self, corpus: str) -> str:
        """Folder of a corpus."""
        return f"{self.store.root.rstrip('/')}/{corpus}"

    def table(self, corpus: str, name: str) -> Table:
        """Handle on a table, which may not exist yet."""
        return Table(f"{self.corpus_uri(corpus)}/{name}.lance", name, self._options)

    def records(self, corpus: str) -> RecordStore:
        """Promotion records of a corpus."""
        return RecordStore(self.store, self.corpus_uri(corpus))

    def promoter(self, corpus: str) -> Promoter:
        """Promotion primitive of a corpus."""
        return Promoter(lambda name: self.table(corpus, name), self.records(corpus))

    def corpora(self) -> list[str]:
        """Corpora that have at least one promotion record."""
        base = self.store.root.rstrip("/") + "/"
        found = set()
        for info in self.store.list(f"{base}*/promotions/*/*/*.json"):
            found.add(info.uri.rsplit("/promotions/", 1)[0].rsplit("/", 1)[1])
        return sorted(found)

    def tables(self, corpus: str) -> list[str]:
        """Names of the corpus's tables that exist."""
        candidates = [*MAIN_TABLE.values(), "quarantine", "gates"]
        return [name for name in candidates if self.table(corpus, name).dataset_or_none() is not None]

    def open(self, corpus: str, name: str, version: int | str | None = None) -> TableView:
        """A table as readers may see it: the latest audited version, or one they name by number or tag.

        Side rows whose promotion never committed are left out.

        Raises:
            NotFoundError: no such table or version.
        """
        table = self.table(corpus, name)
        dataset = table.dataset(version)
        seen = int(dataset.version)
        if name in SIDE_TABLES and version is None:
            hidden = self._uncommitted(corpus, table, dataset)
            if hidden:
                seen = _without(dataset, hidden)
        return TableView(table.uri, seen, self._options, name)

    def _uncommitted(self, corpus: str, table: Table, dataset: Any) -> list[int]:
        live = self.live_promotions(corpus)
        return [fragment for fragment, owner in table.owners(dataset).items() if not _is_live(owner, live)]

    def live_promotions(self, corpus: str) -> dict[tuple[str, str], str]:
        """The live promotion of every (stage, partition), from the tables' rows and, for empty ones, the records."""
        live: dict[tuple[str, str], str] = {}
        promoted: dict[tuple[str, str], PromotionRecord] = {}
        for record in self.records(corpus).all():
            key = (record.stage, record.partition)
            if record.state == "promoted" and (
                key not in promoted or (record.promoted_at or 0) > (promoted[key].promoted_at or 0)
            ):
                promoted[key] = record
        live.update({key: record.id for key, record in promoted.items()})
        for stage in PARTITIONED:
            table = self.table(corpus, MAIN_TABLE[stage])
            dataset = table.dataset_or_none()
            for owner in table.owners(dataset).values() if dataset is not None else ():
                key = (stage, owner.partition)
                live[key] = max(owner.promotion_id, live.get(key, ""))
        return live

    def live_record(self, corpus: str, stage: str, partition: str = WHOLE_TABLE) -> PromotionRecord | None:
        """Record of the live promotion of a stage's partition, or None when nothing was promoted."""
        found = self.promoter(corpus).live(stage, MAIN_TABLE.get(stage, stage), partition)
        return self.records(corpus).load(stage, partition, found) if found else None

    def partition_view(self, corpus: str, name: str, partition: str, stage: str = "") -> TableView:
        """Only the fragments of one partition (and, in a side table, of one stage): nothing else is read."""
        table = self.table(corpus, name)
        dataset = table.dataset()
        live = self.live_promotions(corpus) if name in SIDE_TABLES else {}

        def other(owner: Owner) -> bool:
            if owner.partition != partition or (stage and owner.stage != stage):
                return True
            return bool(live) and not _is_live(owner, live)

        hidden = [f for f, owner in table.owners(dataset).items() if other(owner)]
        version = _without(dataset, hidden) if hidden else int(dataset.version)
        return TableView(table.uri, version, self._options, name, partition)

    def candidate_view(self, corpus: str, name: str, version: int, partition: str) -> TableView:
        """A detached version of a table, as staged."""
        return TableView(self.table(corpus, name).uri, version, self._options, name, partition)

    def partition_fragments(self, corpus: str, name: str, partition: str) -> list[int]:
        """Ids of the fragments of one partition: the units of work of a stage that reads it."""
        table = self.table(corpus, name)
        dataset = table.dataset()
        return [f for f, owner in table.owners(dataset).items() if owner.partition == partition]

    def partitions(self, corpus: str, name: str) -> list[str]:
        """Partitions with rows in a table, sorted."""
        table = self.table(corpus, name)
        dataset = table.dataset_or_none()
        return sorted({o.partition for o in table.owners(dataset).values()}) if dataset is not None else []

    def append_gates(self, corpus: str, rows: pa.Table) -> None:
        """Add gate results to the history; results of refused promotions are part of it."""
        import lance

        table = self.table(corpus, "gates")
        table.create(GATES)
        lance.write_dataset(rows.cast(GATES), table.uri, mode="append", storage_options=self._options or None)

    def ensure_index(self, corpus: str, name: str, column: str = "record_id") -> None:
        """Give a column its BTREE, and bring an existing one up to date with new fragments."""
        table = self.table(corpus, name)
        for attempt in range(_INDEX_ATTEMPTS):
            dataset = table.dataset()
            if dataset.count_rows() == 0:
                return
            try:
                if any(column in index.field_names for index in dataset.describe_indices()):
                    dataset.optimize.optimize_indices()
                else:
                    dataset.create_scalar_index(column, "BTREE")
                return
            except OSError as error:  # of two partitions that land at once the second indexes both
                if not is_conflict(error) or attempt == _INDEX_ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * (attempt + 1) * random.random())

    def tags(self, corpus: str, name: str = "published") -> dict[str, int]:
        """Tags of a table with their versions."""
        dataset = self.table(corpus, name).dataset_or_none()
        if dataset is None:
            return {}
        return {tag: int(entry["version"]) for tag, entry in dataset.tags.list().items()}

    def tag(self, corpus: str, name: str, tag: str, version: int) -> None:
        """Create or move a tag."""
        tags = self.table(corpus, name).dataset().tags
        present = tags.list()
        if tag not in present:
            tags.create(tag, version)
        elif int(present[tag]["version"]) != version:
            tags.update(tag, version)

    def delete_rows(self, corpus: str, name: str, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[int]]:
        """Plan the deletion of rows by record id without committing it.

        Returns:
            Fragments as they will be (JSON), and ids of the fragments that lose every row.
        """
        dataset = self.table(corpus, name).dataset()
        updated: dict[int, Any] = {}
        removed: list[int] = []
        wanted = set(ids)
        for fragment in dataset.get_fragments():
            held = [
                value
                for batch in fragment.scanner(columns=["record_id"]).to_batches()
                for value in batch.column(0).to_pylist()
                if value in wanted
            ]
            if not held:
                continue
            listed = ", ".join(f"'{value}'" for value in held)
            changed = fragment.delete(f"record_id IN ({listed})")
            if changed is None:
                removed.append(fragment.fragment_id)
            else:
                updated[fragment.fragment_id] = changed
        return [metadata.to_json() for metadata in updated.values()], removed

    def quarantine(self, corpus: str) -> Table:
        """The quarantine table, created when it is not there."""
        table = self.table(corpus, "quarantine")
        table.create(QUARANTINE)
        return table


def _is_live(owner: Owner, live: Mapping[tuple[str, str], str]) -> bool:
    """Whether side rows belong to a live promotion; those without a partition belong to the landing's."""
    return owner.promotion_id in (live.get((owner.stage, owner.partition)), live.get(("landing", WHOLE_TABLE)))


def _without(dataset: Any, hidden: list[int]) -> int:
    """A detached version of a dataset that lacks some fragments: metadata only, seen by nobody who does not ask."""
    import lance

    operation = lance.LanceOperation.Update(
        removed_fragment_ids=hidden, updated_fragments=[], new_fragments=[], fields_modified=[]
    )
    transaction = lance.Transaction(read_version=dataset.version, operation=operation)
    return int(lance.LanceDataset.commit(dataset, transaction, detached=True).version)


def batches_of(view: TableView, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of a view."""
    yield from view.scan(columns=list(columns) if columns is not None else None)


__all__ = ["MAIN_TABLE", "PARTITIONED", "Lakehouse", "batches_of", "fragment_metadata"]
