"""``winnowry column``: add, list and drop columns of living tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from winnowry.cli.options import Call, common_options
from winnowry.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from winnowry.columns.fill import ColumnResult
    from winnowry.columns.listing import ListedColumn
    from winnowry.columns.spec import ColumnSpec
    from winnowry.lakehouse.workspace import Workspace


@click.group("column", short_help="Add, list and drop columns of living tables.")
def command() -> None:
    """Columns are added beside the data, without rewriting it, and seen by nobody before their gate has passed."""


@command.command("add")
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
    on_error: str,
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
    from winnowry.columns.fill import ColumnGateFailed, add_column
    from winnowry.columns.spec import Resources
    from winnowry.runs.project import find_project

    workspace = call.workspace()
    options: dict[str, Any] = {"where": where, "max_null_fraction": max_null_fraction, "on_error": on_error}
    options["resources"] = Resources(batch_rows, workers, timeout)
    dataset = workspace.lake.table(corpus, table).dataset()
    if version is None:
        spec = _spec(dataset, table, name, sql=sql, op=op, python=python, type_=type_, options=options)
    else:
        spec = _earlier(workspace, corpus, table, name, version, [sql, op, python, type_, where])
    suites = find_project().module("expectations.registry").suites_for
    output = call.output()
    try:
        with progress_on(stderr(), quiet=call.as_json) as progress:
            result = add_column(
                workspace,
                corpus,
                spec,
                suites=suites,
                progress=progress,
                fragments=fragments,
                take_place=replace or version is not None,
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


def _spec(
    dataset: Any,
    table: str,
    name: str,
    *,
    sql: str | None,
    op: str | None,
    python: str | None,
    type_: str | None,
    options: dict[str, Any],
) -> ColumnSpec:
    from winnowry.columns.spec import check_name, check_where, operator_column, python_column, sql_column

    given = [option for option, value in (("--sql", sql), ("--op", op), ("--python", python)) if value is not None]
    if len(given) != 1:
        raise UsageError(f"give one of --sql, --op and --python; got {' and '.join(given) or 'none'}")
    if type_ is not None and python is None:
        raise UsageError("--type is for --python: the type of the others is known")
    check_name(name)
    check_where(dataset, options["where"])
    if sql is not None:
        return sql_column(dataset, table, name, sql, **options)
    if op is not None:
        return operator_column(dataset, table, name, op, **options)
    assert python is not None
    return python_column(dataset, table, name, python, type_=type_, **options)


def _earlier(
    workspace: Workspace, corpus: str, table: str, name: str, version: str, others: list[str | None]
) -> ColumnSpec:
    from winnowry.columns.definitions import Definitions

    if any(other is not None for other in others):
        raise UsageError("--version says how the column was computed: leave out --sql, --op, --python, --type, --where")
    definition = Definitions(workspace, corpus).get(table, name)
    known = [] if definition is None else [definition.spec, *(spec for spec, _ in definition.earlier)]
    found = [spec for spec in known if spec.version.startswith(version)]
    if len(found) != 1:
        listed = ", ".join(spec.version for spec in known) or "none"
        raise UsageError(f"--version {version!r}: {len(found)} of the versions of {table}.{name} fit; known: {listed}")
    return found[0]


@command.command("list")
@click.argument("corpus")
@click.option("--table", metavar="TABLE", help="Only this table.")
@common_options
def list_command(corpus: str, table: str | None, call: Call) -> int:
    """List the columns that were added to tables of CORPUS, and how far each is."""
    from winnowry.columns.listing import list_columns

    found = list_columns(call.workspace(), corpus, table)
    output = call.output()
    output.document({"corpus": corpus, "columns": [asdict(column) for column in found]})
    if not call.as_json:
        output.show(*list_view(found))
    return 0


@command.command("drop")
@click.argument("corpus")
@click.argument("name")
@click.option("--table", default="published", show_default=True, metavar="TABLE", help="Table of the corpus.")
@common_options
def drop_command(corpus: str, name: str, table: str, call: Call) -> int:
    """Drop an added column. Older versions and tags keep it."""
    from winnowry.columns.listing import drop

    version = drop(call.workspace(), corpus, table, name)
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

    said = {"added": "added", "present": "is there already:", "trial": "trial of"}[result.status]
    line = Text.assemble(
        ("✓ ", "green"), f"{said} ", (f"{result.corpus}.{result.table}.{result.column}", "bold"), f"  {result.type}",
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


def list_view(found: list[ListedColumn]) -> list[RenderableType]:
    """Added columns as a table."""
    from rich.text import Text

    from winnowry.cli.output import grid
    from winnowry.core.numbers import number

    if not found:
        return [Text("No column was added. Add one: winnowry column add CORPUS NAME --sql 'EXPR'", "bright_black")]
    table = grid(
        ["Table", "Column", "Type", "State", "Computed by", "Rows", "Without value"], right=["Rows", "Without value"]
    )
    for column in found:
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
        for column in found
        if column.earlier
    ]  # fmt: skip
    return [table, *notes]
