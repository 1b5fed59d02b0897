"""Upgrade canaries: each Lance behaviour that the promotion relies on, pinned on Lance itself.

When one fails after an upgrade of pylance, read docs/adr/0001 before changing anything: the promotion may still *look*
right. Nothing of winnowry is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest
from lance.fragment import FragmentMetadata, write_fragments

ROWS = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("part", pa.string(), nullable=False)])


@pytest.fixture
def uri(tmp_path: Path) -> str:
    path = str(tmp_path / "t.lance")
    create(path)
    return path


def create(uri: str) -> Any:
    return lance.LanceDataset.commit(
        uri, lance.LanceOperation.Overwrite(ROWS, []), read_version=0, max_retries=0, enable_stable_row_ids=True
    )


def written(uri: str, part: str, ids: Sequence[str]) -> list[FragmentMetadata]:
    """Data files that no version mentions yet."""
    rows = pa.table({"id": list(ids), "part": [part] * len(ids)}, schema=ROWS)
    return write_fragments(rows, lance.dataset(uri), mode="append")


def merge(base: Any, new: Iterable[FragmentMetadata], *, keep: Sequence[int] | None = None) -> Any:
    present = base.get_fragments()
    fragments = [f.metadata for f in present if keep is None or f.fragment_id in keep]
    first = max((f.fragment_id for f in present), default=-1) + 1
    for offset, fragment in enumerate(new):
        fragment.id = first + offset
        fragments.append(fragment)
    return commit(base, lance.LanceOperation.Merge(fragments, base.lance_schema))


def update(
    base: Any, gone: Sequence[int], new: Sequence[FragmentMetadata], changed: Sequence[FragmentMetadata] = ()
) -> Any:
    return commit(
        base,
        lance.LanceOperation.Update(
            removed_fragment_ids=list(gone),
            updated_fragments=list(changed),
            new_fragments=list(new),
            fields_modified=[],
        ),
    )


def commit(base: Any, operation: Any, **how: Any) -> Any:
    transaction = lance.Transaction(
        read_version=base.version, operation=operation, transaction_properties={"winnowry.promotion": "x"}
    )
    return lance.LanceDataset.commit(base, transaction, max_retries=0, **how)


def load(uri: str, part: str, ids: Sequence[str]) -> Any:
    return merge(lance.dataset(uri), written(uri, part, ids))


def ids(uri: str) -> list[str]:
    return sorted(lance.dataset(uri).to_table()["id"].to_pylist())


def fragments_of(base: Any, part: str) -> list[int]:
    return [f.fragment_id for f in base.get_fragments() if f.to_table()["part"][0].as_py() == part]


def test_a_merge_on_a_stale_base_is_refused(uri: str) -> None:
    stale = lance.dataset(uri)
    load(uri, "p", ["a"])
    with pytest.raises(OSError, match=r"(?i)conflict"):
        merge(stale, written(uri, "p", ["a"]))
    assert ids(uri) == ["a"]


def test_a_merge_that_adds_nothing_is_a_compare_and_set_too(uri: str) -> None:
    stale = lance.dataset(uri)
    assert merge(lance.dataset(uri), []).version == 2
    with pytest.raises(OSError, match=r"(?i)conflict"):
        merge(stale, written(uri, "p", ["a"]))
    with pytest.raises(OSError, match=r"(?i)conflict"):
        merge(stale, [])
    assert ids(uri) == []


def test_a_merge_that_leaves_out_a_fragment_is_refused(uri: str) -> None:
    load(uri, "p", ["a"])
    load(uri, "q", ["b"])
    with pytest.raises(OSError, match="preserve all original fragments"):
        merge(lance.dataset(uri), written(uri, "r", ["c"]), keep=[0])
    assert ids(uri) == ["a", "b"]


def test_an_append_on_a_stale_base_is_accepted_so_that_it_cannot_be_the_compare_and_set(uri: str) -> None:
    stale = lance.dataset(uri)
    commit(lance.dataset(uri), lance.LanceOperation.Append(written(uri, "p", ["a"])))
    commit(stale, lance.LanceOperation.Append(written(uri, "p", ["a"])))
    assert ids(uri) == ["a", "a"]


def test_an_update_that_only_adds_is_accepted_on_a_stale_base(uri: str) -> None:
    stale = lance.dataset(uri)
    update(lance.dataset(uri), [], written(uri, "p", ["a"]))
    update(stale, [], written(uri, "p", ["a"]))
    assert ids(uri) == ["a", "a"]


def test_of_two_updates_that_remove_the_same_fragment_the_second_is_refused(uri: str) -> None:
    load(uri, "p", ["a"])
    stale = lance.dataset(uri)
    update(lance.dataset(uri), [0], written(uri, "p", ["b"]))
    with pytest.raises(OSError, match=r"(?i)conflict"):
        update(stale, [0], written(uri, "p", ["c"]))
    assert ids(uri) == ["b"]


def test_updates_that_remove_different_fragments_both_land(uri: str) -> None:
    load(uri, "p", ["a"])
    load(uri, "q", ["b"])
    stale = lance.dataset(uri)
    update(lance.dataset(uri), [0], written(uri, "p", ["a2"]))
    update(stale, [1], written(uri, "q", ["b2"]))
    assert ids(uri) == ["a2", "b2"]


def test_an_update_that_names_every_fragment_as_changed_is_refused_after_any_other_change(uri: str) -> None:
    load(uri, "p", ["a"])
    load(uri, "q", ["b"])
    for rival in (lambda: update(lance.dataset(uri), [1], written(uri, "q", ["b2"])), lambda: load(uri, "r", ["c"])):
        stale = lance.dataset(uri)
        gone = fragments_of(stale, "p")
        others = [f.metadata for f in stale.get_fragments() if f.fragment_id not in gone]
        rival()
        with pytest.raises(OSError, match=r"(?i)conflict"):
            update(stale, gone, written(uri, "p", ["a2"]), others)
    assert ids(uri) == ["a", "b2", "c"]


def test_naming_an_unchanged_fragment_as_changed_keeps_its_rows_and_deletions(uri: str) -> None:
    load(uri, "p", ["a", "b", "c"])
    load(uri, "q", ["d"])
    lance.dataset(uri).create_scalar_index("id", "BTREE")
    lance.dataset(uri).delete("id = 'b'")
    base = lance.dataset(uri)
    update(base, [1], written(uri, "q", ["e"]), [base.get_fragment(0).metadata])
    assert ids(uri) == ["a", "c", "e"]
    found = {name: lance.dataset(uri).count_rows(filter=f"id = '{name}'") for name in "abcde"}
    assert found == {"a": 1, "b": 0, "c": 1, "d": 0, "e": 1}


def test_a_detached_commit_is_invisible_and_readable_by_its_number(uri: str) -> None:
    load(uri, "p", ["a"])
    base = lance.dataset(uri)
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[0], updated_fragments=[], new_fragments=written(uri, "p", ["b"]), fields_modified=[]
    )
    transaction = lance.Transaction(read_version=base.version, operation=operation)
    detached = lance.LanceDataset.commit(base, transaction, detached=True).version
    assert ids(uri) == ["a"]
    assert lance.dataset(uri).version == 2
    assert detached not in [v["version"] for v in lance.dataset(uri).versions()]
    assert lance.dataset(uri, version=detached).to_table()["id"].to_pylist() == ["b"]
    load(uri, "q", ["c"])
    assert lance.dataset(uri, version=detached).to_table()["id"].to_pylist() == ["b"]


def test_a_detached_commit_on_an_old_dataset_object_builds_on_that_version(uri: str) -> None:
    load(uri, "p", ["a"])
    old = lance.dataset(uri)
    load(uri, "q", ["b"])
    operation = lance.LanceOperation.Update(
        removed_fragment_ids=[], updated_fragments=[], new_fragments=written(uri, "r", ["c"]), fields_modified=[]
    )
    transaction = lance.Transaction(read_version=old.version, operation=operation)
    detached = lance.LanceDataset.commit(old, transaction, detached=True).version
    assert sorted(lance.dataset(uri, version=detached).to_table()["id"].to_pylist()) == ["a", "c"]


def test_a_second_creator_is_refused(uri: str) -> None:
    load(uri, "p", ["a"])
    with pytest.raises(OSError):  # the message differs with who comes when
        create(uri)
    assert ids(uri) == ["a"]


def test_a_commit_carries_its_properties(uri: str) -> None:
    version = load(uri, "p", ["a"]).version
    transaction = lance.dataset(uri).read_transaction(version)
    assert transaction.transaction_properties["winnowry.promotion"] == "x"


def test_a_tag_keeps_its_version(uri: str) -> None:
    load(uri, "p", ["a"])
    lance.dataset(uri).tags.create("v1", 2)
    update(lance.dataset(uri), [0], written(uri, "p", ["b"]))
    assert lance.dataset(uri, version="v1").to_table()["id"].to_pylist() == ["a"]
    assert ids(uri) == ["b"]


def test_a_btree_answers_right_over_replaced_and_unindexed_fragments(uri: str) -> None:
    load(uri, "p", [f"a{i}" for i in range(20)])
    load(uri, "q", ["b"])
    lance.dataset(uri).create_scalar_index("id", "BTREE")
    update(lance.dataset(uri), [0], written(uri, "p", ["a1", "new"]))
    load(uri, "r", ["c"])
    for _ in range(2):
        counts = {n: lance.dataset(uri).count_rows(filter=f"id = '{n}'") for n in ("a0", "a1", "new", "b", "c")}
        assert counts == {"a0": 0, "a1": 1, "new": 1, "b": 1, "c": 1}
        lance.dataset(uri).optimize.optimize_indices()


def parts(uri: str) -> Any:
    """Fragments p (indexed), q (indexed), r (not indexed)."""
    load(uri, "p", ["a", "b"])
    load(uri, "q", ["c", "d"])
    lance.dataset(uri).create_scalar_index("id", "BTREE")
    return load(uri, "r", ["e", "f"])


def test_a_scan_of_some_fragments_sees_no_others_and_uses_the_index(uri: str) -> None:
    base = parts(uri)
    some = [base.get_fragment(1), base.get_fragment(2)]
    assert base.scanner(fragments=some).to_table()["id"].to_pylist() == ["c", "d", "e", "f"]
    assert base.scanner(fragments=some, offset=1, limit=2).to_table()["id"].to_pylist() == ["d", "e"]
    assert base.scanner(fragments=[]).to_table().num_rows == 0
    plan = base.scanner(fragments=some, filter="id = 'd'").explain_plan()
    assert "ScalarIndexQuery" in plan
    found = {n: base.scanner(fragments=some, filter=f"id = '{n}'").count_rows() for n in "acdef"}
    assert found == {"a": 0, "c": 1, "d": 1, "e": 1, "f": 1}


def test_the_upper_half_of_a_row_address_is_its_fragment(uri: str) -> None:
    base = parts(uri)
    query = (
        "WITH dataset AS (SELECT id FROM stored WHERE (_rowaddr >> 32) IN (0, 2)) SELECT id FROM dataset ORDER BY id"
    )
    batches = base.sql(query).table_name("stored").with_row_addr(True).build().to_batch_records()
    assert [value for batch in batches for value in batch.column(0).to_pylist()] == ["a", "b", "e", "f"]


def test_only_index_builds_are_transactions_of_their_kind(uri: str) -> None:
    parts(uri)
    lance.dataset(uri).optimize.optimize_indices()
    base = lance.dataset(uri)
    kinds = [type(base.read_transaction(version).operation).__name__ for version in range(1, base.version + 1)]
    assert kinds == ["Overwrite", "Merge", "Merge", "CreateIndex", "Merge", "CreateIndex"]


def test_the_transaction_of_a_version_that_was_cleaned_up_is_not_found(uri: str) -> None:
    import datetime as dt

    base = parts(uri)
    base.cleanup_old_versions(older_than=dt.timedelta(0))
    with pytest.raises(OSError, match="not found"):
        lance.dataset(uri).read_transaction(2)
    assert lance.dataset(uri).read_transaction(base.version) is not None


def test_a_column_added_on_a_stale_base_is_refused_as_a_conflict(uri: str) -> None:
    stale = lance.dataset(uri)
    lance.dataset(uri).add_columns(pa.schema([pa.field("x", pa.int64())]))
    with pytest.raises(OSError, match=r"(?i)conflict"):
        stale.add_columns(pa.schema([pa.field("y", pa.int64())]))
    assert lance.dataset(uri).schema.names == ["id", "part", "x"]


def test_a_tag_that_is_there_is_not_created_again(uri: str) -> None:
    lance.dataset(uri).tags.create("v1", 1)
    with pytest.raises(ValueError, match="already exists"):
        lance.dataset(uri).tags.create("v1", 1)


def test_a_deletion_planned_on_an_old_version_is_of_that_version(uri: str) -> None:
    load(uri, "p", ["a", "b", "c"])
    old = lance.dataset(uri)
    lance.dataset(uri).delete("id = 'b'")
    changed = old.get_fragment(0).delete("id = 'a'")
    assert changed is not None
    assert (changed.deletion_file.num_deleted_rows, lance.dataset(uri).count_rows()) == (1, 2)
