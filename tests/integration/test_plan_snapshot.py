"""A plan looks at a lake once, however many partitions it has, and says what it would say if it looked every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lance
import pytest

from tests import days
from winnowry.core.errors import LakehouseError
from winnowry.lakehouse.record import PromotionRecord, RecordStore
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.plan import Plan, plan

FIRST = ("2024-01-01", "2024-01-02")
LATER = ("2024-01-03", "2024-01-04", "2024-01-05")
REFUSED = "2024-01-04"


@contextmanager
def looks() -> Iterator[Counter[str]]:
    """Counts how often tables are opened, and how often each record is read."""
    counted: Counter[str] = Counter()
    opened, read = lance.dataset, RecordStore._read

    def counting_open(uri: str, *args: object, **options: object) -> object:
        counted["tables opened"] += 1
        return opened(uri, *args, **options)  # type: ignore[arg-type]

    def counting_read(self: RecordStore, uri: str) -> PromotionRecord:
        counted[uri] += 1
        return read(self, uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lance, "dataset", counting_open)
        patch.setattr(RecordStore, "_read", counting_read)
        yield counted


def looking_every_time(ws: Workspace, recipe: Recipe) -> Plan:
    """The plan made without a snapshot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "snapshot", lambda self: self)
        return plan(ws, recipe)


def test_a_plan_opens_tables_and_reads_records_as_often_for_five_partitions_as_for_two(tmp_path: Path) -> None:
    ws, recipe = Workspace.open(str(tmp_path)), days.recipe_at(tmp_path)
    for day in FIRST:
        days.land(tmp_path, day, days.texts(day, 3))
    assert days.run(ws, recipe).succeeded
    with looks() as of_two:
        planned = plan(ws, recipe)
    assert planned == looking_every_time(ws, recipe)

    for day in LATER:
        days.land(tmp_path, day, days.texts(day, 3, bad=20 if day == REFUSED else 0))
    (tmp_path / "landing" / "s" / f"{FIRST[0]}.jsonl").unlink()
    assert not days.run(ws, recipe).succeeded  # one day is refused, and what needs all of them waits
    with looks() as of_five:
        planned = plan(ws, recipe)

    assert planned == looking_every_time(ws, recipe)
    assert {entry.action for entry in planned.entries} == {"run", "skip", "wait"}
    refused_once = 2  # the history of gates is asked what the refusal was
    assert of_five.pop("tables opened") <= of_two.pop("tables opened") + refused_once
    assert set(of_two.values()) == set(of_five.values()) == {1}


def test_a_snapshot_does_not_see_what_lands_later_and_refuses_to_be_written_to(tmp_path: Path) -> None:
    ws, recipe = Workspace.open(str(tmp_path)), days.recipe_at(tmp_path)
    days.land(tmp_path, FIRST[0], days.texts(FIRST[0], 3))
    assert days.run(ws, recipe, to="landing").succeeded
    before = ws.snapshot()
    assert before.lake.live_record(days.CORPUS, "raw", FIRST[0]) is None
    assert days.run(ws, recipe, to="raw").succeeded

    assert before.lake.live_record(days.CORPUS, "raw", FIRST[0]) is None
    record = ws.snapshot().lake.live_record(days.CORPUS, "raw", FIRST[0])
    assert record is not None
    with pytest.raises(LakehouseError, match="for reading"):
        before.lake.records(days.CORPUS).save(record)
    with pytest.raises(LakehouseError, match="for reading"):
        before.lake.quarantine(days.CORPUS)
