"""``winnowry doctor``: is this machine and this store fit for winnowry?"""

from __future__ import annotations

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skip": ("·", "bright_black")}


@click.command(
    "doctor",
    short_help="Check packages, store, clock, conditional writes and tables.",
    epilog=examples("winnowry doctor", "winnowry doctor --root s3://my-bucket/lake  # before the first run there"),
)
@common_options
def command(call: Call) -> int:
    """Check this machine and the lake's store; exit code 1 when something must not be used as it is.

    Races conditional writes against the store: one that lets two writers win loses commits silently.
    """
    diagnosis = call.lake().doctor()
    output = call.output()
    output.document(diagnosis.to_dict())
    if not call.as_json:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        for check in diagnosis.checks:
            mark, style = _MARKS[check.status]
            message = Text(check.message, "" if check.status != "skip" else "bright_black")
            if check.hint:
                message.append(f"\n→ {check.hint}", style)
            table.add_row(Text(mark, style), Text(check.name, "bold"), message)
        last = Text("healthy", "bold green") if diagnosis.healthy else Text("not fit for use; see ✗ above", "bold red")
        output.show("", table, "", last)
    return 0 if diagnosis.healthy else 1
