"""What commands print: one JSON document, or tables and text for people.

Colours, boxes and progress bars appear on a terminal only; ``NO_COLOR`` is respected. Standard output carries the
result, standard error everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from winnowry.core.jsonable import jsonable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_PIPE_WIDTH = 140  # columns assumed when nobody's terminal says how wide it is


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def stderr() -> Console:
    """Console on standard error."""
    return _console(sys.stderr)


class Output:
    """Where a command prints its result.

    Args:
        as_json: print JSON; text for people is then dropped.
        console: console for people; standard output by default.
    """

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        self.as_json = as_json
        self._console = console

    @property
    def console(self) -> Console:
        """Console on standard output."""
        if self._console is None:
            self._console = _console(sys.stdout)
        return self._console

    def document(self, document: object) -> None:
        """Print the JSON document of a command; does nothing without ``--json``."""
        if self.as_json:
            import orjson

            body = orjson.dumps(jsonable(document), option=orjson.OPT_INDENT_2)
            click.echo(body.decode("utf-8"))

    def show(self, *renderables: RenderableType, soft_wrap: bool = False) -> None:
        """Print for people; does nothing with ``--json``. ``soft_wrap`` leaves long lines whole."""
        if not self.as_json:
            for renderable in renderables:
                self.console.print(renderable, soft_wrap=soft_wrap)


def grid(columns: Sequence[str], *, right: Iterable[str] = (), title: str | None = None) -> Table:
    """A table with a header and a rule below it, nothing else.

    Args:
        columns: headers.
        right: headers of right-aligned columns.
        title: printed above, left-aligned.
    """
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        header_style="bold",
        border_style="bright_black",
        pad_edge=False,
        show_edge=False,
    )
    aligned = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in aligned else "left", overflow="fold")
    return table
