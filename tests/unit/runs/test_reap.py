"""Runs of dead processes are ended, their slots given back, and nothing else is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.instance.ref import InstanceRef

from winnowry.core.life import HOST, PIDS, PROCESS, alive, process_tags, started, started_at, this_host
from winnowry.runs.reap import LeftBehind, cancel_own_runs, mark_worker, reap

STATUS = dg.DagsterRunStatus
OP_SLOTS = "telemetry: {enabled: false}\nconcurrency: {pools: {granularity: op, default_limit: 2}}\n"


@dg.job
def nothing() -> None:
    """A job to make runs of."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(OP_SLOTS, encoding="utf-8")
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))) as opened:
        yield opened


@pytest.fixture(scope="module")
def dead() -> dict[str, str]:
    """Tags of a process that was there and is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tags = process_tags(process.pid)
    assert alive(tags) is True
    process.kill()
    assert alive(tags) in (True, False)  # perhaps not yet a zombie
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    return tags


def began(instance: dg.DagsterInstance, tags: dict[str, str], status: dg.DagsterRunStatus = STATUS.STARTED) -> str:
    run = instance.create_run_for_job(nothing, tags=tags)
    if status is not STATUS.NOT_STARTED:
        instance.handle_run_event(run.run_id, _event(status, run.job_name))
    return run.run_id


def _event(status: dg.DagsterRunStatus, job: str) -> dg.DagsterEvent:
    kinds = {
        STATUS.STARTING: dg.DagsterEventType.RUN_STARTING,
        STATUS.STARTED: dg.DagsterEventType.RUN_START,
        STATUS.CANCELING: dg.DagsterEventType.RUN_CANCELING,
        STATUS.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
    }
    return dg.DagsterEvent(event_type_value=kinds[status].value, job_name=job)


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_an_unfinished_run_whose_process_is_gone_is_ended(
    instance: dg.DagsterInstance, dead: dict[str, str], status: dg.DagsterRunStatus
) -> None:
    run_id = began(instance, dead, status)
    assert [left.run_id for left in reap(instance, dry=True)] == [run_id]
    assert status_of(instance, run_id) is status
    assert reap(instance) == [LeftBehind(run_id, "its process is gone")]
    assert status_of(instance, run_id) is STATUS.FAILURE
    assert reap(instance) == []


@pytest.mark.parametrize(
    "change",
    [
        {PROCESS: f"{os.getpid()}:{started(os.getpid())}"},
        {HOST: "another-machine:0000"},
        {PIDS: "pid:[1]"},
    ],
    ids=["it is alive", "another machine", "another container of the name"],
)
def test_a_run_that_may_go_on_is_left_alone(
    instance: dg.DagsterInstance, dead: dict[str, str], change: dict[str, str]
) -> None:
    run_id = began(instance, {**dead, **change})
    assert reap(instance) == []
    assert status_of(instance, run_id) is STATUS.STARTED


@pytest.mark.parametrize(
    "change",
    [{HOST: f"{this_host().split(':')[0]}:another-boot"}, {PROCESS: f"{os.getpid()}:1"}],
    ids=["before the machine was started again", "a pid that is used again"],
)
def test_a_pid_is_no_proof_of_life(instance: dg.DagsterInstance, change: dict[str, str]) -> None:
    run_id = began(instance, {**process_tags(), **change})
    reap(instance)
    assert status_of(instance, run_id) is STATUS.FAILURE


def test_slots_of_dead_ended_and_forgotten_runs_are_free_again_and_of_living_ones_are_not(
    instance: dg.DagsterInstance, dead: dict[str, str]
) -> None:
    log = instance.event_log_storage
    living = began(instance, process_tags())
    holders = [began(instance, dead), began(instance, {}, STATUS.SUCCESS), "a-run-that-was-deleted", living]
    for number, run_id in enumerate(holders):
        log.set_concurrency_slots(f"pool{number}", 1)
        assert log.claim_concurrency_slot(f"pool{number}", run_id, "step").is_claimed
    assert len(reap(instance)) == 3
    assert log.get_concurrency_run_ids() == {living}


def test_a_run_of_a_version_that_named_no_process_is_judged_by_the_pid_in_its_log(
    instance: dg.DagsterInstance, dead: dict[str, str]
) -> None:
    def of_command(pid: str) -> str:
        run_id = began(instance, {"winnowry/run": "abc"})
        run = instance.get_run_by_id(run_id)
        data = EngineEventData.in_process(int(pid))
        instance.report_engine_event("Executing steps in process", run, data)
        return run_id

    gone, here = of_command(dead[PROCESS].split(":")[0]), of_command(str(os.getpid()))
    silent = began(instance, {"winnowry/run": "abc"})
    assert [left.run_id for left in reap(instance)] == [gone]
    assert status_of(instance, here) is status_of(instance, silent) is STATUS.STARTED


def test_an_ending_process_cancels_its_own_runs_only(instance: dg.DagsterInstance, dead: dict[str, str]) -> None:
    own, other = began(instance, process_tags()), began(instance, dead)
    cancel_own_runs(instance)
    assert status_of(instance, own) is STATUS.CANCELED
    assert status_of(instance, other) is STATUS.STARTED


def test_a_worker_names_itself_unless_the_run_does(instance: dg.DagsterInstance, dead: dict[str, str]) -> None:
    for tags, expected in (({}, process_tags()[PROCESS]), (dead, dead[PROCESS])):
        run = instance.get_run_by_id(began(instance, tags))
        assert run is not None
        mark_worker(instance, run)
        marked = instance.get_run_by_id(run.run_id)
        assert marked is not None
        assert marked.tags[PROCESS] == expected


def test_where_there_is_no_proc_the_program_ps_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("winnowry.core.life._PROC", tmp_path)
    first = started(os.getpid())
    assert first
    assert started(os.getpid()) == first
    assert started(2**22 + 1) is None
    assert started_at(os.getpid()) == 0.0
