"""What readers see where some fragments are not for them, and that looking writes nothing."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from tests.small_lake import CORPUS as LETTERS
from tests.small_lake import IDS, make_small_lake
from tests.unit.lakehouse.test_promotion import CORPUS, killed_at, promoted, quarantined, staged
from winnowry.core.tables import QUARANTINE
from winnowry.inspect.explain import explain
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.view import TableView
from winnowry.reading.query import run_sql
from winnowry.storage.open import open_store


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lakehouse]:
    yield Lakehouse(open_store(str(tmp_path / "lake")), {})
    barrier.hook = None


def files(root: Path) -> list[tuple[str, int, int]]:
    """Every file below a root with its size and time of change."""
    found = ((path, path.stat()) for path in root.rglob("*") if path.is_file())
    return sorted((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)


@pytest.fixture
def middle(lake: Lakehouse) -> TableView:
    """Partition q, between p and r: rows q00 … q19 without q05 and q10, which are deleted."""
    promoted(lake, "p", {f"p{i:02}": i for i in range(10)})
    promoted(lake, "q", {f"q{i:02}": i for i in range(20)})
    promoted(lake, "r", {f"r{i:02}": i for i in range(10)})
    lake.table(CORPUS, "cleaned").dataset().delete("record_id IN ('q05', 'q10')")
    return lake.partition_view(CORPUS, "cleaned", "q")


LEFT = [f"q{i:02}" for i in range(20) if i not in (5, 10)]


def ids(table: pa.Table) -> list[str]:
    found: list[str] = table["record_id"].to_pylist()
    return found


def test_the_layout_changes_with_where_rows_lie_and_with_nothing_else(lake: Lakehouse, middle: TableView) -> None:
    before = middle.layout()
    assert [(written, deleted) for _, written, deleted in before] == [(20, 2)]
    promoted(lake, "s", {"s00": 0})  # another partition: a new version of the table
    assert lake.partition_view(CORPUS, "cleaned", "q").layout() == before
    lake.table(CORPUS, "cleaned").dataset().delete("record_id = 'q07'")
    assert lake.partition_view(CORPUS, "cleaned", "q").layout() == [(before[0][0], 20, 3)]
    lake.table(CORPUS, "cleaned").dataset().optimize.compact_files()
    assert lake.open(CORPUS, "cleaned").layout() not in (before, middle.layout())


def test_a_view_of_a_partition_holds_its_rows_however_they_are_read(middle: TableView) -> None:
    assert ids(middle.to_table()) == LEFT
    assert ids(pa.Table.from_batches(middle.scan(columns=["record_id"], batch_rows=3))) == LEFT
    assert ids(middle.to_table(where="value >= 15")) == ["q15", "q16", "q17", "q18", "q19"]
    assert ids(middle.to_table(limit=2)) == ["q00", "q01"]
    assert (middle.count_rows(), middle.count_rows("value < 7")) == (18, 6)
    assert middle.count_rows("record_id = 'p01'") == 0
    rows = middle.sql("SELECT COUNT(*) AS n, MIN(record_id) AS first, MAX(record_id) AS last FROM dataset").to_pylist()
    assert rows == [{"n": 18, "first": "q00", "last": "q19"}]
    units = [middle.dataset().scanner(columns=["record_id"], offset=at, limit=4).to_table() for at in range(0, 18, 4)]
    assert [name for unit in units for name in ids(unit)] == LEFT, "a stage cuts a view into units by offset"


def test_rows_are_taken_by_their_number_in_the_view(middle: TableView) -> None:
    assert ids(middle.dataset().take([17, 0, 5, 5], columns=["record_id"])) == ["q19", "q00", "q06", "q06"]
    assert middle.dataset().take([], columns=["record_id"]).num_rows == 0
    with pytest.raises(IndexError, match="row 18 of 18"):
        middle.dataset().take([18])


def test_a_view_without_a_fragment_is_empty_and_has_its_columns(lake: Lakehouse, middle: TableView) -> None:
    empty = lake.partition_view(CORPUS, "cleaned", "nobody wrote this")
    assert empty.to_table().schema.names == middle.schema.names
    assert (empty.to_table().num_rows, empty.count_rows(), empty.count_rows("value > 0")) == (0, 0, 0)
    assert list(empty.scan()) == []
    assert empty.sql("SELECT COUNT(*) AS n FROM dataset").to_pylist() == [{"n": 0}]


def test_a_view_goes_to_a_worker_with_what_it_may_see(middle: TableView) -> None:
    middle.count_rows()
    assert ids(pickle.loads(pickle.dumps(middle)).to_table()) == LEFT


def test_looking_up_one_row_of_a_view_uses_the_index(lake: Lakehouse, middle: TableView) -> None:
    lake.ensure_index(CORPUS, "cleaned")
    view = lake.partition_view(CORPUS, "cleaned", "q")
    assert "ScalarIndexQuery" in view.dataset().scanner(filter="record_id = 'q07'").explain_plan()
    found = {name: view.count_rows(f"record_id = '{name}'") for name in ("q07", "q05", "p07")}
    assert found == {"q07": 1, "q05": 0, "p07": 0}


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """A promotion is half done: its side rows lie there and are hidden from every look."""
    root = tmp_path / "lake"
    ws = make_small_lake(root)
    half = staged_quarantine(ws.lake)
    before = files(root)
    if os.geteuid() != 0:  # root writes where it may not
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            folder.chmod(0o555)
    try:
        assert ws.lake.open(LETTERS, "quarantine").to_table().num_rows == 2
        assert half not in ws.lake.open(LETTERS, "quarantine").to_table()["promotion_id"].to_pylist()
        assert ws.lake.partition_view(LETTERS, "quarantine", "2020", "cleaned").count_rows() == 1
        assert ws.lake.partition_view(LETTERS, "cleaned", "2021").count_rows() == 2
        answer = run_sql(ws, f"select record_id, q.value from {LETTERS}.quarantine q where stage = 'cleaned'")
        assert answer.to_pylist() == [{"record_id": IDS["c"], "value": "7"}]
        shown = run_sql(ws, "select name, version, rows from tables where name = 'letters.quarantine'").to_pylist()
        assert [row["rows"] for row in shown] == [2]
        assert explain(ws, IDS["c"]).status == "quarantined"
    finally:
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
    assert files(root) == before


def staged_quarantine(lake: Lakehouse) -> str:
    """Commit a quarantine row of a promotion that goes no further, and return the promotion's id."""
    row = {
        "record_id": "f" * 32,
        "partition": "2020",
        "stage": "cleaned",
        "operator": "text.length",
        "reason": "min_words",
        "reasons": [],
        "promotion_id": "half-done",
    }
    table = lake.quarantine(LETTERS)
    lance.write_dataset(pa.Table.from_pylist([row], schema=QUARANTINE), table.uri, mode="append")
    return "half-done"


@pytest.mark.parametrize("killed", [False, True], ids=["tidied", "not tidied"])
def test_a_promotion_that_lands_while_a_reader_looks_is_seen_before_or_after(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    promoted(lake, "p", {"a": 1}, rejected=["x"])
    rival = staged(lake, "p", {"a": 2}, rejected=["y"])
    plain = Lakehouse.live_promotions
    looks: list[int] = []

    def live(self: Lakehouse, corpus: str) -> Any:
        looks.append(1)
        if len(looks) == 1:
            if killed:
                killed_at(lake, rival, "recorded")
            else:
                lake.promoter(CORPUS).promote(rival)
        return plain(self, corpus)

    monkeypatch.setattr(Lakehouse, "live_promotions", live)
    assert quarantined(lake) == ["y"]


def test_a_promotion_that_lands_just_after_a_reader_asked_what_is_live_is_not_half_seen(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(lake, "p", {"a": 1}, rejected=["x"])
    rival = staged(lake, "p", {"a": 2}, rejected=["y"])
    plain = Lakehouse.live_promotions
    looks: list[int] = []

    def live(self: Lakehouse, corpus: str) -> Any:
        found = plain(self, corpus)
        looks.append(1)
        if len(looks) == 1:
            lake.promoter(CORPUS).promote(rival)
        return found

    monkeypatch.setattr(Lakehouse, "live_promotions", live)
    assert quarantined(lake) in (["x"], ["y"])
