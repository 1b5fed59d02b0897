"""Partitions taken through their stages by several processes give what one process gives, and end with the run."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.small_corpus import RECIPE, land, write_recipe
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import StageResult
from winnowry.recipe.load import load_recipe
from winnowry.runs.direct import run_direct
from winnowry.runs.order import RunOutcome
from winnowry.runs.project import find_project
from winnowry.runs.request import RunRequest

REPOSITORY = Path(__file__).resolve().parents[2]
YEARS = ("2019", "2020", "2021")


class Heard:
    """Progress that notes what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str | None]] = []
        self.finished: list[tuple[str, str | None]] = []
        self.rows = 0
        self.expected: list[int] = []

    def expect(self, stage_runs: int) -> None:
        self.expected.append(stage_runs)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        self.started.append((stage, partition))

    def advance(self, rows: int) -> None:
        self.rows += rows

    def finish(self, result: StageResult) -> None:
        self.finished.append((result.stage, result.partition))

    def beside(self) -> Heard:
        return self


def run(root: Path, jobs: int, to: str | None = None) -> tuple[RunOutcome, Heard]:
    heard = Heard()
    recipe = load_recipe(root / "small.yaml")
    request = RunRequest(Workspace.open(str(root)), recipe, find_project(REPOSITORY), to=to, jobs=jobs)
    return run_direct(request, heard), heard


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    found = Workspace.open(str(root)).lake.open("small", table).to_table().to_pylist()
    for row in found:
        for name in ("promotion_id", "uri"):
            row.pop(name, None)
    return sorted(found, key=lambda row: (row["record_id"], row.get("stage", "")))


def test_two_processes_give_the_tables_that_one_gives_and_results_in_the_order_of_partitions(tmp_path: Path) -> None:
    outcomes = {}
    for jobs in (1, 2):
        root = tmp_path / str(jobs)
        land(root, years=YEARS, per_year=12)
        write_recipe(root)
        outcomes[jobs], heard = run(root, jobs)
        assert outcomes[jobs].succeeded
        ran = [(result.stage, result.partition) for result in outcomes[jobs].results]
        assert sorted(heard.finished, key=str) == sorted(ran, key=str)
        assert heard.expected == [len(ran)]
        assert {("cleaned", year) for year in YEARS} < set(heard.started)
    told = {
        jobs: [(r.stage, r.partition, r.rows_in, r.rows_out, r.quarantined_by_reason) for r in outcome.results]
        for jobs, outcome in outcomes.items()
    }
    assert told[1] == told[2]
    for table in ("cleaned", "quarantine", "duplicates", "scored", "sampled", "published"):
        assert rows(tmp_path / "1", table) == rows(tmp_path / "2", table), table
    again, _ = run(tmp_path / "2", 2)
    assert {result.status for result in again.results} == {"skipped"}


@pytest.mark.slow
def test_a_partition_that_its_gate_refuses_leaves_the_others_promoted(tmp_path: Path) -> None:
    land(tmp_path, years=YEARS, per_year=12)
    mixed = tmp_path / "landing" / "small" / "2020.jsonl.gz"
    pages = [json.loads(line) for line in gzip.decompress(mixed.read_bytes()).splitlines() if b"no end" not in line]
    short = [{**page, "html": "<p>Too short to keep.</p>"} for page in pages]
    mixed.write_bytes(gzip.compress("\n".join(map(json.dumps, short)).encode()))
    write_recipe(tmp_path, RECIPE)
    outcome, heard = run(tmp_path, 2, to="fit")
    assert [(f.stage, f.partition, f.type) for f in outcome.failures] == [("cleaned", "2020", "GateFailed")]
    statuses = {r.partition: r.status for r in outcome.results if r.stage == "cleaned"}
    assert statuses == {"2019": "promoted", "2020": "rejected", "2021": "promoted"}
    assert outcome.not_run == ("duplicates", "fit")
    assert ("cleaned", "2020") in heard.finished


def test_an_idle_run_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from winnowry.runs import processes as parallel

    land(tmp_path, years=YEARS[:2], per_year=8)
    write_recipe(tmp_path)
    assert run(tmp_path, 1, to="cleaned")[0].succeeded

    def refuse(*_: object) -> None:
        raise AssertionError("a process was started for partitions that are fresh")

    monkeypatch.setattr(parallel.StageProcesses, "_start", refuse)
    outcome, _ = run(tmp_path, 2, to="cleaned")
    assert [result.status for result in outcome.results] == ["skipped"] * 5


@pytest.mark.slow
def test_no_process_outlives_a_killed_run(tmp_path: Path) -> None:
    land(tmp_path, years=YEARS, per_year=400)
    write_recipe(tmp_path)
    command = ["run", str(tmp_path / "small.yaml"), "--root", str(tmp_path), "--without-dagster", "--jobs", "2"]
    started = subprocess.Popen(
        [sys.executable, "-c", "import sys; from winnowry.cli.main import main; sys.exit(main())", *command],
        cwd=REPOSITORY,
        env={**os.environ, "WINNOWRY_HOME": str(tmp_path / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children: set[int] = set()
    until = time.monotonic() + 120
    while len(children) < 2 and time.monotonic() < until:
        children = {pid for pid in _below(started.pid) if b"spawn_main" in _command_line(pid)}
        time.sleep(0.05)
    time.sleep(2)
    assert len(children) >= 2
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    until = time.monotonic() + 60
    while time.monotonic() < until and any(b"spawn_main" in _command_line(pid) for pid in children):
        time.sleep(0.1)
    assert not [pid for pid in children if b"spawn_main" in _command_line(pid)]
    outcome, _ = run(tmp_path, 1, to="cleaned")
    assert outcome.succeeded


def _below(parent: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.add(int(entry.name))
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
