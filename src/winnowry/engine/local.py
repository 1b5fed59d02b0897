"""The local engine: this process, or a pool of spawned ones on this machine."""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait

from winnowry.core.errors import UsageError, WorkerLostError
from winnowry.engine.base import IN_FLIGHT_PER_SLOT, ONE_CORE, Resources, Result, Task

_pools: dict[int, ProcessPoolExecutor] = {}


class LocalEngine:
    """Processes on this machine.

    Lance must not be forked (it warns, and may hang), so workers are spawned; they live as long as this process, so
    that a run over many partitions pays their start once.

    Args:
        slots: processes; 1 runs everything in this process. None: ``WINNOWRY_WORKERS``, else the cores this process
            may run on.
    """

    def __init__(self, slots: int | None = None) -> None:
        self._slots = slots

    @property
    def slots(self) -> int:
        """Processes. Asked anew each time: a process of a run is told its share of the machine after it has started."""
        return self._slots if self._slots is not None else _worker_count()

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        ordered: bool = True,
        resources: Resources = ONE_CORE,
    ) -> Iterator[Result]:
        """See :meth:`winnowry.engine.base.Engine.map`; one task alone runs in this process.

        Tasks that share a GPU are counted against one GPU: all processes see the same first one.

        Raises:
            WorkerLostError: a process of the pool died.
        """
        iterator = iter(tasks)
        workers = _fitting(self.slots, resources)
        first = list(islice(iterator, 2)) if workers > 1 else []
        if len(first) < 2:  # a pool could not run one task faster
            for task in chain(first, iterator):
                yield function(task)
            return
        try:
            yield from _pooled(_pool(workers), workers, function, first, iterator, ordered)
        except BrokenProcessPool as error:
            _pools.pop(workers, None)
            raise WorkerLostError(
                "a worker process died: most often the machine ran out of memory, or a library crashed (see above, and "
                f"`dmesg`). {workers} processes were at work: try fewer (WINNOWRY_WORKERS=1) or smaller batches. "
                "Nothing became visible"
            ) from error


def local_engine(argument: str) -> LocalEngine:
    """The engine of ``local`` and ``local[N]``.

    Raises:
        UsageError: N is not a number of processes.

    >>> local_engine("3").slots
    3
    """
    if not argument:
        return LocalEngine()
    if not argument.isascii() or not argument.isdigit() or int(argument) < 1:
        raise UsageError(f"engine local[{argument}]: expected a number of processes, at least 1, such as local[8]")
    return LocalEngine(int(argument))


def _worker_count() -> int:
    configured = os.environ.get("WINNOWRY_WORKERS")
    if configured:
        return max(1, int(configured))
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1))


def _fitting(slots: int, resources: Resources) -> int:
    """Tasks that this machine runs at a time: no more than slots, at least one."""
    fitting = [slots]
    if resources.cpu > 1:
        fitting.append(int(slots / resources.cpu))
    if resources.gpu > 0:
        fitting.append(int(1 / resources.gpu))
    if resources.memory_bytes > 0:
        fitting.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // resources.memory_bytes)
    return max(1, min(fitting))


def _pooled(
    pool: ProcessPoolExecutor,
    workers: int,
    function: Callable[[Task], Result],
    first: list[Task],
    rest: Iterator[Task],
    ordered: bool,
) -> Iterator[Result]:
    queued: list[Future[Result]] = [pool.submit(_run, function, task) for task in first]
    try:
        while queued:
            for task in islice(rest, workers * IN_FLIGHT_PER_SLOT - len(queued)):
                queued.append(pool.submit(_run, function, task))
            if not ordered:
                wait_for(queued, return_when=FIRST_COMPLETED)
            position = 0 if ordered else next(i for i, future in enumerate(queued) if future.done())
            yield queued.pop(position).result()
    finally:
        for future in queued:  # a task failed, or nobody wants the rest
            future.cancel()


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
    except Exception as error:
        if _can_be_sent(error):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    finally:
        if not gc.isenabled():  # the first task is done, and with it the start
            gc.freeze()
            gc.enable()


def _can_be_sent(error: Exception) -> bool:
    """Whether an exception outlives pickling: one that does not would look like a dead process to the pool."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True


def end_with_parent() -> None:
    """End this process as soon as the one that spawned it is gone; called in a worker.

    A killed process cannot close its pool, and a spawned worker would wait for work for ever: it holds both ends of
    the pipe it reads from.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; who has started this process ends it
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def kill_workers() -> None:
    """End the processes that this one has spawned, at once and whatever they are at; theirs end with them."""
    for process in active_children():
        process.kill()


def close_pools() -> None:
    """End all worker processes."""
    while _pools:
        _, pool = _pools.popitem()
        pool.shutdown(wait=False, cancel_futures=True)


atexit.register(close_pools)
