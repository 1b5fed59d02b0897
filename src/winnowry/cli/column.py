"""``winnowry column``: add, list and drop columns of living tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click

from winnowry.cli.examples import CommandGroup, examples
from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.columns.fill import ColumnResult
    from winnowry.columns.listing import ListedColumn


@click.group(
    "column",
    cls=CommandGroup,
    short_help="Add, list and drop columns of living tables.",
    epilog=examples("winnowry column list support", "winnowry column add --help"),
)
def command() -> None:
    """Columns are added beside the data, without rewriting it, and seen by nobody before their gate has passed."""


@command.command(
    "add",
    short_help="Add a column to a table of a corpus.",
    epilog=examples(
        "winnowry column add support density --sql 'n_tokens / n_words'",
        "winnowry column add support n_chars --op text.length:as=n_chars --table cleaned",
        "winnowry column add support tone --python tone.py:tone --fragments 1  # a trial that changes nothing",
    ),
)
@click.argument("corpus")
@click.argument("name")
@click.option("--sql", metavar="EXPR", help="SQL expression over the table's columns, e.g. 'n_chars / n_words'.")
@click.option("--op", metavar="OP[:k=v,…]", help="Operator, e.g. text.length:as=n.")
@click.option(
    "--python", metavar="FILE:FUNC", help="Function; its parameters name the columns it reads (Arrow arrays)."
)
@click.option("--table", default="published", show_default=True, metavar="TABLE", help="Table of the corpus.")
@click.option("--type", "type_", metavar="TYPE", help="Arrow type of a --python column, where its answers do not tell.")
@click.option("--where", metavar="SQL", help="Only these rows get a value; the others are null.")
@click.option(
    "--fragments", type=click.IntRange(min=1), metavar="N", help="Trial: compute N fragments, change nothing."
)
@click.option(
    "--max-null-fraction",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="F",
    help="Rows that may be null or NaN, as a share of those that should have a value.",
)
@click.option(
    "--on-error",
    type=click.Choice(["fail", "null"]),
    default="fail",
    show_default=True,
    help="What a row that the function fails on does: stop everything, or have no value.",
)
@click.option("--batch-rows", type=click.IntRange(min=1), metavar="N", help="Rows given to the function at once.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes that compute; 1 for a GPU.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest a function may take for a batch; 0: no limit.",
)
@click.option("--replace", is_flag=True, help="Take the place of a column of this name, in one commit.")
@click.option("--version", metavar="HASH", help="Go back to a specification that was replaced; see column list.")
@common_options
def add_command(
    corpus: str,
    name: str,
    sql: str | None,
    op: str | None,
    python: str | None,
    table: str,
    type_: str | None,
    where: str | None,
    fragments: int | None,
    max_null_fraction: float,
    on_error: Literal["fail", "null"],
    batch_rows: int | None,
    workers: int | None,
    timeout: float,
    replace: bool,
    version: str | None,
    call: Call,
) -> int:
    """Add column NAME to a table of CORPUS.

    Safe to run from many shells at once: each fragment is computed once, and a commit that another writer was ahead of
    is planned anew. A killed run goes on where it was. Rows that are written later get the column too. With --replace
    the new values are computed beside the old ones, which stay until the new ones have passed the gate.
    """
    from winnowry.cli.output import stderr
    from winnowry.cli.progress import progress_on
    from winnowry.columns.fill import ColumnGateFailed

    output = call.output()
    try:
        with progress_on(stderr(), quiet=call.as_json) as progress:
            result = call.lake().add_column(
                corpus,
                name,
                sql=sql,
                op=op,
                python=python,
                table=table,
                type=type_,
                where=where,
                fragments=fragments,
                max_null_fraction=max_null_fraction,
                on_error=on_error,
                batch_rows=batch_rows,
                workers=workers,
                timeout_s=timeout,
                replace=replace,
                version=version,
                progress=progress,
            )
    except ColumnGateFailed as refusal:
        if call.as_json:
            raise
        output.show(*gates_view(refusal.gates))
        raise
    output.document(result.to_dict())
    if not call.as_json:
        output.show(*result_view(result))
    return 0


@command.command(
    "list",
    short_help="Added columns, and how far each is filled.",
    epilog=examples("winnowry column list support", "winnowry column list support --table cleaned"),
)
@click.argument("corpus")
@click.option("--table", metavar="TABLE", help="Only this table.")
@common_options
def list_command(corpus: str, table: str | None, call: Call) -> int:
    """List the columns that were added to tables of CORPUS, and how far each is."""
    columns = call.lake().columns(corpus, table)
    output = call.output()
    output.document({"corpus": corpus, "columns": [asdict(column) for column in columns]})
    if not call.as_json:
        output.show(*list_view(columns))
    return 0


@command.command("drop", short_help="Drop an added column.", epilog=examples("winnowry column drop support density"))
@click.argument("corpus")
@click.argument("name")
@click.option("--table", default="published", show_default=True, metavar="TABLE", help="Table of the corpus.")
@common_options
def drop_command(corpus: str, name: str, table: str, call: Call) -> int:
    """Drop an added column. Older versions and tags keep it."""
    version = call.lake().drop_column(corpus, name, table)
    output = call.output()
    output.document({"corpus": corpus, "table": table, "column": name, "status": "dropped", "table_version": version})
    if not call.as_json:
        from rich.text import Text

        output.show(Text.assemble(("✓ ", "green"), "dropped ", (f"{corpus}.{table}.{name}", "bold")))
    return 0


def result_view(result: ColumnResult) -> list[RenderableType]:
    """What was added, and what it took."""
    from rich.text import Text

    from winnowry.core.numbers import counted, number

    verb = {"added": "added", "present": "is there already:", "trial": "trial of"}[result.status]
    line = Text.assemble(
        ("✓ ", "green"), f"{verb} ", (f"{result.corpus}.{result.table}.{result.column}", "bold"), f"  {result.type}",
        (f"  version {result.table_version}" if result.table_version is not None else "", "bright_black"),
    )  # fmt: skip
    work = (
        f"  {number(result.rows)} rows in {counted(result.fragments, 'fragment')}, {number(result.null_rows)} without "
        f"value; {number(result.fragments_computed)} computed, {number(result.fragments_reused)} reused, "
        f"{counted(result.commits_refused, 'commit')} planned anew, {result.seconds:.1f} s"
    )
    failed = [Text(f"  failed on {name}: {error}", "yellow") for name, error in result.failed]
    return [line, Text(work, "bright_black"), *failed, *gates_view(result.gates)]


def gates_view(gates: Any) -> list[RenderableType]:
    """A line a verdict."""
    from rich.text import Text

    styles = {"pass": ("✓", "green"), "warn": ("!", "yellow")}
    lines: list[RenderableType] = []
    for gate in gates:
        mark, style = styles.get(gate.verdict, ("✗", "red"))
        lines.append(Text.assemble((f"  {mark} ", style), (f"{gate.suite}  ", "bright_black"), gate.message or ""))
    return lines


def list_view(columns: list[ListedColumn]) -> list[RenderableType]:
    """Added columns as a table."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    if not columns:
        return [Text("No column was added. Add one: winnowry column add CORPUS NAME --sql 'EXPR'", "bright_black")]
    table = grid(
        ["Table", "Column", "Type", "State", "Computed by", "Rows", "Without value"], right=["Rows", "Without value"]
    )
    for column in columns:
        table.add_row(
            column.table,
            Text(column.column, "bold"),
            column.type,
            Text(column.state, {"live": "green", "failed": "red"}.get(column.state, "yellow")),
            Text(f"{column.kind} {column.source}"[:60], "bright_black"),
            number(column.rows),
            number(column.null_rows) if column.null_rows is not None else "",
        )
    notes = [
        Text.assemble(
            (f"{column.table}.{column.column}  ", "bold"),
            (f"now {column.column_version}; before {', '.join(old.column_version for old in column.earlier)}"),
            (f"  go back: column add CORPUS {column.column} --table {column.table} --version …", "bright_black"),
        )
        for column in columns
        if column.earlier
    ]  # fmt: skip
    return [table, *notes]
