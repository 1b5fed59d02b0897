"""What a partition is compared with: those before it that were there before the newest landing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from winnowry.promotion.trailing import trailing_facts

LANDED = 100.0


def request_of(promoted: dict[str, float | None], *, key: str, landed: float | None) -> Any:
    """A request for a partition of a table whose partitions were promoted at some times; each has its place as rows."""
    records = {
        partition: SimpleNamespace(facts={"n_rows": place, "name": partition}, promoted_at=at)
        for place, (partition, at) in enumerate(promoted.items())
    }

    def live_record(corpus: str, stage: str, partition: str = "__all__") -> Any:
        if stage == "landing":
            return None if landed is None else SimpleNamespace(promoted_at=landed)
        return records[partition]

    lake = SimpleNamespace(partitions=lambda corpus, stage: sorted(records), live_record=live_record)
    return SimpleNamespace(ws=SimpleNamespace(lake=lake), corpus="c", stage=SimpleNamespace(name="raw"), key=key)


@pytest.mark.parametrize(
    ("promoted", "expected"),
    [
        ({}, {}),
        ({"2020": 101.0, "2021": 102.0}, {}),  # a first load: nothing lay there before it
        ({"2020": 99.0, "2021": 102.0}, {"n_rows": [0.0]}),
        ({"2020": 90.0, "2021": 91.0, "2023": 92.0}, {"n_rows": [0.0, 1.0]}),  # 2023 comes later
        ({"2020": None}, {"n_rows": [0.0]}),  # of a lake that did not write the time yet
        ({str(year): 90.0 for year in range(2010, 2020)}, {"n_rows": [5.0, 6.0, 7.0, 8.0, 9.0]}),
    ],
)
def test_a_partition_trails_those_that_were_there_before_the_newest_landing(
    promoted: dict[str, float | None], expected: dict[str, list[float]]
) -> None:
    assert trailing_facts(request_of(promoted, key="2022", landed=LANDED)) == expected


def test_without_a_landing_every_partition_before_it_is_the_past() -> None:
    assert trailing_facts(request_of({"2020": 101.0}, key="2022", landed=None)) == {"n_rows": [0.0]}
