"""The engine protocol: what runs a function over many tasks, on this machine or on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

IN_FLIGHT_PER_SLOT = 2
"""Tasks taken at most for each slot before their results are handed over: one runs, one waits."""


@dataclass(frozen=True)
class Resources:
    """What one task needs of the machine that runs it.

    Attributes:
        cpu: cores that it keeps busy.
        gpu: share of a GPU, 0 for none.
        memory_bytes: most memory that it holds, in bytes; 0 where that is not known.
    """

    cpu: float = 1.0
    gpu: float = 0.0
    memory_bytes: int = 0


ONE_CORE = Resources()
"""What a task needs unless its stage says otherwise."""


class Engine(Protocol):
    """Runs tasks. A stage is handed one and never asks which it is.

    Results depend on the tasks alone: an engine decides where and when a task runs, never what it computes.
    """

    @property
    def slots(self) -> int:
        """Tasks that run at the same time."""
        ...

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        ordered: bool = True,
        resources: Resources = ONE_CORE,
    ) -> Iterator[Result]:
        """Apply a function to every task.

        Nothing runs before the first result is asked for. Tasks are taken one by one as slots become free; at most
        ``slots * IN_FLIGHT_PER_SLOT`` of them have been taken whose results have not been handed over.

        Args:
            function: importable (picklable) function; it may run in another process or on another machine.
            tasks: picklable units of work.
            ordered: results in the order of the tasks; False: each as soon as it is there.
            resources: what one task needs; an engine runs fewer tasks at a time where they would not fit.

        Yields:
            One result a task.

        Raises:
            WorkerLostError: what ran a task died, and the engine does not try again.
            Exception: what a task raised, as it raised it.
        """
        ...
