"""A second engine, made of threads: what the engine suite compares the built-in one with."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from winnowry.engine.base import IN_FLIGHT_PER_SLOT, ONE_CORE, Engine, Resources, Result, Task


class ThreadsEngine:
    """Threads of this process."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        ordered: bool = True,
        resources: Resources = ONE_CORE,
    ) -> Iterator[Result]:
        """See :meth:`winnowry.engine.base.Engine.map`."""
        todo, done = iter(tasks), queue.SimpleQueue[Future[Result]]()
        waiting: list[Future[Result]] = []
        with ThreadPoolExecutor(self.slots) as threads:
            while True:
                for task in islice(todo, self.slots * IN_FLIGHT_PER_SLOT - len(waiting)):
                    waiting.append(threads.submit(function, task))
                    waiting[-1].add_done_callback(done.put)
                if not waiting:
                    return
                future = waiting[0] if ordered else done.get()
                waiting.remove(future)
                yield future.result()


def threads_engine(argument: str) -> Engine:
    """The engine of ``threads[N]``."""
    return ThreadsEngine(int(argument or 2))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, place: str = "tests.threads_engine:threads_engine") -> None:
    """Make the engine known as an installed package would: by an entry point."""
    metadata = folder / "threads_engine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: threads-engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[winnowry.engines]\nthreads = {place}\n")
    monkeypatch.syspath_prepend(str(folder))
