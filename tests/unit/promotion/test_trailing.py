"""What a partition is compared with: those before it that lay there before this run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from winnowry.promotion.trailing import trailing_facts


def request_of(runs: dict[str, str], *, key: str, run_id: str) -> Any:
    """A request for a partition of a table whose partitions were promoted by some runs, each with its place as rows."""
    records = {
        partition: SimpleNamespace(facts={"n_rows": place, "name": partition}, lineage={"run_id": run})
        for place, (partition, run) in enumerate(runs.items())
    }
    lake = SimpleNamespace(
        partitions=lambda corpus, stage: sorted(records),
        live_record=lambda corpus, stage, partition: records[partition],
    )
    return SimpleNamespace(
        ws=SimpleNamespace(lake=lake), corpus="c", stage=SimpleNamespace(name="raw"), key=key, run_id=run_id
    )


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({}, {}),
        ({"2020": "first", "2021": "first"}, {}),  # a first load: nothing lay there before it
        ({"2020": "before", "2021": "first"}, {"n_rows": [0.0]}),
        ({"2020": "before", "2021": "before", "2023": "before"}, {"n_rows": [0.0, 1.0]}),  # 2023 comes later
        ({str(year): "before" for year in range(2010, 2020)}, {"n_rows": [5.0, 6.0, 7.0, 8.0, 9.0]}),
    ],
)
def test_a_partition_trails_those_that_an_earlier_run_promoted(
    runs: dict[str, str], expected: dict[str, list[float]]
) -> None:
    assert trailing_facts(request_of(runs, key="2022", run_id="first")) == expected
