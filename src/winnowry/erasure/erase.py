"""Erase records from a corpus: from every version of every table, from what lies beside them, and from what comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from winnowry.columns.definitions import Definitions
from winnowry.core.errors import AccessDeniedError, UsageError
from winnowry.core.formats import from_bytes, to_bytes
from winnowry.erasure.documents import correct_records, decide_again, remove_quoting, write_documents_anew
from winnowry.erasure.proof import prove
from winnowry.erasure.request import Doomed, resolve
from winnowry.erasure.rows import unquoted, without
from winnowry.erasure.tombstones import read_tombstones, write_tombstones
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.erasing import purge, rewrite
from winnowry.lakehouse.record import new_promotion_id
from winnowry.lakehouse.workspace import Workspace
from winnowry.storage.noncurrent import Noncurrent, remove_noncurrent


@dataclass(frozen=True)
class Certificate:
    """What an erasure did and proved; of a dry run, what it would do.

    Attributes:
        corpus: the corpus.
        dry_run: nothing was changed.
        records: records that leave, with what was made from them.
        unknown: names that no table holds; they are kept out all the same.
        already: how many of the unknown ones were erased before.
        landing: places of the landing that hold them still: ``uri`` and 0-based ``position``.
        tables: rows that the latest version of each table lost.
        files: data files that were written anew, by table.
        releases: rows that each tag lost.
        removed: objects that were removed.
        objects: objects that were decoded for the proof.
        values: values in them.
        hits: objects that still hold something.
        undecoded: objects of unknown kind: nothing is proven of them.
        older_removed: older contents of objects that a bucket with versions kept, removed.
        older_held: those that it keeps all the same, each with until when or why.
        erased_at: when it was finished.
    """

    corpus: str
    dry_run: bool
    records: int
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


def erase(
    ws: Workspace,
    corpus: str,
    *,
    names: Sequence[str] = (),
    where: str | None = None,
    uri: str | None = None,
    dry_run: bool = True,
) -> Certificate:
    """Erase records; what an earlier call had begun is finished with them.

    Args:
        ws: the lake.
        corpus: the corpus.
        names: record ids, ids of the source, or content hashes.
        where: an SQL condition on columns of any table.
        uri: a landing object.
        dry_run: only say what would be done.

    Raises:
        NotFoundError: no such corpus.
        UsageError: nothing is named and nothing was begun.
    """
    ws.lake.check_corpus(corpus)
    begun = _unfinished(ws, corpus)
    if not names and where is None and uri is None and not begun:
        raise UsageError("say what to erase: --ids FILE, --where SQL or --uri URI")
    known = [item for _, document in begun for item in document["ids"]]
    doomed = resolve(ws, corpus, names=names, where=where, uri=uri, ids=known)
    doomed.contents.update(item for _, document in begun for item in document["contents"])
    doomed.words.update(item for _, document in begun for item in document["words"])
    doomed.partitions.update(item for _, document in begun for item in document["partitions"])
    doomed.undecided.update(item for _, document in begun for item in document["undecided"])
    words = doomed.words | doomed.ids
    tombstones = read_tombstones(ws, corpus)
    already = sum(tombstones.hold(name, name) for name in doomed.unknown)
    places = tuple({"uri": at, "position": position} for at, position in sorted(doomed.places))
    planned = Certificate(
        corpus, dry_run, len(doomed.ids), unknown=tuple(doomed.unknown), already=already, landing=places
    )
    if dry_run:
        return planned
    name = begun[0][0] if begun else str(new_promotion_id())
    _save(ws, corpus, name, doomed, "started")
    write_tombstones(ws, corpus, name, doomed.ids, doomed.contents)
    barrier.reach("erasure:started")
    _settle(ws, corpus)
    tables, files, releases, removed = {}, {}, {}, 0
    for table in ws.lake.tables(corpus):
        if table == "landing":
            continue
        change = unquoted(words, {*doomed.partitions, "__all__"}) if table == "gates" else without(doomed.ids)
        done = rewrite(ws.lake.table(corpus, table), change)
        tables.update({table: done.rows} if done.rows else {})
        files.update({table: done.files} if done.files else {})
        releases.update(done.tags if table == "published" else {})
    removed += len(remove_quoting(ws, corpus, doomed.partitions))
    barrier.reach("erasure:units")
    correct_records(ws, corpus, words)
    decide_again(ws, corpus, doomed.undecided, name)
    barrier.reach("erasure:records")
    for table in ws.lake.tables(corpus):
        column_files = _files_of_columns(ws, corpus, table)
        removed += len(purge(ws.lake.table(corpus, table), ws.store, column_files))
    barrier.reach("erasure:purged")
    _seal(ws, corpus, name)
    write_documents_anew(ws, corpus)  # also where no release had the record: their pages quote what was left out
    barrier.reach("erasure:documents")
    proof = prove(ws, corpus, words)
    older = _forget_older(ws, corpus)
    erased_at = datetime.now(UTC).isoformat(timespec="seconds")
    certificate = Certificate(
        corpus, False, len(doomed.ids), tuple(doomed.unknown), already, places, tables, files, releases, removed,
        proof.objects, proof.values, tuple(proof.hits), tuple(proof.unknown), older.removed, older.held, erased_at,
    )  # fmt: skip
    if certificate.proven:
        for other, _ in begun:
            if other != name:
                ws.store.delete(_uri(ws, corpus, other))
        kept_facts = {key: value for key, value in certificate.to_dict().items() if key not in ("unknown", "landing")}
        ws.store.write(_uri(ws, corpus, name), to_bytes("erasure", {"state": "finished", **kept_facts}))
        _forget_older(ws, corpus)  # what this replaced names what was to be erased
    return certificate


def _uri(ws: Workspace, corpus: str, name: str) -> str:
    return f"{ws.lake.corpus_uri(corpus)}/erasures/{name}.json"


def _save(ws: Workspace, corpus: str, name: str, doomed: Doomed, state: str) -> None:
    document = {
        "state": state,
        "ids": sorted(doomed.ids),
        "contents": sorted(doomed.contents),
        "words": sorted(doomed.words),
        "partitions": sorted(doomed.partitions),
        "undecided": sorted(doomed.undecided),
    }
    ws.store.write(_uri(ws, corpus, name), to_bytes("erasure", document))


def _unfinished(ws: Workspace, corpus: str) -> list[tuple[str, dict[str, Any]]]:
    begun = []
    for info in ws.store.list(f"{ws.lake.corpus_uri(corpus)}/erasures/*.json"):
        document = from_bytes("erasure", info.uri, ws.store.read(info.uri)).content
        if document["state"] == "started":
            begun.append((info.uri.rsplit("/", 1)[1].removesuffix(".json"), document))
    return begun


def _settle(ws: Workspace, corpus: str) -> None:
    """Finish what was being committed, give up what was only staged: its files are removed with the others."""
    records = ws.lake.records(corpus)
    for record in list(records.all()):
        if record.state == "committing":
            ws.lake.promoter(corpus).recover(record.stage, record.partition)
        elif record.state == "staged":
            records.advance(record, "abandoned")


def _forget_older(ws: Workspace, corpus: str) -> Noncurrent:
    """Remove the older contents that a bucket with versions keeps; what cannot be looked at counts as held."""
    folder = ws.lake.corpus_uri(corpus)
    try:
        return remove_noncurrent(ws.store, folder)
    except AccessDeniedError as error:
        return Noncurrent(held=(f"{folder}: older versions could not be listed or removed: {error}",))


def _seal(ws: Workspace, corpus: str, name: str) -> None:
    """Seal what was written anew: files, indexes and manifests of the versions that are left."""
    known = [file for record in ws.lake.records(corpus).all() for file in record.files]
    for table in (ws.lake.table(corpus, other) for other in ws.lake.tables(corpus) if other != "gates"):
        for version in sorted({int(table.dataset().version), *ws.lake.tags(corpus, table.name).values()}):
            ws.lake.seals(corpus).seal_version(table, f"erasure {name}", version, known)


def _files_of_columns(ws: Workspace, corpus: str, table: str) -> set[str]:
    definitions = Definitions(ws, corpus)
    return {
        file.path
        for column in definitions.of(table)
        if column.state != "live"
        for file in definitions.files(column.spec).values()
    }
