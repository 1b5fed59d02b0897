"""Stage ``landing``: which objects lie in the sources, and how many records of which partition each holds.

A partition run then opens only its own files and notices a changed one. What cannot be read at all, or has no
partition, is quarantined here, because no partition run would ever see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from winnowry.core.errors import EmptySourceError
from winnowry.core.ids import record_id
from winnowry.core.tables import LANDING, QUARANTINE, UNPARTITIONED
from winnowry.engine.quarantine import count_reasons
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.attempt import Attempt
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import digest, lineage_of, live
from winnowry.promotion.request import Request
from winnowry.promotion.result import StageResult
from winnowry.recipe.fingerprint import stage_hash
from winnowry.recipe.model import Recipe, Source
from winnowry.sources.base import ReadLimits, Unreadable
from winnowry.sources.mapping import MappedRecord, map_record
from winnowry.sources.registry import format_of
from winnowry.storage.objects import ObjectInfo

_QUARANTINE_BATCH = 512
_PAYLOAD_KEPT_BYTES = 1 << 20  # of a line that cannot be read; the landing object still has all of it


def landing_objects(ws: Workspace, recipe: Recipe) -> list[tuple[Source, ObjectInfo]]:
    """Objects of every source, sorted by source order then URI.

    Raises:
        EmptySourceError: a source matches no object.
    """
    found = []
    for source in recipe.sources:
        objects = list(ws.store.list(ws.store.resolve(source.uri)))
        if not objects:
            raise EmptySourceError(
                f"source {source.name!r} of {recipe.corpus}: no object matches {ws.store.resolve(source.uri)}. "
                "Check the `uri` of the source (relative ones start at --root) and that the data has landed."
            )
        found += [(source, info) for info in objects]
    return found


def landing_state(ws: Workspace, recipe: Recipe) -> dict[str, str]:
    """Data version of the landing as it is now: URI to etag and size, without opening an object."""
    return {info.uri: f"{info.etag}:{info.size}" for _, info in landing_objects(ws, recipe)}


def read_limits(recipe: Recipe) -> ReadLimits:
    """The recipe's limits on reading."""
    return ReadLimits(max_record_bytes=recipe.limits.max_record_bytes)


def relative_path(ws: Workspace, source: Source, uri: str) -> str:
    """Path of an object below the literal prefix of its source's glob: part of a record's identity."""
    return uri.removeprefix(ws.store.literal_prefix(ws.store.resolve(source.uri))).lstrip("/")


def read_object(
    ws: Workspace, recipe: Recipe, source: Source, uri: str, etag: str
) -> Iterator[MappedRecord | Unreadable]:
    """Records of one landing object, in position order.

    Raises:
        ObjectChangedError: the object is not the one that was listed.
    """
    path = relative_path(ws, source, uri)
    reader = format_of(source)
    with ws.store.open(uri, etag=etag) as stream:
        for item in reader.read(stream, uri, read_limits(recipe)):
            yield item if isinstance(item, Unreadable) else map_record(item, source, uri, path)


def run_landing(request: Request) -> StageResult:
    """List the sources, index new and changed objects, carry the others over, promote."""
    ws, recipe = request.ws, request.recipe
    objects = landing_objects(ws, recipe)
    state = {info.uri: f"{info.etag}:{info.size}" for _, info in objects}
    attempt = Attempt(request, LANDING, lineage_of(recipe, "landing", state, request.run_id))
    known = _known_objects(ws, recipe)
    request.progress.start("landing", None, len(objects))
    rows: list[dict[str, Any]] = []
    unread: Counter[str] = Counter()
    reused: list[str] = []
    expected = 0
    for source, info in objects:
        row = known.get(info.uri)
        if row is not None and row["etag"] == info.etag and row["size"] == info.size:
            reused.append(info.uri)
        else:
            row = _index(request, attempt, source, info, unread)
        held = sum(p["n_records"] for p in row["partitions"])
        expected += row["n_records"] - held
        rows.append({**row, "promotion_id": attempt.id})
        request.progress.advance(1)
    if not any(row["n_records"] for row in rows):
        raise EmptySourceError(f"{recipe.corpus}: the {len(rows)} landing objects hold no record at all")
    _carry_quarantine(ws, recipe, attempt, reused, unread)
    attempt.main.write(pa.RecordBatch.from_pylist(rows, schema=LANDING))
    main, side = attempt.stage_candidates(scope="table", side_key=("raw", UNPARTITIONED))
    quarantined = len(read_ids(attempt.view(side)))
    n_records = sum(row["n_records"] for row in rows)
    ledger = Ledger(
        rows_in=n_records,
        rows_out=n_records - expected,
        rows_quarantined=quarantined,
        missing=[f"{expected - quarantined} records"] if quarantined < expected else [],
        unexpected=[f"{quarantined - expected} records"] if quarantined > expected else [],
    )
    outputs = {"__all__": digest(state)} | _partition_versions(rows)
    return attempt.conclude(
        main,
        side,
        ledger=ledger,
        facts={"ledger": ledger.facts()},
        outputs=outputs,
        quarantined_by_reason=dict(unread),
        metadata={"objects": len(rows), "objects_read": len(rows) - len(reused), "bytes": sum(r["size"] for r in rows)},
    )


def _partition_versions(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Data version of each partition: the objects that hold it."""
    holders: dict[str, list[tuple[str, str, int]]] = {}
    for row in rows:
        for part in row["partitions"]:
            holders.setdefault(part["partition"], []).append((row["uri"], row["etag"], row["size"]))
    return {partition: digest(sorted(held)) for partition, held in holders.items()}


def _known_objects(ws: Workspace, recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Landing rows that still hold, if the sources are declared as they were."""
    record = live(ws, recipe, "landing")
    if record is None or record.lineage.get("stage_hash") != stage_hash(recipe, "landing"):
        return {}
    return {row["uri"]: row for row in ws.lake.open(recipe.corpus, "landing").to_table().to_pylist()}


def _index(
    request: Request, attempt: Attempt, source: Source, info: ObjectInfo, unread: Counter[str]
) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    n_records = 0
    rejected: list[dict[str, Any]] = []
    for item in read_object(request.ws, request.recipe, source, info.uri, info.etag):
        n_records += 1
        if isinstance(item, Unreadable):
            path = relative_path(request.ws, source, info.uri)
            rejected.append(_unreadable_row(item, source, info.uri, path, attempt.id))
            if len(rejected) >= _QUARANTINE_BATCH:
                _write_rejected(attempt, rejected, unread)
        else:
            counts[item.partition] += 1
    _write_rejected(attempt, rejected, unread)
    return {
        "uri": info.uri,
        "source": source.name,
        "size": info.size,
        "etag": info.etag,
        "modified_at": info.modified_at,
        "partitions": [{"partition": key, "n_records": n} for key, n in sorted(counts.items())],
        "n_records": n_records,
    }


def _unreadable_row(item: Unreadable, source: Source, uri: str, path: str, promotion_id: str) -> dict[str, Any]:
    # Identified by place even when the record has an id of its own, which may be what is wrong with it.
    reason = {"operator": item.operator, "rule": item.reason, "value": item.value, "threshold": item.threshold}
    return {
        "record_id": record_id(source.name, path=path, index=item.position),
        "partition": UNPARTITIONED,
        "stage": "raw",
        "operator": item.operator,
        "reason": item.reason,
        "value": item.value,
        "threshold": item.threshold,
        "reasons": [reason],
        "columns": None,
        "uri": uri,
        "position": item.position,
        "payload": item.payload[:_PAYLOAD_KEPT_BYTES],
        "promotion_id": promotion_id,
    }


def _write_rejected(attempt: Attempt, rejected: list[dict[str, Any]], unread: Counter[str]) -> None:
    if rejected:
        batch = pa.RecordBatch.from_pylist(rejected, schema=QUARANTINE)
        count_reasons(batch, unread)
        attempt.quarantine.write(batch)
        rejected.clear()


def _carry_quarantine(ws: Workspace, recipe: Recipe, attempt: Attempt, reused: list[str], unread: Counter[str]) -> None:
    """Write the unreadable records of unchanged objects again under this promotion."""
    if not reused:
        return
    kept = pa.array(reused)
    view = ws.lake.partition_view(recipe.corpus, "quarantine", UNPARTITIONED, "raw")
    for batch in view.scan(columns=QUARANTINE.names):
        selected = batch.filter(pa.compute.is_in(batch.column("uri"), value_set=kept))
        if selected.num_rows:
            count_reasons(selected, unread)
            columns = [*selected.columns[:-1], pa.array([attempt.id] * selected.num_rows)]
            attempt.quarantine.write(pa.RecordBatch.from_arrays(columns, schema=QUARANTINE))
