"""Ctrl-C, kill and a closed terminal end a run and all it started, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from tests.small_corpus import land, write_recipe

UNFINISHED = {dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED}


def of_session(session: int) -> list[str]:
    """Command lines of the processes of a session, zombies left out."""
    listed = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [row[2] for row in rows if int(row[0]) == session and not row[1].startswith("Z")]


def promoted(root: Path) -> int:
    return len(list((root / "small" / "promotions").rglob("*.json")))


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("signum", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_signal_ends_a_run_and_its_processes_within_two_seconds(
    tmp_path: Path, signum: signal.Signals, code: int, jobs: int
) -> None:
    root, home = tmp_path / "lake", tmp_path / "home"
    land(root, years=("2019", "2020", "2021"), per_year=20)
    recipe = write_recipe(root)
    command = [sys.executable, "-m", "winnowry.cli.main", "run", str(recipe), "--root", str(root), "--jobs", str(jobs)]
    environment = {**os.environ, "WINNOWRY_HOME": str(home)}
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 240
        while promoted(root) < 2 and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        run.send_signal(signum)
        sent = time.monotonic()
        assert run.wait(timeout=30) == code
        took = time.monotonic() - sent
    time.sleep(0.5)
    assert of_session(run.pid) == []
    assert took < 2.5  # two, and what a busy machine takes to say so
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home))) as instance:
        subprocess.run([*command, "--to", "cleaned"], env=environment, check=True, capture_output=True, timeout=240)
        assert {run.status for run in instance.get_runs()} & UNFINISHED == set()


@pytest.mark.slow
def test_two_first_users_of_a_home_leave_one_that_opens(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from winnowry.runs.home import prepare_home; "
    code += "prepare_home(Path(sys.argv[1]), Path('.'))"
    first = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "home")]) for _ in range(3)]
    assert [process.wait(timeout=120) for process in first] == [0, 0, 0]
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path / "home"))) as instance:
        assert instance.get_runs_count() == 0
