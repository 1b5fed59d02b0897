"""How far a run is: on a terminal bars and a line for every finished stage, elsewhere a plain line for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from winnowry.core.numbers import counted, number

if TYPE_CHECKING:
    import rich.progress
    from rich.console import Console
    from rich.text import Text

    from winnowry.core.progress import Progress, StageSummary, Status

STATUSES: tuple[Status, ...] = ("promoted", "skipped", "rejected")
MARKS = {"promoted": ("✓", "green"), "skipped": ("·", "bright_black"), "rejected": ("✗", "red")}
_ETA_OVER_S = 600  # what the time left is estimated from: a stage may take minutes


class _StageRuns:
    """How many stage runs have ended, and of how many, in one bar below the others.

    Args:
        bars: live display that the bar is added to once it is known how many there are.
    """

    def __init__(self, bars: rich.progress.Progress) -> None:
        self._bars = bars
        self._task: rich.progress.TaskID | None = None
        self._ended, self._total = 0, 0

    def expect(self, stage_runs: int) -> None:
        self._total = stage_runs
        self._task = self._bars.add_task("all stages", total=stage_runs, completed=self._ended, unit="stage runs")

    def end_one(self) -> None:
        self._ended += 1
        if self._task is not None:
            # Partitions that others have outdated meanwhile are taken once more, and make the run longer.
            self._bars.update(self._task, completed=self._ended, total=max(self._total, self._ended))


class TerminalProgress:
    """Shows stages on a terminal.

    Args:
        bars: live display that the bars are added to.
        stage_runs: the bar of the whole run, which all that report beside each other share.
    """

    def __init__(self, bars: rich.progress.Progress, stage_runs: _StageRuns | None = None) -> None:
        self._bars = bars
        self._stage_runs = stage_runs or _StageRuns(bars)
        self._task: rich.progress.TaskID | None = None

    def beside(self) -> TerminalProgress:
        """Another line of the same display, for a stage that runs at the same time."""
        return TerminalProgress(self._bars, self._stage_runs)

    def expect(self, stage_runs: int) -> None:
        """Show a bar for the whole run."""
        self._stage_runs.expect(stage_runs)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """Show a bar for the stage; one that pulses where the total is unknown."""
        self._clear()
        name = stage if partition is None else f"{stage} {partition}"
        self._task = self._bars.add_task(name, total=total, unit="rows")

    def advance(self, rows: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, rows)

    def finish(self, result: StageSummary) -> None:
        """Replace the bar by a line about what came out."""
        self._clear()
        self._bars.console.print(stage_line(result))
        self._stage_runs.end_one()

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


class PlainProgress:
    """A line for every stage that ran, for a log: no colours, no cursor. Fresh stages are counted, not printed.

    Args:
        console: where.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ended, self._total = 0, 0
        self._lock = threading.Lock()  # processes are listened to from a thread of their own

    def beside(self) -> PlainProgress:
        """Itself: lines of stages that run at the same time come as they end."""
        return self

    def expect(self, stage_runs: int) -> None:
        """Count the lines out of so many."""
        self._total = stage_runs

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """Nothing is shown."""

    def advance(self, rows: int) -> None:
        """Nothing is shown."""

    def finish(self, result: StageSummary) -> None:
        """Print the line."""
        with self._lock:
            self._ended += 1
            if result.status != "skipped":
                count = f" ({self._ended} of {max(self._ended, self._total)})" if self._total else ""
                self._console.print(f"{plain_line(result)}{count}", soft_wrap=True, markup=False)


def plain_line(result: StageSummary) -> str:
    """One line about a finished stage, e.g. ``raw 2019: 1,200 records, 3.1 s``."""
    name = result.stage if result.partition is None else f"{result.stage} {result.partition}"
    parts = [counted(result.rows_out, "record")]
    if result.rows_quarantined:
        parts.append(f"{number(result.rows_quarantined)} quarantined")
    if result.status == "rejected":
        parts = ["gate failed, table unchanged"]
    return f"{name}: {', '.join([*parts, f'{result.seconds:.1f} s'])}"


def stage_line(result: StageSummary) -> Text:
    """One line about a finished stage."""
    from rich.text import Text

    mark, style = MARKS[result.status]
    line = Text.assemble((f"{mark} ", style), (f"{result.stage:<11}", "bold"), f"{result.partition or '':<10}")
    if result.status == "skipped":
        return line.append(f"  {result.reason}", "bright_black")
    line.append(f"{number(result.rows_in):>11} in {number(result.rows_out):>11} out")
    if result.rows_quarantined:
        line.append(f" {number(result.rows_quarantined):>9} quarantined", "yellow")
    line.append(f"  {result.seconds:.1f} s", "bright_black")
    if result.status == "rejected":
        line.append("  gate failed, table unchanged", "red")
    return line


@contextmanager
def progress_on(console: Console, *, quiet: bool = False) -> Iterator[Progress]:
    """Progress of the stages run in the body.

    Args:
        console: where; on anything but a terminal a plain line for every stage that ran.
        quiet: show nothing.
    """
    from winnowry.core.progress import NoProgress

    if quiet or not console.is_terminal:
        yield NoProgress() if quiet else PlainProgress(console)
        return
    from rich import progress

    with progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description:<20}"),
        progress.BarColumn(bar_width=32),
        progress.MofNCompleteColumn(),
        progress.TextColumn("[bright_black]{task.fields[unit]}"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("[bright_black]ETA"),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        speed_estimate_period=_ETA_OVER_S,
    ) as bars:
        yield TerminalProgress(bars)
