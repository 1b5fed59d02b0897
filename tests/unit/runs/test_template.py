from __future__ import annotations

import re
from pathlib import Path

import pytest

from winnowry.core.errors import NotFoundError
from winnowry.runs import template


def make_project(folder: Path) -> Path:
    for name in template.FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "workspace.yaml").touch()
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An import package two levels below a would-be repository."""
    folder = tmp_path / "repository" / "src" / "winnowry"
    folder.mkdir(parents=True)
    monkeypatch.setattr(template, "_PACKAGE", folder)
    return folder


def test_an_installed_wheel_uses_the_copy_it_carries(package: Path) -> None:
    carried = make_project(package / "template")
    make_project(package.parents[1])

    assert template.template_root() == carried


def test_an_editable_install_uses_the_repository(package: Path) -> None:
    repository = make_project(package.parents[1])

    assert template.template_root() == repository


def test_an_installation_without_a_template_says_where_it_looked_and_what_to_do(package: Path) -> None:
    with pytest.raises(NotFoundError, match=re.escape(str(package / "template"))) as caught:
        template.template_root()

    assert "reinstall" in str(caught.value)


@pytest.mark.parametrize("missing", [*template.FOLDERS, "workspace.yaml"])
def test_a_folder_is_a_project_only_with_every_folder_and_the_workspace_file(tmp_path: Path, missing: str) -> None:
    folder = make_project(tmp_path / "lake")
    assert template.is_project(folder)
    target = folder / missing
    target.rmdir() if target.is_dir() else target.unlink()

    assert not template.is_project(folder)
