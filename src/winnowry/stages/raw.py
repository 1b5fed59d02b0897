"""Stage ``raw``: the records of one partition as they arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import EmptySourceError, GateFailedError
from winnowry.core.tables import QUARANTINE, RAW
from winnowry.engine.chain import Reason
from winnowry.engine.quarantine import count_reasons, quarantine_rows
from winnowry.lakehouse.blobs import blob_array
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import digest, lineage_of
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.promotion.trailing import trailing_facts
from winnowry.recipe.tables import raw_schema
from winnowry.sources.base import Unreadable
from winnowry.stages.landing import read_object
from winnowry.stages.large_objects import take_content

_LOOKED_UP_AT_ONCE = 2000  # ids in one IN list
_LISTED = 20


def run_raw(request: Request, inputs: dict[str, str]) -> StageResult:
    """Read the landing objects that hold the partition and promote its records.

    Raises:
        ObjectChangedError: an object changed since the landing stage listed it.
        EmptySourceError: no landing object holds the partition.
    """
    ws, recipe, partition = request.ws, request.recipe, request.key
    schema = raw_schema(recipe)
    attempt = Attempt(request, schema, lineage_of(recipe, "raw", inputs, request.run_id))
    sources = {source.name: source for source in recipe.sources}
    objects = _objects_of(request)
    if not objects:
        raise EmptySourceError(
            f"{recipe.corpus}/raw[{partition}]: no landing object holds this partition; "
            "`winnowry plan` lists the partitions there are"
        )
    expected = {row["uri"]: row["n_records"] for row in objects}
    request.progress.start("raw", request.partition, sum(expected.values()))
    ingested_at = datetime.now(UTC)
    seen: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    size = 0
    content: list[str] = []

    def flush() -> None:
        if rows:
            attempt.main.write(_raw_batch(rows, schema))
            request.progress.advance(len(rows))
            rows.clear()

    for entry in objects:
        source = sources[entry["source"]]
        for item in read_object(ws, recipe, source, entry["uri"], entry["etag"]):
            if isinstance(item, Unreadable) or item.partition != partition:
                continue
            row = {
                "record_id": item.record_id,
                "partition": partition,
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
                "promotion_id": attempt.id,
            }
            if item.record_id in seen:
                _reject_repeated(attempt, row, seen[item.record_id], reasons)
                continue
            held = len(item.text or "")
            if item.content is not None:
                found = take_content(item.content, source, entry["uri"], recipe.limits.max_record_bytes)
                if isinstance(found, Reason):
                    _reject(attempt, row, found, reasons)
                    continue
                row |= {"payload": found.payload, "content_sha256": found.sha256}
                held = found.held_bytes
            seen[item.record_id] = f"{entry['uri']}:{item.position}"
            content.append(f"{item.record_id}{row['content_sha256']}{item.event_time}{item.license}{item.meta}")
            rows.append(row)
            size += held
            if len(rows) >= recipe.limits.batch_rows or size >= 16 << 20:
                flush()
                size = 0
    flush()
    main, side = attempt.stage_candidates(scope="partition")
    ledger = _ledger(attempt, main, side, expected, list(seen))
    collisions = colliding_ids(ws, recipe.corpus, partition, list(seen))
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={
            "ledger": ledger.facts(),
            "global": {"colliding_ids": collisions},
            "trailing": trailing_facts(request),
        },
        outputs={partition: digest(sorted(content))},
        quarantined_by_reason=dict(reasons),
        metadata={"objects": len(objects)},
        measures={"n_rows": ledger.rows_out},
        reaudit=partial(refuse_collisions, ws),
    )


def _raw_batch(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a batch of :func:`raw_schema`; a payload is a text, or a large object of ``lakehouse.blobs``."""
    if schema.equals(RAW):
        return pa.RecordBatch.from_pylist(list(rows), schema=RAW)
    at = schema.get_field_index("payload")
    plain = pa.RecordBatch.from_pylist([{**row, "payload": None} for row in rows], schema=RAW)
    columns = [*plain.columns]
    columns[at] = blob_array([row["payload"] for row in rows])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _objects_of(request: Request) -> list[dict[str, Any]]:
    landing = request.ws.lake.open(request.corpus, "landing").to_table().to_pylist()
    held = []
    for row in sorted(landing, key=lambda r: (r["source"], r["uri"])):
        for part in row["partitions"]:
            if part["partition"] == request.partition:
                held.append({**row, "n_records": part["n_records"]})
    return held


def _reject_repeated(attempt: Attempt, row: dict[str, Any], first: str, reasons: Counter[str]) -> None:
    """The first record of an id wins, in order of URI and position; later ones are quarantined by their place."""
    from winnowry.core.ids import record_id

    place = {**row, "record_id": record_id(row["source"], path=row["uri"], index=row["position"])}
    _reject(
        attempt, place, Reason("source.map", "duplicate_record_id", row["record_id"], f"first seen at {first}"), reasons
    )


def _reject(attempt: Attempt, row: dict[str, Any], reason: Reason, reasons: Counter[str]) -> None:
    """Quarantine a record with its text; a file's bytes stay where they lie."""
    text = row["payload"] if isinstance(row["payload"], str) else ""
    batch = pa.RecordBatch.from_pylist([{**row, "payload": text}], schema=RAW)
    rejected = quarantine_rows(batch, [[reason]], "raw", attempt.id)
    columns = dict(zip(rejected.schema.names, rejected.columns, strict=True))
    columns["payload"] = pa.array([text.encode("utf-8", "surrogatepass")], pa.large_binary())
    rejected = pa.RecordBatch.from_arrays(list(columns.values()), schema=QUARANTINE)
    count_reasons(rejected, reasons)
    attempt.quarantine.write(rejected)


def _ledger(attempt: Attempt, main: Any, side: Any, expected: dict[str, int], kept: list[str]) -> Ledger:
    """Records counted by the landing pass, and the ids just read, against rows read back from the candidates."""
    found: Counter[str] = Counter()
    for candidate in (main, side):
        for batch in attempt.view(candidate).scan(columns=["uri"]):
            found.update(batch.column(0).to_pylist())
    ids, rejected = read_ids(attempt.view(main)), read_ids(attempt.view(side))
    by_id = Ledger.of(np.sort(np.asarray(kept, dtype="S32")), ids, ids[:0])
    return Ledger(
        rows_in=sum(expected.values()),
        rows_out=len(ids),
        rows_quarantined=len(rejected),
        missing=[f"{uri}: {n - found[uri]} records" for uri, n in expected.items() if found[uri] < n][:_LISTED]
        + by_id.missing,
        unexpected=[
            f"{uri}: {n - expected.get(uri, 0)} records" for uri, n in found.items() if n > expected.get(uri, 0)
        ][:_LISTED]
        + by_id.unexpected,
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
    found = colliding_ids(ws, record.corpus, record.partition, ids)
    if found:
        raise GateFailedError(
            f"{record.corpus}/raw[{record.partition}]: record ids landed meanwhile in another partition: {found}"
        )


def colliding_ids(ws: Workspace, corpus: str, partition: str, ids: list[str]) -> list[str]:
    """Ids of this partition that another partition of ``raw`` already holds (looked up through the BTREE)."""
    view = ws.lake.open(corpus, "raw")
    if view.count_rows() == 0:
        return []
    found: list[str] = []
    for start in range(0, len(ids), _LOOKED_UP_AT_ONCE):
        listed = ", ".join(f"'{value}'" for value in ids[start : start + _LOOKED_UP_AT_ONCE])
        for batch in view.scan(columns=["record_id", "partition"], where=f"record_id IN ({listed})"):
            for value, holder in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if holder != partition:
                    found.append(f"{value} (in {holder})")
        if len(found) >= _LISTED:
            break
    return found[:_LISTED]
