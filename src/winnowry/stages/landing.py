"""Stage ``landing``: which objects lie in the sources, and how many records of which partition each holds.

A partition run then opens only its own files and notices a changed one. What cannot be read at all, or has no
partition, is quarantined here, because no partition run would ever see it.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa

from winnowry.core.errors import EmptySourceError, NotFoundError, ObjectChangedError
from winnowry.core.ids import record_id
from winnowry.core.jsonable import digest
from winnowry.core.tables import LANDING, QUARANTINE, UNPARTITIONED
from winnowry.erasure.tombstones import read_tombstones
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.ledger import Ledger, read_ids
from winnowry.promotion.lineage import live, package_versions
from winnowry.promotion.production import Candidate, Findings, Production, Rejected, Rows, Work
from winnowry.recipe.model import Recipe, Source
from winnowry.recipe.place import names_variable
from winnowry.sources.base import ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.guarded import guarded, is_failure, named
from winnowry.sources.mapping import READING, MappedRecord, map_record
from winnowry.sources.registry import format_of
from winnowry.stages.graph import Stage, same_specification
from winnowry.stages.landing_losses import MAPPING, losses, usable
from winnowry.storage.digests import DigestedStream, digests_noted, object_sha256
from winnowry.storage.globs import escape
from winnowry.storage.objects import ObjectInfo
from winnowry.storage.reach import VARIABLE, check_within_reach, why_out_of_reach

_QUARANTINE_BATCH = 512
_DIGEST = "object_sha256"
_OF_UNREAD = ("unread_objects", "unread_bytes", "unread")
_PAYLOAD_KEPT_BYTES = 1 << 20  # of a line that cannot be read; the landing object still has all of it


def landing_objects(ws: Workspace, recipe: Recipe) -> list[tuple[Source, ObjectInfo]]:
    """Objects of every source, sorted by source order then URI.

    What a link outside the landing leads to is listed with an obstacle.

    Raises:
        EmptySourceError: a source matches no object.
        UsageError: a source lies outside the root, and nobody has declared its place on this machine.
    """
    listed = []
    for source in recipe.sources:
        shown = _as_declared(ws, source)
        check_within_reach(ws.store, f"source {source.name!r} of {recipe.corpus}", source.uri, shown)
        leads_out = why_out_of_reach(ws.store, ws.store.resolve(source.uri))
        objects = [_refused(info, leads_out) for info in ws.store.list(ws.store.resolve(source.uri))]
        if not objects and not _may_be_empty(ws, recipe):
            raise EmptySourceError(
                f"source {source.name!r} of {recipe.corpus}: no object matches {shown}. "
                "Check the `uri` of the source (relative ones start at --root) and that the data has landed."
            )
        listed += [(source, info) for info in objects]
    return listed


def _as_declared(ws: Workspace, source: Source) -> str:
    """Where a source lies, for messages; as the recipe writes it where that names environment variables."""
    declared = getattr(source.uri, "declared", source.uri)
    return declared if names_variable(declared) else ws.store.resolve(source.uri)


def _refused(info: ObjectInfo, leads_out: Callable[[str], str | None]) -> ObjectInfo:
    """An object as it was listed; with an obstacle where a link outside the landing leads to it."""
    place = leads_out(info.uri) if info.obstacle is None else None
    if place is None:
        return info
    return replace(info, obstacle=("link_leaves_landing", f"leads to {place}; copy the file, or declare {VARIABLE}"))


def _may_be_empty(ws: Workspace, recipe: Recipe) -> bool:
    """Whether nothing has to lie there: the recipe keeps what is gone, and something was there before."""
    return bool(recipe.keep_gone) and live(ws, recipe, "landing") is not None


def landing_state(ws: Workspace, recipe: Recipe) -> dict[str, str]:
    """Data version of the landing as it is now: URI to etag and size, without opening an object.

    An object that is as the live promotion has read it is called as there, URI and entity tag: older versions wrote
    whole URIs, and a copy of a landing has other times. An object is opened only where its tag is another one and its
    size is not.
    """
    record = live(ws, recipe, "landing")
    before = record.lineage.get("inputs", {}) if record is not None else {}
    listed = landing_objects(ws, recipe)
    state = _state(ws, listed)
    digests: dict[str, str | None] | None = None
    with digests_noted():
        for _, info in listed:
            uri = ws.relative(info.uri)
            name = next((name for name in (uri, ws.store.resolve(uri)) if name in before), None)
            if name is None:
                continue
            if before[name] != state[uri] and before[name].endswith(f":{info.size}"):
                digests = _digests(ws, recipe) if digests is None else digests
                if _is_same(ws, info, digests.get(uri)):
                    state[uri] = before[name]
            if before[name] == state[uri]:
                state[name] = state.pop(uri)
    return state


def _digests(ws: Workspace, recipe: Recipe) -> dict[str, str | None]:
    """Digest of each landed object, by its URI below the root; None for those of which none is stored."""
    view = ws.lake.open(recipe.corpus, "landing")
    if _DIGEST not in view.schema.names:
        return {}
    rows = view.to_table(columns=["uri", _DIGEST]).to_pylist()
    return {ws.relative(row["uri"]): row[_DIGEST] for row in rows}


def _is_same(ws: Workspace, info: ObjectInfo, sha256: str | None) -> bool:
    """Whether an object of the same size holds what one with another entity tag held."""
    return sha256 is not None and info.obstacle is None and object_sha256(ws.store, info) == sha256


def _open_as_landed(ws: Workspace, uri: str, etag: str, size: int, sha256: str | None) -> BinaryIO:
    """Open an object as it was listed, or a copy of it with another entity tag.

    Raises:
        ObjectChangedError: it is another one.
    """
    try:
        return ws.store.open(uri, etag=etag)
    except ObjectChangedError:
        with digests_noted():
            for info in ws.store.list(escape(ws.store.resolve(uri))):
                if info.size == size and _is_same(ws, info, sha256):
                    return ws.store.open(info.uri, etag=info.etag)
        raise


def landed_objects(ws: Workspace, recipe: Recipe, stage: Stage, partition: str | None) -> dict[str, str]:
    """:func:`landing_state` as the inputs of the stage."""
    return landing_state(ws, recipe)


def _state(ws: Workspace, objects: Iterable[tuple[Source, ObjectInfo]]) -> dict[str, str]:
    return {ws.relative(info.uri): f"{info.etag}:{info.size}" for _, info in objects}


def read_limits(recipe: Recipe) -> ReadLimits:
    """The recipe's limits on reading."""
    return ReadLimits(max_record_bytes=recipe.limits.max_record_bytes)


def relative_path(ws: Workspace, source: Source, uri: str) -> str:
    """Path of an object below the literal prefix of its source's glob: part of a record's identity."""
    return ws.store.resolve(uri).removeprefix(ws.store.literal_prefix(ws.store.resolve(source.uri))).lstrip("/")


def read_object(
    ws: Workspace, recipe: Recipe, source: Source, entry: Mapping[str, Any]
) -> Iterator[MappedRecord | Unreadable]:
    """Records of one landing object, in position order; a reader that fails ends it with an unreadable place.

    Args:
        ws: the lake.
        recipe: the recipe.
        source: the source of the object.
        entry: the row of the landing.

    Raises:
        ObjectChangedError: the object is not the one that landed.
    """
    uri = entry["uri"]
    place = why_out_of_reach(ws.store, ws.store.resolve(source.uri))(ws.store.resolve(uri))
    if place is not None:
        raise ObjectChangedError(f"{uri}: is a link now that leads out of the landing; run the landing stage again")
    with _open_as_landed(ws, uri, entry["etag"], entry["size"], entry.get(_DIGEST)) as stream:
        yield from _items(ws, recipe, source, uri, stream, entry["modified_at"])


def _items(
    ws: Workspace, recipe: Recipe, source: Source, uri: str, stream: BinaryIO, written_at: datetime | None
) -> Iterator[MappedRecord | Unreadable]:
    path = relative_path(ws, source, uri)
    reader = format_of(source, _neighbours(ws, source, uri))
    for item in guarded(reader.read(stream, uri, read_limits(recipe)), f"source.{source.format}", uri):
        yield item if isinstance(item, Unreadable) else _mapped(item, source, uri, path, written_at)


def _neighbours(ws: Workspace, source: Source, uri: str) -> Callable[[str], BinaryIO | None]:
    """Opens other objects of the folder that an object lies in, and of those beside it; None where there is none.

    A name that leads out of the landing is that of no object.
    """
    store = ws.store
    scheme, separator, folder = store.resolve(uri).rpartition("/")[0].rpartition("://")
    leads_out = why_out_of_reach(store, store.resolve(source.uri))
    top = f"{scheme}{separator}{_first_part(folder)}/"

    def neighbour(name: str) -> BinaryIO | None:
        place = scheme + separator + posixpath.normpath(f"{folder}/{name}")
        if not place.startswith(top) or leads_out(place) is not None:
            return None
        try:
            return store.open(place)
        except NotFoundError:
            return None

    return neighbour


def _first_part(folder: str) -> str:
    """The first folder of a path, or the bucket of an object."""
    start = len(folder) - len(folder.lstrip("/"))
    return folder[:start] + folder[start:].split("/", 1)[0]


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


@dataclass(frozen=True)
class _Known:
    """What an earlier attempt or promotion made of an object, and where the records lie that it refused."""

    entry: dict[str, Any]
    rejected: TableView


class Landing(Production):
    """Lists the sources, indexes new and changed objects, carries the others over."""

    side_key = ("raw", UNPARTITIONED)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.objects = landing_objects(work.ws, work.recipe)
        self.known = {} if work.request.force else _known_objects(work)
        with digests_noted():
            self.carried = {
                (source.name, info.uri): known
                for source, info in self.objects
                if (known := self._landed(source, info)) is not None
            }
        # What is listed here is what the rows are made from: an object may have come since the plan looked.
        work.inputs = _state(work.ws, self.objects) | {
            work.ws.relative(uri): f"{known.entry['etag']}:{known.entry['size']}"
            for (_, uri), known in self.carried.items()
        }
        self.entries: list[dict[str, Any]] = []
        self.unchanged: list[_Known] = []
        self.tombstones = read_tombstones(work.ws, work.recipe.corpus)
        self.digested: DigestedStream | None = None

    def rows(self) -> Iterator[Rows | Rejected]:
        """A row an object, and every record that cannot be read or has no partition.

        Raises:
            EmptySourceError: no object holds a record.
        """
        request, recipe = self.work.request, self.work.recipe
        request.progress.start(request.stage.name, None, len(self.objects))
        for source, info in self.objects:
            before = self.carried.get((source.name, info.uri))
            if before is not None:
                self.unchanged.append(before)
                entry = before.entry
            else:
                entry = yield from self._index(source, info)
            self.entries.append(entry)
            request.progress.advance(1)
        if not any(entry["n_records"] for entry in self.entries) and not _may_be_empty(self.work.ws, recipe):
            raise EmptySourceError(f"{recipe.corpus}: the {len(self.entries)} landing objects hold no record at all")
        yield from self._carry_quarantine()
        yield Rows(pa.RecordBatch.from_pylist([{**e, "promotion_id": ""} for e in self.entries], schema=LANDING))

    def _landed(self, source: Source, info: ObjectInfo) -> _Known | None:
        """The object as it landed before, where it is still the same."""
        before = self.known.get((source.name, self.work.ws.relative(info.uri)))
        if before is None or before.entry["size"] != info.size:
            return None
        same = before.entry["etag"] == info.etag or _is_same(self.work.ws, info, before.entry.get(_DIGEST))
        return before if same else None

    def _index(self, source: Source, info: ObjectInfo) -> Generator[Rejected, None, dict[str, Any]]:
        ws, counts, n_records = self.work.ws, Counter[str](), 0
        uri = ws.relative(info.uri)
        rejected: list[dict[str, Any]] = []
        reasons: Counter[tuple[str, str]] = Counter()
        left_out = 0
        ended: tuple[str, int] | None = None  # why, and the bytes behind that place
        for item, n_behind in self._items(source, info):
            n_records += 1
            if ended is not None:
                ended = ended[0], 0  # a part of it could not be read, such as a file of an archive
            if not isinstance(item, Unreadable):
                counts[item.partition] += 1
                continue
            if item.reason in source.options.selects_by:
                left_out += 1
            else:
                reasons[item.operator, item.reason] += 1
            if item.ends_object:
                ended = f"{item.operator}: {item.reason}", n_behind
            row = _unreadable_row(item, source, uri, relative_path(ws, source, uri))
            if self._is_erased(item, row, source):
                row = _without_content(row)
            rejected.append(row)
            if len(rejected) >= _QUARANTINE_BATCH:
                yield Rejected(pa.RecordBatch.from_pylist(rejected, schema=QUARANTINE))
                rejected.clear()
        yield Rejected(pa.RecordBatch.from_pylist(rejected, schema=QUARANTINE))
        if not counts and (ended is not None or _is_lost(source, reasons)):
            ended = ended[0] if ended is not None else ": ".join(reasons.most_common(1)[0][0]), info.size
        return {
            "uri": uri,
            "source": source.name,
            "size": info.size,
            "etag": info.etag,
            "modified_at": info.modified_at,
            "partitions": [{"partition": key, "n_records": n} for key, n in sorted(counts.items())],
            "n_records": n_records,
            "left_out": left_out,
            "unread": ended[0] if ended is not None else None,
            "unread_bytes": ended[1] if ended is not None else None,
            _DIGEST: self._sha256(info),
        }

    def _is_erased(self, item: Unreadable, row: Mapping[str, Any], source: Source) -> bool:
        """Whether what cannot be used was erased; it may be refused for a field, and be known by its id or text."""
        ids = [row["record_id"]]
        if item.source_id is not None:
            ids.append(record_id(source.name, mapped_id=item.source_id))
        return any(
            self.tombstones.hold(
                name, item.content_sha256, source_id=item.source_id, uri=row["uri"], position=item.position
            )
            for name in ids
        )

    def _items(self, source: Source, info: ObjectInfo) -> Iterator[tuple[MappedRecord | Unreadable, int]]:
        """Records of an object; beside a place that ends it, the bytes behind that place."""
        if info.obstacle is not None:
            reason, value = info.obstacle
            yield unreadable(0, f"source.{source.format}", reason, b"", value, ends_object=True), info.size
            return
        ws, recipe = self.work.ws, self.work.recipe
        with ws.store.open(info.uri, etag=info.etag) as opened:
            self.digested = DigestedStream(opened)
            stream = self.digested.buffered()
            for item in _items(ws, recipe, source, ws.relative(info.uri), stream, info.modified_at):
                ends = isinstance(item, Unreadable) and item.ends_object
                yield item, info.size - _place(stream, info.size) if ends else 0

    def _sha256(self, info: ObjectInfo) -> str | None:
        """Digest of the object that was read last: of a file that was not read in order by reading it once more."""
        digested, self.digested = self.digested, None
        sha256 = digested.sha256(info.size) if digested is not None else None
        if sha256 is None and digested is not None and "://" not in info.uri:
            return object_sha256(self.work.ws.store, info)
        return sha256

    def _carry_quarantine(self) -> Iterator[Rejected]:
        """The refused records of unchanged objects again, for this promotion."""
        for view in {id(known.rejected): known.rejected for known in self.unchanged}.values():
            uris = pa.array([known.entry["uri"] for known in self.unchanged if known.rejected is view])
            for batch in view.scan(columns=QUARANTINE.names):
                yield Rejected(batch.filter(pa.compute.is_in(batch.column("uri"), value_set=uris)))

    def findings(self, candidate: Candidate) -> Findings:
        """Every record of every object is in a partition or in quarantine; what of them was lost."""
        entries = self.entries
        n_records = sum(entry["n_records"] for entry in entries)
        expected = n_records - sum(usable(entry) for entry in entries)
        quarantined = len(read_ids(candidate.rejected))
        ledger = Ledger(
            rows_in=n_records,
            rows_out=n_records - expected,
            rows_quarantined=quarantined,
            missing=[f"{expected - quarantined} records"] if quarantined < expected else [],
            unexpected=[f"{quarantined - expected} records"] if quarantined > expected else [],
        )
        lost = losses(self.work.recipe, entries, [candidate.rejected])
        recorded = lost.recorded()
        return Findings(
            ledger,
            outputs={self.work.partition: digest(self.work.inputs)} | _partition_versions(entries),
            facts={"landing": lost},
            measures={"lost": recorded},
            metadata={
                "objects": len(entries),
                "objects_read": len(entries) - len(self.unchanged),
                "bytes": lost.bytes,
                **({name: recorded[name] for name in _OF_UNREAD} if lost.unread else {}),
            },
            lineage={"reading": READING},
        )


def _place(stream: BinaryIO, size: int) -> int:
    """Bytes of an object that were read, as best as its stream can tell; all of them where it cannot."""
    try:
        return min(stream.tell(), size)
    except (AttributeError, OSError, ValueError):  # such as a stream from an object store
        return size


def _is_lost(source: Source, reasons: Counter[tuple[str, str]]) -> bool:
    """Whether an object is lost of which every record was refused, for those reasons.

    A record that is an object of its own is counted as a record. So is a single one that reads well and is refused
    for its fields.
    """
    if not reasons or (source.options.one_record and source.members is None):
        return False
    return reasons.total() > 1 or not all(operator == MAPPING for operator, _ in reasons)


def _partition_versions(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Data version of each partition: the objects that hold it."""
    holders: dict[str, list[tuple[str, str, int]]] = {}
    for row in rows:
        for part in row["partitions"]:
            holders.setdefault(part["partition"], []).append((row["uri"], row["etag"], row["size"]))
    return {partition: digest(sorted(held)) for partition, held in holders.items()}


def _known_objects(work: Work) -> dict[tuple[str, str], _Known]:
    """Objects that need not be read again, by source and URI, if the sources are declared as they were.

    They are those of the live promotion, and those of a later attempt that the gate refused: a raised limit reads
    nothing again. What was not read as a whole is read again by another version of winnowry, which may know how.
    """
    ws, recipe, stage = work.ws, work.recipe, work.request.stage
    known: dict[tuple[str, str], _Known] = {}
    record = live(ws, recipe, stage.name)
    if record is not None and _same_rows(record, stage, recipe):
        known |= _objects_of(ws, record, work.table(stage.name), work.part("quarantine", UNPARTITIONED, "raw"))
    latest = ws.lake.records(recipe.corpus).latest(stage.name, work.partition)
    if latest is not None and latest.state == "rejected" and _same_rows(latest, stage, recipe):
        views = [
            ws.lake.candidate_view(recipe.corpus, part.table, part.audit_version, work.partition)
            for part in latest.tables()
        ]
        with suppress(ValueError, OSError):  # upkeep removed what was refused
            views[0].count_rows()
            known |= _objects_of(ws, latest, views[1], views[0])
    return known


def _same_rows(record: PromotionRecord, stage: Stage, recipe: Recipe) -> bool:
    if record.lineage.get("reading") != READING:  # of an older version: `raw` would find other records than it counted
        return False
    return same_specification(record.lineage.get("spec", {}), stage.specification(recipe))


def _objects_of(
    ws: Workspace, record: PromotionRecord, objects: TableView, rejected: TableView
) -> dict[tuple[str, str], _Known]:
    as_then = record.lineage.get("packages", {}).get("winnowry") == package_versions().get("winnowry")
    rows = objects.to_table().to_pylist()
    refused = Counter(rejected.to_table(columns=["uri"])["uri"].to_pylist())
    return {
        (row["source"], ws.relative(row["uri"])): _Known(row, rejected)
        for row in rows
        if (as_then or not row["n_records"] or (row.get("unread") is None and usable(row)))
        # Fewer are there where some were erased: they are counted again by reading the object.
        and refused[row["uri"]] >= row["n_records"] - usable(row)
    }


def _without_content(row: Mapping[str, Any]) -> dict[str, Any]:
    """An unreadable part of an object that was erased: it is counted under its reason still, and quotes nothing."""
    reasons = [{**reason, "value": None} for reason in row["reasons"]]
    return {**row, "payload": b"", "value": None, "reasons": reasons}


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
