"""An erased record is in no version of any table, and does not come back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lance
import pytest

from tests.tiny_project import make_tiny_project
from tests.walk import open_recipe, run_all
from winnowry.core.ids import record_id
from winnowry.erasure.erase import erase
from winnowry.inspect.verify import verify
from winnowry.lakehouse.barrier import barrier

GONE = record_id("mail", mapped_id="T-1")
WORDS = "printer on the second floor"
BARRIERS = ("erasure:started", "erased:raw", "reindexed:published", "erasure:units", "swept:published",
            "erasure:purged")  # fmt: skip


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_project(tmp_path_factory.mktemp("walked"))
    run_all(*open_recipe(folder / "lake", folder / "tickets.yaml"))
    return folder


@pytest.fixture
def lake(walked: Path, tmp_path: Path) -> tuple[Any, Any]:
    """A copy of the lake that a test may change."""
    shutil.copytree(walked, tmp_path, dirs_exist_ok=True)
    return open_recipe(tmp_path / "lake", tmp_path / "tickets.yaml")


def rows_of(ws: Any, table: str) -> dict[Any, list[dict[str, Any]]]:
    dataset = ws.lake.table("tickets", table).dataset()
    keys = [*dataset.tags.list(), None]
    opened = {key: lance.dataset(dataset.uri, version=key) for key in keys}
    return {key: sorted(at.to_table().to_pylist(), key=lambda row: row["record_id"]) for key, at in opened.items()}


def test_every_version_loses_the_record_and_nothing_else(lake: tuple[Any, Any]) -> None:
    ws, _ = lake
    before = {table: rows_of(ws, table) for table in ("raw", "cleaned", "scored", "published")}
    certificate = erase(ws, "tickets", names=["T-1"], dry_run=False)
    assert certificate.proven
    assert (certificate.records, certificate.releases) == (1, {"prod": 1, "v1": 1})
    for table, versions in before.items():
        after = rows_of(ws, table)
        for key, rows in versions.items():
            assert after[key] == [row for row in rows if row["record_id"] != GONE]


def test_the_records_promise_what_is_left_and_count_what_was_erased(lake: tuple[Any, Any]) -> None:
    ws, recipe = lake
    erase(ws, "tickets", names=["T-1"], dry_run=False)
    for record in ws.lake.records("tickets").all():
        if record.stage in ("raw", "scored", "published"):
            assert record.ledger["rows_erased"] == 1
            ledger = record.ledger
            assert ledger["rows_in"] == ledger["rows_out"] + ledger["rows_quarantined"] + ledger["rows_erased"]
    assert {result.status for result in run_all(ws, recipe)} == {"skipped"}


def test_what_is_left_verifies_down_to_its_bytes(lake: tuple[Any, Any]) -> None:
    ws, recipe = lake
    erase(ws, "tickets", names=["T-1"], dry_run=False)
    assert verify(ws).findings == ()
    run_all(ws, recipe)
    data = next(iter((Path(ws.root) / "tickets/published.lance/data").glob("*.lance")))
    body = bytearray(data.read_bytes())
    body[100] ^= 1
    data.write_bytes(body)
    assert {finding.fault for finding in verify(ws).findings} == {"content"}


@pytest.mark.parametrize("form", ["landing/mail/2026.jsonl", "{root}/landing/mail/2026.jsonl"])
def test_all_records_of_a_landing_object_leave_however_it_is_named(lake: tuple[Any, Any], form: str) -> None:
    ws, _ = lake
    assert erase(ws, "tickets", uri=form.format(root=ws.root), dry_run=False).records == 4
    assert rows_of(ws, "published") == {"prod": [], "v1": [], None: []}


def test_a_dry_run_changes_nothing(lake: tuple[Any, Any]) -> None:
    ws, _ = lake
    before = rows_of(ws, "published")
    assert erase(ws, "tickets", where=f"payload LIKE '%{WORDS}%'").records == 1
    assert rows_of(ws, "published") == before


def test_ingest_keeps_it_out_and_counts_it(lake: tuple[Any, Any], tmp_path: Path) -> None:
    ws, recipe = lake
    erase(ws, "tickets", names=[GONE], dry_run=False)
    landed = tmp_path / "lake" / "landing" / "mail" / "2026.jsonl"
    landed.write_text(
        landed.read_text() + '{"id": "T-5", "time": "2026-01-03T10:00:00Z", "text": "%s"}\n' % ("a b " * 9)
    )
    results = {result.stage: result for result in run_all(ws, recipe)}
    assert results["raw"].quarantined_by_reason == {"source.map: erased": 1}
    assert (results["raw"].rows_in, results["raw"].rows_out) == (5, 4)
    [row] = [r for r in ws.lake.open("tickets", "quarantine").to_table().to_pylist() if r["reason"] == "erased"]
    assert WORDS not in str(row)
    assert GONE not in str(row)
    assert erase(ws, "tickets", names=["T-1"], dry_run=False).proven


@pytest.mark.parametrize("where", BARRIERS)
def test_one_that_was_cut_off_is_finished_by_calling_it_again(
    lake: tuple[Any, Any], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, recipe = lake

    def cut(name: str) -> None:
        if name == where:
            raise KeyboardInterrupt

    monkeypatch.setattr(barrier, "hook", cut)
    with pytest.raises(KeyboardInterrupt):
        erase(ws, "tickets", names=["T-1"], dry_run=False)
    monkeypatch.setattr(barrier, "hook", None)
    run_all(ws, recipe)
    assert erase(ws, "tickets", dry_run=False).proven
    for table in ("raw", "cleaned", "scored", "published"):
        assert all(row["record_id"] != GONE for rows in rows_of(ws, table).values() for row in rows)
    assert erase(ws, "tickets", names=["T-1"], dry_run=False).proven


def test_an_unreadable_line_that_was_erased_is_counted_and_quoted_no_more(tmp_path: Path) -> None:
    folder = make_tiny_project(tmp_path)
    landed = folder / "lake" / "landing" / "mail" / "2026.jsonl"
    landed.write_text(landed.read_text() + '{"id": "T-5", "text": "jane@example.org' + "\n")
    ws, recipe = open_recipe(folder / "lake", folder / "tickets.yaml")
    run_all(ws, recipe)
    [row] = [
        r for r in ws.lake.open("tickets", "quarantine").to_table().to_pylist() if b"jane" in (r["payload"] or b"")
    ]
    assert erase(ws, "tickets", names=[row["record_id"]], dry_run=False).proven
    landed.write_text(
        landed.read_text() + '{"id": "T-6", "text": "%s", "time": "2026-01-03T10:00:00Z"}\n' % ("a b " * 9)
    )
    run_all(ws, recipe)
    [again] = [
        r for r in ws.lake.open("tickets", "quarantine").to_table().to_pylist() if r["position"] == row["position"]
    ]
    assert (again["reason"], again["payload"], again["value"]) == (row["reason"], b"", None)
