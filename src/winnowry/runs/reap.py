"""Runs whose process is gone are ended in the Dagster instance, and what they hold there is given back.

A process that is killed cannot say so. Its run would stay "started": it counts among the runs that may go on at once,
and a slot of a pool that it claimed is claimed for ever.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from winnowry.core.life import PROCESS, alive, process_tags, started_at

if TYPE_CHECKING:
    import dagster as dg

_BY_COMMAND = "winnowry/run"  # tag of the runs that `winnowry run` executes in its own process
_GONE = "its process is gone"
_HELD = "ended, but held a slot of a pool"


@dataclass(frozen=True)
class LeftBehind:
    """What a dead process left in the instance.

    Attributes:
        run_id: the run.
        reason: what is wrong with it.
    """

    run_id: str
    reason: str


def reap(instance: dg.DagsterInstance, *, dry: bool = False) -> list[LeftBehind]:
    """End the unfinished runs of this machine whose process is gone, and free the slots of runs that have ended.

    Runs of other machines are left alone: nobody here can tell whether they go on. Two queries when nothing is to do.

    Args:
        instance: the instance.
        dry: only say what would be done.

    Returns:
        What was there to do.
    """
    from dagster._core.storage.dagster_run import FINISHED_STATUSES

    left = []
    for run in _unfinished(instance):
        if _is_gone(instance, run):
            left.append(LeftBehind(run.run_id, _GONE))
            if not dry:
                instance.report_run_failed(run, f"winnowry: {_GONE} (killed, out of memory, closed terminal)")
    log = instance.event_log_storage
    holders = log.get_concurrency_run_ids() if log.supports_global_concurrency_limits else set()
    if holders:
        going_on = {run.run_id for run in _runs(instance, holders) if run.status not in FINISHED_STATUSES}
        dead = {entry.run_id for entry in left}
        for run_id in sorted(holders - (going_on - dead)):
            if run_id not in dead:
                left.append(LeftBehind(run_id, _HELD))
            if not dry:
                log.free_concurrency_slots_for_run(run_id)
    return left


def cancel_own_runs(instance: dg.DagsterInstance) -> None:
    """Mark the unfinished runs of this process as canceled: it is about to end."""
    own = process_tags()
    for run in _unfinished(instance):
        if {name: run.tags.get(name) for name in own} == own:
            instance.report_run_canceled(run, "winnowry: interrupted")


def mark_worker(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Note on a run that Dagster launched which process executes it; called in its first step.

    A run that `winnowry run` executes has the tags from the start.
    """
    if PROCESS not in run.tags:
        instance.add_run_tags(run.run_id, process_tags(_worker_pid()))


def _worker_pid() -> int:
    """The process of the run: with a fork server each step has one of its own, which ends before the run does."""
    from multiprocessing import parent_process

    parent = parent_process()
    stepwise = os.environ.get("WINNOWRY_EXECUTOR") == "forkserver"
    return parent.pid if stepwise and parent is not None and parent.pid is not None else os.getpid()


def _unfinished(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    import dagster as dg

    status = dg.DagsterRunStatus
    statuses = [status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING]
    return [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=statuses))]


def _runs(instance: dg.DagsterInstance, run_ids: Collection[str]) -> list[dg.DagsterRun]:
    import dagster as dg

    return [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(run_ids=sorted(run_ids)))]


def _is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    if PROCESS in run.tags:
        return alive(run.tags) is False
    return _BY_COMMAND in run.tags and _old_is_gone(instance, run)


def _old_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """The same for a run of a winnowry that named no process: its log says the pid, an SQLite file lies on one host."""
    import dagster as dg
    from dagster._core.storage.runs import SqliteRunStorage

    if not isinstance(instance.run_storage, SqliteRunStorage):
        return False
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        named = event.engine_event_data.metadata.get("pid") if event is not None else None
        if named is not None:
            since = started_at(int(str(named.value)))
            return since is None or since > entry.timestamp
    return False
