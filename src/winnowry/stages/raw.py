"""Stage ``raw``: the records of one partition as they arrived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import EmptySourceError, PromotionConflictError
from winnowry.core.ids import record_id
from winnowry.core.tables import QUARANTINE, RAW, TEXT
from winnowry.engine.chain import Reason
from winnowry.engine.quarantine import quarantine_rows
from winnowry.erasure.tombstones import ERASED, read_tombstones
from winnowry.lakehouse.blobs import blob_array
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ids, Ledger, read_ids
from winnowry.promotion.production import Candidate, Findings, Production, Rejected, Rows, StartOver, Work
from winnowry.promotion.request import Request
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.model import OnUpdate, Recipe, Source
from winnowry.recipe.tables import raw_schema
from winnowry.sources.base import Unreadable
from winnowry.sources.mapping import MappedRecord, serialized
from winnowry.sources.media_types import UNKNOWN
from winnowry.stages.content_version import ContentVersion
from winnowry.stages.gone_objects import GoneObjects
from winnowry.stages.landing import read_object
from winnowry.stages.landing_losses import refused_beside
from winnowry.stages.large_objects import Content, take_content
from winnowry.stages.named_content import NamedContents
from winnowry.stages.retraction import shrinkage
from winnowry.stages.updates import (
    ANSWERED,
    CONFLICTING,
    HELD_ELSEWHERE,
    IDS_AT_ONCE,
    REPEATED,
    SUPERSEDED,
    Claim,
    Elsewhere,
    Version,
    claim,
    claims_on,
    decide,
    drop_claims,
    elsewhere,
    stored_versions,
    version_of,
)

ROWS_WITHDRAWN = "rows_withdrawn"
"""Fact and metadata of a promotion: records of the one before that this partition does not hold any more."""

_REWRITTEN = 20
_REWRITTEN_FRACTION = 0.25
"""Of a partition's ids: from this many on, and of more than this share, several contents are no updates."""
_LISTED = 20
_BATCH_BYTES = 16 << 20

Row = dict[str, Any]


class Raw(Production):
    """Reads the landing objects that hold a partition.

    Of several records of one id one stays, see :mod:`winnowry.stages.updates`. Where the recipe keeps what is gone,
    the records of objects that the landing no longer lists are taken over.

    Raises:
        EmptySourceError: no landing object holds the partition, and nothing of it is kept.
    """

    watches_table = True

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        ws, recipe = work.ws, work.recipe
        self.schema = raw_schema(recipe)
        self.objects = _objects_of(work)
        self.gone_objects = GoneObjects(work) if recipe.keep_gone and work.replaces is not None else None
        if not self.objects and self.gone_objects is None:
            raise EmptySourceError(
                f"{recipe.corpus}/raw[{work.partition}]: no landing object holds this partition; "
                "`winnowry plan` lists the partitions there are"
            )
        self.sources = {source.name: source for source in recipe.sources}
        self.answered = [made.promotion_id for made in claims_on(ws, recipe.corpus, work.partition)]
        self.elsewhere = Elsewhere(ws, recipe, work.partition)
        self.tombstones = read_tombstones(ws, recipe.corpus)
        self.ingested_at = datetime.now(UTC)
        self.named = NamedContents(ws, recipe.limits.max_record_bytes)
        self.winners: dict[str, Version] = {}
        self.n_ids: Counter[str] = Counter()
        self.settled = True
        self._start()

    def _start(self) -> None:
        self.expected: Counter[str] = Counter()
        for entry in self.objects:
            self.expected[entry["uri"]] += entry["n_records"]
        self.content = ContentVersion()
        self.conflicts: list[str] = []
        self.superseded = 0
        self.rewritten: dict[str, tuple[int, str]] = {}
        self.claims: Counter[str] = Counter()
        self.held_elsewhere = 0

    def rows(self) -> Iterator[Rows | Rejected | StartOver]:
        """Every record of the partition, in order of source, URI and position; of several of one id one stays.

        Raises:
            ObjectChangedError: an object changed since the landing stage listed it.
        """
        request = self.work.request
        request.progress.start(request.stage.name, request.partition, sum(self.expected.values()))
        yield from self._read()
        if not self.settled:  # a later record has taken the place of one that was yielded before it
            self.settled = True
            self._start()
            yield StartOver()
            yield from self._read()

    def _read(self) -> Iterator[Rows | Rejected]:
        """Rows in batches; nothing from where it shows that they have to be read again."""
        request, limits = self.work.request, self.work.recipe.limits
        rows: list[Row] = []
        size = 0
        for row, held in self._records():
            if not self.settled:
                continue
            if isinstance(row, Rejected):
                yield row
                continue
            rows.append(row)
            size += held
            if len(rows) >= limits.batch_rows or size >= _BATCH_BYTES:
                yield from self._batch(rows)
                request.progress.advance(len(rows))
                rows, size = [], 0
        if rows and self.settled:
            yield from self._batch(rows)
            request.progress.advance(len(rows))

    def _records(self) -> Iterator[tuple[Row | Rejected, int]]:
        """Rows, or their rejection, with the bytes they hold."""
        for row, held in self._arrived():
            if isinstance(row, Rejected):
                yield row, held
                continue
            mine, name = version_of(row), row["record_id"]
            if name not in self.winners:
                self.n_ids[row["source"]] += 1
            winner = self.winners.setdefault(name, mine)
            if winner.place == mine.place:
                yield row, held
                continue
            first_stays, rule = decide(winner, mine, self._on_update(row))
            if rule == CONFLICTING:
                self._conflict(row, winner.label)
            elif not first_stays:
                self.winners[name] = mine
                self.settled = False
            elif rule == SUPERSEDED:
                self.superseded += 1
                self._rewritten(row, winner, winner.label)
            yield _outranked(row, rule, winner.label), 0
        if self.gone_objects is not None and self.settled:
            for batch in self.gone_objects.rejected():
                self.expected.update(batch.column("uri").to_pylist())
                yield Rejected(batch), 0

    def _arrived(self) -> Iterator[tuple[Row | Rejected, int]]:
        """Records of the partition's objects, then those that are kept of objects that are gone."""
        work = self.work
        for entry in self.objects:
            source = self.sources[entry["source"]]
            for item in read_object(work.ws, work.recipe, source, entry):
                if isinstance(item, Unreadable) or item.partition != work.partition:
                    continue
                yield self._row(item, source, entry["uri"])
        if self.gone_objects is not None:
            for row in self.gone_objects.rows():
                if self._landed_again(row):
                    continue
                self.expected[row["uri"]] += 1
                yield row, len(row["meta"] or "") + (len(row["payload"]) if isinstance(row["payload"], str) else 0)

    def _row(self, item: MappedRecord, source: Source, uri: str) -> tuple[Row | Rejected, int]:
        """The row of a record, or its rejection, with the bytes it holds."""
        row: Row = {
            "record_id": item.record_id,
            "partition": self.work.partition,
            "source": source.name,
            "uri": uri,
            "position": item.position,
            "event_time": item.event_time,
            "ingested_at": self.ingested_at,
            "content_sha256": item.content_sha256,
            "media_type": item.media_type,
            "payload": item.text,
            "meta": item.meta,
            "license": item.license,
            "promotion_id": "",
        }
        if self.tombstones.hold(
            item.record_id,
            item.content_sha256,
            source_id=item.source_id,
            uri=self.work.ws.relative(uri),
            position=item.position,
        ):
            return _erased(row), 0
        row |= item.columns or {}
        held = len(item.text or "") + len(item.meta) + _held(item.columns)
        if item.content is None and item.content_at is None:
            return row, held
        content = self._content(item, source, uri)
        if isinstance(content, Reason):
            return _rejected(row, content), 0
        row |= {"payload": content.payload, "content_sha256": content.sha256}
        if content.media_type != UNKNOWN:  # what the bytes say; the name only where they say nothing
            row["media_type"] = content.media_type
        if source.options.carries_text:
            row |= {"text": item.text, "media_type": content.media_type, "place": content.place}
        if item.span is not None:
            row["span"] = {"start": item.span[0], "end": item.span[1], "unit": "s"}
        if self.tombstones.hold(row["record_id"], row["content_sha256"]):
            return _erased(row), 0
        return row, held + content.held_bytes

    def _content(self, item: MappedRecord, source: Source, uri: str) -> Content | Reason:
        """The bytes of a record that is no text, or why they are refused."""
        if item.content_at is not None:
            return self.named.take(source, uri, item.content_at)
        assert item.content is not None
        lies, most = self.work.ws.store.resolve(uri), self.work.recipe.limits.max_record_bytes
        return take_content(item.content, source, lies, most, item.place)

    def _on_update(self, row: Row) -> OnUpdate | None:
        """What the recipe says of the row's source; a kept record may be of one that it no longer has."""
        source = self.sources.get(row["source"])
        return source.on_update if source is not None else None

    def _landed_again(self, row: Row) -> bool:
        """Whether a record of an object that is gone lies in one that is there: the object has another name now."""
        mine, winner = version_of(row), self.winners.get(row["record_id"])
        if winner is None or winner.place == mine.place:
            return False
        return decide(winner, mine, self._on_update(row)).rule == REPEATED

    def _batch(self, rows: list[Row]) -> Iterator[Rows | Rejected]:
        """Rows that stay, and those that give way to a record of another partition."""
        mine = {row["record_id"]: row for row in rows}
        for name, partition, theirs in self.elsewhere.versions(list(mine)):
            row = mine.get(name)
            if row is None:
                continue
            first_stays, rule = decide(version_of(row), theirs, self._on_update(row))
            if rule == CONFLICTING:
                self._conflict(row, elsewhere(partition, theirs))
            elif first_stays:
                self.claims[partition] += 1
                self._rewritten(row, theirs, elsewhere(partition, theirs))
                continue
            else:
                self.held_elsewhere += 1
                self.superseded += rule == SUPERSEDED
                self._rewritten(row, theirs, elsewhere(partition, theirs))
            yield _outranked(row, rule, elsewhere(partition, theirs))
            del mine[name]
        for row in mine.values():
            self.content.add(row)
        if mine:
            yield Rows(_raw_batch(list(mine.values()), self.schema))

    def _conflict(self, row: Row, other: str) -> None:
        if len(self.conflicts) < _LISTED:
            self.conflicts.append(_described(row, self.sources.get(row["source"]), other))

    def _rewritten(self, row: Row, other: Version, place: str) -> None:
        """Count a record that has another content than one of its id, where the recipe says nothing of updates."""
        source = self.sources.get(row["source"])
        if source is not None and source.on_update is None and version_of(row).content != other.content:
            n, example = self.rewritten.get(source.name, (0, _described(row, source, place)))
            self.rewritten[source.name] = (n + 1, example)

    def _not_unique(self) -> list[str]:
        """Sources of which so many ids have several contents that they are hardly updates."""
        return [
            f"{n:,} of {self.n_ids[name]:,} ids of {name} have several contents, too many for updates, e.g. {example}"
            for name, (n, example) in self.rewritten.items()
            if n >= _REWRITTEN and n > _REWRITTEN_FRACTION * self.n_ids[name]
        ]

    def findings(self, candidate: Candidate) -> Findings:
        """Every record that the landing counted is there or in quarantine, and no id stands for two records."""
        work = self.work
        ws, recipe = work.ws, work.recipe
        ids = self.content.ids
        ledger = _ledger(candidate, self.expected, ids)
        claim(ws, recipe.corpus, self.claims, Claim(work.partition, work.promotion_id))
        before = ws.lake.live_record(recipe.corpus, work.request.stage.name, work.partition)
        if before is not None:
            drop_claims(ws, recipe.corpus, work.partition, before.lineage.get(ANSWERED, ()))
        withdrawn = _left(work, ids) if before is not None else 0
        metadata: dict[str, Any] = {"objects": len({entry["uri"] for entry in self.objects})}
        if withdrawn:
            metadata[ROWS_WITHDRAWN] = withdrawn
        if withdrawn or self.claims:
            metadata["unsettles_others"] = True
        if self.claims:
            metadata["supersedes"] = dict(self.claims)
        return Findings(
            ledger,
            outputs={work.partition: self.content.digest()},
            facts={
                "landing": {"refused": sum(entry["refused"] for entry in self.objects)},
                "global": {"colliding_ids": [*self._not_unique(), *self.conflicts]},
                "superseded": self.superseded,
                "trailing": trailing_facts(work.request),
            },
            measures={
                "n_rows": ledger.rows_out,
                **({HELD_ELSEWHERE: self.held_elsewhere} if self.held_elsewhere else {}),
                **({ROWS_WITHDRAWN: withdrawn} if withdrawn else {}),
            },
            metadata=metadata,
            lineage={ANSWERED: self.answered} if self.answered else {},
            verdicts=shrinkage(work, before, ledger.rows_out),
        )

    @classmethod
    def reaudit(cls, request: Request, record: PromotionRecord) -> None:
        """Ask again, when ``raw`` has moved since the candidate was made, whether its records still stay.

        Raises:
            PromotionConflictError: another partition has landed a record that one of them gives way to.
        """
        ws, recipe = request.ws, request.recipe
        others = Elsewhere(ws, recipe, record.partition)
        on_update = {source.name: source.on_update for source in recipe.sources}
        claims: set[str] = set()
        batch: dict[str, tuple[str, Version]] = {}

        def look() -> None:
            for name, partition, theirs in others.versions(list(batch)):
                source, mine = batch[name]
                first_stays, rule = decide(mine, theirs, on_update.get(source))
                if not first_stays or rule == CONFLICTING:
                    raise PromotionConflictError(
                        f"{record.corpus}/raw[{record.partition}]: record {name} landed meanwhile in another "
                        f"partition: {elsewhere(partition, theirs)}. Nothing was changed; run the stage again.",
                        stage=record.stage,
                        partition=record.partition,
                    )
                claims.add(partition)

        for name, source, mine in stored_versions(ws, record):
            batch[name] = (source, mine)
            if len(batch) >= IDS_AT_ONCE:
                look()
                batch.clear()
        look()
        claim(ws, recipe.corpus, claims, Claim(record.partition, record.id))

    @classmethod
    def settle(cls, ws: Workspace, recipe: Recipe, *, promoted: bool) -> None:
        """Index the new rows by record id."""
        if promoted:
            ws.lake.ensure_index(recipe.corpus, "raw")


def _held(columns: Mapping[str, object] | None) -> int:
    """About how many bytes the columns of a structured record hold, before they are Arrow."""
    return 0 if columns is None else len(serialized(columns))


def _described(row: Row, source: Source | None, other: str) -> str:
    """What a conflict is about: the source, the id as the source writes it, both places."""
    field = source.fields.id if source is not None else None
    written = json.loads(row["meta"] or "{}").get(field) if field is not None else None
    name = row["record_id"] if written is None else f"{field} {written!r}"
    return f"{row['source']}: {name} at {version_of(row).label} and at {other}"


def _left(work: Work, ids: Ids) -> int:
    """Records of the promotion before that are not among the new ones."""
    before: Ids = read_ids(work.part("raw"))
    return len(np.setdiff1d(before, ids))


def _raw_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of :func:`raw_schema`; a payload is a text, or a large object of ``lakehouse.blobs``."""
    if schema.field("payload").type == TEXT:
        return pa.RecordBatch.from_pylist(list(rows), schema=schema)
    at = schema.get_field_index("payload")
    plain = pa.RecordBatch.from_pylist(
        [{**row, "payload": None} for row in rows], schema=schema.set(at, pa.field("payload", pa.null()))
    )
    columns = [*plain.columns]
    columns[at] = blob_array([row["payload"] for row in rows])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _objects_of(work: Work) -> list[Row]:
    landing = work.table("landing").to_table().to_pylist()
    held = []
    for row in sorted(landing, key=lambda r: (r["source"], r["uri"])):
        for part in row["partitions"]:
            if part["partition"] == work.partition:
                n_records = part["n_records"]
                held.append({**row, "n_records": n_records, "refused": refused_beside(row, n_records)})
    return held


def _outranked(row: Row, rule: str, winner: str) -> Rejected:
    """A record that another one of its id stands for: quarantined by its place."""
    place = {**row, "record_id": record_id(row["source"], path=row["uri"], index=row["position"])}
    return _rejected(place, Reason("source.map", rule, row["record_id"], winner))


def _erased(row: Row) -> Rejected:
    """A record that was erased and that the landing still holds: its place is named, and nothing else of it."""
    place = {
        **row,
        "record_id": record_id(row["source"], path=row["uri"], index=row["position"]),
        "content_sha256": "",
        "event_time": None,
        "payload": None,
        "meta": None,
    }
    return _rejected(place, Reason("source.map", ERASED, None, None))


def _rejected(row: Row, reason: Reason) -> Rejected:
    """Quarantine a record with its text; a file's bytes stay where they lie."""
    text = row["payload"] if isinstance(row["payload"], str) else ""
    batch = pa.RecordBatch.from_pylist([{**row, "payload": text}], schema=RAW)
    rows = quarantine_rows(batch, [[reason]], "raw")
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    columns["payload"] = pa.array([text.encode("utf-8", "surrogatepass")], pa.large_binary())
    return Rejected(pa.RecordBatch.from_arrays(list(columns.values()), schema=QUARANTINE))


def _ledger(candidate: Candidate, expected: Counter[str], kept_ids: Ids) -> Ledger:
    """Records counted by the landing pass, and the ids just read, against rows read back from the candidates."""
    by_object: Counter[str] = Counter()
    for view in (candidate.rows, candidate.rejected):
        for batch in view.scan(columns=["uri"]):
            by_object.update(batch.column(0).to_pylist())
    ids, rejected = read_ids(candidate.rows), read_ids(candidate.rejected)
    by_id = Ledger.of(np.sort(kept_ids), ids, ids[:0])
    lost = [f"{uri}: {n - by_object[uri]} records" for uri, n in expected.items() if by_object[uri] < n]
    more = [f"{uri}: {n - expected[uri]} records" for uri, n in by_object.items() if n > expected[uri]]
    return Ledger(
        rows_in=sum(expected.values()),
        rows_out=len(ids),
        rows_quarantined=len(rejected),
        missing=lost[:_LISTED] + by_id.missing,
        unexpected=more[:_LISTED] + by_id.unexpected,
        duplicated=by_id.duplicated,
    )
