"""Who hears how far a stage is: whom the stage was given, and whoever listens around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from winnowry.pipeline.result import NoProgress

if TYPE_CHECKING:
    from winnowry.pipeline.result import Progress, StageResult

_listener: ContextVar[Progress | None] = ContextVar("winnowry_progress", default=None)


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Let ``progress`` hear of every stage run in the body, by whomever: a terminal's bar around a Dagster run."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def heard(progress: Progress | None) -> Progress:
    """The given progress, and whoever listens around this call."""
    given, around = progress if progress is not None else NoProgress(), _listener.get()
    return _Both(given, around) if around is not None else given


class _Both:
    def __init__(self, first: Progress, second: Progress) -> None:
        self._parts = (first, second)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        for part in self._parts:
            part.start(stage, partition, total)

    def advance(self, rows: int) -> None:
        for part in self._parts:
            part.advance(rows)

    def finish(self, result: StageResult) -> None:
        for part in self._parts:
            part.finish(result)
