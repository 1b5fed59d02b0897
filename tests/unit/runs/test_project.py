"""Which project a command works in."""

from __future__ import annotations

from pathlib import Path

import pytest

import winnowry as wn
from winnowry.cli.ui_server import UiServer
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.runs.home import dagster_home, prepare_home
from winnowry.runs.project import Project, find_project
from winnowry.runs.template import template_root


def test_the_nearest_folder_with_a_workspace_file_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(below) == Project(tmp_path)


def test_outside_a_project_the_packaged_template_is_one(tmp_path: Path) -> None:
    assert find_project(tmp_path) == Project(template_root(), packaged=True)


def test_a_module_that_the_project_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "__init__.py").touch()
    with pytest.raises(NotFoundError, match=r"assets/definitions\.py does not exist"):
        Project(tmp_path).module("assets.definitions")


def test_a_module_of_another_project_is_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "suites_of_a_test").mkdir(parents=True)
        (tmp_path / name / "suites_of_a_test" / "registry.py").write_text(f"NAME = {name!r}\n")
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    assert Project(tmp_path / "first").module("suites_of_a_test.registry").NAME == "first"
    with pytest.raises(UsageError, match="was already loaded"):
        Project(tmp_path / "second").module("suites_of_a_test.registry")


def test_the_dagster_home_is_winnowrys_then_dagsters_then_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINNOWRY_HOME", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert dagster_home() == tmp_path / ".winnowry"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    assert dagster_home() == tmp_path / "dagster"
    monkeypatch.setenv("WINNOWRY_HOME", str(tmp_path / "winnowry"))
    assert dagster_home() == tmp_path / "winnowry"


@pytest.mark.parametrize("marker", ["workspace.yaml", "lake/landing/", "lake/tickets/promotions/"])
def test_lake_and_home_are_the_projects_wherever_below_it_a_command_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    for name in ("WINNOWRY_HOME", "DAGSTER_HOME", "WINNOWRY_ROOT"):
        monkeypatch.delenv(name, raising=False)
    project, below = tmp_path / "project", tmp_path / "project" / "recipes" / "old"
    below.mkdir(parents=True)
    if marker.endswith("/"):
        (project / marker).mkdir(parents=True)
    else:
        (project / marker).touch()
    monkeypatch.chdir(below)
    assert (wn.open().root, dagster_home()) == (str(project / "lake"), project / ".winnowry")
    monkeypatch.chdir(tmp_path)
    assert (wn.open().root, dagster_home()) == (str(tmp_path / "lake"), tmp_path / ".winnowry")


def test_a_home_of_a_project_without_settings_gets_the_packaged_ones(tmp_path: Path) -> None:
    prepare_home(tmp_path / "home", tmp_path)
    assert (tmp_path / "home" / "dagster.yaml").read_bytes() == (template_root() / "dagster.yaml").read_bytes()


def test_a_home_gets_the_projects_settings_once(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home = prepare_home(tmp_path / "home", tmp_path)
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    (home / "dagster.yaml").write_text("changed: by hand\n")
    prepare_home(home, tmp_path)
    assert (home / "dagster.yaml").read_text() == "changed: by hand\n"


def test_the_ui_serves_the_projects_workspace(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_file: location.py\n")
    commands = UiServer(tmp_path, "lake", tmp_path / "home").commands(3210, tmp_path)
    code_server, web_server, daemon = commands
    assert code_server[:3] == ["dagster", "code-server", "start"]
    assert str((tmp_path / "location.py").resolve()) in code_server
    assert web_server[:5] == ["winnowry.runs.webserver", "--host", "127.0.0.1", "--port", "3210"]
    assert daemon[:2] == ["dagster._daemon", "run"]
