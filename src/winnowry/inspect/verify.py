"""Is everything there that was written, and is it what was written? Compares files with their seals.

What is walked: the latest version of every table and every version that a tag is on, the files they name, and every
sealed file that is there. What old versions without a tag name is history, and goes with upkeep. Bytes outside the lake
that ``raw`` and releases refer to are compared with the hashes of their rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from winnowry.core.errors import WinnowryError
from winnowry.core.numbers import counted
from winnowry.core.progress import NoProgress, Progress
from winnowry.inspect.documents import damaged_documents
from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.references import ChangedObject, changed_objects
from winnowry.lakehouse.seal import manifest_name, sealed_files
from winnowry.lakehouse.table import Owner, Table
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.tags import NUMBERED
from winnowry.storage.checksums import Checksum, StatesChecksums, checksum

Depth = Literal["sizes", "checksums", "contents"]
"""What files were compared by: their size; what the store says it holds; their bytes, read back."""

Fault = Literal["missing", "size", "content", "not sealed", "lost rows", "lost version", "unreadable"]

READ_UNASKED_BYTES = 64 << 30
"""A folder with so many sealed bytes, or fewer, is read back without being asked for: about a minute of work."""

HISTORY = "only older versions name it, which no tag is on: winnowry verify --repair removes it"
"""What to do about a damaged file that nobody reads."""

_REFERENCE = (
    "put the object back as it was; `winnowry run` reads what lies there now, and a release that is out stays as it is"
)
_WHOLE = WHOLE_TABLE
_PUBLISHED = "published"
_TAG = "winnowry verify --repair puts the tag on the version that the gates judged, where that is there"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        corpus: the corpus.
        table: the table.
        fault: ``missing``, another ``size`` or ``content``, named by a manifest and ``not sealed``, ``lost rows`` of a
            promotion, a ``lost version`` of a tag, or ``unreadable``.
        name: the file below the corpus folder; a tag; a stage with its partition; the URI of what rows refer to.
        message: what was found, and what was expected.
        releases: releases that it touches.
        stage: stage whose rows it holds; None where that is not known.
        partition: their partition.
        repair: what to do.
    """

    corpus: str
    table: str
    fault: Fault
    name: str
    message: str
    releases: tuple[str, ...] = ()
    stage: str | None = None
    partition: str | None = None
    repair: str = ""


@dataclass(frozen=True)
class Repaired:
    """What ``--repair`` did about a stage's partition, an index or a tag.

    Attributes:
        what: what was made again.
        done: whether it was.
        message: how; where it was not, why.
        promotion_id: of the new promotion.
        same_rows: whether its rows are those that were there before; None where no digest tells.
    """

    corpus: str
    what: str
    done: bool
    message: str
    promotion_id: str | None = None
    same_rows: bool | None = None


@dataclass(frozen=True)
class Verification:
    """What was compared, and what was found.

    Attributes:
        root: the lake.
        depth: what files were compared by.
        files: sealed files that are there.
        bytes: their size.
        bytes_read: bytes that were read back.
        not_sealed: files that tables name and that nothing has sealed: of older versions, and of the history of gates.
        not_compared: sealed files of which only the size was compared, though more was asked for: the store states no
            checksum that reading them gives.
        findings: what is not as it was written.
        repaired: what was done about it.
    """

    root: str
    depth: Depth
    corpora: tuple[str, ...]
    files: int = 0
    bytes: int = 0
    bytes_read: int = 0
    not_sealed: int = 0
    not_compared: int = 0
    findings: tuple[Finding, ...] = ()
    repaired: tuple[Repaired, ...] = ()
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """The verification as JSON-serialisable data."""
        return {**asdict(self), "sound": self.sound}


def verify(
    ws: Workspace, corpora: Sequence[str] = (), *, depth: Depth | None = None, progress: Progress | None = None
) -> Verification:
    """Compare the files of corpora with their seals.

    Args:
        ws: the lake.
        corpora: only these; all when empty.
        depth: what to compare; None: contents of a folder of at most 64 GiB, the sizes of a larger one, and of a bucket
            the checksums that it states.
        progress: told about files.

    Raises:
        NotFoundError: no such corpus.
    """
    for corpus in corpora:
        ws.lake.check_corpus(corpus)
    started = time.perf_counter()
    walks = [_Walk(ws, corpus) for corpus in corpora or ws.lake.corpora()]
    sealed_bytes = sum(walk.sealed_bytes for walk in walks)
    chosen = depth if depth is not None else _depth(ws, sealed_bytes)
    reporter = progress if progress is not None else NoProgress()
    reporter.start("verify", None, sum(len(walk.sealed) for walk in walks))
    findings: list[Finding] = []
    for walk in walks:
        findings += walk.findings(chosen, reporter)
    return Verification(
        ws.root,
        chosen,
        tuple(walk.corpus for walk in walks),
        files=sum(len(walk.present) for walk in walks),
        bytes=sealed_bytes,
        bytes_read=sum(walk.bytes_read for walk in walks),
        not_sealed=sum(walk.not_sealed for walk in walks),
        not_compared=sum(walk.not_compared for walk in walks),
        findings=tuple(findings),
        seconds=time.perf_counter() - started,
    )


def _depth(ws: Workspace, sealed_bytes: int) -> Depth:
    if isinstance(ws.store.at(ws.root), StatesChecksums):
        return "checksums"
    return "contents" if sealed_bytes <= READ_UNASKED_BYTES else "sizes"


@dataclass
class _Named:
    """Who names a file."""

    what: str
    size: int | None
    owner: str | None
    stage: str | None
    partition: str | None
    latest: bool = False
    tags: list[str] = field(default_factory=list)


class _Walk:
    """One corpus: what is sealed, what is there, and what its tables name."""

    def __init__(self, ws: Workspace, corpus: str) -> None:
        self.ws, self.corpus = ws, corpus
        self.base = ws.lake.corpus_uri(corpus)
        self.records: dict[str, PromotionRecord] = {}
        for _, record in ws.lake.records(corpus).readable():
            if isinstance(record, PromotionRecord):
                self.records[record.id] = record
        self.sealed: dict[str, Checksum] = sealed_files(ws.store, self.base, self.records.values(), readable=True)
        self._writers: dict[str, dict[str, str]] = {}
        self._in_folder: dict[str, list[str]] = {}
        self.there = {
            info.uri.removeprefix(f"{self.base}/"): info.size for info in ws.store.list(f"{self.base}/*.lance/**")
        }
        for name in self.sealed.keys() | self.there.keys():
            self._in_folder.setdefault(name.rpartition("/")[0], []).append(name)
        self.present = sorted(self.sealed.keys() & self.there.keys())
        self.sealed_bytes = sum(self.sealed[name].size for name in self.present)
        self.bytes_read = self.not_sealed = self.not_compared = 0
        self.named: dict[str, _Named] = {}
        self.referring: list[tuple[Table, Any, str | None]] = []

    def findings(self, depth: Depth, progress: Progress) -> Iterator[Finding]:
        """Everything that is not as it was written, table by table; then what the records promise."""
        yield from self._documents()
        for name in self.ws.lake.table_folders(self.corpus):
            yield from self._table(self.ws.lake.table(self.corpus, name))
        wrong = dict(self._compared(depth, progress))
        for name, named in sorted(self.named.items()):
            if name not in self.there:
                yield self._finding(name, "missing", f"{named.what} is not there")
            elif name in wrong:
                continue
            elif name not in self.sealed:
                if named.size is not None and named.size != self.there[name]:
                    message = f"has {self.there[name]:,} bytes, and its manifest says {named.size:,}"
                    yield self._finding(name, "size", message)
                elif named.owner is not None and self._seals(named.owner):
                    message = "is named by the table, and the promotion that its rows name has not sealed it"
                    yield self._finding(name, "not sealed", message)
                else:
                    self.not_sealed += 1
        for name, (fault, message) in sorted(wrong.items()):
            yield self._finding(name, fault, message)
        yield from self._references(read=depth == "contents")
        yield from self._promises()

    def _documents(self) -> Iterator[Finding]:
        """Files beside the tables that are damaged or gone."""
        for document in damaged_documents(self.ws, self.corpus):
            folder, *below = document.name.split("/")
            stage = below[0] if folder == "promotions" else None
            fault: Fault = "missing" if document.is_gone else "unreadable"
            yield Finding(self.corpus, stage or folder, fault, document.name, document.message, (), stage)
        for tag in self._missing_tags():
            name = f"{_PUBLISHED}.lance/_refs/tags/{tag}.json"
            touched = (tag,) if NUMBERED.fullmatch(tag) else ()
            message = f"the tag {tag} is gone"
            repair = "winnowry run makes it again"
            yield Finding(self.corpus, _PUBLISHED, "missing", name, message, touched, repair=repair)

    def _missing_tags(self) -> list[str]:
        try:
            return self.ws.lake.missing_tags(self.corpus)
        except (WinnowryError, OSError, ValueError):
            return []  # what cannot be read is named by itself

    def _references(self, *, read: bool) -> Iterator[Finding]:
        """Objects outside the lake that are not what rows refer to."""
        by_object: dict[tuple[str, str], list[tuple[ChangedObject, str | None]]] = {}
        known: dict[tuple[str, int, int, str], bool] = {}
        for table, dataset, tag in self.referring:
            for changed in changed_objects(self.ws.store, dataset, read=read, known=known):
                by_object.setdefault((table.name, changed.uri), []).append((changed, tag))
        for (table_name, uri), held in sorted(by_object.items()):
            changed = held[0][0]
            tags = sorted({tag for _, tag in held if tag is not None and NUMBERED.fullmatch(tag)})
            n_rows = max(one.rows for one, _ in held)
            what = "is gone" if changed.gone else "holds other bytes than were read"
            message = (
                f"{what}, and {counted(n_rows, 'row')} of {table_name} {'refer' if n_rows != 1 else 'refers'} to it"
            )
            fault: Fault = "missing" if changed.gone else "content"
            yield Finding(self.corpus, table_name, fault, uri, message, tuple(tags), repair=_REFERENCE)

    def _seals(self, promotion_id: str) -> bool:
        record = self.records.get(promotion_id)
        return record is not None and bool(record.files)

    def _compared(self, depth: Depth, progress: Progress) -> Iterator[tuple[str, tuple[Fault, str]]]:
        for name in self.present:
            sealed, size = self.sealed[name], self.there[name]
            if size != sealed.size:
                yield name, ("size", f"has {size:,} bytes, and {sealed.size:,} were written")
            elif depth != "sizes":
                now = self._now(name, sealed, depth)
                if now is not None and now != sealed:
                    yield name, ("content", f"holds other bytes than were written (its size, {size:,}, is the same)")
            progress.advance(1)

    def _now(self, name: str, sealed: Checksum, depth: Depth) -> Checksum | None:
        """What a file holds now; None where that cannot be compared with its seal."""
        uri = f"{self.base}/{name}"
        if depth == "checksums" and isinstance(self.ws.store.at(self.ws.root), StatesChecksums):
            stated = checksum(self.ws.store, uri)
            if stated.kind == sealed.kind:
                return stated
            self.not_compared += 1
            return None
        if not sealed.is_of_content:
            self.not_compared += 1
            return None
        self.bytes_read += sealed.size
        return checksum(self.ws.store, uri, read=True)

    def _table(self, table: Table) -> Iterator[Finding]:
        """Note what a table names; what of it does not open is found here."""
        latest = _opened(table)
        if isinstance(latest, str):
            yield Finding(self.corpus, table.name, "unreadable", table.name, f"the table does not open: {latest}")
            return
        self._note(table, latest, None)
        for tag, version in sorted(self.ws.lake.tags(self.corpus, table.name).items()):
            dataset = _opened(table, version)
            if isinstance(dataset, str):
                touched = (tag,) if NUMBERED.fullmatch(tag) else ()
                message = f"it is on version {version}, which does not open: {dataset}"
                yield Finding(self.corpus, table.name, "lost version", tag, message, touched, table.name, _WHOLE, _TAG)
            else:
                self._note(table, dataset, tag)

    def _writers_of(self, table: str) -> dict[str, str]:
        """The promotion that wrote each data file of a table."""
        if table not in self._writers:
            self._writers[table] = {
                file["path"]: record.id
                for record in self.records.values()
                for candidate in record.tables()
                if candidate.table == table
                for fragment in candidate.fragments
                for file in fragment["files"]
            }
        return self._writers[table]

    def _note(self, table: Table, dataset: Any, tag: str | None) -> None:
        if blob_columns(dataset.schema):
            self.referring.append((table, dataset, tag))
        writers, folder = self._writers_of(table.name), f"{table.name}.lance"
        fragments = dataset.get_fragments()
        unknown = [part for part in fragments if not any(file.path in writers for file in part.data_files())]
        owners = _owners(table, dataset) if unknown and table.name not in ("gates", "judgements") else {}
        for fragment in fragments:
            wrote = next((writers[file.path] for file in fragment.data_files() if file.path in writers), None)
            if wrote is None and fragment.fragment_id in owners:
                wrote = owners[fragment.fragment_id].promotion_id or None
            for file in fragment.data_files():
                self._name(f"{folder}/data/{file.path}", "a data file", file.file_size_bytes, wrote, tag)
            deletions = fragment.deletion_file()
            if deletions:
                self._name(f"{folder}/{deletions}", "a file of deletions", None, None, tag)
        for segment in sorted({s.uuid for index in dataset.describe_indices() for s in index.segments}):
            of_segment = f"{folder}/_indices/{segment}"
            for name in self._in_folder.get(of_segment, [of_segment]):
                self._name(name, "a file of an index", None, None, tag)
        self._name(manifest_name(self.ws.store, table, int(dataset.version)), "a manifest", None, None, tag)

    def _name(self, name: str, what: str, size: int | None, owner: str | None, tag: str | None) -> None:
        record = self.records.get(owner) if owner is not None else None
        if name not in self.named:
            self.named[name] = _Named(
                what, size, owner, record.stage if record else None, record.partition if record else None
            )
        if tag is None:
            self.named[name].latest = True
        else:
            self.named[name].tags.append(tag)

    def _finding(self, name: str, fault: Fault, message: str) -> Finding:
        named = self.named.get(name)
        record = next((r for r in self.records.values() if name in r.files), None)
        stage = named.stage if named and named.stage else record.stage if record else None
        partition = named.partition if named and named.partition else record.partition if record else None
        tags = sorted(tag for tag in named.tags if NUMBERED.fullmatch(tag)) if named else []
        if named is None:
            repair = HISTORY
        elif "/_indices/" in name:
            repair = "winnowry verify --repair builds the index anew"
        elif named.latest:
            repair = "winnowry verify --repair makes its rows again from inputs that are sound"
        else:
            repair = "only releases name it: restore the file from a copy"
        table = name.partition(".lance/")[0]
        return Finding(self.corpus, table, fault, name, message, tuple(tags), stage, partition, repair)

    def _promises(self) -> Iterator[Finding]:
        """Live promotions of which rows are lost."""
        keys = sorted({(r.stage, r.partition) for r in self.records.values() if r.state == "promoted"})
        for stage, partition in keys:
            try:
                live = self.ws.lake.live_record(self.corpus, stage, partition)
                reasons = self.ws.lake.broken_promises(self.corpus, stage, partition, live)
            except (WinnowryError, OSError, ValueError) as error:
                reasons = [f"cannot be read: {error}"]
            place = stage if partition == _WHOLE else f"{stage}[{partition}]"
            for reason in reasons:
                repair = "winnowry run makes these rows again"
                yield Finding(self.corpus, stage, "lost rows", place, reason, (), stage, partition, repair)


def _opened(table: Table, version: int | None = None) -> Any:
    """A version of a table, or why it does not open: Lance gives a damaged manifest up with no ordinary exception."""
    try:
        return table.dataset(version)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        return str(error)


def _owners(table: Table, dataset: Any) -> Mapping[int, Owner]:
    """Who wrote the fragments, as their rows say; nothing where they cannot be read."""
    try:
        return table.owners(dataset)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException:
        return {}


def touched_releases(findings: Iterable[Finding]) -> Mapping[str, tuple[str, ...]]:
    """Releases that findings touch, by corpus."""
    touched: dict[str, set[str]] = {}
    for finding in findings:
        touched.setdefault(finding.corpus, set()).update(finding.releases)
    return {corpus: tuple(sorted(names)) for corpus, names in touched.items() if names}


def with_repairs(first: Verification, repaired: tuple[Repaired, ...], again: Verification) -> Verification:
    """A verification after repairs: what is left, and what was done."""
    return replace(again, repaired=repaired, seconds=first.seconds + again.seconds)
