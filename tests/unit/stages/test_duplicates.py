"""Groups, keepers and twins, against a graph search over Python sets; the same for any order and any memory."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnowry.core.errors import UsageError
from winnowry.core.tables import TIMESTAMP
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.exact import ExactDuplicates, content_key
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.dedup.minhash import MinHash
from winnowry.stages.duplicates.duplicates import by_partition, find_duplicates
from winnowry.stages.duplicates.groups import policy_of

BANDS = 3
START = datetime(2020, 1, 1, tzinfo=UTC)


def record(
    name: int,
    *,
    day: int | None = 0,
    size: int = 1,
    text: str | None = None,
    bands: Sequence[int] | None = None,
    score: float | None = 0.0,
) -> dict[str, Any]:
    return {
        "record_id": f"{name:032x}",
        "partition": f"p{name % 3}",
        "event_time": None if day is None else START + timedelta(days=day),
        "size": size,
        "content_key": None if text is None else content_key(text),
        "minhash": None if bands is None else list(bands),
        "quality": score,
    }


SCHEMA = pa.schema(
    [("record_id", pa.string()), ("partition", pa.string()), ("event_time", TIMESTAMP), ("size", pa.int64()),
     ("content_key", pa.string()), ("minhash", pa.list_(pa.uint64())), ("quality", pa.float64())]
)  # fmt: skip


def operators(**policy: Any) -> tuple[DuplicateKeys, ...]:
    return ExactDuplicates(**policy), MinHash(bands=BANDS, rows=2, **policy)


def found(
    folder: Path, rows: list[dict[str, Any]], ops: Sequence[DuplicateKeys], **limits: int
) -> list[dict[str, Any]]:
    uri = str(folder / f"{uuid4()}.lance")
    version = lance.write_dataset(pa.Table.from_pylist(rows, schema=SCHEMA), uri, max_rows_per_file=7).version
    scratch = folder / f"scratch-{uuid4()}"
    scratch.mkdir()
    parts = find_duplicates(TableView(uri, version, {}, "cleaned"), ops, scratch, **limits)
    decided: list[dict[str, Any]] = pa.concat_tables([rows for _, rows in by_partition(parts)] or parts).to_pylist()
    return decided


def kept(decided: list[dict[str, Any]]) -> dict[int, int]:
    return {int(row["record_id"], 16): int(row["kept_record_id"], 16) for row in decided}


def test_equal_texts_keep_the_earliest(tmp_path: Path) -> None:
    rows = [record(1, day=5, text="a"), record(2, day=3, text="A"), record(3, day=4, text="a "), record(4, text="b")]
    assert kept(found(tmp_path, rows, operators())) == {1: 2, 3: 2}


@pytest.mark.parametrize(
    ("policy", "keeper"),
    [({}, 3), ({"keep": "longest"}, 1), ({"keep": "best", "by": "quality"}, 4)],
)
def test_the_policy_decides_and_ties_go_to_the_smaller_id(tmp_path: Path, policy: dict[str, Any], keeper: int) -> None:
    rows = [
        record(5, day=1, size=9, score=0.5, text="a"),
        record(1, day=2, size=9, score=None, text="a"),
        record(3, day=1, size=2, score=float("nan"), text="a"),
        record(4, day=None, size=8, score=0.5, text="a"),
    ]
    assert set(kept(found(tmp_path, rows, operators(**policy))).values()) == {keeper}


def test_records_linked_by_others_are_one_group_and_the_chain_to_the_keeper_is_told(tmp_path: Path) -> None:
    rows = [
        record(1, day=0, bands=[11, 12, 13]),
        record(2, day=1, bands=[11, 22, 23]),
        record(3, day=2, bands=[31, 22, 23], text="same"),
        record(4, day=3, bands=[31, 22, 23], text="same"),
        record(5, day=4, bands=[13, 11, 12]),  # equal numbers in other bands mean nothing
    ]
    decided = {int(row["record_id"], 16): row for row in found(tmp_path, rows, operators())}
    assert {name: (int(row["twin_record_id"], 16), row["steps"]) for name, row in decided.items()} == {
        2: (1, 1), 3: (2, 2), 4: (2, 2)}  # fmt: skip
    assert {row["kept_record_id"] for row in decided.values()} == {f"{1:032x}"}
    assert {row["group_size"] for row in decided.values()} == {4}
    assert decided[2]["similarity"] == pytest.approx((1 / 3) ** (1 / 2))
    assert decided[3]["similarity"] == pytest.approx((2 / 3) ** (1 / 2))
    assert {row["method"] for row in decided.values()} == {"minhash"}


def test_an_equal_text_is_reported_as_equal_though_it_shares_all_bands_too(tmp_path: Path) -> None:
    rows = [record(1, text="t", bands=[1, 2, 3]), record(2, text="T", bands=[1, 2, 3])]
    for ops in (operators(), operators()[::-1]):
        (row,) = found(tmp_path, rows, ops)
        assert (row["method"], row["similarity"]) == ("exact", 1.0)


def test_records_without_keys_duplicate_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, [record(n) for n in range(5)], operators()) == []
    assert found(tmp_path, [record(1, text="a"), record(2, text="a")], ()) == []


def test_keys_that_agree_in_their_first_half_only_are_different(tmp_path: Path) -> None:
    rows = [record(n, text="x") for n in range(4)]
    for row, last in zip(rows, "0011", strict=True):
        row["content_key"] = "a" * 16 + last * 16
    assert kept(found(tmp_path, rows, operators())) == {1: 0, 3: 2}


def test_operators_that_disagree_about_the_keeper_are_refused() -> None:
    with pytest.raises(UsageError, match=r"dedup\.exact keeps earliest; dedup\.minhash keeps longest"):
        policy_of([ExactDuplicates(), MinHash(keep="longest")])


def test_a_column_that_does_not_rank_is_refused(tmp_path: Path) -> None:
    rows = [record(1, text="a"), record(2, text="a")]
    with pytest.raises(UsageError, match="'content_key': the column is string, expected a number"):
        found(tmp_path, rows, operators(keep="best", by="content_key"))


def search(rows: list[dict[str, Any]]) -> dict[str, tuple[str, int, int]]:
    """Keeper, shortest chain and size of the group of every dropped record, by breadth-first search over sets."""
    keys = {
        row["record_id"]: {("exact", row["content_key"])} - {("exact", None)}
        | {(band, key) for band, key in enumerate(row["minhash"] or ())}
        for row in rows
    }
    rank = {row["record_id"]: (row["event_time"] or START + timedelta(days=9999), row["record_id"]) for row in rows}
    told: dict[str, tuple[str, int, int]] = {}
    left = set(keys)
    while left:
        start = min(left, key=lambda name: rank[name])
        group, frontier = {start}, {start}
        while frontier:
            frontier = {name for name in left - group if any(keys[name] & keys[other] for other in frontier)}
            group |= frontier
        keeper = min(group, key=lambda name: rank[name])
        far, frontier, seen = 0, {keeper}, {keeper}
        while frontier:
            for name in frontier - {keeper}:
                told[name] = (keeper, far, len(group))
            far += 1
            frontier = {name for name in group - seen if any(keys[name] & keys[other] for other in frontier)}
            seen |= frontier
        left -= group
    return told


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.sampled_from("abcdef")),
        st.one_of(st.none(), st.lists(st.integers(1, 12), min_size=BANDS, max_size=BANDS)),
    ),
    max_size=30,
)


@given(drawn=ROWS, seed=st.integers(0, 2**30), keys_at_once=st.integers(1, 40), members_at_once=st.integers(1, 40))
@settings(max_examples=60)
def test_any_order_of_rows_and_any_bound_of_memory_give_what_a_search_gives(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], seed: int, keys_at_once: int, members_at_once: int
) -> None:
    rng = random.Random(seed)
    spread = 2**64 // 13  # keys are hashes: they fill their range
    rows = [
        record(name, day=day, text=text, bands=None if bands is None else [key * spread for key in bands])
        for name, (day, text, bands) in enumerate(drawn, start=1)
    ]
    folder = tmp_path_factory.mktemp("groups")
    if not rows:
        return
    whole = found(folder, rows, operators())
    assert {row["record_id"]: (row["kept_record_id"], row["steps"], row["group_size"]) for row in whole} == search(rows)
    rng.shuffle(rows)
    assert found(folder, rows, operators(), keys_at_once=keys_at_once, members_at_once=members_at_once) == whole
    by_id = {row["record_id"]: row for row in rows}
    for row in whole:  # the twin is one match nearer, and the match is there
        one, twin = by_id[row["record_id"]], by_id[row["twin_record_id"]]
        if row["method"] == "exact":
            assert one["content_key"] == twin["content_key"] is not None
        else:
            common = sum(a == b for a, b in zip(one["minhash"], twin["minhash"], strict=True))
            assert row["similarity"] == pytest.approx((common / BANDS) ** 0.5)
            assert common > 0
    steps = {row["record_id"]: row["steps"] for row in whole}
    assert all(steps.get(row["twin_record_id"], 0) == row["steps"] - 1 for row in whole)


@pytest.mark.slow
def test_many_records_of_one_group_take_linear_time(tmp_path: Path) -> None:
    rows = [record(n, text="boilerplate", bands=[5, 6, 7]) for n in range(30_000)]
    decided = found(tmp_path, rows, operators())
    assert len(decided) == 29_999
    assert np.unique([row["steps"] for row in decided]).tolist() == [1]
