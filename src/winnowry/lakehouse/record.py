"""Promotion records: what a promotion did, which inputs it read, and how far it got.

A record is a JSON object beside the tables, ``<corpus>/promotions/<stage>/<partition>/<id>.json``, because Lance
transactions are only a cache: cleanup removes them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote, unquote

from winnowry.core.errors import WinnowryError
from winnowry.core.formats import from_bytes, from_document, made_from, to_bytes, to_document
from winnowry.core.ids import PromotionId
from winnowry.lakehouse.durable import settle
from winnowry.storage.objects import ObjectStore
from winnowry.storage.probe import store_time

State = Literal["staged", "committing", "promoted", "rejected", "abandoned"]
Scope = Literal["partition", "table", "delta"]
WHOLE_TABLE = "__all__"
"""The partition of a promotion that covers a whole table."""

_CLAIMING = frozenset({"committing", "promoted", "rejected"})
_ONE_BY_ONE = 10  # files of one folder that are asked for by name rather than by listing the folder


def new_promotion_id() -> PromotionId:
    """A new id; ids made later sort later (milliseconds, then 48 random bits)."""
    return PromotionId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}")


@dataclass(frozen=True)
class CandidateTable:
    """The part of a promotion that concerns one table.

    Attributes:
        table: table name.
        fragments: Lance fragment metadata of the new data files, as JSON.
        rows: rows in them.
        scope: what the fragments replace: those of the same partition (and stage), all of them, or, for a
            ``delta``, nothing but what ``updated`` and ``removed`` say.
        base_version: version of the table the candidate was built on.
        detached_version: version that shows the table as it will be.
        audit_version: version that the gates judge: only the candidate's rows, or, for a delta, the whole table.
        updated: fragments with rows deleted (delta only), as JSON.
        removed: ids of fragments wholly deleted (delta only).
        stage: stage of the rows, in a side table that holds several.
        partition: partition of the rows.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    table: str
    fragments: list[dict[str, Any]]
    rows: int
    scope: Scope
    base_version: int
    detached_version: int
    audit_version: int
    updated: list[dict[str, Any]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    stage: str = ""
    partition: str = ""
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class PromotionRecord:
    """Everything winnowry knows about one promotion.

    Attributes:
        id: promotion id, carried by every row it wrote.
        stage: stage that ran.
        partition: partition key, or ``__all__``.
        main: the table whose commit is the commit point.
        sides: tables that commit before it.
        replaces: the promotion of the same partition that was live when this one was staged.
        state: ``staged → committing → promoted``, or ``rejected`` / ``abandoned``.
        lineage: recipe hashes, operator versions and parameters, inputs, seed, run id, package versions.
        outputs: data versions of what was written, by partition (or ``__all__``).
        ledger: rows in, out, quarantined.
        facts: measurements that later drift checks read.
        refusal: of a candidate that a gate refused: reasons of its rejects by ``operator: rule``, its Data Docs, and
            digests of what judged it; empty else.
        promoted_version: version of the main table that the commit made.
        files: size and digest of every file of the commit, by name below the corpus folder; see ``lakehouse.seal``.
            Empty in records of before files were sealed.
        digests: digest of the rows that were written, by table.
        unknown_keys: what a newer version wrote beside these; kept.
    """

    id: PromotionId
    corpus: str
    stage: str
    partition: str
    main: CandidateTable | None
    sides: list[CandidateTable]
    replaces: PromotionId | None
    state: State
    created_at: float
    lineage: dict[str, Any]
    outputs: dict[str, str]
    ledger: dict[str, int]
    facts: dict[str, Any] = field(default_factory=dict)
    refusal: dict[str, Any] = field(default_factory=dict)
    promoted_version: int | None = None
    promoted_at: float | None = None
    files: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    unknown_keys: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def tables(self) -> list[CandidateTable]:
        """Candidate tables in commit order: sides first, the main table last."""
        return [*self.sides, *([self.main] if self.main else [])]


def landing_order(record: PromotionRecord) -> tuple[float, str]:
    """Sorts promoted records by when they landed."""
    return record.promoted_at or 0.0, record.id


def _data_files(candidate: CandidateTable) -> list[str]:
    return [file["path"] for fragment in candidate.fragments for file in fragment["files"]]


class RecordStore:
    """Promotion records of one corpus.

    Args:
        store: object store of the root.
        base: URI of the corpus folder.
    """

    def __init__(self, store: ObjectStore, base: str) -> None:
        self._store = store
        self._corpus = base
        self._base = f"{base}/promotions"

    def _folder(self, stage: str, partition: str) -> str:
        return f"{self._base}/{stage}/{quote(partition, safe='')}"

    def save(self, record: PromotionRecord) -> PromotionRecord:
        """Write a record, replacing its earlier state, and return it.

        A record that claims something is written after that has become durable.
        """
        if record.state in _CLAIMING:
            for candidate in record.tables():
                settle(f"{self._corpus}/{candidate.table}.lance", _data_files(candidate))
        document = to_document(record)
        for name in ("refusal", "files", "digests"):
            if not document[name]:
                del document[name]
        body = to_bytes("promotion record", document)
        self._store.write(f"{self._folder(record.stage, record.partition)}/{record.id}.json", body)
        return record

    def advance(self, record: PromotionRecord, state: State, **changes: Any) -> PromotionRecord:
        """Save the record in another state."""
        return self.save(replace(record, state=state, **changes))

    def load(self, stage: str, partition: str, promotion_id: str) -> PromotionRecord | None:
        """One record, or None."""
        uri = f"{self._folder(stage, partition)}/{promotion_id}.json"
        return self._read(uri) if self._store.exists(uri) else None

    def of(self, stage: str, partition: str) -> list[PromotionRecord]:
        """Records of one partition of one stage, oldest first."""
        infos = self._store.list(f"{self._folder(stage, partition)}/*.json")
        return [self._read(info.uri) for info in infos]

    def after(self, stage: str, partition: str, promotion_id: str) -> list[PromotionRecord]:
        """Records of one partition of one stage with a later id than another one's; mostly there are none to read."""
        uris = [info.uri for info in self._store.list(f"{self._folder(stage, partition)}/*.json")]
        return [self._read(uri) for uri in sorted(uris) if uri.rsplit("/", 1)[1] > f"{promotion_id}.json"]

    def latest(self, stage: str, partition: str) -> PromotionRecord | None:
        """The newest record of one partition of one stage, in whatever state."""
        uris = [info.uri for info in self._store.list(f"{self._folder(stage, partition)}/*.json")]
        return self._read(max(uris)) if uris else None

    def partitions(self, stage: str) -> list[str]:
        """Partitions for which a stage has any record."""
        folders = {info.uri.rsplit("/", 2)[-2] for info in self._store.list(f"{self._base}/{stage}/*/*.json")}
        return sorted(map(unquote, folders))

    def of_stage(self, stage: str) -> Iterator[PromotionRecord]:
        """Every record of a stage."""
        for info in self._store.list(f"{self._base}/{stage}/*/*.json"):
            yield self._read(info.uri)

    def all(self) -> Iterator[PromotionRecord]:
        """Every record of the corpus."""
        for info in self._store.list(f"{self._base}/*/*/*.json"):
            yield self._read(info.uri)

    def readable(self) -> Iterator[tuple[str, PromotionRecord | WinnowryError]]:
        """Every record of the corpus with its URI; of one that is damaged, why it cannot be read."""
        for info in self._store.list(f"{self._base}/*/*/*.json"):
            try:
                yield info.uri, self._read(info.uri)
            except WinnowryError as error:
                yield info.uri, error

    def unmoved_for(self, record: PromotionRecord) -> timedelta:
        """How long ago a record was written last; both times are the store's."""
        uri = f"{self._folder(record.stage, record.partition)}/{record.id}.json"
        written = [info.modified_at for info in self._store.list(uri)]
        return store_time(self._store) - written[0] if written else timedelta(0)

    def lost_files(self, record: PromotionRecord) -> list[str]:
        """Data files and deletions of a promotion's candidates that are missing or cut, in words."""
        sizes: dict[str, int | None] = {}
        for candidate in record.tables():
            for fragment in (*candidate.fragments, *candidate.updated):
                for file in fragment["files"]:
                    sizes[f"{candidate.table}.lance/data/{file['path']}"] = file.get("file_size_bytes") or None
        for name, (size, _) in record.files.items():
            if "/data/" in name or "/_deletions/" in name:
                sizes[name] = int(size)
        lost = []
        there = self._sizes(sizes)
        for name, size in sorted(sizes.items()):
            if name not in there:
                lost.append(f"{name} is missing")
            elif size is not None and there[name] != size:
                lost.append(f"{name} has {there[name]:,} bytes and not {size:,}")
        return lost

    def _sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Sizes of files that are there; of many in one folder the folder is listed."""
        by_folder: dict[str, list[str]] = {}
        for name in names:
            by_folder.setdefault(name.rpartition("/")[0], []).append(name)
        sizes = {}
        for folder, members in by_folder.items():
            patterns = members if len(members) <= _ONE_BY_ONE else [f"{folder}/*"]
            for pattern in patterns:
                for info in self._store.list(f"{self._corpus}/{pattern}"):
                    sizes[info.uri.removeprefix(f"{self._corpus}/")] = info.size
        return sizes

    def _read(self, uri: str) -> PromotionRecord:
        document = from_bytes("promotion record", uri, self._store.read(uri)).content
        with made_from("promotion record", uri):
            main = document["main"]
            record = from_document(
                PromotionRecord,
                document,
                main=from_document(CandidateTable, main) if main else None,
                sides=[from_document(CandidateTable, side) for side in document["sides"]],
            )
            if uri != f"{self._folder(record.stage, record.partition)}/{record.id}.json":
                raise ValueError(f"it is that of {record.stage}[{record.partition}], promotion {record.id}")
        return record
