"""Records whose codes are near: none is missed, none mistaken, and what is dropped is near one that stays."""

from __future__ import annotations

import random
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

from winnowry.core.tables import TIMESTAMP
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.exact import ExactDuplicates, content_key
from winnowry.operators.dedup.image import ImageDuplicates
from winnowry.operators.dedup.kernels.groups import walk_groups
from winnowry.operators.dedup.kernels.near import distances, link_near, probes
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.stages.duplicates.duplicates import by_partition, find_duplicates

START = datetime(2020, 1, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [("record_id", pa.string()), ("partition", pa.string()), ("event_time", TIMESTAMP), ("size", pa.int64()),
     ("content_key", pa.string()), ("image_key", pa.uint64()), ("n_pixels", pa.int64())]
)  # fmt: skip


def record(name: int, code: int | None, *, day: int = 0, text: str | None = None, n_pixels: int = 1) -> dict[str, Any]:
    return {
        "record_id": f"{name:032x}",
        "partition": f"p{name % 3}",
        "event_time": START + timedelta(days=day),
        "size": 1,
        "content_key": None if text is None else content_key(text),
        "image_key": code,
        "n_pixels": n_pixels,
    }


def decided(
    folder: Path, rows: list[dict[str, Any]], *operators: DuplicateKeys, **limits: int
) -> dict[int, dict[str, Any]]:
    uri = str(folder / f"{uuid4()}.lance")
    version = lance.write_dataset(pa.Table.from_pylist(rows, schema=SCHEMA), uri, max_rows_per_file=7).version
    scratch = folder / f"scratch-{uuid4()}"
    scratch.mkdir()
    parts = find_duplicates(
        TableView(uri, version, {}, "cleaned"), operators or (ImageDuplicates(),), scratch, **limits
    )
    table = pa.concat_tables([rows for _, rows in by_partition(parts)] or parts)
    return {int(row["record_id"], 16): row for row in table.to_pylist()}


def keepers(rows: dict[int, dict[str, Any]]) -> dict[int, int]:
    return {name: int(row["kept_record_id"], 16) for name, row in rows.items()}


def flipped(code: int, *bits: int) -> int:
    for bit in bits:
        code ^= 1 << bit
    return code


A = 0x8C58F127B1AF3586


def test_pictures_within_the_distance_are_duplicates_and_similarity_is_the_share_of_bits_that_agree(
    tmp_path: Path,
) -> None:
    spread = [3, 12, 20, 31, 40, 48, 63, 55]
    rows = [record(0, A), *(record(n, flipped(A, *spread[:n])) for n in range(1, 9))]
    left_out = decided(tmp_path, rows)
    assert keepers(left_out) == dict.fromkeys(range(1, 8), 0)
    assert {name: row["similarity"] for name, row in left_out.items()} == {n: 1 - n / 64 for n in range(1, 8)}
    assert {(row["method"], row["steps"], row["group_size"]) for row in left_out.values()} == {("image", 1, 8)}


def test_a_picture_without_a_hash_is_like_no_other_and_a_hash_of_zeros_is_one(tmp_path: Path) -> None:
    rows = [record(0, None), record(1, None), record(2, 0), record(3, 1)]
    assert keepers(decided(tmp_path, rows)) == {3: 2}


def test_of_a_chain_of_pictures_each_like_the_next_those_far_from_all_that_stay_stay_too(tmp_path: Path) -> None:
    chain = [flipped(A, *range(6 * link)) for link in range(5)]  # neighbours differ in 6 bits, others in 12 or more
    rows = [record(name, code, day=name) for name, code in enumerate(chain)]
    assert keepers(decided(tmp_path, rows)) == {1: 0, 3: 2}
    rows = [record(name, code, n_pixels=[1, 9, 1, 5, 2][name]) for name, code in enumerate(chain)]
    best = ImageDuplicates(keep="best", by="n_pixels")
    assert keepers(decided(tmp_path, rows, best)) == {0: 1, 2: 1, 4: 3}


def test_equal_files_are_told_as_equal_and_lead_to_their_keeper_though_they_look_alike_too(tmp_path: Path) -> None:
    rows = [
        record(0, A, text="a"),
        record(1, A, text="a"),
        record(2, flipped(A, 5), text="b"),
        record(3, None, text="b"),
    ]
    left_out = decided(tmp_path, rows, ExactDuplicates(), ImageDuplicates())
    # 2 is dropped for what it looks like; 3 equals 2, which does not stay, and looks like nothing: it stays.
    assert {name: (row["method"], row["similarity"]) for name, row in left_out.items()} == {
        1: ("exact", 1.0), 2: ("image", 1 - 1 / 64)}  # fmt: skip


@pytest.mark.parametrize(("n_words", "max_distance"), [(1, 0), (1, 3), (1, 4), (1, 7), (1, 8), (1, 11), (4, 16)])
def test_no_pair_within_the_distance_is_missed_and_none_beyond_is_linked(n_words: int, max_distance: int) -> None:
    rng = np.random.default_rng(max_distance)
    n = 400
    codes = rng.integers(0, 2**64, (n, n_words), dtype=np.uint64)
    far = 0
    for copy in range(n // 2, n):  # each differs from one of the first half in 0 to 2 bits more than the distance
        n_bits = int(rng.integers(0, max_distance + 3))
        far += n_bits > max_distance
        codes[copy] = codes[copy - n // 2]
        for bit in rng.choice(64 * n_words, n_bits, replace=False).tolist():
            codes[copy, bit // 64] ^= np.uint64(1 << (bit % 64))
    codes = np.unique(codes, axis=0)
    parent = np.arange(len(codes), dtype=np.int32)
    link_near(codes, np.arange(len(codes)), max_distance, probes(n_words, max_distance), parent)
    linked = {frozenset((row, int(root))) for row, root in enumerate(parent.tolist()) if row != root}
    left, right = np.triu_indices(len(codes), 1)
    near = distances(codes[left], codes[right]) <= max_distance
    expected = {frozenset(pair) for pair in zip(left[near].tolist(), right[near].tolist(), strict=True)}
    assert linked == expected
    assert far
    assert linked or max_distance == 0  # all codes here are different


def by_hand(rows: list[dict[str, Any]], max_distance: int) -> dict[int, tuple[int, int]]:
    """Keeper and steps of every dropped record: the best that is left stays, with all that equal it or are near it."""
    order = sorted(rows, key=lambda row: (row["event_time"], row["record_id"]))
    left = list(order)
    answers: dict[int, tuple[int, int]] = {}
    while left:
        keeper = left.pop(0)
        reached, steps = [keeper], 0
        while reached:  # equal texts, through others or not
            steps += 1
            texts = {row["content_key"] for row in reached} - {None}
            reached = [row for row in left if row["content_key"] in texts]
            for row in reached:
                answers[int(row["record_id"], 16)] = (int(keeper["record_id"], 16), steps)
                left.remove(row)
        for row in list(left):
            codes = (keeper["image_key"], row["image_key"])
            if None not in codes and (codes[0] ^ codes[1]).bit_count() <= max_distance:
                answers[int(row["record_id"], 16)] = (int(keeper["record_id"], 16), 1)
                left.remove(row)
    return answers


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.none(), st.sampled_from("abcdef")),
        st.one_of(st.none(), st.tuples(st.sampled_from([0, A]), st.lists(st.integers(0, 14), max_size=8))),
    ),
    max_size=25,
)


@given(drawn=ROWS, seed=st.integers(0, 2**30), members_at_once=st.integers(1, 40), max_distance=st.integers(0, 7))
@settings(max_examples=40)
def test_any_order_of_rows_gives_what_choosing_by_hand_gives(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], seed: int, members_at_once: int, max_distance: int
) -> None:
    rows = [
        record(name, None if code is None else flipped(code[0], *code[1]), day=day, text=text)
        for name, (day, text, code) in enumerate(drawn, start=1)
    ]
    if not rows:
        return
    folder = tmp_path_factory.mktemp("near")
    operators = (ExactDuplicates(), ImageDuplicates(max_distance=max_distance))
    whole = decided(folder, rows, *operators)
    assert {name: (keeper, whole[name]["steps"]) for name, keeper in keepers(whole).items()} == by_hand(
        rows, max_distance
    )
    random.Random(seed).shuffle(rows)
    assert decided(folder, rows, *operators, members_at_once=members_at_once) == whole
    stay = {row["record_id"] for row in rows} - {row["record_id"] for row in whole.values()}
    assert {row["kept_record_id"] for row in whole.values()} <= stay


def test_a_group_of_thousands_is_decided_as_a_small_one_is() -> None:
    rng = np.random.default_rng(5)
    n = 3000  # more than are compared one by one
    codes = np.full((n, 1), A, dtype=np.uint64)
    for row in range(1, n):  # each a step from one before it: a group that no single picture is like
        codes[row] = codes[int(rng.integers(0, row))]
        for bit in rng.choice(64, int(rng.integers(0, 6)), replace=False).tolist():
            codes[row, 0] ^= np.uint64(1 << bit)
    nothing = np.empty((n, 0), dtype=np.int64)
    changes = probes(1, 7)
    keeper, before, steps = walk_groups(
        np.array([0, n]), nothing, np.empty(0, np.int64), np.zeros(1, np.int64), codes, np.ones((n, 1), dtype=bool),
        np.array([0, 1]), np.array([7]), changes, np.array([0, len(changes)]),
    )  # fmt: skip
    expected = np.full(n, -1)
    for row in range(n):
        if expected[row] < 0:
            near = np.flatnonzero(distances(np.repeat(codes[row : row + 1], n, axis=0), codes) <= 7)
            expected[near[expected[near] < 0]] = row
    assert keeper.tolist() == expected.tolist()
    assert (before == keeper).all()
    assert steps.tolist() == (expected != np.arange(n)).astype(int).tolist()
    assert 10 < len(set(expected.tolist())) < n
