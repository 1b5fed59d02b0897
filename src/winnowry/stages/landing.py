"""Stage ``landing``: which objects lie in the sources, and how many records of which partition each holds.

A partition run then opens only its own files and notices a changed one. What cannot be read at all, or has no
partition, is quarantined here, because no partition run would ever see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from winnowry.core.errors import EmptySourceError
from winnowry.core.ids import record_id
from winnowry.core.jsonable import digest
from winnowry.core.tables import LANDING, QUARANTINE, UNPARTITIONED
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import live
from winnowry.promotion.production import Candidate, Findings, Production, Rejected, Rows, Work
from winnowry.recipe.model import Recipe, Source
from winnowry.sources.base import ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.guarded import guarded, is_failure, named
from winnowry.sources.mapping import READING, MappedRecord, map_record
from winnowry.sources.registry import format_of
from winnowry.stages.graph import Stage
from winnowry.storage.objects import ObjectInfo

_QUARANTINE_BATCH = 512
_PAYLOAD_KEPT_BYTES = 1 << 20  # of a line that cannot be read; the landing object still has all of it


def landing_objects(ws: Workspace, recipe: Recipe) -> list[tuple[Source, ObjectInfo]]:
    """Objects of every source, sorted by source order then URI.

    Raises:
        EmptySourceError: a source matches no object.
    """
    listed = []
    for source in recipe.sources:
        objects = list(ws.store.list(ws.store.resolve(source.uri)))
        if not objects:
            raise EmptySourceError(
                f"source {source.name!r} of {recipe.corpus}: no object matches {ws.store.resolve(source.uri)}. "
                "Check the `uri` of the source (relative ones start at --root) and that the data has landed."
            )
        listed += [(source, info) for info in objects]
    return listed


def landing_state(ws: Workspace, recipe: Recipe) -> dict[str, str]:
    """Data version of the landing as it is now: URI to etag and size, without opening an object."""
    return _state(landing_objects(ws, recipe))


def landed_objects(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> dict[str, str]:
    """:func:`landing_state` as the inputs of the stage."""
    return landing_state(ws, recipe)


def _state(objects: Iterable[tuple[Source, ObjectInfo]]) -> dict[str, str]:
    return {info.uri: f"{info.etag}:{info.size}" for _, info in objects}


def read_limits(recipe: Recipe) -> ReadLimits:
    """The recipe's limits on reading."""
    return ReadLimits(max_record_bytes=recipe.limits.max_record_bytes)


def relative_path(ws: Workspace, source: Source, uri: str) -> str:
    """Path of an object below the literal prefix of its source's glob: part of a record's identity."""
    return uri.removeprefix(ws.store.literal_prefix(ws.store.resolve(source.uri))).lstrip("/")


def read_object(
    ws: Workspace, recipe: Recipe, source: Source, uri: str, etag: str, written_at: datetime | None
) -> Iterator[MappedRecord | Unreadable]:
    """Records of one landing object, in position order; a reader that fails ends it with an unreadable place.

    Args:
        ws: the lake.
        recipe: the recipe.
        source: the source of the object.
        uri: the object.
        etag: of the object as it was listed.
        written_at: when it was last modified, as it was listed.

    Raises:
        ObjectChangedError: the object is not the one that was listed.
    """
    path = relative_path(ws, source, uri)
    reader = format_of(source)
    with ws.store.open(uri, etag=etag) as stream:
        for item in guarded(reader.read(stream, uri, read_limits(recipe)), f"source.{source.format}", uri):
            yield item if isinstance(item, Unreadable) else _mapped(item, source, uri, path, written_at)


def _mapped(
    record: Record, source: Source, uri: str, path: str, written_at: datetime | None
) -> MappedRecord | Unreadable:
    """The mapped record; one that fails there, such as one nested too deep, costs only itself."""
    try:
        return map_record(record, source, uri, path, written_at)
    except BaseException as error:
        if not is_failure(error):
            raise
        return unreadable(record.position, "source.map", "mapping_failed", b"", named(error))


class Landing(Production):
    """Lists the sources, indexes new and changed objects, carries the others over."""

    side_key = ("raw", UNPARTITIONED)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.objects = landing_objects(work.ws, work.recipe)
        # What is listed here is what the rows are made from: an object may have come since the plan looked.
        work.inputs = _state(self.objects)
        self.entries: list[dict[str, Any]] = []
        self.unchanged: list[str] = []

    def rows(self) -> Iterator[Rows | Rejected]:
        """A row an object, and every record that cannot be read or has no partition.

        Raises:
            EmptySourceError: no object holds a record.
        """
        request, recipe = self.work.request, self.work.recipe
        known = _known_objects(self.work)
        request.progress.start(request.stage.name, None, len(self.objects))
        for source, info in self.objects:
            entry = known.get(info.uri)
            if entry is not None and entry["etag"] == info.etag and entry["size"] == info.size:
                self.unchanged.append(info.uri)
            else:
                entry = yield from self._index(source, info)
            self.entries.append(entry)
            request.progress.advance(1)
        if not any(entry["n_records"] for entry in self.entries):
            raise EmptySourceError(f"{recipe.corpus}: the {len(self.entries)} landing objects hold no record at all")
        yield from self._carry_quarantine()
        yield Rows(pa.RecordBatch.from_pylist([{**e, "promotion_id": ""} for e in self.entries], schema=LANDING))

    def _index(self, source: Source, info: ObjectInfo) -> Generator[Rejected, None, dict[str, Any]]:
        ws, counts, n_records = self.work.ws, Counter[str](), 0
        rejected: list[dict[str, Any]] = []
        for item in self._items(source, info):
            n_records += 1
            if isinstance(item, Unreadable):
                rejected.append(_unreadable_row(item, source, info.uri, relative_path(ws, source, info.uri)))
                if len(rejected) >= _QUARANTINE_BATCH:
                    yield Rejected(pa.RecordBatch.from_pylist(rejected, schema=QUARANTINE))
                    rejected.clear()
            else:
                counts[item.partition] += 1
        yield Rejected(pa.RecordBatch.from_pylist(rejected, schema=QUARANTINE))
        return {
            "uri": info.uri,
            "source": source.name,
            "size": info.size,
            "etag": info.etag,
            "modified_at": info.modified_at,
            "partitions": [{"partition": key, "n_records": n} for key, n in sorted(counts.items())],
            "n_records": n_records,
        }

    def _items(self, source: Source, info: ObjectInfo) -> Iterator[MappedRecord | Unreadable]:
        if info.obstacle is None:
            return read_object(self.work.ws, self.work.recipe, source, info.uri, info.etag, info.modified_at)
        reason, value = info.obstacle
        return iter([unreadable(0, f"source.{source.format}", reason, b"", value, ends_object=True)])

    def _carry_quarantine(self) -> Iterator[Rejected]:
        """The unreadable records of unchanged objects again, for this promotion."""
        if not self.unchanged:
            return
        unchanged = pa.array(self.unchanged)
        for batch in self.work.part("quarantine", UNPARTITIONED, "raw").scan(columns=QUARANTINE.names):
            yield Rejected(batch.filter(pa.compute.is_in(batch.column("uri"), value_set=unchanged)))

    def findings(self, candidate: Candidate) -> Findings:
        """Every record of every object is in a partition or in quarantine."""
        entries = self.entries
        n_records = sum(entry["n_records"] for entry in entries)
        expected = n_records - sum(part["n_records"] for entry in entries for part in entry["partitions"])
        quarantined = len(read_ids(candidate.rejected))
        ledger = Ledger(
            rows_in=n_records,
            rows_out=n_records - expected,
            rows_quarantined=quarantined,
            missing=[f"{expected - quarantined} records"] if quarantined < expected else [],
            unexpected=[f"{quarantined - expected} records"] if quarantined > expected else [],
        )
        return Findings(
            ledger,
            outputs={self.work.partition: digest(self.work.inputs)} | _partition_versions(entries),
            metadata={
                "objects": len(entries),
                "objects_read": len(entries) - len(self.unchanged),
                "bytes": sum(entry["size"] for entry in entries),
            },
            lineage={"reading": READING},
        )


def _partition_versions(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Data version of each partition: the objects that hold it."""
    holders: dict[str, list[tuple[str, str, int]]] = {}
    for row in rows:
        for part in row["partitions"]:
            holders.setdefault(part["partition"], []).append((row["uri"], row["etag"], row["size"]))
    return {partition: digest(sorted(held)) for partition, held in holders.items()}


def _known_objects(work: Work) -> dict[str, dict[str, Any]]:
    """Landing rows that still hold, if the sources are declared as they were, and read as they would be now."""
    stage, record = work.request.stage, live(work.ws, work.recipe, "landing")
    if record is None or record.lineage.get("stage_hash") != stage.hash(work.recipe):
        return {}
    if record.lineage.get("reading") != READING:  # of an older version: `raw` would find other records than it counted
        return {}
    return {row["uri"]: row for row in work.table(stage.name).to_table().to_pylist()}


def _unreadable_row(item: Unreadable, source: Source, uri: str, path: str) -> dict[str, Any]:
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
        "promotion_id": "",
    }
