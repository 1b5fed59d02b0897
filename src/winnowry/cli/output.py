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


_PICTURES = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421, 0x0A: 0x23CE}
_TURNING = dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xB7)


def visible(text: str) -> str:
    r"""Text of others as a terminal may show it: what would steer it, or turn the text around, becomes a picture.

    >>> visible("a\nb\r\x1b[31m\u202e")
    'a⏎b␍␛[31m·'
    """
    return text.translate(_PICTURES | _TURNING)


def number(value: float | int | None, *, digits: int = 1) -> str:
    """A number with thousands separators, or nothing.

    >>> number(21842), number(3.14159), number(None)
    ('21,842', '3.1', '')
    """
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def size(n_bytes: int | None) -> str:
    """Bytes for people.

    >>> size(999), size(28_000_000), size(None)
    ('999 B', '28.0 MB', '')
    """
    if n_bytes is None:
        return ""
    amount, units = float(n_bytes), ("B", "kB", "MB", "GB", "TB", "PB")
    for unit in units[:-1]:
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} {units[-1]}"


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "partition"), counted(3, "partition"), counted(2, "entry", "entries")
    ('1 partition', '3 partitions', '2 entries')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


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
