"""Finished units: what is kept is what was computed, in the order of the tasks; only what is missing is computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from winnowry.core.errors import PromotionConflictError, TableFormatError
from winnowry.engine.tasks import ChainResult
from winnowry.promotion.units import KeptUnits, decode, encode
from winnowry.storage.objects import ObjectStore
from winnowry.storage.open import open_store


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "record_id": pa.array([f"{n:032x}" for n in numbers], pa.string()),
            "text": pa.array([None if n == 0 else "ä" * n for n in numbers], pa.large_string()),
            "bands": pa.array([[n, n + 1] for n in numbers], pa.list_(pa.uint64())),
        }
    )


def result(n: int) -> ChainResult:
    return ChainResult(batch(n), [batch(n + 100)], {}, 3, {"text.length": n})


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def kept(store: ObjectStore, key: str = "k", **how: bool) -> KeptUnits:
    return KeptUnits(store, f"{store.root}/corpus", "cleaned", "2020/a b", key, **how)


@pytest.mark.parametrize(
    ("rows", "rejected"),
    [
        (batch(1, 0, 2), [batch(3), batch(4, 5)]),
        (None, [batch(1)]),
        (batch(1), []),
        (batch(), []),
        (None, []),
    ],
    ids=["both", "only rejected", "only kept", "no rows", "nothing"],
)
def test_a_unit_is_read_back_as_it_was(rows: pa.RecordBatch | None, rejected: list[pa.RecordBatch]) -> None:
    read = decode(encode(ChainResult(rows, rejected, {"op": 2}, 7, {"op": 5})), "unit")

    assert (read.kept is None) == (rows is None)
    assert rows is None or (read.kept is not None and read.kept.equals(rows))
    assert [one.equals(other) for one, other in zip(read.quarantined, rejected, strict=True)] == [True] * len(rejected)
    assert (read.errors, read.rows) == ({"op": 2}, 7)
    assert read.calls == {}, "no operator was called for it by this attempt"


def test_another_format_is_refused_with_what_to_do() -> None:
    line, _, rest = encode(result(1)).partition(b"\n")
    newer = json.dumps({**json.loads(line), "format": 2}).encode() + b"\n" + rest
    with pytest.raises(TableFormatError, match=r"unit-7 has format 2, this version reads 1; remove the file"):
        decode(newer, "unit-7")


def test_only_missing_units_are_computed_and_results_keep_the_order_of_tasks(store: ObjectStore) -> None:
    computed: list[int] = []

    def compute(tasks: Iterator[int]) -> Iterator[ChainResult]:
        for task in tasks:
            computed.append(task)
            yield result(task)

    first = kept(store).results([("b", 2), ("d", 4)], compute)
    assert [one.rows for one in first] == [3, 3]
    computed.clear()
    units = kept(store)
    again = list(units.results([(name, n) for n, name in enumerate("abcde", 1)], compute))
    assert [one.kept["record_id"][0].as_py() for one in again if one.kept is not None] == [
        f"{n:032x}" for n in (1, 2, 3, 4, 5)
    ]
    assert (computed, units.reused) == ([1, 3, 5], 2)


def test_a_unit_is_kept_as_soon_as_it_is_there(store: ObjectStore) -> None:
    results = kept(store).results([("a", 1), ("b", 2)], lambda tasks: map(result, tasks))
    next(results)

    assert [info.uri.rsplit("/", 1)[1] for info in store.list(f"{store.root}/corpus/units/**")] == ["a"]


def test_a_unit_in_which_an_operator_crashed_is_computed_again(store: ObjectStore) -> None:
    crashed = ChainResult(batch(1), [batch(101)], {"text.length": 1}, 3, {})
    list(kept(store).results([("a", 1), ("b", 2)], lambda tasks: (crashed if n == 1 else result(n) for n in tasks)))
    units = kept(store)
    assert [one.calls for one in units.results([("a", 7), ("b", 8)], lambda tasks: map(result, tasks))] == [
        {"text.length": 7},
        {},
    ]


def test_a_unit_that_a_rival_removed_is_a_conflict(store: ObjectStore) -> None:
    list(kept(store).results([("a", 1)], lambda tasks: map(result, tasks)))
    units = kept(store)
    kept(store).clear()
    with pytest.raises(PromotionConflictError, match=r"k/a is gone.*run the stage again"):
        list(units.results([("a", 1)], lambda tasks: map(result, tasks)))


@pytest.mark.parametrize(("key", "fresh"), [("other", False), ("k", True)])
def test_units_of_another_key_and_of_a_fresh_attempt_are_computed(store: ObjectStore, key: str, fresh: bool) -> None:
    list(kept(store).results([("a", 1)], lambda tasks: map(result, tasks)))
    units = kept(store, key, fresh=fresh)
    assert [one.calls for one in units.results([("a", 9)], lambda tasks: map(result, tasks))] == [{"text.length": 9}]
    assert units.reused == 0


def test_clearing_removes_every_key_of_the_partition_and_of_no_other(store: ObjectStore) -> None:
    for key in ("k", "other"):
        list(kept(store, key).results([("a", 1)], lambda tasks: map(result, tasks)))
    beside = KeptUnits(store, f"{store.root}/corpus", "cleaned", "2021", "k")
    list(beside.results([("a", 1)], lambda tasks: map(result, tasks)))
    kept(store).clear()
    assert [info.uri.split("/units/")[1] for info in store.list(f"{store.root}/corpus/units/**")] == [
        "cleaned/2021/k/a"
    ]
