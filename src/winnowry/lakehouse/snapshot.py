"""A lake as it is at one moment: every table is opened once, every record is read once.

A plan asks the same tables and records about hundreds of partitions. Asked of the lake itself each question opens the
table again and looks at all of its fragments; asked of a snapshot it is a look-up. A snapshot is for one plan: it never
looks again, and nothing can be written through it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from winnowry.core.errors import LakehouseError
from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.promotion import Promoter
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord, RecordStore
from winnowry.lakehouse.table import Owner, Table
from winnowry.lakehouse.view import TableView
from winnowry.storage.objects import ObjectStore

_READ_ONLY = "a snapshot of a lake is for reading; write through the lake itself"


class LakeSnapshot(Lakehouse):
    """What a lake holds when it is first asked; later changes are not seen.

    Args:
        lake: the lake.
    """

    def __init__(self, lake: Lakehouse) -> None:
        super().__init__(lake.store, lake.storage_options)
        self._tables: dict[tuple[str, str], _OpenedTable] = {}
        self._views: dict[tuple[str, str, int | str | None], TableView] = {}
        self._records: dict[str, _ReadRecords] = {}
        self._live: dict[str, dict[tuple[str, str], str]] = {}
        self._live_records: dict[tuple[str, str, str], PromotionRecord | None] = {}

    def table(self, corpus: str, name: str) -> Table:
        """See :meth:`Lakehouse.table`; each version is opened once."""
        if (corpus, name) not in self._tables:
            table = super().table(corpus, name)
            self._tables[corpus, name] = _OpenedTable(table.uri, table.name, table.storage_options)
        return self._tables[corpus, name]

    def records(self, corpus: str) -> RecordStore:
        """See :meth:`Lakehouse.records`; listed once, and each is read once."""
        if corpus not in self._records:
            self._records[corpus] = _ReadRecords(self.store, self.corpus_uri(corpus))
        return self._records[corpus]

    def promoter(self, corpus: str) -> Promoter:
        """See :meth:`Lakehouse.promoter`; it can tell what is live, and promote nothing."""
        return Promoter(lambda name: self.table(corpus, name), self.records(corpus))

    def open(self, corpus: str, name: str, version: int | str | None = None) -> TableView:
        """See :meth:`Lakehouse.open`."""
        key = (corpus, name, version)
        if key not in self._views:
            self._views[key] = super().open(corpus, name, version)
        return self._views[key]

    def live_promotions(self, corpus: str) -> dict[tuple[str, str], str]:
        """See :meth:`Lakehouse.live_promotions`."""
        if corpus not in self._live:
            self._live[corpus] = super().live_promotions(corpus)
        return self._live[corpus]

    def live_record(self, corpus: str, stage: str, partition: str = WHOLE_TABLE) -> PromotionRecord | None:
        """See :meth:`Lakehouse.live_record`."""
        key = (corpus, stage, partition)
        if key not in self._live_records:
            self._live_records[key] = super().live_record(corpus, stage, partition)
        return self._live_records[key]


@dataclass(frozen=True)
class _OpenedTable(Table):
    """A table whose versions stay open."""

    _datasets: dict[int | str | None, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _owners: dict[int, dict[int, Owner]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _newest: dict[int, dict[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def create(self, schema: Any) -> list[str]:
        raise LakehouseError(_READ_ONLY, table=self.name)

    def dataset_or_none(self, version: int | str | None = None) -> Any | None:
        if version not in self._datasets:
            self._datasets[version] = super().dataset_or_none(version)
        return self._datasets[version]

    def owners(self, dataset: Any) -> dict[int, Owner]:
        if dataset.version not in self._owners:
            self._owners[dataset.version] = super().owners(dataset)
        return self._owners[dataset.version]

    def newest_promotions(self, dataset: Any) -> dict[str, str]:
        if dataset.version not in self._newest:
            self._newest[dataset.version] = super().newest_promotions(dataset)
        return self._newest[dataset.version]


class _ReadRecords(RecordStore):
    """Promotion records that are listed at once; each is read when it is first asked for."""

    def __init__(self, store: ObjectStore, base: str) -> None:
        super().__init__(store, base)
        self._known: dict[str, PromotionRecord] = {}

    @cached_property
    def _uris(self) -> dict[tuple[str, str], list[str]]:
        """URIs by stage and partition, oldest first."""
        uris: dict[tuple[str, str], list[str]] = defaultdict(list)
        for info in self._store.list(f"{self._base}/*/*/*.json"):
            _, stage, partition, _ = info.uri.rsplit("/", 3)
            uris[stage, unquote(partition)].append(info.uri)
        return dict(uris)

    def save(self, record: PromotionRecord) -> PromotionRecord:
        raise LakehouseError(_READ_ONLY)

    def load(self, stage: str, partition: str, promotion_id: str) -> PromotionRecord | None:
        wanted = f"/{promotion_id}.json"
        return next((self._read(uri) for uri in self._of(stage, partition) if uri.endswith(wanted)), None)

    def of(self, stage: str, partition: str) -> list[PromotionRecord]:
        return [self._read(uri) for uri in self._of(stage, partition)]

    def of_stage(self, stage: str) -> Iterator[PromotionRecord]:
        for (name, _), uris in self._uris.items():
            yield from map(self._read, uris if name == stage else ())

    def after(self, stage: str, partition: str, promotion_id: str) -> list[PromotionRecord]:
        later = f"{promotion_id}.json"
        return [self._read(uri) for uri in sorted(self._of(stage, partition)) if uri.rsplit("/", 1)[1] > later]

    def latest(self, stage: str, partition: str) -> PromotionRecord | None:
        uris = self._of(stage, partition)
        return self._read(max(uris)) if uris else None

    def partitions(self, stage: str) -> list[str]:
        return sorted(partition for name, partition in self._uris if name == stage)

    def all(self) -> Iterator[PromotionRecord]:
        for uris in self._uris.values():
            yield from map(self._read, uris)

    def _of(self, stage: str, partition: str) -> Sequence[str]:
        return self._uris.get((stage, partition), ())

    def _read(self, uri: str) -> PromotionRecord:
        if uri not in self._known:
            self._known[uri] = super()._read(uri)
        return self._known[uri]
