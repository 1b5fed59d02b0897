"""Run a function over units of work, in this process or in a pool of spawned ones, results in order."""

from __future__ import annotations

import atexit
import gc
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

from winnowry.core.errors import WorkerLostError

Task = TypeVar("Task")
Result = TypeVar("Result")

_QUEUED_PER_WORKER = 2  # backpressure: finished results wait for the committer in bounded number
_pools: dict[int, ProcessPoolExecutor] = {}


def worker_count() -> int:
    """Workers to use: ``WINNOWRY_WORKERS``, else the cores this process may run on."""
    configured = os.environ.get("WINNOWRY_WORKERS")
    if configured:
        return max(1, int(configured))
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1))


class LocalEngine:
    """Processes on this machine.

    Lance must not be forked (it warns, and may hang), so workers are spawned; they live as long as this process, so
    that a run over many partitions pays their start once.

    Args:
        workers: processes; 1 runs everything in this process.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers if workers is not None else worker_count()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Apply a function to every task, yielding results in task order.

        Args:
            function: importable (picklable) function.
            tasks: picklable units of work, consumed as workers become free.

        Yields:
            One result a task. An exception of a task is raised here.

        Raises:
            WorkerLostError: a process of the pool died.
        """
        iterator = iter(tasks)
        first = [task for _, task in zip(range(2), iterator, strict=False)]
        if self.workers == 1 or len(first) < 2:  # one unit: a pool could not run it faster
            for task in (*first, *iterator):
                yield function(task)
            return
        try:
            yield from self._pooled(function, first, iterator)
        except BrokenProcessPool as error:
            _pools.pop(self.workers, None)
            raise WorkerLostError(
                "a worker process died: most often the machine ran out of memory, or a library crashed (see above, and "
                f"`dmesg`). {self.workers} processes were at work: try fewer (WINNOWRY_WORKERS=1) or smaller batches. "
                "Nothing became visible, and what was finished is kept"
            ) from error

    def _pooled(self, function: Callable[[Task], Result], first: list[Task], rest: Iterator[Task]) -> Iterator[Result]:
        pool = _pool(self.workers)
        queued: deque[Future[Result]] = deque(pool.submit(_run, function, task) for task in first)
        for task in rest:
            while len(queued) >= self.workers * _QUEUED_PER_WORKER:
                yield queued.popleft().result()
            queued.append(pool.submit(_run, function, task))
        while queued:
            yield queued.popleft().result()


def _pool(workers: int) -> ProcessPoolExecutor:
    if workers not in _pools:
        _pools[workers] = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    return _pools[workers]


def start_worker() -> None:
    """Make this process one of a pool; called in it."""
    # The objects that imports and models leave stay for ever: looking through them for garbage takes 0.2 s of a start.
    gc.disable()
    end_with_parent()


def _run(function: Callable[[Task], Result], task: Task) -> Result:
    try:
        return function(task)
    finally:
        if not gc.isenabled():  # the first task is done, and with it the start
            gc.freeze()
            gc.enable()


def end_with_parent() -> None:
    """End this process as soon as the one that spawned it is gone; called in a worker.

    A killed process cannot close its pool, and a spawned worker would wait for work for ever: it holds both ends of
    the pipe it reads from.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def close_pools() -> None:
    """End all worker processes."""
    while _pools:
        _, pool = _pools.popitem()
        pool.shutdown(wait=False, cancel_futures=True)


atexit.register(close_pools)
