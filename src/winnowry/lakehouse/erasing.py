"""Rows leave a table for good: its latest version, every tagged one, indexes and files.

Nothing of what is erased is given to Lance as a predicate: it would be written into the manifest in plain words.
Fragments whose *files* hold such a row, hidden ones included, are written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from winnowry.core.errors import LakehouseError
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.blobs import blob_array, blob_columns, copied_blobs
from winnowry.lakehouse.durable import settle_folder
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.mending import ASIDE
from winnowry.lakehouse.sweep import Needed, sweep
from winnowry.lakehouse.table import Table, next_fragment_id
from winnowry.storage.objects import ObjectStore

Change = Callable[[pa.Table], pa.Table | None]
"""What is to become of rows; None where they stay as they are. It is asked of all columns, and of those of one file."""


_LARGE_OBJECT = b"lance-encoding:blob"


@dataclass
class Rewritten:
    """What was done to a table.

    Attributes:
        table: its name.
        rows: rows that the latest version lost.
        files: data files that were written in place of others, by the fragment's first file.
        tags: rows that each moved tag lost.
    """

    table: str
    rows: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)


def rewrite(table: Table, change: Change, tag_order: Callable[[str], bool] = lambda tag: True) -> Rewritten:
    """Rewrite the latest and every tagged version of a table; tags move, so that no release changes its name.

    Args:
        table: the table.
        change: what becomes of the rows.
        tag_order: tags for which it is false are moved last.

    Returns:
        What was done; a second call does what the first left undone.
    """
    import lance

    done = Rewritten(table.name)
    written: dict[tuple[Any, ...], list[str] | None] = {}
    dataset = table.dataset()
    before = int(dataset.version)
    tagged = table.tags(dataset)
    gone, new = _replacements(table, dataset, change, written, done)
    if gone:
        table.settle()
        n_before = dataset.count_rows()
        operation = lance.LanceOperation.Update(
            removed_fragment_ids=gone, updated_fragments=[], new_fragments=new, fields_modified=[]
        )
        lance.LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
        done.rows = n_before - table.dataset().count_rows()
    barrier.reach(f"erased:{table.name}")
    for index in table.dataset().describe_indices() if gone else ():
        if table.dataset().count_rows():
            table.dataset().create_scalar_index(index.field_names[0], "BTREE", name=index.name, replace=True)
    table.settle()
    barrier.reach(f"reindexed:{table.name}")
    replacements: dict[int, tuple[int, int]] = {}  # of versions: the one that takes its place, and the rows it lost
    for tag in sorted(tagged, key=lambda name: (not tag_order(name), name)):
        version = tagged[tag]
        if version not in replacements:
            replacements[version] = _rewritten_version(table, version, before, gone, change, written, done)
        to, lost = replacements[version]
        if to != version:
            table.settle()
            table.dataset().tags.update(tag, to)
            table.settle()
            done.tags[tag] = lost
            barrier.reach(f"retagged:{table.name}")
    return done


def _rewritten_version(
    table: Table,
    version: int,
    latest_before: int,
    gone_of_latest: list[int],
    change: Change,
    written: dict[tuple[Any, ...], list[str] | None],
    done: Rewritten,
) -> tuple[int, int]:
    """A version that has what a tagged one had, but for what is erased; and the rows it lost."""
    import lance

    old = table.dataset(version)
    if version == latest_before:
        if not gone_of_latest:
            return version, 0
        latest = table.dataset()
        return int(latest.version), old.count_rows() - latest.count_rows()
    gone, new = _replacements(table, old, change, written, done)
    if not gone:
        return version, 0
    first = next_fragment_id(old)
    for number, fragment in enumerate(new):
        fragment.id = first + number
    stay = [fragment.metadata for fragment in old.get_fragments() if fragment.fragment_id not in set(gone)]
    # An Overwrite drops the version's indexes, whose files hold values of the erased rows.
    operation = lance.LanceOperation.Overwrite(old.schema, [*stay, *new])
    made = lance.LanceDataset.commit(old, lance.Transaction(old.version, operation), detached=True)
    return int(made.version), old.count_rows() - made.count_rows()


def _replacements(
    table: Table, dataset: Any, change: Change, written: dict[tuple[Any, ...], list[str] | None], done: Rewritten
) -> tuple[list[int], list[Any]]:
    """Ids of the fragments that go, and those that take their place; each is written once for all versions."""
    from lance.fragment import FragmentMetadata

    gone: list[int] = []
    new: list[Any] = []
    for fragment in dataset.get_fragments():
        key = (tuple(file.path for file in fragment.data_files()), fragment.deletion_file())
        if key not in written:
            written[key] = _written_anew(table, dataset, fragment, change)
        instead = written[key]
        if instead is not None:
            gone.append(fragment.fragment_id)
            new += [FragmentMetadata.from_json(item) for item in instead]
            done.files[key[0][0]] = [file["path"] for item in instead for file in json.loads(item)["files"]]
    return gone, new


def _written_anew(table: Table, dataset: Any, fragment: Any, change: Change) -> list[str] | None:
    from lance.fragment import write_fragments

    blobs = blob_columns(dataset.schema)
    if blobs:
        in_files = iter([_with_hidden_rows(dataset, fragment)])
    else:
        in_files = (
            _reader(table, f"{table.uri}/data/{file.path}").read_all().to_table() for file in fragment.data_files()
        )
    if all(change(rows) is None for rows in in_files):
        return None
    rows = fragment.scanner(with_row_address=bool(blobs)).to_table()
    changed = change(rows)
    left = rows if changed is None else changed
    if not left.num_rows:
        return []
    for name in blobs:
        at = left.schema.get_field_index(name)
        column, places = left.column(name).combine_chunks(), left.column("_rowaddr").combine_chunks()
        left = left.set_column(at, dataset.schema.field(name), blob_array(copied_blobs(dataset, name, column, places)))
    written = write_fragments(
        left.select(dataset.schema.names).cast(dataset.schema) if not blobs else left.select(dataset.schema.names),
        dataset,
        mode="append",
        allow_external_blob_outside_bases=True,
        storage_options=dict(table.storage_options) or None,
    )
    return [json.dumps(item.to_json()) for item in written]


def read_file(table: Table, uri: str) -> pa.Table | None:
    """Everything in a data or index file, decoded, rows that a deletion hides included; large objects are left out.

    Args:
        table: the table that it belongs to.
        uri: the file.

    Returns:
        The rows; None where the file has large objects and neither the latest nor a tagged version names it.
    """
    reader = _reader(table, uri)
    if not any(_LARGE_OBJECT in (field.metadata or {}) for field in reader.metadata().schema):
        rows: pa.Table = reader.read_all().to_table()
        return rows
    # Lance's reader of files takes the wrong columns behind one of large objects; that of tables does not.
    name = uri.rsplit("/", 1)[1]
    dataset = table.dataset()
    for version in {int(dataset.version), *(int(entry["version"]) for entry in dataset.tags.list().values())}:
        at_version = table.dataset(version)
        for fragment in at_version.get_fragments():
            if any(file.path == name for file in fragment.data_files()):
                return _with_hidden_rows(at_version, fragment)
    return None


def _reader(table: Table, uri: str) -> Any:
    from lance.file import LanceFileReader

    return LanceFileReader(lance_uri(uri), storage_options=dict(table.storage_options) or None)


def _with_hidden_rows(dataset: Any, fragment: Any) -> pa.Table:
    """All rows of a fragment, those that a deletion hides included, without large objects."""
    blobs = blob_columns(dataset.schema)
    names = [name for name in dataset.schema.names if name not in blobs]
    scanner = dataset.scanner(columns=names, fragments=[fragment], include_deleted_rows=True, with_row_id=True)
    rows: pa.Table = scanner.to_table().drop_columns(["_rowid"])
    return rows


def purge(table: Table, store: ObjectStore, keep_files: Iterable[str] = ()) -> set[str]:
    """Remove, whatever its age, every version but the latest and the tagged ones, and what no version names.

    Args:
        table: the table.
        store: where it lies.
        keep_files: data files that stay though no version names them, of columns on their way.

    Returns:
        Names of what was removed, below the corpus folder.

    Raises:
        LakehouseError: a version that stays cannot be opened, so that nobody knows what it names.
    """
    table.settle()  # the versions that stay, before the others go
    files = list(store.list(f"{table.uri}/**"))
    # Nothing is told by its age here, so clocks need not agree.
    now = max((info.modified_at for info in files), default=datetime.now(UTC))
    needed = Needed(files=frozenset(f"data/{name}" for name in keep_files))
    swept = sweep(table, store, now=now, keep=timedelta(0), needed=needed)
    if swept.postponed is not None:
        raise LakehouseError(
            f"{table.uri}: what was erased cannot be removed yet: {swept.postponed}. Call it again when "
            "`winnowry verify` finds the table sound",
            table=table.name,
        )
    # A transaction says in plain words what was asked for, and versions are read without it; what was torn and set
    # aside is read by nobody.
    for info in files:
        if info.uri.startswith(f"{table.uri}/_transactions/") or info.uri.endswith(ASIDE):
            store.delete(info.uri)
            swept.names.add(f"{table.name}.lance/{info.uri.removeprefix(f'{table.uri}/')}")
    below = table.uri.rpartition("/")[0]
    for folder in sorted({name.rpartition("/")[0] for name in swept.names}):
        settle_folder(f"{below}/{folder}")  # what is erased does not come back with the power
    return swept.names
