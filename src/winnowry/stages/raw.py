"""Stage ``raw``: the records of one partition as they arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import EmptySourceError, GateFailedError
from winnowry.core.ids import record_id
from winnowry.core.jsonable import digest
from winnowry.core.sql import in_lists
from winnowry.core.tables import QUARANTINE, RAW
from winnowry.engine.chain import Reason
from winnowry.engine.quarantine import quarantine_rows
from winnowry.lakehouse.blobs import blob_array
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.production import Candidate, Findings, Production, Rejected, Rows, Work
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.model import Recipe
from winnowry.recipe.tables import raw_schema
from winnowry.sources.base import Unreadable
from winnowry.stages.landing import read_object
from winnowry.stages.landing_losses import refused_beside
from winnowry.stages.large_objects import take_content

_LOOKED_UP_AT_ONCE = 2000  # ids in one IN list
_LISTED = 20
_BATCH_BYTES = 16 << 20


class Raw(Production):
    """Reads the landing objects that hold a partition.

    Raises:
        EmptySourceError: no landing object holds the partition.
    """

    watches_table = True

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.schema = raw_schema(work.recipe)
        self.objects = _objects_of(work)
        if not self.objects:
            raise EmptySourceError(
                f"{work.recipe.corpus}/raw[{work.partition}]: no landing object holds this partition; "
                "`winnowry plan` lists the partitions there are"
            )
        self.expected = {entry["uri"]: entry["n_records"] for entry in self.objects}
        self.seen: dict[str, str] = {}
        self.content: list[str] = []

    def rows(self) -> Iterator[Rows | Rejected]:
        """Every record of the partition, in order of source, URI and position; a repeated id is rejected.

        Raises:
            ObjectChangedError: an object changed since the landing stage listed it.
        """
        request, limits = self.work.request, self.work.recipe.limits
        request.progress.start(request.stage.name, request.partition, sum(self.expected.values()))
        rows: list[dict[str, Any]] = []
        size = 0
        for row, held in self._records():
            if isinstance(row, Rejected):
                yield row
                continue
            rows.append(row)
            size += held
            if len(rows) >= limits.batch_rows or size >= _BATCH_BYTES:
                yield Rows(_raw_batch(rows, self.schema))
                request.progress.advance(len(rows))
                rows, size = [], 0
        if rows:
            yield Rows(_raw_batch(rows, self.schema))
            request.progress.advance(len(rows))

    def _records(self) -> Iterator[tuple[dict[str, Any] | Rejected, int]]:
        """Rows, or their rejection, with the bytes they hold."""
        work = self.work
        sources = {source.name: source for source in work.recipe.sources}
        ingested_at = datetime.now(UTC)
        for entry in self.objects:
            source = sources[entry["source"]]
            place = (entry["uri"], entry["etag"], entry["modified_at"])
            for item in read_object(work.ws, work.recipe, source, *place):
                if isinstance(item, Unreadable) or item.partition != work.partition:
                    continue
                row = {
                    "record_id": item.record_id,
                    "partition": work.partition,
                    "source": source.name,
                    "uri": entry["uri"],
                    "position": item.position,
                    "event_time": item.event_time,
                    "ingested_at": ingested_at,
                    "content_sha256": item.content_sha256,
                    "media_type": item.media_type,
                    "payload": item.text,
                    "meta": item.meta,
                    "license": item.license,
                    "promotion_id": "",
                }
                if item.record_id in self.seen:
                    yield _repeated(row, self.seen[item.record_id]), 0
                    continue
                held = len(item.text or "")
                if item.content is not None:
                    content = take_content(item.content, source, entry["uri"], work.recipe.limits.max_record_bytes)
                    if isinstance(content, Reason):
                        yield _rejected(row, content), 0
                        continue
                    row |= {"payload": content.payload, "content_sha256": content.sha256}
                    held = content.held_bytes
                self.seen[item.record_id] = f"{entry['uri']}:{item.position}"
                self.content.append(
                    f"{item.record_id}{row['content_sha256']}{item.event_time}{item.license}{item.meta}"
                )
                yield row, held

    def findings(self, candidate: Candidate) -> Findings:
        """Every record that the landing counted is there or in quarantine, and no id is another partition's."""
        work, ids = self.work, list(self.seen)
        ledger = _ledger(candidate, self.expected, ids)
        return Findings(
            ledger,
            outputs={work.partition: digest(sorted(self.content))},
            facts={
                "landing": {"refused": sum(entry["refused"] for entry in self.objects)},
                "global": {"colliding_ids": colliding_ids(work.ws, work.recipe.corpus, work.partition, ids)},
                "trailing": trailing_facts(work.request),
            },
            measures={"n_rows": ledger.rows_out},
            metadata={"objects": len(self.objects)},
        )

    @classmethod
    def reaudit(cls, ws: Workspace, record: PromotionRecord) -> None:
        """Refuse ids that have landed meanwhile in another partition."""
        refuse_collisions(ws, record)

    @classmethod
    def settle(cls, ws: Workspace, recipe: Recipe, *, promoted: bool) -> None:
        """Index the new rows by record id."""
        if promoted:
            ws.lake.ensure_index(recipe.corpus, "raw")


def _raw_batch(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of :func:`raw_schema`; a payload is a text, or a large object of ``lakehouse.blobs``."""
    if schema.equals(RAW):
        return pa.RecordBatch.from_pylist(list(rows), schema=RAW)
    at = schema.get_field_index("payload")
    plain = pa.RecordBatch.from_pylist([{**row, "payload": None} for row in rows], schema=RAW)
    columns = [*plain.columns]
    columns[at] = blob_array([row["payload"] for row in rows])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _objects_of(work: Work) -> list[dict[str, Any]]:
    landing = work.table("landing").to_table().to_pylist()
    held = []
    for row in sorted(landing, key=lambda r: (r["source"], r["uri"])):
        for part in row["partitions"]:
            if part["partition"] == work.partition:
                n_records = part["n_records"]
                held.append({**row, "n_records": n_records, "refused": refused_beside(row, n_records)})
    return held


def _repeated(row: dict[str, Any], first: str) -> Rejected:
    """The first record of an id wins, in order of URI and position; later ones are quarantined by their place."""
    place = {**row, "record_id": record_id(row["source"], path=row["uri"], index=row["position"])}
    return _rejected(place, Reason("source.map", "duplicate_record_id", row["record_id"], f"first seen at {first}"))


def _rejected(row: dict[str, Any], reason: Reason) -> Rejected:
    """Quarantine a record with its text; a file's bytes stay where they lie."""
    text = row["payload"] if isinstance(row["payload"], str) else ""
    batch = pa.RecordBatch.from_pylist([{**row, "payload": text}], schema=RAW)
    rows = quarantine_rows(batch, [[reason]], "raw")
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    columns["payload"] = pa.array([text.encode("utf-8", "surrogatepass")], pa.large_binary())
    return Rejected(pa.RecordBatch.from_arrays(list(columns.values()), schema=QUARANTINE))


def _ledger(candidate: Candidate, expected: dict[str, int], kept_ids: list[str]) -> Ledger:
    """Records counted by the landing pass, and the ids just read, against rows read back from the candidates."""
    by_object: Counter[str] = Counter()
    for view in (candidate.rows, candidate.rejected):
        for batch in view.scan(columns=["uri"]):
            by_object.update(batch.column(0).to_pylist())
    ids, rejected = read_ids(candidate.rows), read_ids(candidate.rejected)
    by_id = Ledger.of(np.sort(np.asarray(kept_ids, dtype="S32")), ids, ids[:0])
    lost = [f"{uri}: {n - by_object[uri]} records" for uri, n in expected.items() if by_object[uri] < n]
    more = [f"{uri}: {n - expected.get(uri, 0)} records" for uri, n in by_object.items() if n > expected.get(uri, 0)]
    return Ledger(
        rows_in=sum(expected.values()),
        rows_out=len(ids),
        rows_quarantined=len(rejected),
        missing=lost[:_LISTED] + by_id.missing,
        unexpected=more[:_LISTED] + by_id.unexpected,
        duplicated=by_id.duplicated,
    )


def refuse_collisions(ws: Workspace, record: PromotionRecord) -> None:
    """Ask again, when ``raw`` has moved since a candidate was audited, whether its ids are still its own.

    Raises:
        GateFailedError: another partition holds one of them now.
    """
    assert record.main is not None
    view = ws.lake.candidate_view(record.corpus, "raw", record.main.audit_version, record.partition)
    ids = [value.decode() for value in read_ids(view)]
    collisions = colliding_ids(ws, record.corpus, record.partition, ids)
    if collisions:
        raise GateFailedError(
            f"{record.corpus}/raw[{record.partition}]: record ids landed meanwhile in another partition: {collisions}"
        )


def colliding_ids(ws: Workspace, corpus: str, partition: str, ids: list[str]) -> list[str]:
    """Ids of this partition that another partition of ``raw`` already holds (looked up through the BTREE)."""
    view = ws.lake.open(corpus, "raw")
    if view.count_rows() == 0:
        return []
    colliding: list[str] = []
    for some_ids in in_lists("record_id", ids, _LOOKED_UP_AT_ONCE):
        for batch in view.scan(columns=["record_id", "partition"], where=some_ids):
            for value, holder in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if holder != partition:
                    colliding.append(f"{value} (in {holder})")
        if len(colliding) >= _LISTED:
            break
    return colliding[:_LISTED]
