"""Several partitions at once: processes that each take one partition after the other through its stages.

What a stage costs beside its rows (a Dagster run and its events, gates, Data Docs) is one process' work; over many
partitions it, and not the rows, would decide how long a run takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Protocol

from winnowry.engine.local import LocalEngine, end_with_parent, kill_workers
from winnowry.runs.order import ExecuteStages, Failure, PartitionOutcome, StageFailed, one_by_one
from winnowry.runs.request import RunRequest

if TYPE_CHECKING:
    from winnowry.core.progress import Progress, StageSummary
    from winnowry.promotion.result import StageResult

_PAYS_OFF = 4
"""Partitions a process must have to earn its start: about two partitions' worth of imports."""
_MOST = 8
"""Processes at most unless the user names a number: each holds Dagster, Great Expectations and a batch of rows."""

# Of a process of the pool: what it executes stages with, opened once.
_at_work: dict[str, Any] = {}


class OpenExecutor(Protocol):
    """Opens what executes stages: a module-level function, so that another process can be told to call it."""

    def __call__(self, request: RunRequest, progress: Progress, run_id: str) -> AbstractContextManager[ExecuteStages]:
        """The executor, for as long as the context is open."""


@dataclasses.dataclass(frozen=True)
class _Terms:
    """A request without its open stores, to be sent to another process."""

    root: str
    request: RunRequest
    run_id: str
    open_executor: OpenExecutor


def jobs_for(n_partitions: int, requested: int | None) -> int:
    """Processes for so many partitions: as asked, else as many as pay off on the cores there are.

    >>> jobs_for(3, None), jobs_for(100, 3), jobs_for(2, 3)
    (1, 3, 2)
    """
    most = requested if requested is not None else min(LocalEngine().slots, n_partitions // _PAYS_OFF, _MOST)
    return max(1, min(most, n_partitions))


class StageProcesses:
    """Executes stages, many partitions at once in processes that start when they pay off and end with the context.

    What is fresh is skipped in this process: a run with nothing to do starts none.

    Args:
        request: what the run was asked for.
        progress: told about every stage of every partition, as it goes on.
        run_id: name of the run.
        open_executor: what each process executes stages with.
        execute: the same, open in this process.
        skip: the stages, from the first, that are fresh.
    """

    def __init__(
        self,
        request: RunRequest,
        progress: Progress,
        run_id: str,
        open_executor: OpenExecutor,
        execute: ExecuteStages,
        skip: ExecuteStages,
    ) -> None:
        self._request, self._progress, self._run_id = request, progress, run_id
        self._open_executor, self._execute, self._skip = open_executor, execute, skip
        self._pool: ProcessPoolExecutor | None = None
        self._closing = ExitStack()

    def __enter__(self) -> StageProcesses:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            kill_workers()  # interrupted: what they are at is staged, and the next run goes on from there
        self._closing.close()

    def execute(self, stages: Sequence[str], partition: str | None) -> Iterator[StageResult]:
        """Run stages of one partition, or of the corpus; by a process that is ready for it where there is one."""
        if self._pool is None:
            yield from self._execute(stages, partition)
            return
        results, failed = self._pool.submit(_take, tuple(stages), partition, LocalEngine().slots).result()
        yield from results
        if failed is not None:
            raise StageFailed(*failed)

    def take(self, stages: Sequence[str], partitions: Sequence[str]) -> Iterator[PartitionOutcome]:
        """Take partitions through stages; yields what became of each, in the order given."""
        requested = self._request.jobs
        if jobs_for(len(partitions), requested) == 1:
            yield from one_by_one(self._execute, stages, partitions)
            return
        skipped = {key: list(self._skip(stages, key)) for key in partitions}
        rest = {key: stages[len(skipped[key]) :] for key in partitions}
        jobs = jobs_for(sum(bool(left) for left in rest.values()), requested)
        if jobs == 1:
            for key in partitions:
                yield from (
                    PartitionOutcome(key, [*skipped[key], *done.results], done.failed)
                    for done in one_by_one(self._execute, rest[key], [key])
                )
            return
        if self._pool is None:
            self._pool = self._start(jobs)
        workers = max(1, LocalEngine().slots // jobs)
        futures = {key: self._pool.submit(_take, tuple(left), key, workers) for key, left in rest.items() if left}
        try:
            for key in partitions:
                results, failed = futures[key].result() if key in futures else ([], None)
                yield PartitionOutcome(
                    key, [*skipped[key], *results], StageFailed(*failed) if failed is not None else None
                )
        finally:
            for future in futures.values():
                future.cancel()

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        context = get_context("spawn")
        messages: Any = context.Queue()
        bare: Any = dataclasses.replace(self._request, workspace=None)  # type: ignore[arg-type]
        terms = _Terms(self._request.workspace.root, bare, self._run_id, self._open_executor)
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(terms, messages))
        listener = threading.Thread(target=_listen, args=(messages, self._progress), daemon=True)
        listener.start()

        def close() -> None:
            pool.shutdown(wait=True, cancel_futures=True)
            messages.put(None)
            listener.join()
            messages.close()

        self._closing.callback(close)
        return pool


def _listen(messages: Any, progress: Progress) -> None:
    """Tell progress what the processes send, each on a line of its own, until None comes."""
    lines: dict[int, Progress] = {}
    while True:
        message = messages.get()
        if message is None:
            return
        speaker, method, *arguments = message
        if speaker not in lines:
            lines[speaker] = progress.beside()
        getattr(lines[speaker], method)(*arguments)


class _SentProgress:
    """Progress of a process of the pool: tells the one that started it."""

    _ROWS = 2048  # a message for each unit of work would be most of the traffic

    def __init__(self, to: Any) -> None:
        self._to, self._rows = to, 0

    def expect(self, stage_runs: int) -> None:
        self._say("expect", stage_runs)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        self._rows = 0
        self._say("start", stage, partition, total)

    def advance(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= self._ROWS:
            self._say("advance", self._rows)
            self._rows = 0

    def finish(self, result: StageSummary) -> None:
        self._say("finish", result)

    def beside(self) -> _SentProgress:
        return self

    def _say(self, method: str, *arguments: object) -> None:
        # A full queue means that nobody listens any more: a bar is not worth waiting for.
        with contextlib.suppress(queue.Full, ValueError):
            self._to.put_nowait((os.getpid(), method, *arguments))


def _begin(terms: _Terms, messages: Any) -> None:
    """Make ready for partitions; called once in each process."""
    import atexit

    from winnowry.lakehouse.workspace import Workspace

    end_with_parent()
    request = dataclasses.replace(terms.request, workspace=Workspace.open(terms.root))
    opened = ExitStack()
    _at_work["execute"] = opened.enter_context(terms.open_executor(request, _SentProgress(messages), terms.run_id))
    atexit.register(opened.close)


def _take(
    stages: tuple[str, ...], partition: str | None, workers: int
) -> tuple[list[StageResult], tuple[Failure, Any] | None]:
    """Take a partition, or the corpus, through stages with so many workers; called in a process of the pool."""
    os.environ["WINNOWRY_WORKERS"] = str(workers)
    execute: ExecuteStages = _at_work["execute"]
    results: list[StageResult] = []
    try:
        results.extend(execute(stages, partition))
    except StageFailed as failed:
        return results, (failed.failure, failed.result)
    return results, None
