"""Notes of one user on one machine: read whatever lies there, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.core.machine_notes import MachineNotes

NOTES = MachineNotes("notes.json", "WINNOWRY_TEST_NOTES", "~/nowhere", most=3)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WINNOWRY_TEST_NOTES", str(tmp_path))
    return tmp_path / "winnowry/notes.json"


def test_the_newest_notes_stay_beside_those_that_were_there(file: Path) -> None:
    assert NOTES.read() == {}
    NOTES.add({"a": "1", "b": "2"})
    NOTES.add({"c": "3", "d": "4"})
    assert NOTES.read() == {"b": "2", "c": "3", "d": "4"}
    assert [path.name for path in file.parent.iterdir()] == ["notes.json"]


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff\xfe"])
def test_a_damaged_file_is_no_notes_and_is_written_anew(file: Path, body: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(body)
    assert NOTES.read() == {}
    NOTES.add({"a": "1"})
    assert NOTES.read() == {"a": "1"}


def test_where_nothing_can_be_written_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "occupied").write_text("a file in the place of the folder")
    monkeypatch.setenv("WINNOWRY_TEST_NOTES", str(tmp_path / "occupied"))
    NOTES.add({"a": "1"})
    assert NOTES.read() == {}
