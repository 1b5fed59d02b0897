"""Upkeep of one table: indexes, compaction, old versions, and files that nothing refers to any more.

What a tag, a version in its retention, a live candidate or a column in progress needs is never touched. What cannot be
done beside other writers is left for the next run: a compaction whose commit is refused leaves only unused files, which
are removed later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.table import Table, is_conflict
from winnowry.storage.objects import ObjectInfo, ObjectStore

logger = logging.getLogger(__name__)

Together = Literal["promotion", "partition", "table"]
"""Fragments that may be merged: those of one promotion, which is what tells whose their rows are; of one partition,
where rows of several releases stand side by side; or any, in a log."""

Seal = Callable[[Sequence[str]], None]

SMALL_ROWS = 1 << 19
"""Fragments with fewer rows are worth merging."""
_TARGET_ROWS = 1 << 20
_TARGET_BYTES = 1 << 30
_BATCH_ROWS = 1024
_DELETED_FRACTION = 0.1
_UNVERIFIED = timedelta(days=7)  # as Lance itself: a younger file may belong to a commit that is on its way
_DETACHED_PREFIX = "d"


@dataclass
class Upkeep:
    """What was done to a table, or would be.

    Attributes:
        table: its name.
        fragments_before: fragments.
        fragments_merged: fragments that were merged into fewer.
        fragments_after: fragments afterwards.
        unindexed_fragments: fragments that an index did not cover and now does.
        versions_removed: versions out of their retention that no tag is on.
        candidates_removed: detached versions that no live promotion stands for.
        files_removed: data files that no version, candidate or column on its way refers to.
        bytes_removed: of what was removed; of a dry run without the files of old versions.
        postponed: why something was left for the next time.
    """

    table: str
    fragments_before: int = 0
    fragments_merged: int = 0
    fragments_after: int = 0
    unindexed_fragments: int = 0
    versions_removed: int = 0
    candidates_removed: int = 0
    files_removed: int = 0
    bytes_removed: int = 0
    postponed: list[str] = field(default_factory=list)


def maintain_table(  # noqa: PLR0913 - each is one fact that the caller knows and this room may not ask for
    table: Table,
    store: ObjectStore,
    *,
    live: Iterable[PromotionRecord],
    kept_files: set[str],
    busy: str | None,
    keep: timedelta,
    together: Together,
    dry_run: bool,
    seal: Seal = lambda names: None,
) -> Upkeep:
    """Maintain one table: index, compact, and remove what nothing needs.

    Args:
        table: the table.
        store: where it lies.
        live: promotions that are staged or committing: what they refer to stays.
        kept_files: data files of columns on their way.
        busy: why fragments must stay as they are now (a column is being computed), or None.
        keep: versions younger than this stay.
        together: which fragments may be merged.
        dry_run: only say what would be done.
        seal: seals data files, by their names in the data folder, before a commit names them.

    Returns:
        What was done, or would be.
    """
    dataset = table.dataset()
    done = Upkeep(table.name, fragments_before=len(dataset.get_fragments()))
    candidates = [c for record in live for c in record.tables() if c.table == table.name]
    if busy is not None:
        done.postponed.append(f"compaction: {busy}")
    elif blob_columns(dataset.schema):
        done.postponed.append("compaction: a scan gives large objects as references; their fragments stay as they are")
    elif candidates:
        done.postponed.append("compaction: a promotion is on its way")
    else:
        _compact(table, done, together, seal, dry_run=dry_run)
    _index(table, done, dry_run=dry_run)
    _remove_candidates(
        table,
        store,
        done,
        {c.detached_version for c in candidates} | {c.audit_version for c in candidates},
        keep,
        dry_run,
    )
    _remove_versions(table, store, done, keep, dry_run)
    live_files = kept_files | {
        name for c in candidates for fragment in (*c.fragments, *c.updated) for name in _names(fragment)
    }
    _remove_orphans(table, store, done, live_files, dry_run)
    done.fragments_after = len(table.dataset().get_fragments())
    return done


def _names(fragment: dict[str, Any]) -> list[str]:
    return [file["path"] for file in fragment["files"]]


def _groups(table: Table, dataset: Any, together: Together) -> Iterator[list[int]]:
    """Fragments that may be merged: small ones, or with many deleted rows, of one owner."""
    owners = table.owners(dataset)
    key: tuple[str, ...]
    groups: dict[tuple[str, ...], list[int]] = {}
    worth: set[tuple[str, ...]] = set()
    for fragment in dataset.get_fragments():
        owner = owners[fragment.fragment_id]
        key = {
            "table": (),
            "partition": (owner.partition,),
            "promotion": (owner.partition, owner.stage, owner.promotion_id),
        }[together]
        thinned = fragment.num_deletions > _DELETED_FRACTION * fragment.physical_rows
        if thinned:
            worth.add(key)
        if thinned or fragment.physical_rows < SMALL_ROWS:
            groups.setdefault(key, []).append(fragment.fragment_id)
    for key, members in groups.items():
        if key in worth or len(members) > 1:
            yield members


def _compact(table: Table, done: Upkeep, together: Together, seal: Seal, *, dry_run: bool) -> None:
    """Rewrite small fragments as large ones, one group at a time.

    Lance's own compaction merges neighbours only, and would not keep partitions apart. Replacing
    fragments is what a promotion does: it is refused when a rival has touched one of them, and rebases over the rest.
    """
    for members in list(_groups(table, table.dataset(), together)):
        done.fragments_merged += len(members)
        if not dry_run and not _merge(table, members, seal):
            done.fragments_merged -= len(members)
            done.postponed.append("compaction: another writer was first")
            return


def _merge(table: Table, members: list[int], seal: Seal) -> bool:
    """Replace fragments by fewer with the same rows; False where another writer was first."""
    import lance
    from lance.fragment import write_fragments

    dataset = table.dataset()
    present = [dataset.get_fragment(member) for member in members]
    if any(fragment is None for fragment in present):
        return False
    batches = (batch for fragment in present for batch in fragment.scanner(batch_size=_BATCH_ROWS).to_batches())
    written = write_fragments(
        pa.RecordBatchReader.from_batches(dataset.schema, batches),
        dataset,
        mode="append",
        max_rows_per_file=_TARGET_ROWS,
        max_bytes_per_file=_TARGET_BYTES,
        storage_options=dict(table.storage_options) or None,
    )
    seal([file.path for fragment in written for file in fragment.files])
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=members, updated_fragments=[], new_fragments=written, fields_modified=[]
    )
    try:
        lance.LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
    except OSError as error:
        if not is_conflict(error):
            raise
        return False
    return True


def _index(table: Table, done: Upkeep, *, dry_run: bool) -> None:
    dataset = table.dataset()
    indexes = dataset.describe_indices()
    covered = {fragment for index in indexes for segment in index.segments for fragment in segment.fragment_ids}
    done.unindexed_fragments = (
        sum(fragment.fragment_id not in covered for fragment in dataset.get_fragments()) if indexes else 0
    )
    if done.unindexed_fragments and not dry_run:
        try:
            dataset.optimize.optimize_indices()
        except OSError as error:
            if not is_conflict(error):
                raise
            done.postponed.append("index: another writer was first")


def _remove_candidates(
    table: Table, store: ObjectStore, done: Upkeep, wanted: set[int], keep: timedelta, dry_run: bool
) -> None:
    """Detached manifests, which Lance's own cleanup leaves."""
    before = datetime.now(UTC) - keep
    for info in store.list(f"{table.uri}/_versions/{_DETACHED_PREFIX}*.manifest"):
        version = info.uri.rsplit("/", 1)[1].removesuffix(".manifest").removeprefix(_DETACHED_PREFIX)
        if info.modified_at < before and version.isdigit() and int(version) not in wanted:
            done.candidates_removed += 1
            done.bytes_removed += info.size
            if not dry_run:
                store.delete(info.uri)


def _remove_versions(table: Table, store: ObjectStore, done: Upkeep, keep: timedelta, dry_run: bool) -> None:
    dataset = table.dataset()
    tagged = {int(entry["version"]) for entry in dataset.tags.list().values()}
    before = datetime.now(UTC) - keep
    old = [
        int(entry["version"])
        for entry in dataset.versions()
        if _utc(entry["timestamp"]) < before and int(entry["version"]) not in {*tagged, int(dataset.version)}
    ]
    if old and _cleanup_takes_candidates(table, store, set(old)):
        done.postponed.append("old versions: a refused candidate, or one on its way, is within its retention")
        return
    done.versions_removed = len(old)
    if old and not dry_run:
        statistics = dataset.cleanup_old_versions(versions=old, error_if_tagged_old_versions=False)
        done.bytes_removed += int(statistics.bytes_removed)
        done.files_removed += int(statistics.data_files_removed)


def _cleanup_takes_candidates(table: Table, store: ObjectStore, old: set[int]) -> bool:
    """Whether Lance's cleanup would take data of a detached version: it counts none, and removes week-old files."""
    aged = {info.uri.rsplit("/", 1)[1] for info in _aged_files(table, store)}
    if not aged:
        return False
    at_risk = aged & set(_detached_files(table, store))
    if not at_risk:
        return False
    remaining = {int(entry["version"]) for entry in table.versions()} - old
    return bool(at_risk.difference(*(_files_of(table.dataset(version)) for version in remaining)))


def _aged_files(table: Table, store: ObjectStore) -> list[ObjectInfo]:
    """Data files that are no part of a commit that is on its way."""
    before = datetime.now(UTC) - _UNVERIFIED
    return [info for info in store.list(f"{table.uri}/data/*.lance") if info.modified_at < before]


def _files_of(dataset: Any) -> set[str]:
    return {file.path for fragment in dataset.get_fragments() for file in fragment.data_files()}


def _detached_files(table: Table, store: ObjectStore) -> Iterator[str]:
    """Data files of detached versions: candidates that were refused, are on their way, or landed a while ago."""
    for info in store.list(f"{table.uri}/_versions/{_DETACHED_PREFIX}*.manifest"):
        version = info.uri.rsplit("/", 1)[1].removesuffix(".manifest").removeprefix(_DETACHED_PREFIX)
        dataset = table.dataset_or_none(int(version)) if version.isdigit() else None
        if dataset is not None:
            yield from _files_of(dataset)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)  # Lance gives local time without a zone


def _remove_orphans(table: Table, store: ObjectStore, done: Upkeep, live_files: set[str], dry_run: bool) -> None:
    """Data files that no version refers to: those of refused candidates, of dropped and of refused columns."""
    old = _aged_files(table, store)
    if not old:
        return
    for entry in table.dataset().versions():
        live_files |= _files_of(table.dataset(int(entry["version"])))
    live_files.update(_detached_files(table, store))
    for info in old:
        if info.uri.rsplit("/", 1)[1] not in live_files:
            done.files_removed += 1
            done.bytes_removed += info.size
            if not dry_run:
                store.delete(info.uri)
