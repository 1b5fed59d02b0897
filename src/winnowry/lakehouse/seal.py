"""Seals: size and digest of every file that was written, so that a damaged one is known by name.

A promotion keeps those of its files in its record. What is written without a promotion (merged fragments, columns,
indexes, the manifest of a release) is sealed by a small document of its own, ``<corpus>/seals/<table>/<id>.json``. The
inventory of a corpus is the union of both. A file is sealed before a commit names it: one that is named and not sealed
came from somewhere else, or from a version of winnowry that sealed nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from winnowry.core.errors import NotFoundError, TableFormatError
from winnowry.core.formats import from_bytes, made_from, to_bytes
from winnowry.core.row_bytes import row_bytes
from winnowry.lakehouse.durable import settle
from winnowry.lakehouse.record import CandidateTable, PromotionRecord, new_promotion_id
from winnowry.lakehouse.table import Table
from winnowry.storage.checksums import Checksum, checksum
from winnowry.storage.objects import ObjectStore

Sealed = dict[str, tuple[int, str]]
"""Size and digest by name below the corpus folder, e.g. ``raw.lance/data/….lance``."""

_BATCH_ROWS, _BATCH_BYTES = 1024, 64 << 20
_NOT_OF_THE_ROW = frozenset({"promotion_id", "ingested_at"})  # the same record has others when it is made again
_DELETIONS = {"ARRAY": "arrow", "BITMAP": "bin"}


class RowDigest:
    """Digest of rows in the order in which they are written, however they come in batches.

    SHA-256 of the Arrow IPC stream of the rows in batches of 1,024, or fewer: a batch ends with the row in which its
    strings and binaries reach 64 MiB. Which promotion wrote a row, and when, does not count.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows."""
        self._waiting.append(batch.select([name for name in batch.schema.names if name not in _NOT_OF_THE_ROW]))
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _BATCH_ROWS or self._bytes >= _BATCH_BYTES:
            self._take_in(last=False)

    def hexdigest(self) -> str:
        """The digest of all rows so far."""
        if self._rows:
            self._take_in(last=True)
        return self._digest.hexdigest()

    def _take_in(self, *, last: bool) -> None:
        rows = pa.Table.from_batches(self._waiting)
        ends = np.cumsum(np.concatenate([row_bytes(batch) for batch in self._waiting]))
        at, begin = 0, 0
        while at < rows.num_rows:
            n = min(_BATCH_ROWS, int(np.searchsorted(ends, begin + _BATCH_BYTES)) - at + 1)
            if n > rows.num_rows - at:  # rows that come later belong to this batch
                if not last:
                    break
                n = rows.num_rows - at
            piece = pa.concat_batches(rows.slice(at, n).to_batches())
            if n < _BATCH_ROWS:  # copied: the last byte of a bitmap would hold bits of rows beside these
                piece = piece.take(pa.array(range(n), pa.int32()))
            self._digest.update(memoryview(piece.serialize()))
            at, begin = at + n, int(ends[at + n - 1])
        rest = rows.slice(at)
        self._waiting = rest.to_batches() if rest.num_rows else []
        self._rows, self._bytes = rest.num_rows, rest.nbytes


def seal_files(store: ObjectStore, corpus_uri: str, names: Iterable[str]) -> Sealed:
    """Size and digest of files.

    Args:
        store: where they lie.
        corpus_uri: folder of the corpus.
        names: their names below it.
    """
    sums = {name: checksum(store, f"{corpus_uri}/{name}") for name in sorted(set(names))}
    return {name: (one.size, one.digest) for name, one in sums.items()}


def files_of_candidates(store: ObjectStore, corpus_uri: str, candidates: Iterable[CandidateTable]) -> list[str]:
    """Names of the files of staged tables: data, deletions, and the detached versions that gates and releases need."""
    names: list[str] = []
    for candidate in candidates:
        folder = f"{candidate.table}.lance"
        if not (candidate.fragments or candidate.updated):
            continue
        names += [name for fragment in candidate.fragments for name in data_files(store, corpus_uri, folder, fragment)]
        names += [deletions for fragment in candidate.updated if (deletions := _deletion_file(folder, fragment))]
        versions = f"{folder}/_versions/d{candidate.detached_version}.manifest"
        if store.exists(f"{corpus_uri}/{versions}"):
            names.append(versions)
    return names


def data_files(store: ObjectStore, corpus_uri: str, folder: str, fragment: Mapping[str, Any]) -> Iterator[str]:
    """Data files of a fragment, and what lies beside them: contents of large objects have files of their own."""
    for file in fragment["files"]:
        name = f"{folder}/data/{file['path']}"
        yield name
        beside = f"{corpus_uri}/{name.removesuffix('.lance')}"
        yield from (info.uri.removeprefix(f"{corpus_uri}/") for info in store.list(f"{beside}/**"))


def _deletion_file(folder: str, fragment: Mapping[str, Any]) -> str | None:
    file = fragment.get("deletion_file")
    if not file:
        return None
    kind = _DELETIONS.get(str(file["file_type"]).upper(), "bin")
    return f"{folder}/_deletions/{fragment['id']}-{file['read_version']}-{file['id']}.{kind}"


class SealStore:
    """Seals of one corpus.

    Args:
        store: object store of the root.
        corpus_uri: folder of the corpus.
    """

    def __init__(self, store: ObjectStore, corpus_uri: str) -> None:
        self._store, self._corpus_uri = store, corpus_uri

    def seal(self, table: str, what: str, names: Iterable[str]) -> None:
        """Seal files that no promotion wrote; nothing happens without any.

        Args:
            table: the table they belong to.
            what: why they were written, in words.
            names: their names below the corpus folder.
        """
        settle(f"{self._corpus_uri}/{table}.lance")
        files = seal_files(self._store, self._corpus_uri, names)
        if files:
            body = to_bytes("seal", {"table": table, "what": what, "files": files})
            self._store.write(f"{self._corpus_uri}/seals/{table}/{new_promotion_id()}.json", body)

    def of(self, table: str, *, readable: bool = False) -> Sealed:
        """What the documents seal of a table; a later one wins.

        Args:
            table: the table.
            readable: pass over documents that cannot be read: doctor and verify name them.

        Raises:
            TableFormatError: a document is damaged, or of a newer format.
        """
        files: Sealed = {}
        for info in self._store.list(f"{self._corpus_uri}/seals/{table}/*.json"):
            try:
                files |= self._read(info.uri)
            except TableFormatError:
                if not readable:
                    raise
        return files

    def _read(self, uri: str) -> Sealed:
        stored = from_bytes("seal", uri, self._store.read(uri)).content["files"]
        with made_from("seal", uri):
            return {name: (int(size), str(digest)) for name, (size, digest) in stored.items()}

    def remove_spent(self, table: str, before: datetime) -> None:
        """Remove documents none of whose files is there any more: upkeep has removed them.

        A file that is lost and that a version still names is found by its name, with and without its seal.

        Args:
            table: the table.
            before: documents written later stay, UTC.
        """
        infos = list(self._store.list(f"{self._corpus_uri}/seals/{table}/*.json"))
        old = [info for info in infos if info.modified_at < before]
        if not old:
            return
        prefix = f"{self._corpus_uri}/"
        there = {info.uri.removeprefix(prefix) for info in self._store.list(f"{prefix}{table}.lance/**")}
        for info in old:
            try:
                files = self._read(info.uri)
            except TableFormatError:
                continue
            if there.isdisjoint(files):
                self._store.delete(info.uri)

    def seal_indexes(self, table: Table, what: str) -> None:
        """Seal the indexes of a table that no document seals yet."""
        names = index_files(self._store, self._corpus_uri, table, table.dataset())
        self.seal(table.name, what, set(names) - self.of(table.name, readable=True).keys())

    def seal_version(self, table: Table, what: str, version: int, known: Iterable[str]) -> None:
        """Seal a version: its manifest, and what it names and nothing seals yet.

        Args:
            table: the table.
            what: why it was written, in words.
            version: the version.
            known: names of files that promotions have sealed.
        """
        dataset = table.dataset(version)
        names = {
            f"{table.name}.lance/data/{file.path}" for part in dataset.get_fragments() for file in part.data_files()
        }
        names |= set(index_files(self._store, self._corpus_uri, table, dataset))
        names -= self.of(table.name, readable=True).keys() | set(known)
        # Anew, if it takes the place of a lost one that had its name.
        self.seal(table.name, what, names | {manifest_name(self._store, table, version)})


def index_files(store: ObjectStore, corpus_uri: str, table: Table, dataset: Any) -> list[str]:
    """Names of the files of a version's indexes."""
    segments = {segment.uuid for index in dataset.describe_indices() for segment in index.segments}
    return [
        info.uri.removeprefix(f"{corpus_uri}/")
        for segment in sorted(segments)
        for info in store.list(f"{table.uri}/_indices/{segment}/*")
    ]


def manifest_name(store: ObjectStore, table: Table, version: int) -> str:
    """Name of a version's manifest below the corpus folder; of either way in which Lance has named them."""
    names = [f"{(1 << 64) - 1 - version:020d}", str(version), f"d{version}"]
    folder = f"{table.name}.lance/_versions"
    there = (name for name in names if store.exists(f"{table.uri}/_versions/{name}.manifest"))
    return f"{folder}/{next(there, names[0])}.manifest"


def sealed_files(
    store: ObjectStore, corpus_uri: str, records: Iterable[PromotionRecord], *, readable: bool = False
) -> dict[str, Checksum]:
    """The inventory of a corpus: every file that a promotion or a document has sealed.

    Args:
        store: where they lie.
        corpus_uri: folder of the corpus.
        records: the promotions.
        readable: pass over documents that cannot be read.

    Raises:
        TableFormatError: a document is damaged, or of a newer format.
    """
    files: dict[str, Checksum] = {}
    for record in records:
        files |= {name: Checksum(int(size), str(digest)) for name, (size, digest) in record.files.items()}
    seals = SealStore(store, corpus_uri)
    for folder in store.folders(f"{corpus_uri}/seals"):
        files |= {name: Checksum(*entry) for name, entry in seals.of(folder, readable=readable).items()}
    return files


def damaged_files(
    store: ObjectStore, corpus_uri: str, sealed: Mapping[str, Checksum], names: Iterable[str]
) -> list[str]:
    """Those of some files that do not hold what was sealed, each with what is wrong; others are passed over."""
    wrong = []
    for name in sorted(names):
        if name not in sealed:
            continue
        try:
            now = checksum(store, f"{corpus_uri}/{name}")
        except NotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if now.size != sealed[name].size:
            wrong.append(f"{name} has {now.size:,} bytes and not {sealed[name].size:,}")
        elif now.kind == sealed[name].kind and now != sealed[name]:
            wrong.append(f"{name} holds other bytes than were written")
    return wrong
