"""A split by groups: nothing is parted, and shares are about what was declared."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from winnowry.operators.chat.split import GroupSplit


def test_records_of_a_group_are_in_one_split_and_shares_are_about_right() -> None:
    groups = [f"g{number // 2}" for number in range(8_000)]
    batch = pa.record_batch({"group": pa.array(groups)})
    splits = GroupSplit(shares={"train": 0.8, "dev": 0.1, "test": 0.1}).apply(batch)["split"].to_pylist()
    assert splits[::2] == splits[1::2]
    counts = Counter(splits)
    assert abs(counts["train"] / 8_000 - 0.8) < 0.03
    assert abs(counts["test"] / 8_000 - 0.1) < 0.03
    other = GroupSplit(shares={"train": 0.8, "dev": 0.1, "test": 0.1}, seed=1).apply(batch)["split"].to_pylist()
    assert other != splits


@pytest.mark.parametrize("shares", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}])
def test_shares_that_are_no_whole_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected shares of 0 or more that add up to 1"):
        GroupSplit(shares=shares)
