"""Erase records from a corpus: from every version of every table, from what lies beside them, and from what comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from winnowry.core.errors import AccessDeniedError, UsageError
from winnowry.core.formats import to_bytes
from winnowry.erasure.columns import correct_columns, unfinished_columns
from winnowry.erasure.documents import correct_records, decide_again, remove_quoting, write_documents_anew
from winnowry.erasure.proof import prove
from winnowry.erasure.request import Doomed, resolve
from winnowry.erasure.rows import unquoted, without
from winnowry.erasure.takedown import Entry, TakedownList, entry_of
from winnowry.erasure.tombstones import marks_of, read_tombstones, write_tombstones
from winnowry.lakehouse.at_work import alone
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.erasing import purge, rewrite
from winnowry.lakehouse.record import WHOLE_TABLE, new_promotion_id
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.erased import certificate_uri, erasures
from winnowry.storage.noncurrent import Noncurrent, remove_noncurrent


@dataclass(frozen=True)
class Certificate:
    """What an erasure did and proved; of a dry run, what it would do.

    Attributes:
        corpus: the corpus.
        dry_run: nothing was changed.
        records: records that leave, with what was made from them.
        entries: names that were given, each once.
        matched: how many of them name a record; the others are in ``unknown``.
        repeated: how many times a name was given again.
        unread: columns of a takedown list that say nothing of what to erase.
        unknown: names that no table holds; they are kept out all the same.
        already: how many of the unknown ones were erased or kept out before.
        landing: places of the landing that hold them still: ``uri`` and 0-based ``position``.
        tables: rows that the latest version of each table lost.
        files: data files that were written anew, by table.
        releases: rows that each tag loses.
        removed: objects that were removed.
        objects: objects that were decoded for the proof.
        values: values in them.
        hits: objects that still hold something.
        undecoded: objects of unknown kind: nothing is proven of them.
        older_removed: older contents of objects that a bucket with versions kept, removed.
        older_held: those that it keeps all the same, each with until when or why.
        erased_at: when everything was rewritten.
    """

    corpus: str
    dry_run: bool
    records: int
    entries: int = 0
    matched: int = 0
    repeated: int = 0
    unread: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    already: int = 0
    landing: tuple[dict[str, Any], ...] = ()
    tables: dict[str, int] = field(default_factory=dict)
    files: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    releases: dict[str, int] = field(default_factory=dict)
    removed: int = 0
    objects: int = 0
    values: int = 0
    hits: tuple[str, ...] = ()
    undecoded: tuple[str, ...] = ()
    older_removed: int = 0
    older_held: tuple[str, ...] = ()
    erased_at: str | None = None

    @property
    def proven(self) -> bool:
        """Whether every object was decoded and none holds anything, and no older content is left."""
        return not self.hits and not self.undecoded and not self.older_held

    def to_dict(self) -> dict[str, Any]:
        """The certificate as data."""
        return {**asdict(self), "proven": self.proven and not self.dry_run}


_NAMES_RECORDS = ("unknown", "landing", "unread")
"""What a stored certificate leaves out."""


def erase(
    ws: Workspace,
    corpus: str,
    *,
    names: Sequence[str] = (),
    listed: TakedownList | None = None,
    where: str | None = None,
    uri: str | None = None,
    dry_run: bool = True,
) -> Certificate:
    """Erase records; what an earlier call had begun is finished with them.

    Args:
        ws: the lake.
        corpus: the corpus.
        names: record ids, ids of the source, content hashes, landing objects or places.
        listed: names of a file.
        where: an SQL condition on columns of any table.
        uri: a landing object.
        dry_run: only say what would be done.

    Raises:
        NotFoundError: no such corpus.
        UsageError: nothing is named and nothing was begun, or somebody is at work on the corpus.
    """
    ws.lake.check_corpus(corpus)
    entries = [
        *map(entry_of, names),
        *(listed.entries if listed is not None else ()),
        *([Entry(uri, frozenset({"uri"}))] if uri is not None else ()),
    ]
    request = _Request(
        tuple(dict.fromkeys(entries)),
        len(entries) - len(set(entries)) + (listed.repeated if listed is not None else 0),
        listed.unread if listed is not None else (),
        where,
    )
    if dry_run:
        return _Erasure(ws, corpus, request).planned(dry_run=True)
    with alone(ws, corpus, "winnowry erase"):
        return _Erasure(ws, corpus, request).carry_out()


@dataclass(frozen=True)
class _Request:
    """What is to be erased, see :class:`Certificate`."""

    entries: tuple[Entry, ...]
    repeated: int
    unread: tuple[str, ...]
    where: str | None


class _Erasure:
    """An erasure on its way; its document keeps what a later call needs to finish it."""

    def __init__(self, ws: Workspace, corpus: str, request: _Request) -> None:
        self.ws, self.corpus, self.request = ws, corpus, request
        begun = [erasure for erasure in erasures(ws, corpus) if not erasure.finished]
        if not request.entries and request.where is None and not begun:
            raise UsageError("say what to erase: --list FILE, --where SQL or --uri URI")
        self.begun = [erasure.name for erasure in begun]
        self.name = self.begun[0] if begun else str(new_promotion_id())
        documents = [erasure.document for erasure in begun]

        def earlier(key: str) -> set[str]:
            return {item for document in documents for item in document.get(key, ())}

        doomed = resolve(
            ws,
            corpus,
            entries=request.entries,
            where=request.where,
            ids=sorted(earlier("ids")),
            contents=sorted(earlier("contents")),
        )
        doomed.words |= earlier("words")
        doomed.partitions |= earlier("partitions")
        doomed.undecided |= earlier("undecided")
        self.doomed: Doomed = doomed
        self.marks = earlier("marks") | {mark for entry in doomed.unmatched for mark in marks_of(ws, entry)}
        self.words = doomed.words | doomed.ids
        self.tables: Counter[str] = Counter()
        self.files: dict[str, dict[str, list[str]]] = {}
        begun_releases: Counter[str] = Counter()
        for document in documents:
            self.tables.update(document.get("tables", {}))
            begun_releases.update(document.get("releases", {}))
            for table, files in document.get("files", {}).items():
                self.files.setdefault(table, {}).update(files)
        self.releases = dict(begun_releases)
        for tag, version in ws.lake.tags(corpus).items():
            # What had been counted may be gone from the release, or not yet.
            counted_before = begun_releases[tag]
            rows = (doomed.new_rows if counted_before else doomed.rows)["published", version] + counted_before
            if rows:
                self.releases[tag] = rows
        self.erased_at: str | None = None

    def planned(self, *, dry_run: bool) -> Certificate:
        """What is known before anything is changed."""
        doomed, tombstones = self.doomed, read_tombstones(self.ws, self.corpus)
        return Certificate(
            self.corpus,
            dry_run,
            len(doomed.ids),
            entries=len(self.request.entries),
            matched=len(doomed.matched),
            repeated=self.request.repeated,
            unread=self.request.unread,
            unknown=tuple(entry.value for entry in doomed.unmatched),
            already=sum(tombstones.know(self.ws, entry, doomed.sources) for entry in doomed.unmatched),
            landing=tuple({"uri": at, "position": position} for at, position in sorted(doomed.places)),
            releases=dict(sorted(self.releases.items())),
        )

    def carry_out(self) -> Certificate:
        """Erase, and prove it."""
        ws, corpus, doomed = self.ws, self.corpus, self.doomed
        planned = self.planned(dry_run=False)
        self._save()
        write_tombstones(ws, corpus, self.name, doomed.ids, doomed.contents, self.marks)
        barrier.reach("erasure:started")
        self._settle()
        for table in ws.lake.tables(corpus):
            if table != "landing":
                self._rewrite(table)
        removed = len(remove_quoting(ws, corpus, doomed.partitions))
        barrier.reach("erasure:units")
        correct_records(ws, corpus, self.words)
        decide_again(ws, corpus, doomed.undecided, self.name)
        barrier.reach("erasure:records")
        for table in ws.lake.tables(corpus):
            removed += len(purge(ws.lake.table(corpus, table), ws.store, unfinished_columns(ws, corpus, table)))
            correct_columns(ws, corpus, table, self.words)
        barrier.reach("erasure:purged")
        self._seal()
        self.erased_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._save()  # pages say when
        write_documents_anew(ws, corpus)  # also where no release had the record: their pages quote what was left out
        barrier.reach("erasure:documents")
        proof = prove(ws, corpus, self.words)
        older = self._forget_older()
        certificate = replace(
            planned,
            tables=dict(self.tables),
            files=self.files,
            removed=removed,
            objects=proof.objects,
            values=proof.values,
            hits=tuple(proof.hits),
            undecoded=tuple(proof.unknown),
            older_removed=older.removed,
            older_held=older.held,
            erased_at=self.erased_at,
        )
        if certificate.proven:
            self._finish(certificate)
        return certificate

    def _rewrite(self, table: str) -> None:
        doomed = self.doomed
        change = without(doomed.ids)
        if table == "gates":
            change = unquoted(self.words, {*doomed.partitions, WHOLE_TABLE})
        done = rewrite(self.ws.lake.table(self.corpus, table), change)
        if done.rows:
            self.tables[table] += done.rows
        if done.files:
            self.files.setdefault(table, {}).update(done.files)
        if done.rows or done.files:
            self._save()

    def _save(self) -> None:
        """Keep what a later call needs."""
        doomed = self.doomed
        document = {
            "state": "started",
            "ids": sorted(doomed.ids),
            "contents": sorted(doomed.contents),
            "marks": sorted(self.marks),
            "words": sorted(doomed.words),
            "partitions": sorted(doomed.partitions),
            "undecided": sorted(doomed.undecided),
            "tables": self.tables,
            "files": self.files,
            "releases": self.releases,
            "erased_at": self.erased_at,
        }
        self.ws.store.write(certificate_uri(self.ws, self.corpus, self.name), to_bytes("erasure", document))

    def _finish(self, certificate: Certificate) -> None:
        """Leave the certificate in place of what names the records."""
        for other in self.begun:
            if other != self.name:
                self.ws.store.delete(certificate_uri(self.ws, self.corpus, other))
        stored = {key: value for key, value in certificate.to_dict().items() if key not in _NAMES_RECORDS}
        document = to_bytes("erasure", {"state": "finished", **stored})
        self.ws.store.write(certificate_uri(self.ws, self.corpus, self.name), document)
        self._forget_older()  # what this replaced names what was to be erased

    def _settle(self) -> None:
        """Finish what was being committed, give up what was only staged: its files are removed with the others.

        So are those of refused candidates. Where one held such a record, the refusal was of rows that are gone, and the
        next run tries again.
        """
        records = self.ws.lake.records(self.corpus)
        touched = {*self.doomed.partitions, WHOLE_TABLE}
        for record in list(records.all()):
            if record.state == "committing":
                self.ws.lake.promoter(self.corpus).recover(record.stage, record.partition)
            elif record.state == "staged" or (record.state == "rejected" and record.partition in touched):
                records.advance(record, "abandoned")

    def _forget_older(self) -> Noncurrent:
        """Remove the older contents that a bucket with versions keeps; what cannot be looked at counts as held."""
        folder = self.ws.lake.corpus_uri(self.corpus)
        try:
            return remove_noncurrent(self.ws.store, folder)
        except AccessDeniedError as error:
            return Noncurrent(held=(f"{folder}: older versions could not be listed or removed: {error}",))

    def _seal(self) -> None:
        """Seal what was written anew: files, indexes and manifests of the versions that are left."""
        lake, corpus = self.ws.lake, self.corpus
        known = [file for record in lake.records(corpus).all() for file in record.files]
        for table in (lake.table(corpus, other) for other in lake.tables(corpus) if other != "gates"):
            for version in sorted({int(table.dataset().version), *lake.tags(corpus, table.name).values()}):
                lake.seals(corpus).seal_version(table, f"erasure {self.name}", version, known)
