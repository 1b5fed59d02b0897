"""Units of work are bounded in rows and in bytes, and hold every row once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest

from winnowry.engine import tasks as chain_task
from winnowry.engine.tasks import tasks_over
from winnowry.lakehouse.view import TableView

SMALL, LARGE = 100, 50_000


@pytest.fixture
def view(tmp_path: Path) -> TableView:
    """500 small rows, 40 large ones in fragments of 10, 500 small ones of which 100 are deleted."""
    uri = str(tmp_path / "rows.lance")
    random.seed(5)
    for n, size, most in ((500, SMALL, 500), (40, LARGE, 10), (500, SMALL, 500)):
        table = pa.table({"text": [random.randbytes(size // 2).hex() for _ in range(n)]})
        lance.write_dataset(table, uri, mode="append" if Path(uri).exists() else "create", max_rows_per_file=most)
    dataset = lance.dataset(uri)
    last = dataset.to_table(columns=["text"], offset=900)["text"].to_pylist()[:100]
    dataset.delete(f"text in ({', '.join(repr(text) for text in last)})")
    return TableView(uri, lance.dataset(uri).version, {}, "rows")


def test_units_hold_every_row_once_and_no_more_bytes_than_allowed(
    view: TableView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_task, "_UNIT_BYTES", 4 * LARGE)
    units = list(tasks_over(view, ["text"], lambda offset, n_rows: (offset, n_rows)))
    assert [offset for offset, _ in units] == [sum(n for _, n in units[:i]) for i in range(len(units))]
    assert sum(n for _, n in units) == view.count_rows() == 940
    texts = [text for batch in view.scan(["text"]) for text in batch.column(0).to_pylist()]
    sizes = [sum(map(len, texts[offset : offset + n])) for offset, n in units]
    assert max(sizes) < 9 * LARGE  # stored as half of what it is read as: random hexadecimal digits
    assert max(n for _, n in units) <= chain_task.UNIT_ROWS


def test_a_row_above_the_bound_is_a_unit_of_its_own(view: TableView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_task, "_UNIT_BYTES", 1000)
    units = list(tasks_over(view, ["text"], lambda offset, n_rows: (offset, n_rows)))
    assert [n for offset, n in units if 510 <= offset < 530] == [1] * 20
    assert sum(n for _, n in units) == 940


@pytest.mark.parametrize("workers", ["1", "64"])
@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [(0, []), (1, [1]), (940, [256, 256, 256, 172]), (4001, [501] * 7 + [494]), (17000, [2048] * 8 + [616])],
    ids=str,
)
def test_units_depend_on_the_rows_and_on_no_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_rows: int, expected: list[int], workers: str
) -> None:
    monkeypatch.setenv("WINNOWRY_WORKERS", workers)
    uri = str(tmp_path / "numbers.lance")
    lance.write_dataset(pa.table({"n": range(n_rows)}, pa.schema([("n", pa.int64())])), uri)
    units = list(tasks_over(TableView(uri, 1, {}, "numbers"), ["n"], lambda offset, n_rows: n_rows))
    assert units == expected


def test_a_unit_is_bounded_by_what_its_rows_hold_and_not_by_what_they_are_stored_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_task, "_UNIT_BYTES", 1 << 20)
    uri = str(tmp_path / "rows.lance")
    lance.write_dataset(pa.table({"text": pa.array(["word " * 40_000] * 40, pa.large_string())}), uri)
    stored = sum(path.stat().st_size for path in (tmp_path / "rows.lance" / "data").iterdir())
    assert stored < 1 << 20
    units = list(tasks_over(TableView(uri, 1, {}, "rows"), ["text"], lambda offset, n_rows: n_rows))
    assert units == [5] * 8  # 200,000 bytes each


def test_columns_that_a_unit_does_not_read_are_not_read_to_cut_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_task, "_UNIT_BYTES", 1 << 20)
    read: list[list[str]] = []
    scanner = lance.LanceFragment.scanner

    def watched(fragment: Any, *arguments: Any, **named: Any) -> Any:
        read.append(named["columns"])
        return scanner(fragment, *arguments, **named)

    monkeypatch.setattr(lance.LanceFragment, "scanner", watched)
    uri = str(tmp_path / "rows.lance")
    long = pa.array(["word " * 40_000] * 40, pa.large_string())
    lance.write_dataset(pa.table({"n": range(40), "name": ["a"] * 40, "text": long}), uri)
    view = TableView(uri, 1, {}, "rows")
    assert list(tasks_over(view, ["n", "name", "not_there"], lambda offset, n_rows: n_rows)) == [40]
    assert list(tasks_over(view, ["not_there"], lambda offset, n_rows: n_rows)) == [40]
    assert read == [["n", "name"]]
