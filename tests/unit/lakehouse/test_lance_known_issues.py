"""What Lance does that would break data if it were relied on: whether this version does it, and that we do not.

Each test holds the present behaviour. One that fails after an upgrade of pylance says that something became better or
worse: see docs/explanation/lance-dependence.md for what may then be simplified, or has to be guarded.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest
from lance.file import LanceFileWriter
from lance.fragment import FragmentMetadata, write_fragments
from lance.optimize import Compaction
from lance.schema import LanceSchema

from winnowry.core.errors import ContractError, LakehouseError
from winnowry.lakehouse.blobs import blob_columns
from winnowry.lakehouse.columns import ColumnFile, plan_column
from winnowry.lakehouse.table import FragmentWriter, Table


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "t.lance")


def rows(n: int, start: int = 0, part: str = "p") -> pa.Table:
    return pa.table({"id": [str(i) for i in range(start, start + n)], "part": [part] * n})


def ids(uri: str) -> list[str]:
    return sorted(lance.dataset(uri).to_table(columns=["id"])["id"].to_pylist())


def column_file(uri: str, values: pa.Array) -> tuple[FragmentMetadata, LanceSchema]:
    """The only fragment with a file of the new column x, whatever is in the file."""
    dataset = lance.dataset(uri)
    (fragment,) = dataset.get_fragments()
    schema = pa.schema([pa.field("x", pa.int64())])
    nulls = pa.record_batch([pa.nulls(fragment.count_rows(), pa.int64())], schema=schema)
    metadata, merged = fragment.merge_columns(pa.RecordBatchReader.from_batches(schema, [nulls]))
    own = pa.schema([pa.field("x", values.type)])
    with LanceFileWriter(f"{uri}/data/x.lance", own, version=dataset.data_storage_version) as writer:
        writer.write_batch(pa.record_batch([values], schema=own))
    described = metadata.to_json()
    described["files"][-1] |= {"path": "x.lance", "file_size_bytes": None}
    return FragmentMetadata.from_json(json.dumps(described)), merged


def test_a_transaction_committed_twice_duplicates_its_rows(uri: str) -> None:
    """Promotions carry their id as a property and look for it first: tests/faults, ``removing the look-up``."""
    lance.write_dataset(rows(2), uri)
    transaction = write_fragments(rows(3, 10), uri, mode="append", return_transaction=True)
    for _ in range(2):
        lance.LanceDataset.commit(uri, transaction)
    assert lance.dataset(uri).count_rows() == 2 + 3 + 3


def test_an_overwrite_on_a_stale_base_drops_a_rivals_rows_unless_retries_are_off(uri: str) -> None:
    """``Table.create`` passes ``max_retries=0``; nothing else of ours overwrites."""
    lance.write_dataset(rows(2), uri)
    written = write_fragments(rows(1, 50), uri, mode="append")
    lance.write_dataset(rows(3, 10), uri, mode="append")
    operation = lance.LanceOperation.Overwrite(rows(1).schema, written)
    with pytest.raises(OSError, match="conflict"):
        lance.LanceDataset.commit(uri, operation, read_version=1, max_retries=0)
    assert len(ids(uri)) == 5
    lance.LanceDataset.commit(uri, operation, read_version=1)
    assert ids(uri) == ["50"]


def test_an_update_that_is_read_again_has_another_mode(uri: str) -> None:
    """Committed again as it is read it hides rows under a BITMAP index: ``promotion`` makes its operations anew."""
    lance.write_dataset(rows(2), uri, enable_stable_row_ids=True)
    dataset = lance.dataset(uri)
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[0],
        updated_fragments=[],
        new_fragments=write_fragments(rows(2, 20), dataset, mode="append"),
        fields_modified=[],
    )
    assert operation.update_mode == ""
    lance.LanceDataset.commit(dataset, operation, read_version=1)
    latest = lance.dataset(uri)
    assert latest.read_transaction(latest.version).operation.update_mode == "rewrite_rows"


def test_cleanup_leaves_detached_manifests(uri: str) -> None:
    """``sweep`` removes those that no live candidate needs."""
    lance.write_dataset(rows(2), uri)
    dataset = lance.dataset(uri)
    append = lance.LanceOperation.Append(write_fragments(rows(2, 20), dataset, mode="append"))
    lance.LanceDataset.commit(dataset, lance.Transaction(dataset.version, append), detached=True)
    dataset.cleanup_old_versions(older_than=timedelta(0))
    assert list((Path(uri) / "_versions").glob("d*.manifest"))


def test_cleanup_leaves_young_files_that_nothing_refers_to(uri: str) -> None:
    """#8516, #8942: ``sweep`` does it by age and by what candidates and columns need."""
    lance.write_dataset(rows(2), uri)
    (orphan,) = write_fragments(rows(2, 20), uri, mode="append")
    lance.dataset(uri).cleanup_old_versions(older_than=timedelta(0))
    assert (Path(uri) / "data" / orphan.files[0].path).exists()


def test_compaction_merges_fragments_of_different_partitions(uri: str) -> None:
    """Every fragment of ours has one owner: ``maintenance._groups`` decides what is merged."""
    lance.write_dataset(rows(5, 0, "p"), uri)
    lance.write_dataset(rows(5, 10, "q"), uri, mode="append")
    dataset = lance.dataset(uri)
    dataset.optimize.compact_files()
    assert len(lance.dataset(uri).get_fragments()) == 1


def test_a_distributed_compaction_planned_before_a_deletion_is_refused(uri: str) -> None:
    """#6653, deleted rows come back: not in this version. Ours is an ``Update`` with ``max_retries=0``."""
    lance.write_dataset(rows(5), uri)
    lance.write_dataset(rows(5, 10), uri, mode="append")
    dataset = lance.dataset(uri)
    plan = Compaction.plan(dataset, {"target_rows_per_fragment": 1000})
    rewritten = [task.execute(dataset) for task in plan.tasks]
    lance.dataset(uri).delete("id = '1'")
    with pytest.raises(OSError, match="conflict"):
        Compaction.commit(lance.dataset(uri), rewritten)
    assert "1" not in ids(uri)


def test_an_append_without_a_nullable_column_fills_nulls(uri: str, tmp_path: Path) -> None:
    """``FragmentWriter`` checks names, types and nulls of every batch first."""
    lance.write_dataset(rows(2), uri)
    lance.write_dataset(pa.table({"id": ["9"]}), uri, mode="append")
    assert lance.dataset(uri).to_table(filter="id = '9'")["part"].to_pylist() == [None]
    writer = FragmentWriter(Table(uri, "t"), rows(1).schema)
    with pytest.raises(ContractError, match=r"missing \['part'\]"):
        writer.write(pa.record_batch({"id": ["10"]}))


def test_merge_insert_takes_duplicate_new_keys_and_never_matches_null(uri: str) -> None:
    """#4644 and more: nothing of ours uses ``merge_insert``; ids are unique by the contract of every table."""
    lance.write_dataset(pa.table({"id": pa.array([None, "a"], pa.string()), "part": ["p", "p"]}), uri)
    new = pa.table({"id": pa.array([None, "x", "x"], pa.string()), "part": ["q", "q", "r"]})
    lance.dataset(uri).merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)
    found = lance.dataset(uri).to_table()["id"].to_pylist()
    assert (found.count(None), found.count("x")) == (2, 2)


def test_merge_insert_moves_updated_rows_to_the_end(uri: str) -> None:
    """#8282."""
    lance.write_dataset(rows(5), uri)
    update = pa.table({"id": ["2"], "part": ["z"]})
    lance.dataset(uri).merge_insert("id").when_matched_update_all().execute(update)
    assert lance.dataset(uri).to_table()["id"].to_pylist() == ["0", "1", "3", "4", "2"]


def test_merge_insert_with_stable_row_ids_and_an_index_answers_right(uri: str) -> None:
    """#7444, #6877, #6969: not in this form in this version."""
    lance.write_dataset(rows(50), uri, enable_stable_row_ids=True)
    lance.dataset(uri).create_scalar_index("id", "BTREE")
    update = pa.table({"id": ["7", "60"], "part": ["z", "z"]})
    lance.dataset(uri).merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(update)
    dataset = lance.dataset(uri)
    assert dataset.count_rows() == 51
    assert dataset.to_table(filter="id = '7'")["part"].to_pylist() == ["z"]
    assert dataset.to_table(filter="id IN ('6', '60')")["part"].to_pylist() == ["p", "z"]


def test_field_ids_are_numbered_anew_after_a_column_was_dropped(uri: str) -> None:
    """``columns._with_field`` takes the ids from ``merge_columns``, which are right."""
    lance.write_dataset(pa.table({"a": [1], "b": [2], "c": [3]}), uri)
    lance.dataset(uri).drop_columns(["b"])
    dataset = lance.dataset(uri)
    assert [field.id() for field in dataset.lance_schema.fields()] == [0, 2]
    assert [field.id() for field in LanceSchema.from_pyarrow(dataset.schema).fields()] == [0, 1]


@pytest.mark.parametrize("values", [pa.array([1, 2], pa.int64()), pa.array(["a", "b", "c", "d", "e"])])
def test_a_column_file_of_another_length_or_type_is_accepted_and_breaks_the_table(uri: str, values: pa.Array) -> None:
    """``write_column_file`` checks types and ``plan_column`` lengths before anything is committed."""
    lance.write_dataset(rows(5), uri)
    dataset = lance.dataset(uri)
    fragment, schema = column_file(uri, values)
    lance.LanceDataset.commit(dataset, lance.LanceOperation.Merge([fragment], schema), read_version=dataset.version)
    with pytest.raises((pa.ArrowInvalid, OSError, ValueError)):
        lance.dataset(uri).to_table(columns=["x"])
    assert len(ids(uri)) == 5  # the other columns can still be read
    with pytest.raises(LakehouseError, match="files do not fit fragments 0"):
        plan_column(dataset, pa.field("x", pa.int64()), {0: ColumnFile("k", "x.lance", 2, 0, "int64")})


def test_a_zero_byte_newest_manifest_makes_the_table_unopenable_and_the_one_before_opens(uri: str) -> None:
    """After a power loss: ``winnowry doctor`` names the table; its last good version opens by number."""
    lance.write_dataset(rows(2), uri)
    before = set((Path(uri) / "_versions").glob("*.manifest"))
    lance.write_dataset(rows(2, 5), uri, mode="append")
    (newest,) = set((Path(uri) / "_versions").glob("*.manifest")) - before
    newest.write_bytes(b"")
    with pytest.raises((ValueError, OSError)):
        lance.dataset(uri)
    assert lance.dataset(uri, version=1).count_rows() == 2


def test_the_transaction_of_a_compaction_of_an_indexed_table_cannot_be_read(uri: str) -> None:
    """pylance lacks three arguments; ``Table.transaction`` takes such a version for somebody else's."""
    lance.write_dataset(rows(5), uri)
    lance.write_dataset(rows(5, 10), uri, mode="append")
    lance.dataset(uri).create_scalar_index("id", "BTREE")
    lance.dataset(uri).optimize.compact_files()
    dataset = lance.dataset(uri)
    with pytest.raises(TypeError, match="RewrittenIndex"):
        dataset.read_transaction(dataset.version)
    found = Table(uri, "t").transaction(dataset, dataset.version)
    assert found is not None
    assert not found.transaction_properties


def blobs(values: list[bytes | None], start: int) -> pa.Table:
    payload: list[Any] = [
        None if value is None else lance.Blob.from_bytes(value) if value else lance.Blob.empty() for value in values
    ]
    schema = pa.schema([pa.field("id", pa.string()), lance.blob_field("payload")])
    names = [str(start + place) for place in range(len(values))]
    return pa.table({"id": names, "payload": lance.blob_array(payload)}, schema=schema)


def test_compaction_keeps_null_and_empty_blobs_apart(uri: str) -> None:
    """#7955, #8069: not in this version."""
    lance.write_dataset(blobs([b"x", None, b""], 0), uri, data_storage_version="2.2")
    lance.write_dataset(blobs([None, b"y"], 3), uri, mode="append")
    lance.dataset(uri).optimize.compact_files()
    dataset = lance.dataset(uri)
    places = dataset.to_table(columns=["id"], with_row_address=True)["_rowaddr"].combine_chunks()
    files = dataset.take_blobs("payload", addresses=places)
    assert [None if file is None else file.read() for file in files] == [b"x", None, b"", None, b"y"]


def test_a_scan_gives_blobs_as_descriptions_and_sql_cannot_aggregate_them(uri: str) -> None:
    """Written again they would be no blobs: tables with blobs are not compacted, and no gate asks SQL about them."""
    lance.write_dataset(blobs([b"x"], 0), uri, data_storage_version="2.2")
    dataset = lance.dataset(uri)
    assert blob_columns(dataset.schema) == ["payload"]
    (row,) = dataset.to_table(columns=["payload"]).to_pylist()
    assert "blob_id" in row["payload"]
    with pytest.raises((OSError, ValueError), match="schema"):
        dataset.sql("SELECT count(payload) FROM dataset").build().to_batch_records()


def test_a_version_of_zeros_opens_as_an_empty_table(uri: str) -> None:
    lance.write_dataset(rows(3), uri)
    (manifest,) = Path(uri, "_versions").glob("*.manifest")
    manifest.write_bytes(bytes(manifest.stat().st_size))
    assert lance.dataset(uri).version == 0
    assert lance.dataset(uri).schema.names == []
    assert Table(uri, "t").dataset_or_none() is None
