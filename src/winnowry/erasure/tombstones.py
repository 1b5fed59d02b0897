"""Tombstones: what was erased, as digests, so that ingest keeps it out for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from winnowry.core.formats import from_bytes, to_bytes
from winnowry.core.ids import record_id as make_record_id
from winnowry.erasure.takedown import PLACE, Entry
from winnowry.lakehouse.workspace import Workspace

ERASED = "erased"
"""The rule by which ingest sets aside a record that was erased."""

Kind = Literal["record", "content", "id", "uri", "place"]


def mark_of(kind: Kind, value: str) -> str:
    """The digest of an identity: neither the id nor a hash of the content can be read from it.

    >>> len(mark_of("record", "0" * 32))
    64
    """
    return hashlib.sha256(f"winnowry tombstone\x1f{kind}\x1f{value}".encode("utf-8", "surrogatepass")).hexdigest()


def marks_of(ws: Workspace, entry: Entry) -> set[str]:
    """What keeps out whatever lands under a name.

    Args:
        ws: the lake, which places are relative to.
        entry: the name.
    """
    marks = set()
    if "record" in entry.readings and entry.digest is not None:
        marks.add(mark_of("record", entry.digest))
    if "content" in entry.readings and entry.digest is not None:
        marks.add(mark_of("content", entry.digest))
    if "id" in entry.readings and entry.source is not None:
        marks.add(mark_of("record", make_record_id(entry.source, mapped_id=entry.value)))
    elif "id" in entry.readings:
        marks.add(mark_of("id", entry.value))
    if "uri" in entry.readings:
        marks.add(mark_of("uri", ws.relative(entry.value)))
        if place := PLACE.fullmatch(entry.value):
            marks.add(mark_of("place", f"{ws.relative(place['uri'])}:{int(place['position'])}"))
    return marks


@dataclass(frozen=True)
class Tombstones:
    """Everything that was erased from a corpus.

    Attributes:
        marks: digests of record ids, content hashes, ids of sources and places, each with the erasure's name.
    """

    marks: Mapping[str, str] = field(default_factory=dict)

    def erasure_of(
        self,
        record_id: str,
        content_sha256: str | None = None,
        *,
        source_id: str | None = None,
        uri: str | None = None,
        position: int | None = None,
    ) -> str | None:
        """The erasure that keeps a record out: its id, its content, the id that its source gave it or its place.

        Args:
            record_id: its id.
            content_sha256: SHA-256 of its content.
            source_id: what its source calls it.
            uri: the landing object that it lies in, as the lake stores it.
            position: its 0-based place there.
        """
        if not self.marks:
            return None
        identities: list[tuple[Kind, str | None]] = [
            ("record", record_id),
            ("content", content_sha256),
            ("id", source_id),
            ("uri", uri),
            ("place", None if uri is None or position is None else f"{uri}:{position}"),
        ]
        for kind, value in identities:
            if value and (name := self.marks.get(mark_of(kind, value))) is not None:
                return name
        return None

    def hold(
        self,
        record_id: str,
        content_sha256: str | None = None,
        *,
        source_id: str | None = None,
        uri: str | None = None,
        position: int | None = None,
    ) -> bool:
        """Whether a record was erased, see :meth:`erasure_of`."""
        erasure = self.erasure_of(record_id, content_sha256, source_id=source_id, uri=uri, position=position)
        return erasure is not None

    def know(self, ws: Workspace, entry: Entry, sources: Iterable[str]) -> bool:
        """Whether something was erased, or is kept out, under a name.

        Args:
            ws: the lake.
            entry: the name.
            sources: whose ids it may be.
        """
        marks = marks_of(ws, entry)
        if "id" in entry.readings and entry.source is None:
            marks |= {mark_of("record", make_record_id(source, mapped_id=entry.value)) for source in sources}
        return not marks.isdisjoint(self.marks)


def _folder(ws: Workspace, corpus: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/tombstones"


def read_tombstones(ws: Workspace, corpus: str) -> Tombstones:
    """The tombstones of a corpus."""
    marks: dict[str, str] = {}
    for info in ws.store.list(f"{_folder(ws, corpus)}/*.json"):
        name = info.uri.rsplit("/", 1)[1].removesuffix(".json")
        for mark in from_bytes("tombstones", info.uri, ws.store.read(info.uri)).content["marks"]:
            marks.setdefault(mark, name)
    return Tombstones(marks)


def write_tombstones(
    ws: Workspace, corpus: str, name: str, record_ids: Iterable[str], contents: Iterable[str], marks: Iterable[str] = ()
) -> None:
    """Keep records out from now on.

    Args:
        ws: the lake.
        corpus: the corpus.
        name: of the erasure.
        record_ids: ids of records.
        contents: content hashes.
        marks: of names under which nothing lies yet, see :func:`marks_of`.
    """
    every = {mark_of("record", item) for item in record_ids} | {mark_of("content", item) for item in contents}
    document = {"marks": sorted({*every, *marks})}
    ws.store.write(f"{_folder(ws, corpus)}/{name}.json", to_bytes("tombstones", document))
