"""``winnowry sql``: ask any table of the lake, and the lake itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options
from winnowry.core.visible import visible

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import RenderableType
    from rich.text import Text

_ROWS_SHOWN = 50
_CELL = 200  # characters of a value that people are shown
_READABLE = 40  # columns that a value may ask for before it folds


@click.command(
    "sql",
    short_help="Query CORPUS.TABLE and the views tables, versions, columns, ledger, gates.",
    epilog=examples(
        "winnowry sql 'select operator, reason, count(*) n from support.quarantine group by all'",
        "winnowry sql --limit 5 'select record_id, text from support.published'",
        "winnowry sql --json 'select * from gates'",
    ),
)
@click.argument("query")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="ROWS",
    help=f"Stop after so many rows; default: {_ROWS_SHOWN} for people, all with --json.",
)  # fmt: skip
@common_options
def command(query: str, limit: int | None, call: Call) -> int:
    """Run one SELECT over CORPUS.TABLE (latest audited version), releases and the system views.

    CORPUS.published is the release that the recipe's tag (prod) is on: what everyone reads who reads by that tag.
    CORPUS.published@v2 is the release v2, CORPUS.published@latest the newest version. Where only one corpus has a
    table, TABLE alone will do.

    \b
    tables    name, uri, version, tags, rows, bytes
    versions  name, version, created_at, tags, stage, partition, promotion_id
    columns   name, column, type, nullable
    ledger    corpus, partition, stage, rows_in, rows_out, rows_quarantined, …
    gates     corpus, table, partition, suite, expectation, observed, verdict, …

    The dialect is DuckDB's. Queries only read. With --json, a list of objects.
    """  # noqa: D301 (click wants the \b)
    most = limit if limit is not None or call.as_json else _ROWS_SHOWN + 1
    rows = call.lake().sql(query, limit=most)
    output = call.output()
    output.document(rows.to_pylist())
    if not call.as_json:
        cut = limit is None and rows.num_rows > _ROWS_SHOWN
        shown = rows.slice(0, _ROWS_SHOWN) if cut else rows
        output.show(*rows_view(shown, width=output.console.width, cut=cut))
    return 0


def rows_view(rows: pa.Table, *, width: int, cut: bool = False) -> list[RenderableType]:
    """Rows as a table for people, or a block a row where a table would not fit.

    Args:
        rows: what to show.
        width: columns of the screen.
        cut: there are more rows than these.
    """
    import pyarrow as pa
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import counted

    numeric = [
        field.name
        for field in rows.schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
    ]
    table = grid(rows.schema.names, right=numeric)
    cells = [[cell(value) for value in row] for row in zip(*(c.to_pylist() for c in rows.columns), strict=True)]
    last = f"the first {rows.num_rows} rows; --limit or --json for more" if cut else counted(rows.num_rows, "row")
    if _too_wide(rows.schema.names, cells, width):
        return [*_records(rows.schema.names, cells), Text(last, "bright_black")]
    for row in cells:
        table.add_row(*row)
    return [table, Text(last, "bright_black")]


def _too_wide(names: list[str], cells: list[list[Text]], width: int) -> bool:
    """Whether a table of these cells would fold most of them."""
    widest = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(names)]
    return len(names) > 1 and sum(min(w, _READABLE) for w in widest) + 3 * (len(names) - 1) > width


def _records(names: list[str], cells: list[list[Text]]) -> list[RenderableType]:
    """A block a row, a line a column: for rows that are wider than the screen."""
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = []
    for number, row in enumerate(cells, start=1):
        block = Table.grid(padding=(0, 2, 0, 0))
        for name, value in zip(names, row, strict=True):
            block.add_row(Text(f"  {name}", "bright_black"), value)
        parts += [Text(f"row {number}", "bold"), block]
    return parts


def cell(value: Any) -> Text:
    """One value: nulls dimmed, long text cut, line breaks shown."""
    from rich.text import Text

    if value is None:
        return Text("null", "bright_black")
    if isinstance(value, bool):
        return Text(str(value).lower())
    if isinstance(value, float):
        return Text(f"{value:.6g}")
    if hasattr(value, "isoformat"):
        return Text(value.isoformat(sep=" ", timespec="seconds") if hasattr(value, "hour") else value.isoformat())
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        text = ", ".join(str(item) for item in value)
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = visible(text)
    return Text(text if len(text) <= _CELL else f"{text[:_CELL]}…")
