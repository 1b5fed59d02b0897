"""The lakehouse of a root: corpora, their tables, what is live in them, releases and gate history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import LakehouseError, NotFoundError
from winnowry.core.retry import Retry
from winnowry.core.sql import in_list, lance_identifier
from winnowry.core.tables import GATES, JUDGEMENTS, QUARANTINE
from winnowry.lakehouse.damage import DETACHED, Promises, go_on_after, is_complete, stands_for_lost, table_versions
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.promotion import Promoter
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, RecordStore, landing_order
from winnowry.lakehouse.seal import SealStore
from winnowry.lakehouse.table import Owner, Table, is_conflict
from winnowry.lakehouse.view import TableView
from winnowry.storage.objects import ObjectStore

SIDE_TABLES = frozenset({"quarantine"})

INDEXED = frozenset({"raw"})
"""Tables whose promotions are followed by an index on record ids; ``published`` gets its index with each release."""

OLD_GATES_TIME = "at"
"""What ``gates.judged_at`` was called before 0.2: a reserved word in DuckDB."""

_INDEXING = Retry(attempts=20, first_wait_s=0.05, longest_wait_s=1.0, growth="linear")
_LOOKS = 20  # at a side table and at what is live, until they fit together


class Lakehouse:
    """Tables and promotion records below a root.

    Args:
        store: object store of the root.
        storage_options: what Lance needs to reach the same place.
    """

    def __init__(self, store: ObjectStore, storage_options: Mapping[str, str]) -> None:
        self.store = store
        self._options = storage_options  # not copied: keys of a profile are looked up when they are read

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What Lance needs to reach the root; never printed."""
        return self._options

    def corpus_uri(self, corpus: str) -> str:
        """Folder of a corpus."""
        return f"{self.store.root.rstrip('/')}/{corpus}"

    def table(self, corpus: str, name: str) -> Table:
        """Handle on a table, which may not exist yet."""
        return Table(f"{self.corpus_uri(corpus)}/{name}.lance", name, self._options)

    def records(self, corpus: str) -> RecordStore:
        """Promotion records of a corpus."""
        return RecordStore(self.store, self.corpus_uri(corpus))

    def seals(self, corpus: str) -> SealStore:
        """Seals of files of a corpus that no promotion wrote."""
        return SealStore(self.store, self.corpus_uri(corpus))

    def promoter(self, corpus: str) -> Promoter:
        """Promotion primitive of a corpus."""
        return Promoter(
            lambda name: self.table(corpus, name),
            self.records(corpus),
            lambda stage, partition: self.complete_index(corpus, stage, partition),
        )

    def corpora(self) -> list[str]:
        """Corpora that have at least one promotion record."""
        base = self.store.root.rstrip("/") + "/"
        names = set()
        for info in self.store.list(f"{base}*/promotions/*/*/*.json"):
            names.add(info.uri.rsplit("/promotions/", 1)[0].rsplit("/", 1)[1])
        return sorted(names)

    def check_corpus(self, corpus: str) -> None:
        """Refuse a corpus that is not there.

        Raises:
            NotFoundError: no such corpus, with the nearest name.
        """
        known = self.corpora()
        if corpus not in known:
            near = get_close_matches(corpus, known, n=1)
            hint = f"; did you mean {near[0]}? There are" if near else "; there are"
            raise NotFoundError(f"no corpus {corpus!r}{hint}: {', '.join(known) or 'none yet'}")

    def check_table(self, corpus: str, name: str) -> None:
        """Refuse a table that is not there.

        Raises:
            NotFoundError: no such corpus or table, with the nearest name.
        """
        if self.table(corpus, name).dataset_or_none() is not None:
            return
        self.check_corpus(corpus)
        names = self.tables(corpus)
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}? It has" if near else "; it has"
        raise NotFoundError(f"{corpus} has no table {name!r}{hint} {', '.join(names) or 'none yet'}", table=name)

    def tables(self, corpus: str) -> list[str]:
        """Names of the corpus's tables, sorted; those of stages that have promoted nothing are among them."""
        return [name for name in self.table_folders(corpus) if self.table(corpus, name).dataset_or_none() is not None]

    def table_folders(self, corpus: str) -> list[str]:
        """Names of the corpus's tables, whether they can be opened or not, sorted."""
        folders = self.store.folders(self.corpus_uri(corpus))
        return [name.removesuffix(".lance") for name in folders if name.endswith(".lance")]

    def open(self, corpus: str, name: str, version: int | str | None = None) -> TableView:
        """A table as readers may see it: the latest audited version, or one they name by number or tag.

        Side rows whose promotion never committed are left out.

        Raises:
            NotFoundError: no such table or version.
        """
        if name in SIDE_TABLES and version is None:
            return self._side_view(corpus, name, lambda _: True)
        table = self.table(corpus, name)
        dataset = table.dataset(version)
        return TableView(table.uri, int(dataset.version), self._options, name).opened(dataset)

    def open_without(self, corpus: str, name: str, partitions: Set[str]) -> TableView:
        """A table as readers see it, but for the rows of some partitions."""
        if not partitions or name in SIDE_TABLES:
            return self.open(corpus, name)
        table = self.table(corpus, name)
        dataset = table.dataset()
        seen = [fragment for fragment, owner in table.owners(dataset).items() if owner.partition not in partitions]
        return self._restricted(table, dataset, seen)

    def _side_view(
        self, corpus: str, name: str, wanted: Callable[[Owner], bool], partition: str | None = None
    ) -> TableView:
        """The wanted rows of a side table that belong to live promotions.

        A promotion that lands while this looks brings its rows before and takes those it replaced away after, so
        that they may be missing in a version read before or after asking what is live, but not in both.
        """
        table = self.table(corpus, name)
        for _ in range(_LOOKS):
            before = table.dataset()
            live = set(self.live_promotions(corpus).values())
            after = table.dataset()
            old = [f for f, owner in table.owners(before).items() if wanted(owner) and _is_live(owner, live)]
            new = [f for f, owner in table.owners(after).items() if wanted(owner) and _is_live(owner, live)]
            if set(old) <= set(new):
                return self._restricted(table, after, new, partition)
            if set(new) <= set(old):
                return self._restricted(table, before, old, partition)
        raise LakehouseError(
            f"{table.uri}: promotions landed during each of {_LOOKS} looks at what is live; read again when fewer run"
        )

    def _restricted(
        self, table: Table, dataset: Any, fragments: Sequence[int], partition: str | None = None
    ) -> TableView:
        seen = None if len(fragments) == len(dataset.get_fragments()) else tuple(fragments)
        return TableView(table.uri, int(dataset.version), self._options, table.name, partition, seen).opened(dataset)

    def live_promotions(self, corpus: str) -> dict[tuple[str, str], str]:
        """The live promotion of every (stage, partition), from the tables' rows and, for empty ones, the records."""
        live: dict[tuple[str, str], str] = {}
        promoted: dict[tuple[str, str], PromotionRecord] = {}
        partitioned = set()
        for record in self.records(corpus).all():
            key = (record.stage, record.partition)
            if record.partition != WHOLE_TABLE:
                partitioned.add(record.stage)
            if record.state == "promoted" and (
                key not in promoted or (record.promoted_at or 0) > (promoted[key].promoted_at or 0)
            ):
                promoted[key] = record
        live.update({key: record.id for key, record in promoted.items()})
        for stage in sorted(partitioned):
            table = self.table(corpus, stage)
            dataset = table.dataset_or_none()
            for owner in table.owners(dataset).values() if dataset is not None else ():
                key = (stage, owner.partition)
                live[key] = max(owner.promotion_id, live.get(key, ""))
        return live

    def live_record(self, corpus: str, stage: str, partition: str = WHOLE_TABLE) -> PromotionRecord | None:
        """Record of the live promotion of a stage's partition, or None when nothing was promoted."""
        promotion_id = self.promoter(corpus).live(stage, stage, partition)
        return self.records(corpus).load(stage, partition, promotion_id) if promotion_id else None

    def broken_promises(self, corpus: str, stage: str, partition: str, live: PromotionRecord | None) -> list[str]:
        """What the tables lack of what the newest promotion of a stage's partition wrote, in words."""
        promises = Promises(lambda name: self.table(corpus, name), self.records(corpus))
        return promises.broken(stage, partition, live)

    def lost_tags(self, corpus: str, name: str = "published") -> list[str]:
        """Tags of a table that are gone, or whose version is not there any more, in words."""
        lost = [f"{tag} (version {n})" for tag, n in sorted(self.tags_of_lost_versions(corpus, name).items())]
        reasons = (
            [f"lost: {', '.join(lost)} of {name}: the table no longer has it; winnowry verify says what is left"]
            if lost
            else []
        )
        if gone := self.missing_tags(corpus, name):
            reasons.append(f"lost: {name} has no tag {', '.join(gone)}; winnowry run makes it again")
        return reasons

    def tags_of_lost_versions(self, corpus: str, name: str = "published") -> dict[str, int]:
        """Tags of a table whose version is not there any more."""
        there = table_versions(self.table(corpus, name), self.store)
        return {tag: version for tag, version in self.tags(corpus, name).items() if version not in there}

    def missing_tags(self, corpus: str, name: str = "published") -> list[str]:
        """Tags that promoted releases have to have and that are not there, numbers first."""
        tags = self.tags(corpus, name)
        table = self.table(corpus, name)
        promoted = [
            record
            for record in self.records(corpus).of(name, WHOLE_TABLE)
            if record.state == "promoted" and record.promoted_version is not None and "release" in record.facts
        ]
        missing = [
            f"v{record.facts['release']}"
            for record in sorted(promoted, key=landing_order)
            if f"v{record.facts['release']}" not in tags and self._is_there(table, record.promoted_version or 0)
        ]
        followed = [record.lineage.get("spec", {}).get("publish", {}).get("tag") for record in promoted[-1:]]
        return missing + [tag for tag in followed if tag and tag not in tags and (tags or missing)]

    @staticmethod
    def _is_there(table: Table, version: int) -> bool:
        """Whether a version is there, and is not one that was only made in place of a lost one."""
        return table.dataset_or_none(version) is not None and not stands_for_lost(table, table.dataset(), version)

    def keep_tags_of_lost_versions(self, corpus: str, name: str, schema: pa.Schema) -> None:
        """Before a table that lost its newest versions is written again: no tag may come to mean what is written next.

        A release goes on as the version that its gates judged, which lies beside the others; where that is gone too
        its tag is removed. The table goes on after the last version that anything named.
        """
        table = self.table(corpus, name)
        table.create(schema)
        dataset = table.dataset()
        records = [record for record in self.records(corpus).of_stage(name) if record.state == "promoted"]
        staged = {f"v{r.facts['release']}": r.main.detached_version for r in records if r.main and "release" in r.facts}
        there, tags = table_versions(table, self.store), self.tags(corpus, name)
        for tag, version in tags.items():
            if version in there:
                continue
            of_release = next((r for r, number in tags.items() if number == version and r in staged), None)
            judged = staged[of_release] if of_release is not None else None
            if judged is not None and judged in there and is_complete(table, self.store, judged):
                dataset.tags.update(tag, judged)
            else:
                dataset.tags.delete(tag)
        named = [*tags.values(), *(record.promoted_version or 0 for record in records)]
        go_on_after(table, max((version for version in named if version < DETACHED), default=0))
        table.settle()

    def partition_view(self, corpus: str, name: str, partition: str, stage: str = "") -> TableView:
        """Only the fragments of one partition (and, in a side table, of one stage): nothing else is read."""

        def wanted(owner: Owner) -> bool:
            return owner.partition == partition and stage in ("", owner.stage)

        if name in SIDE_TABLES:
            return self._side_view(corpus, name, wanted, partition)
        table = self.table(corpus, name)
        dataset = table.dataset()
        seen = [fragment for fragment, owner in table.owners(dataset).items() if wanted(owner)]
        return self._restricted(table, dataset, seen, partition)

    def refused(self, corpus: str) -> list[PromotionRecord]:
        """Candidates that a gate refused and that no newer candidate of their partition has replaced, oldest first.

        Those of versions that did not note why are left out.
        """
        newest: dict[tuple[str, str], PromotionRecord] = {}
        for record in self.records(corpus).all():
            key = (record.stage, record.partition)
            if record.state in ("promoted", "rejected") and (
                key not in newest or _staged_order(record) > _staged_order(newest[key])
            ):
                newest[key] = record
        return sorted((r for r in newest.values() if r.state == "rejected" and r.refusal), key=_staged_order)

    def refused_view(self, corpus: str, record: PromotionRecord, name: str) -> TableView | None:
        """The rows that a refused candidate was to bring into a table; None where it has none, or upkeep removed them.

        Args:
            corpus: the corpus.
            record: the refused candidate.
            name: its main table, or a side table.
        """
        for candidate in record.tables():
            if candidate.table == name and candidate.rows and candidate.scope != "delta":
                table = self.table(corpus, name)
                if table.dataset_or_none(candidate.audit_version) is not None:
                    return self.candidate_view(corpus, name, candidate.audit_version, record.partition)
        return None

    def candidate_view(self, corpus: str, name: str, version: int, partition: str) -> TableView:
        """A detached version of a table, as staged."""
        return TableView(self.table(corpus, name).uri, version, self._options, name, partition)

    def partitions(self, corpus: str, name: str) -> list[str]:
        """Partitions with rows in a table, sorted."""
        table = self.table(corpus, name)
        dataset = table.dataset_or_none()
        return sorted({o.partition for o in table.owners(dataset).values()}) if dataset is not None else []

    def append_gates(self, corpus: str, rows: pa.Table) -> None:
        """Add gate results to the history; results of refused promotions are part of it."""
        self.table(corpus, "gates").rename_column(OLD_GATES_TIME, "judged_at")
        self._append(corpus, "gates", rows.cast(GATES))

    def append_judgements(self, corpus: str, rows: pa.Table) -> None:
        """Add judgements; when this returns they outlast a power cut."""
        self._append(corpus, "judgements", rows.cast(JUDGEMENTS))

    def _append(self, corpus: str, name: str, rows: pa.Table) -> None:
        """Add rows to a table that is no stage's."""
        import lance

        table = self.table(corpus, name)
        table.create(rows.schema)
        options = dict(self._options) or None
        lance.write_dataset(rows, lance_uri(table.uri), mode="append", storage_options=options)
        table.settle()

    def ensure_index(self, corpus: str, name: str, column: str = "record_id") -> None:
        """Give a column its BTREE, and bring an existing one up to date with new fragments."""
        table = self.table(corpus, name)
        for attempt in _INDEXING.attempts_on(is_conflict, raise_last=True):
            dataset = table.dataset()
            if dataset.count_rows() == 0:
                return
            with attempt:  # of two partitions that land at once the second indexes both
                if any(column in index.field_names for index in dataset.describe_indices()):
                    dataset.optimize.optimize_indices()
                else:
                    dataset.create_scalar_index(column, "BTREE")
                break
        self.seals(corpus).seal_indexes(table, f"index of {column}")

    def rebuild_indexes(self, corpus: str, name: str) -> list[str]:
        """Build every index of a table anew in the place of the present one; returns their columns."""
        table = self.table(corpus, name)
        for attempt in _INDEXING.attempts_on(is_conflict, raise_last=True):
            dataset = table.dataset()
            columns = sorted({column for index in dataset.describe_indices() for column in index.field_names})
            with attempt:
                for column in columns:
                    dataset.create_scalar_index(column, "BTREE", replace=True)
                self.seals(corpus).seal_indexes(table, f"index of {', '.join(columns)}, built anew")
                return columns
        return []

    def drop_fragments(self, corpus: str, name: str, files: Set[str]) -> None:
        """Take fragments out of a table whose data files are damaged; their rows have to be made again."""
        import lance

        table = self.table(corpus, name)
        for attempt in _INDEXING.attempts_on(is_conflict, raise_last=True):
            dataset = table.dataset()
            gone = [f.fragment_id for f in dataset.get_fragments() if files & {file.path for file in f.data_files()}]
            if not gone:
                return
            operation = lance.LanceOperation.Update(
                removed_fragment_ids=gone, updated_fragments=[], new_fragments=[], fields_modified=[]
            )
            with attempt:
                lance.LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
                return

    def complete_index(self, corpus: str, stage: str, partition: str) -> None:
        """Index the rows of a stage's partition where a process died between promoting and indexing them."""
        if stage not in INDEXED:
            return
        table = self.table(corpus, stage)
        dataset = table.dataset_or_none()
        if dataset is None:
            return
        indexed = {
            fragment
            for index in dataset.describe_indices()
            if "record_id" in index.field_names
            for segment in index.segments
            for fragment in segment.fragment_ids
        }
        if any(o.partition == partition and f not in indexed for f, o in table.owners(dataset).items()):
            self.ensure_index(corpus, table.name)

    def drop_empty_columns(self, corpus: str, name: str, columns: Iterable[str]) -> list[str]:
        """Drop those of some columns that the table has and that hold no value; older versions keep them.

        Returns:
            The columns that were dropped.
        """
        table = self.table(corpus, name)
        for attempt in _INDEXING.attempts_on(is_conflict, raise_last=True):
            dataset = table.dataset()
            present = [column for column in columns if column in dataset.schema.names]
            empty = [column for column in present if dataset.count_rows(f"{lance_identifier(column)} IS NOT NULL") == 0]
            if not empty:
                return []
            with attempt:
                dataset.drop_columns(empty)
                return empty
        return []

    def same_rows(self, corpus: str, name: str, version: int) -> int:
        """The newest version that holds exactly the rows of another one.

        Between the two only indexes were built, and empty columns dropped.

        Raises:
            NotFoundError: no such table or version.
        """
        import lance

        table = self.table(corpus, name)
        table.dataset(version)
        latest = table.dataset()
        if stands_for_lost(table, latest, version):
            raise NotFoundError(f"{table.uri} has lost its version {version}", table=name)
        same = (lance.LanceOperation.CreateIndex, lance.LanceOperation.Project)
        for later in range(version + 1, int(latest.version) + 1):
            transaction = table.transaction(latest, later)
            if transaction is None or not isinstance(transaction.operation, same):
                return later - 1
        return int(latest.version)

    def tags(self, corpus: str, name: str = "published") -> dict[str, int]:
        """Tags of a table with their versions."""
        table = self.table(corpus, name)
        dataset = table.dataset_or_none()
        if dataset is None:
            return {}
        return table.tags(dataset)

    def tag(self, corpus: str, name: str, tag: str, version: int) -> None:
        """Create or move a tag; of several that do so at once the last one wins."""
        at = self.tag_once(corpus, name, tag, version)
        if at != version:
            table = self.table(corpus, name)
            table.dataset().tags.update(tag, version)
            table.settle()

    def tag_once(self, corpus: str, name: str, tag: str, version: int) -> int:
        """Create a tag that never moves, as the number of a release; of several that do so at once the first one wins.

        Returns:
            The version that the tag is on.
        """
        table = self.table(corpus, name)
        dataset = table.dataset()
        present = table.tags(dataset)
        if tag not in present:
            table.settle()  # a tag never outlives what it points at
            try:
                dataset.tags.create(tag, version)
                table.settle()
                return version
            except ValueError:
                present = table.tags(dataset)
                if tag not in present:  # nobody else has created it meanwhile
                    raise
        return present[tag]

    def delete_rows(
        self, corpus: str, name: str, ids: Sequence[str], version: int
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Plan the deletion of rows by record id without committing it.

        Args:
            corpus: the corpus.
            name: the table.
            ids: record ids; those that the table does not hold are passed over.
            version: version that the rows are deleted from: the base of the candidate that is staged with them.

        Returns:
            Fragments as they will be (JSON), and ids of the fragments that lose every row.
        """
        updated: list[Any] = []
        removed: list[int] = []
        wanted = pa.array(sorted(ids), pa.string())
        for fragment in self.table(corpus, name).dataset(version).get_fragments() if len(wanted) else ():
            held: list[str] = []
            for batch in fragment.scanner(columns=["record_id"]).to_batches():
                names = batch.column(0)
                held += names.filter(pc.is_in(names, value_set=wanted)).to_pylist()
            if not held:
                continue
            changed = fragment.delete(in_list("record_id", held))
            if changed is None:
                removed.append(fragment.fragment_id)
            else:
                updated.append(changed)
        return [metadata.to_json() for metadata in updated], removed

    def quarantine(self, corpus: str) -> Table:
        """The quarantine table, created when it is not there."""
        table = self.table(corpus, "quarantine")
        table.create(QUARANTINE)
        return table


def _staged_order(record: PromotionRecord) -> tuple[float, str]:
    return record.created_at, record.id


def _is_live(owner: Owner, live: Set[str]) -> bool:
    """Whether side rows belong to a live promotion."""
    return owner.promotion_id in live
