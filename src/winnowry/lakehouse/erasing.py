"""Rows leave a table for good: its latest version, every tagged one, indexes and files.

Nothing of what is erased is given to Lance as a predicate: it would be written into the manifest in plain words.
Fragments whose *files* hold such a row, hidden ones included, are written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.blobs import blob_array, blob_columns, copied_blobs
from winnowry.lakehouse.durable import settle_folder
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.mending import ASIDE
from winnowry.lakehouse.table import Table, next_fragment_id
from winnowry.storage.objects import ObjectStore

Change = Callable[[pa.Table], pa.Table | None]
"""What is to become of rows; None where they stay as they are. It is asked of all columns, and of those of one file."""

_DETACHED = "d"
_LAST = 2**64 - 1  # manifests are named by what is left to it


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

    files = (file.path for file in fragment.data_files())
    if all(change(read_file(f"{table.uri}/data/{path}", table.storage_options)) is None for path in files):
        return None
    blobs = blob_columns(dataset.schema)
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


def read_file(uri: str, storage_options: Any) -> pa.Table:
    """Everything in a data or index file, decoded, rows that a deletion hides included."""
    from lance.file import LanceFileReader

    table: pa.Table = (
        LanceFileReader(lance_uri(uri), storage_options=dict(storage_options) or None).read_all().to_table()
    )
    return table


def purge(table: Table, store: ObjectStore, keep_files: Iterable[str] = ()) -> list[str]:
    """Remove, whatever its age, every version but the latest and the tagged ones, and what no version names.

    Args:
        table: the table.
        store: where it lies.
        keep_files: data files that stay though no version names them, of columns on their way.

    Returns:
        URIs of what was removed.
    """
    dataset = table.dataset()
    stay = {int(dataset.version), *table.tags(dataset).values()}
    table.settle()
    removed: list[str] = []

    def remove(uri: str) -> None:
        store.delete(uri)
        removed.append(uri)

    for info in list(store.list(f"{table.uri}/_versions/*.manifest")):
        if _version_of(info.uri) not in stay:
            remove(info.uri)
    settle_folder(f"{table.uri}/_versions")
    barrier.reach(f"forgotten:{table.name}")
    used = set(keep_files)
    for version in stay:
        used.update(_named_by(table.dataset(version)))
    for info in list(store.list(f"{table.uri}/**/*")):
        folder, _, rest = info.uri.removeprefix(f"{table.uri}/").partition("/")
        # Blobs lie in a folder beside the data file, or in files named like it.
        if folder == "data":
            wanted = rest.split("/", 1)[0].split(".", 1)[0] in {name.removesuffix(".lance") for name in used}
        elif folder == "_indices":
            wanted = rest.split("/", 1)[0] in used
        elif folder == "_deletions":
            wanted = rest in used
        else:
            wanted = folder != "_transactions" and not rest.endswith(ASIDE)
        if not wanted:
            remove(info.uri)
    for folder in sorted({uri.rpartition("/")[0] for uri in removed}):
        settle_folder(folder)  # what is erased does not come back with the power
    return removed


def _version_of(uri: str) -> int:
    name = uri.rsplit("/", 1)[1].removesuffix(".manifest")
    if name.startswith(_DETACHED):
        return int(name[1:])
    return _LAST - int(name) if len(name) == 20 else int(name)


def _named_by(dataset: Any) -> Iterator[str]:
    for fragment in dataset.get_fragments():
        yield from (file.path for file in fragment.data_files())
        if (deletions := fragment.deletion_file()) is not None:
            yield deletions.removeprefix("_deletions/")
    for index in dataset.describe_indices():
        yield from (str(segment.uuid) for segment in index.segments)
