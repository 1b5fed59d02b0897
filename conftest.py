"""What the doctests of the Python API run on: ``lake``, where ``tickets.yaml`` has run, and a ``folder``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny_project import make_tiny_project


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project whose recipe has run."""
    import winnowry as wn

    folder = make_tiny_project(tmp_path_factory.mktemp("tiny"))
    assert wn.open(folder / "lake").run(folder / "tickets.yaml").succeeded
    return folder


@pytest.fixture(autouse=True)
def names_of_api_examples(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the examples of ``winnowry.api`` use ``lake`` and ``folder``, in the folder of the recipe."""
    if isinstance(request.node, pytest.DoctestItem) and request.node.name.startswith("winnowry.api."):
        import winnowry as wn

        folder: Path = request.getfixturevalue("tiny_project")
        monkeypatch.chdir(folder)
        doctest_namespace.update(lake=wn.open("lake"), folder=folder)
