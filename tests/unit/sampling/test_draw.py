from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sampling import reference
from winnowry.core.errors import UsageError
from winnowry.sampling.draw import ascending, filled, id_words, pareto_order, permanent_random

HEX = ["00000000000000000000000000000000", "0123456789abcdeffedcba9876543210", "ffffffffffffffffffffffffffffffff"]
RAW = b"".join(bytes.fromhex(text) for text in HEX)


@pytest.mark.parametrize(
    "ids",
    [
        np.array(HEX, "S32"),
        np.array(HEX),
        np.frombuffer(RAW, "V16"),
        np.frombuffer(RAW, np.uint8).reshape(3, 16),
        pa.array(HEX),
        pa.array(HEX, pa.large_string()),
        pa.chunked_array([HEX[:1], [], HEX[1:]], pa.string()),
        pa.array(["x" * 32, *HEX]).slice(1),
        pa.array([bytes.fromhex(text) for text in HEX], pa.binary(16)),
    ],
    ids=["S32", "U32", "V16", "uint8", "string", "large_string", "chunked", "sliced", "fixed_size_binary"],
)
def test_every_form_of_a_record_id_is_the_same_128_bits(ids: object) -> None:
    assert [(f"{high:016x}{low:016x}") for high, low in id_words(ids).tolist()] == HEX


@pytest.mark.parametrize(
    "ids", [pa.array(["short"]), pa.array([None, HEX[0]]), np.array(["G" * 32]), np.array([1.5]), np.array(["abc"])]
)
def test_an_id_that_is_not_128_bits_is_refused(ids: object) -> None:
    with pytest.raises(UsageError):
        id_words(ids)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**63 - 1))
def test_the_random_number_is_the_documented_hash(number: int, seed: int) -> None:
    record_id = f"{number:032x}"
    drawn = permanent_random(id_words(np.array([record_id])), seed)
    assert drawn.tolist() == [reference.permanent_random(record_id, seed)]
    assert 0.0 < drawn[0] < 1.0


def test_random_numbers_are_uniform_and_seeds_are_unrelated() -> None:
    words = np.arange(200_000, dtype=np.uint64).reshape(-1, 2)  # counters: the hardest ids for a weak hash
    first, second = permanent_random(words, 0), permanent_random(words, 1)
    counts = np.histogram(first, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # chi-square, 99 degrees of freedom: p = 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(first))


def test_equal_keys_are_ordered_by_id_whatever_the_order_of_rows() -> None:
    generator = np.random.default_rng(0)
    words = generator.integers(0, 2**63, (1000, 2)).astype(np.uint64)
    words[:500, 0] = 7  # the low word decides too
    keys = generator.integers(0, 5, 1000).astype(float)
    expected = sorted(range(1000), key=lambda row: (keys[row], *words[row].tolist()))
    assert ascending(keys, words).tolist() == expected
    shuffled = generator.permutation(1000)
    assert shuffled[ascending(keys[shuffled], words[shuffled])].tolist() == expected


def _filled_one_by_one(sizes: list[int], budget: int, stop_below: float) -> list[bool]:
    taken = []
    stopped = False
    for size in sizes:
        fits = not stopped and size <= budget
        if not fits and budget < stop_below:
            stopped = True
        taken.append(fits)
        budget -= size if fits else 0
    return taken


@given(
    st.lists(st.integers(0, 50), max_size=600),
    st.integers(0, 3000),
    st.sampled_from([0.0, 1.0, 10.0, 25.0]),
)
def test_filling_a_budget_is_the_same_as_walking_record_by_record(
    sizes: list[int], budget: int, stop_below: float
) -> None:
    taken = filled(np.array(sizes, np.int64), budget, stop_below)
    assert taken.tolist() == _filled_one_by_one(sizes, budget, stop_below)


def test_a_huge_record_does_not_starve_the_budget() -> None:
    assert filled(np.array([1000, 10, 10]), 25, stop_below=10).tolist() == [False, True, True]


def test_certain_records_rank_first_and_impossible_ones_last() -> None:
    assert pareto_order(np.array([0.25, 1.0, 0.0]), np.array([0.5, 0.99, 0.01])).tolist() == [3.0, 0.0, np.inf]
