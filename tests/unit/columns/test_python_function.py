"""Code that the lake names runs only if the account that runs winnowry has put it there, or has named it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from winnowry.columns import python_function
from winnowry.columns.python_function import check_trusted, trust
from winnowry.core.errors import UsageError


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lake in it, in which a command works; this account has named nothing yet."""
    folder = tmp_path / "project"
    (folder / "lake" / "landing").mkdir(parents=True)
    (folder / "code").mkdir()
    (folder / "workspace.yaml").touch()
    monkeypatch.chdir(folder / "code")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(python_function, "_named", set())
    return folder


def written(path: Path, text: str = "def f(text): return text\n") -> tuple[Path, str]:
    path.write_text(text, encoding="utf-8")
    return path, hashlib.sha256(text.encode()).hexdigest()


def refused(path: Path, code: str, root: str) -> bool:
    try:
        check_trusted(path, code, root)
    except UsageError as error:
        return all(part in str(error) for part in (str(path), "--python"))
    return False


@pytest.mark.parametrize("root", ["{project}/lake", "s3://bucket/lake"])
def test_a_file_of_the_project_is_code_of_this_machine(project: Path, root: str) -> None:
    for place in (project / "features.py", project / "code" / "features.py"):
        assert not refused(*written(place), root.format(project=project))


def test_a_file_of_an_installed_package_is_too(project: Path) -> None:
    path = Path(pytest.__file__)
    assert not refused(path, hashlib.sha256(path.read_bytes()).hexdigest(), f"{project}/lake")


def test_a_file_in_the_lake_is_data_also_where_the_lake_is_in_the_project(project: Path) -> None:
    evil = written(project / "lake" / "landing" / "evil.py")
    assert refused(*evil, f"{project}/lake")
    assert refused(*evil, str(project))


def test_a_link_of_the_project_into_the_lake_leads_to_data(project: Path) -> None:
    _, code = written(project / "lake" / "evil.py")
    (project / "features.py").symlink_to(project / "lake" / "evil.py")
    assert refused(project / "features.py", code, f"{project}/lake")


def test_a_file_elsewhere_runs_once_this_account_has_named_it_and_only_as_it_was(tmp_path: Path) -> None:
    file, code = written(tmp_path / "features.py")
    assert refused(file, code, "s3://bucket/lake")
    trust(file, code)
    assert not refused(file, code, "s3://bucket/lake")
    assert refused(file, "0" * 64, "s3://bucket/lake")


def test_what_was_named_is_remembered_outside_the_lake_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, code = written(tmp_path / "features.py")
    trust(file, code)
    trust(*written(tmp_path / "more.py"))
    monkeypatch.setattr(python_function, "_named", set())
    assert not refused(file, code, "s3://bucket/lake")
    notes = json.loads((tmp_path / "state" / "winnowry" / "code.json").read_text(encoding="utf-8"))
    assert sorted(notes) == [str(file), str(tmp_path / "more.py")]


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_damaged_notes_trust_nothing(tmp_path: Path, content: str) -> None:
    notes = tmp_path / "state" / "winnowry" / "code.json"
    notes.parent.mkdir(parents=True)
    notes.write_text(content, encoding="utf-8")
    assert refused(*written(tmp_path / "features.py"), "s3://bucket/lake")
