"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.small_lake import CORPUS, make_small_lake
from winnowry.core.errors import StoreUnreachableError
from winnowry.inspect.doctor import Check, doctor
from winnowry.storage.local import LocalStore


def found(root: Path, name: str) -> Check:
    return next(check for check in doctor(str(root)).checks if check.name == name)


def test_an_empty_folder_is_healthy_and_left_as_it_was(tmp_path: Path) -> None:
    diagnosis = doctor(str(tmp_path))
    assert diagnosis.healthy
    assert {check.status for check in diagnosis.checks} == {"ok"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_lake_in_order_is_healthy(tmp_path: Path) -> None:
    make_small_lake(tmp_path)
    diagnosis = doctor(str(tmp_path))
    assert {check.name: check.status for check in diagnosis.checks} == {
        "packages": "ok",
        "store": "ok",
        "clock": "ok",
        "conditional writes": "ok",
        "tables": "ok",
        "documents": "ok",
        "unfinished promotions": "ok",
        "lost rows": "ok",
        "automation": "ok",
    }
    assert found(tmp_path, "tables").message == "9 opened"


def test_a_store_that_cannot_be_reached_fails_and_the_checks_behind_it_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise StoreUnreachableError("http://127.0.0.1:1 does not answer")

    monkeypatch.setattr(LocalStore, "check", refuse)
    diagnosis = doctor(str(tmp_path))
    assert not diagnosis.healthy
    assert [check.status for check in diagnosis.checks] == ["ok", "fail", *["skip"] * 7]
    assert "127.0.0.1:1" in diagnosis.checks[1].message


def test_a_store_that_lets_two_writers_win_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = LocalStore.write

    def careless(self: LocalStore, uri: str, data: bytes, *, if_absent: bool = False) -> bool:
        return write(self, uri, data)

    monkeypatch.setattr(LocalStore, "write", careless)
    check = found(tmp_path, "conditional writes")
    assert check.status == "fail"
    assert "lost silently" in check.message


@pytest.mark.parametrize(("minutes", "status"), [(0, "ok"), (-2, "warn"), (2, "warn"), (60, "fail")])
def test_a_clock_that_differs_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    listing = LocalStore.list

    def shifted(self: LocalStore, uri_glob: str) -> Any:
        for info in listing(self, uri_glob):
            yield replace(info, modified_at=info.modified_at + timedelta(minutes=minutes))

    monkeypatch.setattr(LocalStore, "list", shifted)
    assert found(tmp_path, "clock").status == status


def test_a_table_that_does_not_open_is_named(tmp_path: Path) -> None:
    make_small_lake(tmp_path)
    for manifest in (tmp_path / CORPUS / "scored.lance" / "_versions").iterdir():
        manifest.write_bytes(b"")
    check = found(tmp_path, "tables")
    assert check.status == "fail"
    assert "scored" in check.message


@pytest.mark.parametrize(
    ("state", "hours", "expected"),
    [("committing", 0, "interrupted while committing"), ("staged", 30, "staged more than a day ago")],
)
def test_promotions_that_nobody_finished_are_listed(tmp_path: Path, state: Any, hours: int, expected: str) -> None:
    ws = make_small_lake(tmp_path)
    records = ws.lake.records(CORPUS)
    record = records.of("scored", "2020")[0]
    records.save(replace(record, state=state))
    os.utime(tmp_path / CORPUS / f"promotions/scored/2020/{record.id}.json", (time.time() - hours * 3600,) * 2)
    check = found(tmp_path, "unfinished promotions")
    assert check.status == "warn"
    assert expected in check.message
    assert "letters/scored[2020]" in check.message


def test_a_candidate_staged_just_now_is_nobodys_business(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    records = ws.lake.records(CORPUS)
    records.save(replace(records.of("scored", "2020")[0], state="staged"))
    assert found(tmp_path, "unfinished promotions").status == "ok"


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnowry.inspect.doctor.REQUIRED", ("winnowry", "no-such-package"))
    check = found(tmp_path, "packages")
    assert (check.status, check.hint) == ("fail", "pip install no-such-package")
