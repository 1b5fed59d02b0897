"""Tombstones: what was erased, as digests, so that ingest keeps it out for ever."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from winnowry.core.formats import from_bytes, to_bytes
from winnowry.lakehouse.workspace import Workspace

logger = logging.getLogger(__name__)

ERASED = "erased"
"""The rule by which ingest sets aside a record that was erased."""


def mark_of(kind: str, value: str) -> str:
    """The digest of an identity: neither the id nor a hash of the content can be read from it.

    >>> len(mark_of("record", "0" * 32))
    64
    """
    return hashlib.sha256(f"winnowry tombstone\x1f{kind}\x1f{value}".encode()).hexdigest()


@dataclass(frozen=True)
class Tombstones:
    """Everything that was erased from a corpus.

    Attributes:
        marks: digests of record ids and of content hashes.
    """

    marks: frozenset[str]

    def hold(self, record_id: str, content_sha256: str | None = None) -> bool:
        """Whether a record of this id, or with this content, was erased."""
        if not self.marks:
            return False
        if mark_of("record", record_id) in self.marks:
            return True
        return content_sha256 is not None and mark_of("content", content_sha256) in self.marks


def _folder(ws: Workspace, corpus: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/tombstones"


def read_tombstones(ws: Workspace, corpus: str) -> Tombstones:
    """The tombstones of a corpus."""
    marks: set[str] = set()
    for info in ws.store.list(f"{_folder(ws, corpus)}/*.json"):
        marks.update(from_bytes("tombstones", info.uri, ws.store.read(info.uri)).content["marks"])
    return Tombstones(frozenset(marks))


def write_tombstones(ws: Workspace, corpus: str, name: str, record_ids: Iterable[str], contents: Iterable[str]) -> None:
    """Keep records out from now on.

    Args:
        ws: the lake.
        corpus: the corpus.
        name: of the erasure.
        record_ids: ids of records.
        contents: content hashes.
    """
    marks = {mark_of("record", item) for item in record_ids} | {mark_of("content", item) for item in contents}
    document = {"marks": sorted(marks)}
    ws.store.write(f"{_folder(ws, corpus)}/{name}.json", to_bytes("tombstones", document))
