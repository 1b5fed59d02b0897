"""Removal of what nothing needs of a table: versions out of their retention, refused candidates, leftovers.

Lance's own cleanup is never called: it removes every file that no attached version names once it is a week old, the
files of candidates among them, and a tag on a detached version does not hold it back.

Two kinds go however young they are. The staged versions of a promotion that has landed: its rows are in the table, and
nobody opens them any more. And a transaction file whose bytes stand in the manifest that names it: Lance reads it from
there, in a rival's commit too. They are half of all objects of a table of many small partitions.

What lies in the table is listed first, then the manifests that stay are read. Both are judged by the store's clock: a
machine whose clock is ahead would remove what another one is writing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from winnowry.core.errors import NotFoundError, StorageError, WinnowryError
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.damage import DETACHED, version_of
from winnowry.lakehouse.durable import settle_folder
from winnowry.lakehouse.record import CandidateTable, PromotionRecord
from winnowry.lakehouse.table import Table
from winnowry.storage.objects import ObjectInfo, ObjectStore

CLOCKS_APART = timedelta(minutes=5)
"""A file that is further ahead of the store's clock shows that clocks disagree."""

_NOTHING = timedelta(0)
_TRANSACTION = re.compile(rb"-([0-9a-f-]{36})\.txn")
_OWN_TRANSACTION = re.compile(rb"\d+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.txn")
_UNFINISHED = re.compile(r"\.(manifest|json)#\d+$")  # left by a process that died while it wrote one, or set aside


@dataclass(frozen=True)
class Needed:
    """What has to stay of a table beside its latest version, those that a tag is on, and young ones.

    Attributes:
        versions: versions that somebody will open by number.
        since: this version and every later one stay; None where none is asked for.
        files: files by name below the table's folder.
        landed: detached versions of promotions that have landed: nobody needs them for their youth.
    """

    versions: frozenset[int] = frozenset()
    since: int | None = None
    files: frozenset[str] = frozenset()
    landed: frozenset[int] = frozenset()

    def __or__(self, other: Needed) -> Needed:
        """What either of two needs."""
        since = [one for one in (self.since, other.since) if one is not None]
        landed = self.landed | other.landed
        return Needed(self.versions | other.versions, min(since, default=None), self.files | other.files, landed)


@dataclass
class Swept:
    """What was removed, or would be.

    Attributes:
        versions: versions of the table.
        candidates: detached versions.
        files: data files, deletions, indexes, transactions.
        bytes: of all of it.
        names: names of all of it below the corpus folder.
        postponed: why nothing was removed; None where that is not so.
    """

    versions: int = 0
    candidates: int = 0
    files: int = 0
    bytes: int = 0
    names: set[str] = field(default_factory=set)
    postponed: str | None = None


def needed_by(table: str, records: Iterable[PromotionRecord]) -> Needed:
    """What promotions on their way (``staged`` or ``committing``) need of a table.

    One that is committing may have landed without having noted it. Recovery reads that from the versions since its
    base, so these stay all.

    Args:
        table: name of the table.
        records: the promotions.
    """
    needed = Needed()
    for record in records:
        folder = f"{table}.lance/"
        sealed = frozenset(name.removeprefix(folder) for name in record.files if name.startswith(folder))
        for candidate in record.tables():
            if candidate.table == table:
                since = candidate.base_version if record.state == "committing" else None
                needed |= Needed(_versions_of(candidate), since, sealed | _files_of(candidate))
    return needed


def landed_in(table: str, records: Iterable[PromotionRecord]) -> Needed:
    """Detached versions of a table whose promotions have landed.

    Those of ``published`` are left out: a release whose version is lost goes on as the one that its gates judged.

    Args:
        table: name of the table.
        records: promotions, whatever their state.
    """
    if table == "published":
        return Needed()
    staged = {
        version
        for record in records
        if record.state == "promoted"
        for candidate in record.tables()
        if candidate.table == table
        for version in (candidate.detached_version, candidate.audit_version)
    }
    return Needed(landed=frozenset(version for version in staged if version >= DETACHED))


def _versions_of(candidate: CandidateTable) -> frozenset[int]:
    return frozenset({candidate.base_version, candidate.detached_version, candidate.audit_version})


def _files_of(candidate: CandidateTable) -> frozenset[str]:
    fragments = (*candidate.fragments, *candidate.updated)
    return frozenset(f"data/{file['path']}" for fragment in fragments for file in fragment["files"])


def refuse_if_clocks_disagree(files: Iterable[ObjectInfo], now: datetime) -> None:
    """Refuse to tell ages where a file seems to be from the future.

    Args:
        files: files of a table.
        now: what the store's clock says.

    Raises:
        StorageError: a file is more than five minutes ahead.
    """
    newest = max(files, key=lambda info: info.modified_at, default=None)
    if newest is not None and newest.modified_at - now > CLOCKS_APART:
        ahead = (newest.modified_at - now).total_seconds()
        raise StorageError(
            f"{newest.uri} was written {ahead:,.0f} s from now by the store's clock ({now:%Y-%m-%d %H:%M:%S} UTC): "
            "clocks disagree, and what is old cannot be told. Nothing was changed. Set the clocks of the store and of "
            "the machines that write to it (NTP), or wait until that time has come"
        )


def sweep(
    table: Table,
    store: ObjectStore,
    *,
    now: datetime,
    keep: timedelta,
    needed: Needed | None = None,
    keep_unnamed: timedelta | None = None,
    dry_run: bool = False,
) -> Swept:
    """Remove versions and files that nothing needs.

    A version is as old as the time since which it is not the latest one: until then new readers and runs opened it.

    Args:
        table: the table.
        store: where it lies.
        now: what the store's clock says, see :func:`~winnowry.storage.probe.store_time`.
        keep: what is younger stays; zero removes everything that nothing names, of processes at work too.
        needed: what promotions, releases and columns on their way need, read by the caller.
        keep_unnamed: files that no version names stay for this long; ``keep`` when None. They may belong to a process
            that has not got as far as writing a version.
        dry_run: only say what would be removed.

    Returns:
        What was removed, or would be.

    Raises:
        NotFoundError: there is no such table.
        StorageError: clocks disagree.
    """
    wanted = needed if needed is not None else Needed()
    if not dry_run:
        table.settle()  # what takes the place of something outlasts a power cut before that goes
    files = {info.uri.removeprefix(f"{table.uri}/"): info for info in store.list(f"{table.uri}/**")}
    refuse_if_clocks_disagree(files.values(), now)
    age = {name: max(now - info.modified_at, _NOTHING) for name, info in files.items()}
    manifests = {name: version for name in files if (version := version_of(name)) is not None}
    stay = _remaining(table, manifests, age, keep, wanted)
    swept = Swept()
    named: set[str] = set()
    copies: list[str] = []
    for name in sorted(stay):
        of_version = _named_by(table, store, name, manifests[name])
        if isinstance(of_version, str):
            swept.postponed = f"removal: {of_version}"
            return swept
        named |= of_version.names
        if of_version.transaction in files and of_version.repeats(store, f"{table.uri}/{of_version.transaction}"):
            copies.append(of_version.transaction)
    gone = [name for name in manifests if name not in stay]
    copies += [
        transaction
        for name in gone
        if manifests[name] in wanted.landed and (transaction := _own_transaction(store, f"{table.uri}/{name}")) in files
    ]
    detached = sum(manifests[name] >= DETACHED for name in gone)
    swept.versions, swept.candidates = len(gone) - detached, detached
    for_unnamed = keep if keep_unnamed is None else keep_unnamed
    unnamed = (name for name in files if age[name] >= for_unnamed and _is_leftover(name, named, wanted.files))
    leftovers = sorted({*copies, *unnamed} - wanted.files)
    swept.files = len(leftovers)
    for names in (gone, leftovers):  # manifests first: one that is there never names a file that is not
        for name in names:
            swept.bytes += files[name].size
            swept.names.add(f"{table.name}.lance/{name}")
            if not dry_run:
                store.delete(files[name].uri)
        if names and not dry_run:
            settle_folder(f"{table.uri}/_versions")
        barrier.reach(f"swept:{table.name}")
    return swept


def _remaining(
    table: Table, manifests: Mapping[str, int], age: Mapping[str, timedelta], keep: timedelta, needed: Needed
) -> set[str]:
    """Manifests that stay."""
    dataset = table.dataset()
    stay = {int(dataset.version), *table.tags(dataset).values(), *needed.versions}
    attached = sorted((name for name in manifests if manifests[name] < DETACHED), key=lambda name: manifests[name])
    # How long ago the next version took its place; nothing has taken that of the last one.
    replaced = {name: age[later] for name, later in pairwise(attached)}
    return {
        name
        for name, version in manifests.items()
        if version in stay
        or (needed.since is not None and needed.since <= version < DETACHED)
        or name in attached[-1:]
        or (replaced.get(name, age[name]) < keep and version not in needed.landed)
    }


@dataclass(frozen=True)
class _Named:
    """What a version names.

    Attributes:
        names: data, deletions, folders of indexes, and the id of its transaction.
        transaction: name of its transaction's file; empty where it has none.
        manifest: bytes of its manifest.
    """

    names: set[str]
    transaction: str
    manifest: bytes

    def repeats(self, store: ObjectStore, transaction_uri: str) -> bool:
        """Whether the manifest holds all of the transaction too."""
        try:
            return store.read(transaction_uri) in self.manifest
        except NotFoundError:
            return False  # another upkeep was first


def _named_by(table: Table, store: ObjectStore, manifest: str, version: int) -> _Named | str:
    """What a version names; else why that is not known."""
    uri = f"{table.uri}/{manifest}"
    try:
        dataset = table.dataset_or_none(version)
        if dataset is None:
            return f"version {version} cannot be opened" if store.exists(uri) else _Named(set(), "", b"")
        body = store.read(uri)
        names = _files_and_indexes(dataset) | {match.decode() for match in _TRANSACTION.findall(body)}
    except (WinnowryError, OSError, ValueError) as error:
        return f"version {version} cannot be opened: {error}"
    return _Named(names, _transaction_in(body), body)


def _transaction_in(manifest: bytes) -> str:
    """Name of the file of the transaction that made a version; empty where its manifest names none."""
    own = _OWN_TRANSACTION.search(manifest)
    return f"_transactions/{own[0].decode()}" if own else ""


def _own_transaction(store: ObjectStore, manifest_uri: str) -> str:
    try:
        return _transaction_in(store.read(manifest_uri))
    except NotFoundError:
        return ""  # another upkeep was first


def _files_and_indexes(dataset: Any) -> set[str]:
    names: set[str] = set()
    for fragment in dataset.get_fragments():
        names |= {f"data/{file.path}" for file in fragment.data_files()}
        if deletions := fragment.deletion_file():
            names.add(deletions)
    return names | {f"_indices/{segment.uuid}" for index in dataset.describe_indices() for segment in index.segments}


def _is_leftover(name: str, named: set[str], wanted: frozenset[str]) -> bool:
    """Whether a file is of a kind that versions name, and none does."""
    folder, _, rest = name.partition("/")
    if folder in ("_versions", "_refs"):
        return _UNFINISHED.search(rest) is not None
    if folder == "_transactions":
        match = _TRANSACTION.search(f"-{rest.partition('-')[2]}".encode())
        return match is None or match[1].decode() not in named
    if folder == "_indices":
        return f"_indices/{rest.partition('/')[0]}" not in named
    if folder == "_deletions":
        return name not in named
    if folder == "data":
        # Contents of large objects lie in a folder beside the data file, named as it is.
        owner = f"data/{rest.partition('/')[0]}.lance" if "/" in rest else name
        return owner not in named and owner not in wanted
    return False
