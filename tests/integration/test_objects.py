"""How many objects a lake of many small partitions is, and that upkeep takes nothing that anybody needs."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.unattended import RECIPE, day_of
from tests.walk import open_recipe, run_all
from winnowry.inspect.maintain import maintain
from winnowry.inspect.verify import verify
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.releases import rollback

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PARTITIONS = 30
A_PARTITION_AND_PROMOTION = 12
STAGES = 3
"""Stages that promote a partition: raw, cleaned, scored."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Thirty days of twenty records."""
    root = tmp_path_factory.mktemp("days")
    (root / "landing" / "s").mkdir(parents=True)
    for day in range(PARTITIONS):
        texts = [f"The printer number {n} of house {day} does not answer since the update." for n in range(19)]
        rows = [{"id": f"{day}-{n}", "text": t, "t": f"{day_of(day)}T10:00:00Z"} for n, t in enumerate([*texts, "no"])]
        (root / "landing" / "s" / f"{day}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "days.yaml").write_text(RECIPE, encoding="utf-8")
    ws, recipe = open_recipe(root, root / "days.yaml")
    run_all(ws, recipe)
    return ws


def objects(ws: Workspace) -> Counter[str]:
    """Objects of the corpus by the folder they lie in."""
    base = Path(ws.store.resolve("days"))
    return Counter("/".join(p.relative_to(base).parts[:2]) for p in base.rglob("*") if p.is_file())


def a_partition_and_promotion(ws: Workspace) -> float:
    return objects(ws).total() / PARTITIONS / STAGES


def everything_is_there(ws: Workspace) -> None:
    assert verify(ws, ["days"], depth="contents").findings == ()
    assert ws.lake.open("days", "published", "v1").count_rows() == 19 * PARTITIONS
    rollback(ws, "days", "v1")
    _, recipe = open_recipe(Path(ws.store.resolve(".")), Path(ws.store.resolve("days.yaml")))
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_upkeep_on_the_day_leaves_twelve_objects_a_partition_and_promotion(lake: Workspace) -> None:
    before = a_partition_and_promotion(lake)
    maintain(lake)
    assert before > a_partition_and_promotion(lake)
    print(f"{before:.1f} → {a_partition_and_promotion(lake):.1f} objects a partition and promotion")
    assert a_partition_and_promotion(lake) <= A_PARTITION_AND_PROMOTION, objects(lake)
    everything_is_there(lake)


def test_upkeep_after_the_retention_leaves_one_data_file_and_one_record_each(lake: Workspace) -> None:
    for _ in range(2):  # what the first one merges is removed by the next one
        for path in Path(lake.store.resolve("days")).rglob("*"):
            os.utime(path, (time.time() - 40 * 86400,) * 2)
        maintain(lake)
    print(f"{a_partition_and_promotion(lake):.1f} objects a partition and promotion")
    assert a_partition_and_promotion(lake) <= 4.5, objects(lake)
    everything_is_there(lake)
