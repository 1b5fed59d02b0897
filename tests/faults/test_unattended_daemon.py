"""The sensor under the real daemon, a process a run: new, late and removed data, a worker and the daemon killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.unattended import Landing, day_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

_SETTINGS = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_retries: {enabled: false}
run_monitoring: {enabled: true, poll_interval_seconds: 5, start_timeout_seconds: 120}
concurrency: {runs: {max_concurrent_runs: 2}}
"""
_WORKSPACE = """\
load_from:
  - python_file: {{relative_path: code_location.py, working_directory: "{repository}", location_name: days}}
"""
_CODE_LOCATION = """\
from pathlib import Path

import assets.follow

assets.follow.SENSOR_EVERY_S = 5

from assets.definitions import definitions_of

defs = definitions_of(Path(__file__).parent / "recipes")
"""


class RealDaemon:
    """A Dagster home with a daemon that is started, killed and started again."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root, self.repository = root, repository
        (root / "dagster.yaml").write_text(_SETTINGS, encoding="utf-8")
        (root / "w.yaml").write_text(_WORKSPACE.format(repository=repository), encoding="utf-8")
        (root / "code_location.py").write_text(_CODE_LOCATION, encoding="utf-8")
        self.environment = {
            **os.environ,
            "DAGSTER_HOME": str(root),
            "WINNOWRY_ROOT": str(root),
            "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": os.pathsep.join([str(repository), str(repository / "src")]),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def switch_on(self) -> None:
        command = [sys.executable, "-m", "dagster", "sensor", "start", "days_follow", "-w", str(self.root / "w.yaml")]
        subprocess.run(command, env=self.environment, cwd=self.root, check=True, capture_output=True, timeout=240)

    def start(self) -> None:
        with (self.root / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-w", str(self.root / "w.yaml")],
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill the daemon and everything that it started, as a machine that is switched off."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        """Processes of runs of this home."""
        ids = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
                if b"execute_run" in command and f"DAGSTER_HOME={self.root}\0".encode() in environment:
                    ids.append(int(folder.name))
        return ids


@pytest.fixture
def real(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path, repository)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    yield daemon
    daemon.kill()


def published(root: Path) -> Counter[str]:
    import lance

    try:
        table = lance.dataset(str(root / "days" / "published.lance"), version="prod")
    except (OSError, ValueError):
        return Counter()
    return Counter(table.to_table(columns=["text"])["text"].to_pylist())


def await_right(real: RealDaemon, landing: Landing, instance: dg.DagsterInstance, what: str) -> None:
    """Until the release is what the landing says and nothing runs."""
    begun = time.monotonic()
    while time.monotonic() - begun < 400:
        done = all(run.is_finished for run in instance.get_runs(limit=20))
        if done and published(real.root) == landing.right(set()):
            return
        time.sleep(2)
    raise AssertionError(f"{what}: {[(run.status.value, run.tags) for run in instance.get_runs(limit=10)]}")


def test_what_is_killed_is_run_again_and_each_release_is_the_right_one(real: RealDaemon) -> None:
    landing = Landing(real.root)
    with dg.DagsterInstance.get() as instance:
        for number in range(3):
            landing.put(f"d{number}", day_of(number), f"d{number}")
        real.switch_on()
        real.start()
        await_right(real, landing, instance, "three days")
        landing.put("d3", day_of(3), "d3")
        landing.put("late", day_of(1), "late")
        landing.remove("d0")
        await_right(real, landing, instance, "new, late and removed")
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}

        landing.put("d4", day_of(4), "d4")
        begun = time.monotonic()
        while not (workers := real.workers()) and time.monotonic() - begun < 120:
            time.sleep(0.2)
        os.kill(workers[0], signal.SIGKILL)
        await_right(real, landing, instance, "a worker killed")

        landing.put("d5", day_of(5), "d5")
        begun = time.monotonic()
        while not real.workers() and time.monotonic() - begun < 120:
            time.sleep(0.2)
        real.kill()
        real.start()
        await_right(real, landing, instance, "the daemon killed with its workers")
        failed = [run for run in instance.get_runs() if run.status != dg.DagsterRunStatus.SUCCESS]
        assert 1 <= len(failed) <= 3  # what was killed, and nothing else
