"""What is to be erased: ids, hashes, a condition or a landing object, resolved to records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.core.ids import record_id
from winnowry.lakehouse.view import TableView
from winnowry.lakehouse.workspace import Workspace

_RECORD = re.compile(r"[0-9a-f]{32}")
_CONTENT = re.compile(r"[0-9a-f]{64}")
_WINDOW = 40
_WINDOWS_A_RECORD = 8
_SHORTEST_ID = 5


@dataclass
class Doomed:
    """The records that leave.

    Attributes:
        ids: their record ids, and those of what was made from them.
        contents: content hashes that were named, or that identify records without an id of their own.
        unknown: what was named and is in no table; it is kept out all the same.
        places: where the landing holds them: URI and 0-based position.
        partitions: partitions that held them.
        undecided: partitions of records that one of them stood for, as the keeper of a group.
        words: passages and source ids that must not be left anywhere.
    """

    ids: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    places: set[tuple[str, int]] = field(default_factory=set)
    partitions: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


def named_in(text: str) -> list[str]:
    r"""The ids of a file, one a line; empty lines and lines that start with ``#`` are left out.

    >>> named_in("T-1\n\n# asked for on Monday\nT-2\n")
    ['T-1', 'T-2']
    """
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def views(ws: Workspace, corpus: str) -> Iterator[TableView]:
    """The latest and every tagged version of every table that holds records; side rows that are not live too."""
    for name in ws.lake.tables(corpus):
        table = ws.lake.table(corpus, name)
        if "record_id" in table.dataset().schema.names:
            versions = {int(table.dataset().version), *ws.lake.tags(corpus, name).values()}
            for version in sorted(versions):
                yield TableView(table.uri, version, table.storage_options, name)


def resolve(
    ws: Workspace,
    corpus: str,
    *,
    names: Sequence[str] = (),
    where: str | None = None,
    uri: str | None = None,
    ids: Sequence[str] = (),
) -> Doomed:
    """Find the records that a request is about, and everything that was made from them.

    Args:
        ws: the lake.
        corpus: the corpus.
        names: record ids, content hashes (SHA-256) or ids of the source.
        where: an SQL condition, asked of every table that has its columns.
        uri: a landing object.
        ids: record ids that an unfinished erasure had found.

    Raises:
        UsageError: no table has the columns of the condition, or it cannot be read.
    """
    doomed = Doomed(ids=set(ids) | {name for name in names if _RECORD.fullmatch(name)})
    doomed.contents = {name for name in names if _CONTENT.fullmatch(name)}
    own = [name for name in names if not _RECORD.fullmatch(name) and not _CONTENT.fullmatch(name)]
    looked_at = list(views(ws, corpus))
    by_name = {}
    for source in _sources(looked_at):
        by_name.update({record_id(source, mapped_id=name): name for name in own})
    doomed.ids |= set(by_name)
    if where is not None:
        doomed.ids |= _matching(looked_at, where)
    _close(ws, looked_at, doomed, ws.relative(uri) if uri is not None else None)
    _describe(looked_at, doomed)
    doomed.undecided = _members(ws, corpus, doomed.ids)
    held = _present(looked_at)
    known = {by_name[item] for item in set(by_name) & held}
    doomed.unknown = [name for name in names if name not in held and name not in known and name not in doomed.words]
    return doomed


def _sources(looked_at: Sequence[TableView]) -> set[str]:
    sources: set[str] = set()
    for view in looked_at:
        if view.name == "raw":
            for batch in view.scan(columns=["source"]):
                sources.update(batch.column(0).unique().to_pylist())
    return sources


def _present(looked_at: Sequence[TableView]) -> set[str]:
    present: set[str] = set()
    for view in looked_at:
        for batch in view.scan(columns=["record_id"]):
            present.update(batch.column(0).to_pylist())
    return present


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


def _close(ws: Workspace, looked_at: Sequence[TableView], doomed: Doomed, uri: str | None) -> None:
    """Parents, children, and other records of the same id or content, until nothing is added."""
    while True:
        before = len(doomed.ids), len(doomed.contents)
        for view in looked_at:
            names = [n for n in ("record_id", "parent_ids", "content_sha256", "uri", "position", "source", "value")
                     if n in view.schema.names]  # fmt: skip
            for batch in view.scan(columns=names):
                for row in batch.to_pylist():
                    _take(ws, row, doomed, uri)
        if before == (len(doomed.ids), len(doomed.contents)):
            return


def _take(ws: Workspace, row: dict[str, Any], doomed: Doomed, uri: str | None) -> None:
    related = {row["record_id"], *(row.get("parent_ids") or ())}
    content = row.get("content_sha256")
    if row.get("value") in doomed.ids:  # an older content of the same record, set aside
        doomed.ids.add(row["record_id"])
    # Rows of versions before 0.2 say the whole URI.
    lies_there = uri is not None and bool(row.get("uri")) and ws.relative(row["uri"]) == uri
    if lies_there or content in doomed.contents:
        doomed.ids.add(row["record_id"])
    if related & doomed.ids:
        doomed.ids |= related
        if content is not None and _by_place(row):
            # Its place may hold another record one day, and it may come back at another place.
            doomed.contents.add(content)


def _members(ws: Workspace, corpus: str, ids: set[str]) -> set[str]:
    """Partitions of the duplicates that one of the records stands for, or that are told to equal it."""
    if "duplicates" not in ws.lake.tables(corpus):
        return set()
    names = ["record_id", "partition", "kept_record_id", "twin_record_id"]
    rows = ws.lake.open(corpus, "duplicates").to_table(columns=names).to_pylist()
    return {
        row["partition"]
        for row in rows
        if row["record_id"] not in ids and {row["kept_record_id"], row["twin_record_id"]} & ids
    }


def _by_place(row: dict[str, Any]) -> bool:
    parts = row["uri"].split("/")
    return any(
        record_id(row["source"], path="/".join(parts[at:]), index=row["position"]) == row["record_id"]
        for at in range(len(parts))
    )


def _describe(looked_at: Sequence[TableView], doomed: Doomed) -> None:
    """Where they lie, and passages of theirs that no other record has."""
    passages: set[str] = set()
    others: list[pa.Array] = []
    for view in looked_at:
        body = next((n for n in ("payload", "text") if n in view.schema.names), None)
        readable = body is not None and pa.types.is_large_string(view.schema.field(body).type)
        names = [n for n in ("record_id", "partition", "uri", "position", "source", "content_sha256", "meta")
                 if n in view.schema.names]  # fmt: skip
        for batch in view.scan(columns=[*names, *([body] if body is not None and readable else [])]):
            gone = pa.compute.is_in(batch.column("record_id"), value_set=pa.array(sorted(doomed.ids), pa.string()))
            if readable:
                others.append(batch.filter(pa.compute.invert(gone)).column(body))
            for row in batch.filter(gone).to_pylist():
                _describe_one(row, str(row.get(body) or "") if readable else "", doomed, passages)
    for passage in passages:
        if not any(pa.compute.any(pa.compute.match_substring(texts, passage)).as_py() for texts in others):
            doomed.words.add(passage)


def _describe_one(row: dict[str, Any], text: str, doomed: Doomed, passages: set[str]) -> None:
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
            doomed.words.add(f'"{value}"')
    windows = [text[at : at + _WINDOW] for at in range(0, len(text), _WINDOW)]
    passages.update([w for w in windows if len(w) == _WINDOW and w.isprintable()][:_WINDOWS_A_RECORD])
