"""Upkeep of one table: indexes, compaction, old versions, and files that nothing refers to any more.

What a tag, a version in its retention, a live candidate or a column in progress needs is never touched. What cannot be
done beside other writers is left for the next run: a compaction whose commit is refused leaves only unused files, which
are removed later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.record import PromotionRecord
from winnowry.lakehouse.sweep import Needed, Swept, landed_in, needed_by, sweep
from winnowry.lakehouse.table import Table, is_conflict
from winnowry.storage.objects import ObjectStore
from winnowry.storage.probe import store_time

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
_UNNAMED = timedelta(days=7)  # a younger file that no version names may belong to a stage that is still at work


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
        files_removed: files (data, deletions, indexes, transactions) that no version, candidate or column on its way
            refers to, and transactions that their manifest holds too.
        bytes_removed: of what was removed.
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
    kept_versions: Iterable[int] = (),
    ended: Iterable[PromotionRecord] = (),
    now: datetime | None = None,
) -> Upkeep:
    """Maintain one table: remove what nothing needs, compact, index.

    What compaction replaces is removed by a later call: whoever opened it a moment ago is still reading it.

    Args:
        table: the table.
        store: where it lies.
        live: promotions that are staged or committing: what they refer to stays.
        kept_files: data files of columns on their way.
        busy: why fragments must stay as they are now (a column is being computed), or None.
        keep: versions that were the latest within this time stay.
        together: which fragments may be merged.
        dry_run: only say what would be done.
        seal: seals data files, by their names in the data folder, before a commit names them.
        kept_versions: versions that a release without its number needs.
        ended: promotions whose staged versions may go at once where they have landed; others are passed over.
        now: what the store's clock says; asked when None.

    Returns:
        What was done, or would be.

    Raises:
        StorageError: the store's clock and its files disagree; nothing was changed.
    """
    on_their_way = list(live)
    candidates = [c for record in on_their_way for c in record.tables() if c.table == table.name]
    needed = needed_by(table.name, on_their_way)
    needed |= landed_in(table.name, ended)
    needed |= Needed(frozenset(kept_versions), files=frozenset(f"data/{name}" for name in kept_files))
    swept = sweep(
        table,
        store,
        now=now if now is not None else store_time(store),
        keep=keep,
        needed=needed,
        keep_unnamed=max(keep, _UNNAMED),
        dry_run=dry_run,
    )
    dataset = table.dataset()
    done = Upkeep(table.name, fragments_before=len(dataset.get_fragments()))
    _note(done, swept)
    if busy is not None:
        done.postponed.append(f"compaction: {busy}")
    elif blob_columns(dataset.schema):
        done.postponed.append("compaction: a scan gives large objects as references; their fragments stay as they are")
    elif candidates:
        done.postponed.append("compaction: a promotion is on its way")
    else:
        _compact(table, done, together, seal, dry_run=dry_run)
    _index(table, done, dry_run=dry_run)
    if not dry_run:
        table.settle()
    done.fragments_after = len(table.dataset().get_fragments())
    return done


def _note(done: Upkeep, swept: Swept) -> None:
    done.versions_removed, done.candidates_removed = swept.versions, swept.candidates
    done.files_removed, done.bytes_removed = swept.files, swept.bytes
    if swept.postponed is not None:
        done.postponed.append(swept.postponed)


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
    names = [file.path for fragment in written for file in fragment.files]
    table.settle(names)
    seal(names)
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
