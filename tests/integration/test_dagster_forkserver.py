"""The executor of deployments: steps in processes of a fork server, which Lance survives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.dagster_project import RECIPE
from tests.small_corpus import land
from winnowry.lakehouse.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_steps_run_in_processes_of_a_fork_server(tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run(
        [str(Path(sys.executable).with_name("winnowry")), "init", str(project)], check=True, capture_output=True
    )
    for recipe in (project / "recipes").glob("*.yaml"):
        recipe.unlink()
    (project / "recipes" / "small.yaml").write_text(RECIPE)
    root, home = project / "lake", tmp_path / "home"
    land(root, years=("2019",), per_year=25)
    home.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "src"),
        "DAGSTER_HOME": str(home),
        "WINNOWRY_HOME": str(home),
        "WINNOWRY_ROOT": str(root),
        "WINNOWRY_EXECUTOR": "forkserver",
    }
    for selection, partition in (('key:"small/landing"', ()), ('key:"small/raw" or key:"small/cleaned"', ("2019",))):
        command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", selection]
        command += ["-f", "definitions.py", "-d", "."]
        command += [option for key in partition for option in ("--partition", key)]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert "Multiprocess executor: parent process exiting" in done.stderr
    assert Workspace.open(str(root)).lake.open("small", "cleaned").count_rows() > 0
