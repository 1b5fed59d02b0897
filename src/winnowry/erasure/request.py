"""What is to be erased: names of a takedown list and a condition, resolved to records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.core.errors import UsageError, WinnowryError
from winnowry.core.ids import record_id
from winnowry.erasure.takedown import PLACE, Entry
from winnowry.erasure.tombstones import ERASED
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace
from winnowry.operators.media.views import SPAN
from winnowry.stages.graph import ARRIVED, LEFT_OUT

_WINDOW = 40
_WINDOWS_A_RECORD = 8
_SHORTEST_ID = 5


@dataclass
class Doomed:
    """The records that leave.

    Attributes:
        ids: their record ids, and those of what was made from them.
        contents: content hashes that were named, or that identify records without an id of their own.
        matched: entries that name a record.
        unmatched: entries that name none: what lands under them later is kept out.
        places: where the landing holds them: URI and 0-based position.
        partitions: partitions that held them.
        undecided: partitions of records that one of them stood for, as the keeper of a group.
        words: passages and source ids that must not be left anywhere.
        rows: how many rows of them, by table and version.
        new_rows: those of records that an unfinished erasure had not found.
        sources: whose ids a name may be.
    """

    ids: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    matched: list[Entry] = field(default_factory=list)
    unmatched: list[Entry] = field(default_factory=list)
    places: set[tuple[str, int]] = field(default_factory=set)
    partitions: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    new_rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    sources: set[str] = field(default_factory=set)


def views(ws: Workspace, corpus: str) -> Iterator[TableView]:
    """The latest and every tagged version of every table that holds records, and candidates that wait or were refused.

    Side rows that are not live are in it too.
    """
    for name in ws.lake.tables(corpus):
        table = ws.lake.table(corpus, name)
        if "record_id" in table.dataset().schema.names:
            versions = {int(table.dataset().version), *ws.lake.tags(corpus, name).values()}
            for version in sorted(versions):
                yield TableView(table.uri, version, table.storage_options, name)
    for record in ws.lake.records(corpus).all():
        if record.state in ("staged", "committing", "rejected"):
            for candidate in record.tables():
                table = ws.lake.table(corpus, candidate.table)
                view = TableView(table.uri, candidate.audit_version, table.storage_options, candidate.table)
                if candidate.fragments and _is_there(view):
                    yield view


def _is_there(view: TableView) -> bool:
    try:
        return "record_id" in view.schema.names
    except (WinnowryError, OSError, ValueError):  # upkeep has removed it
        return False


def resolve(
    ws: Workspace,
    corpus: str,
    *,
    entries: Sequence[Entry] = (),
    where: str | None = None,
    ids: Sequence[str] = (),
    contents: Sequence[str] = (),
) -> Doomed:
    """Find the records that a request is about, and everything that was made from them.

    Args:
        ws: the lake.
        corpus: the corpus.
        entries: names, each once.
        where: an SQL condition, asked of every table that has its columns.
        ids: record ids that an unfinished erasure had found.
        contents: content hashes that it had found.

    Raises:
        UsageError: no table has the columns of the condition, or it cannot be read.
    """
    looked_at = list(views(ws, corpus))
    doomed = Doomed(ids=set(ids), contents=set(contents), sources=_sources(ws, corpus, looked_at))
    _match(ws, looked_at, entries, doomed)
    if where is not None:
        doomed.ids |= _matching(looked_at, where)
    doomed.contents |= {e.digest for e in entries if e.digest is not None and "content" in e.readings}
    _close(looked_at, doomed)
    _describe(looked_at, doomed, frozenset(ids))
    doomed.undecided = _members(ws, corpus, doomed.ids)
    return doomed


def _match(ws: Workspace, looked_at: Sequence[TableView], entries: Sequence[Entry], doomed: Doomed) -> None:
    """Find the records that entries name."""
    by_id: dict[str, list[Entry]] = {}
    by_content: dict[str, list[Entry]] = {}
    by_uri: dict[str, list[Entry]] = {}
    by_place: dict[tuple[str, int], list[Entry]] = {}
    for entry in entries:
        if "record" in entry.readings and entry.digest is not None:
            by_id.setdefault(entry.digest, []).append(entry)
        if "content" in entry.readings and entry.digest is not None:
            by_content.setdefault(entry.digest, []).append(entry)
        if "id" in entry.readings:
            for source in doomed.sources if entry.source is None else (entry.source,):
                by_id.setdefault(record_id(source, mapped_id=entry.value), []).append(entry)
        if "uri" in entry.readings:
            by_uri.setdefault(ws.relative(entry.value), []).append(entry)
            if place := PLACE.fullmatch(entry.value):
                by_place.setdefault((ws.relative(place["uri"]), int(place["position"])), []).append(entry)
    matched: set[Entry] = set()
    names = ("record_id", "content_sha256", "uri", "position", "reason")
    for row in _rows(looked_at, names) if entries else ():
        if row.get("reason") == ERASED:
            continue  # it only counts what was kept out of the table
        named = [*by_id.get(row["record_id"], ()), *by_content.get(row.get("content_sha256") or "", ())]
        if row.get("uri"):
            # Rows of versions before 0.2 say the whole URI.
            uri = ws.relative(row["uri"])
            named += by_uri.get(uri, ())
            named += by_place.get((uri, row["position"]), ()) if row.get("position") is not None else ()
        if named:
            doomed.ids.add(row["record_id"])
            matched.update(named)
    doomed.matched = [entry for entry in entries if entry in matched]
    doomed.unmatched = [entry for entry in entries if entry not in matched]


def _rows(looked_at: Sequence[TableView], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for view in looked_at:
        for batch in view.scan(columns=[name for name in columns if name in view.schema.names]):
            yield from batch.to_pylist()


def _sources(ws: Workspace, corpus: str, looked_at: Sequence[TableView]) -> set[str]:
    """Sources that records may have come from, those of which nothing was taken in as well."""
    sources: set[str] = set()
    landing = [ws.lake.open(corpus, "landing")] if "landing" in ws.lake.tables(corpus) else []
    for view in (*landing, *(view for view in looked_at if view.name == ARRIVED)):
        for batch in view.scan(columns=["source"]):
            sources.update(batch.column(0).unique().to_pylist())
    return sources


def _matching(looked_at: Sequence[TableView], where: str) -> set[str]:
    matching: set[str] = set()
    refusals: list[str] = []
    answered = False
    for view in looked_at:
        try:
            for batch in view.scan(columns=["record_id"], where=where):
                matching.update(batch.column(0).to_pylist())
            answered = True
        except (ValueError, OSError) as error:
            refusals.append(f"{view.name}: {str(error).splitlines()[0][:200]}")
    if not answered:
        raise UsageError(f"--where {where}: no table can answer it. " + "; ".join(dict.fromkeys(refusals)))
    return matching


def _close(looked_at: Sequence[TableView], doomed: Doomed) -> None:
    """Parents, children, and other records of the same id or content, until nothing is added."""
    names = ("record_id", "parent_ids", "content_sha256", "uri", "position", "source", "value", SPAN)
    while True:
        before = len(doomed.ids), len(doomed.contents)
        for row in _rows(looked_at, names):
            _take(row, doomed)
        if before == (len(doomed.ids), len(doomed.contents)):
            return


def _take(row: dict[str, Any], doomed: Doomed) -> None:
    related = {row["record_id"], *(row.get("parent_ids") or ())}
    content = row.get("content_sha256")
    if row.get("value") in doomed.ids:  # an older content of the same record, set aside
        doomed.ids.add(row["record_id"])
    if content in doomed.contents:
        doomed.ids.add(row["record_id"])
    if related & doomed.ids:
        doomed.ids |= related
        # Of a part of a recording the content is that of all its parts, which stay.
        if content and row.get("position") is not None and row.get(SPAN) is None and _by_place(row):
            # Its place may hold another record one day, and it may come back at another place.
            doomed.contents.add(content)


def _members(ws: Workspace, corpus: str, ids: set[str]) -> set[str]:
    """Partitions of the duplicates that one of the records stands for, or that are told to equal it."""
    if LEFT_OUT not in ws.lake.tables(corpus):
        return set()
    names = ["record_id", "partition", "kept_record_id", "twin_record_id"]
    rows = ws.lake.open(corpus, LEFT_OUT).to_table(columns=names).to_pylist()
    return {
        row["partition"]
        for row in rows
        if row["record_id"] not in ids and {row["kept_record_id"], row["twin_record_id"]} & ids
    }


def _by_place(row: dict[str, Any]) -> bool:
    if row.get("position") is None:  # a table after `raw`: that one says it
        return False
    parts = row["uri"].split("/")
    return any(
        record_id(row["source"], path="/".join(parts[at:]), index=row["position"]) == row["record_id"]
        for at in range(len(parts))
    )


def _describe(looked_at: Sequence[TableView], doomed: Doomed, known: frozenset[str]) -> None:
    """Where they lie, and passages, ids and hashes of theirs that no other record has."""
    passages: set[str] = set()
    others: list[pa.Array] = []
    hashes: set[str] = set()
    for view in looked_at:
        body = next((n for n in ("payload", "text") if n in view.schema.names), None)
        readable = body is not None and pa.types.is_large_string(view.schema.field(body).type)
        names = [n for n in ("record_id", "partition", "uri", "position", "source", "content_sha256", "meta")
                 if n in view.schema.names]  # fmt: skip
        for batch in view.scan(columns=[*names, *([body] if body is not None and readable else [])]):
            gone = pa.compute.is_in(batch.column("record_id"), value_set=pa.array(sorted(doomed.ids), pa.string()))
            rest = batch.filter(pa.compute.invert(gone))
            others += [rest.column(name) for name in ("meta", body if readable else None) if name in rest.schema.names]
            if "content_sha256" in names:
                hashes.update(rest.column("content_sha256").to_pylist())
            for row in batch.filter(gone).to_pylist():
                doomed.rows[view.name, view.version] += 1
                doomed.new_rows[view.name, view.version] += row["record_id"] not in known
                _describe_one(row, str(row.get(body) or "") if readable else "", doomed, passages)
    doomed.words -= hashes  # another record has the same content
    for passage in passages:
        if not any(pa.compute.any(pa.compute.match_substring(texts, passage)).as_py() for texts in others):
            doomed.words.add(passage)


def _describe_one(row: dict[str, Any], text: str, doomed: Doomed, passages: set[str]) -> None:
    if "partition" in row:  # judgements have none
        doomed.partitions.add(row["partition"])
    if row.get("uri") and row.get("position") is not None:
        doomed.places.add((row["uri"], row["position"]))
    if row.get("content_sha256"):
        doomed.words.add(row["content_sha256"])
    for value in json.loads(row.get("meta") or "{}").values():
        if (
            record_id(row.get("source", ""), mapped_id=str(value)) == row["record_id"]
            and len(str(value)) >= _SHORTEST_ID
        ):
            passages.add(f'"{value}"')
    windows = [text[at : at + _WINDOW] for at in range(0, len(text), _WINDOW)]
    passages.update([w for w in windows if len(w) == _WINDOW and w.isprintable()][:_WINDOWS_A_RECORD])
