"""How a stage reports how far it is, and whoever listens around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Status = Literal["promoted", "skipped", "rejected"]


class StageSummary(Protocol):
    """What a reporter may ask of a finished stage; ``promotion.result.StageResult`` has it all."""

    @property
    def stage(self) -> str:
        """Name of the stage."""

    @property
    def partition(self) -> str | None:
        """Partition key; None of a stage over the whole corpus."""

    @property
    def status(self) -> Status:
        """What became of it."""

    @property
    def reason(self) -> str:
        """Why it ran or was skipped."""

    @property
    def rows_in(self) -> int:
        """Records it had to account for."""

    @property
    def rows_out(self) -> int:
        """Records it kept."""

    @property
    def rows_quarantined(self) -> int:
        """Records it set aside."""

    @property
    def quarantined_by_reason(self) -> Mapping[str, int]:
        """Records set aside, by ``operator: rule``."""

    @property
    def seconds(self) -> float:
        """Wall-clock seconds."""


class Progress(Protocol):
    """Where a stage reports how far it is."""

    def expect(self, stage_runs: int) -> None:
        """So many stages will finish in this run, those included that turn out fresh; said once that is known."""

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """A stage begins; ``total`` rows where known."""

    def advance(self, rows: int) -> None:
        """So many more rows are done."""

    def finish(self, result: StageSummary) -> None:
        """The stage ended."""

    def beside(self) -> Progress:
        """A reporter for a stage that runs at the same time."""


class NoProgress:
    """Reports to nobody."""

    def expect(self, stage_runs: int) -> None:
        """Ignored."""

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """Ignored."""

    def advance(self, rows: int) -> None:
        """Ignored."""

    def finish(self, result: StageSummary) -> None:
        """Ignored."""

    def beside(self) -> NoProgress:
        """Itself."""
        return self


_listener: ContextVar[Progress | None] = ContextVar("winnowry_progress", default=None)


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Let ``progress`` hear of every stage run in the body, by whomever: a terminal's bar around a Dagster run."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def with_listener(progress: Progress | None) -> Progress:
    """The given progress, and whoever listens around this call."""
    own, around = progress if progress is not None else NoProgress(), _listener.get()
    return _Both(own, around) if around is not None else own


class _Both:
    def __init__(self, first: Progress, second: Progress) -> None:
        self._parts: tuple[Progress, Progress] = (first, second)

    def expect(self, stage_runs: int) -> None:
        for part in self._parts:
            part.expect(stage_runs)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        for part in self._parts:
            part.start(stage, partition, total)

    def advance(self, rows: int) -> None:
        for part in self._parts:
            part.advance(rows)

    def finish(self, result: StageSummary) -> None:
        for part in self._parts:
            part.finish(result)

    def beside(self) -> _Both:
        first, second = self._parts
        return _Both(first.beside(), second.beside())
