"""A bar for the stage at work and a line for every finished one, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from winnowry.core.numbers import number

if TYPE_CHECKING:
    import rich.progress
    from rich.console import Console
    from rich.text import Text

    from winnowry.core.progress import Progress, StageSummary, Status

STATUSES: tuple[Status, ...] = ("promoted", "skipped", "rejected")
MARKS = {"promoted": ("✓", "green"), "skipped": ("·", "bright_black"), "rejected": ("✗", "red")}


class TerminalProgress:
    """Shows stages on a terminal.

    Args:
        bars: live display that the bars are added to.
    """

    def __init__(self, bars: rich.progress.Progress) -> None:
        self._bars = bars
        self._task: rich.progress.TaskID | None = None

    def beside(self) -> TerminalProgress:
        """Another line of the same display, for a stage that runs at the same time."""
        return TerminalProgress(self._bars)

    def start(self, stage: str, partition: str | None, total: int | None) -> None:
        """Show a bar for the stage; one that pulses where the total is unknown."""
        self._clear()
        name = stage if partition is None else f"{stage} {partition}"
        self._task = self._bars.add_task(name, total=total)

    def advance(self, rows: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, rows)

    def finish(self, result: StageSummary) -> None:
        """Replace the bar by a line about what came out."""
        self._clear()
        self._bars.console.print(stage_line(result))

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


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
        console: where; on anything but a terminal nothing is shown.
        quiet: show nothing.
    """
    from winnowry.core.progress import NoProgress

    if quiet or not console.is_terminal:
        yield NoProgress()
        return
    from rich import progress

    with progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description:<20}"),
        progress.BarColumn(bar_width=32),
        progress.MofNCompleteColumn(),
        progress.TextColumn("[bright_black]rows"),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield TerminalProgress(bars)
