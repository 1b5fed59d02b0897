"""``winnowry doctor``: is this machine and this store fit for winnowry?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from winnowry.cli.examples import examples
from winnowry.cli.options import Call, common_options

if TYPE_CHECKING:
    from winnowry.inspect.doctor import Check

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
    left = _runs_left()
    if left is not None:
        diagnosis = replace(diagnosis, checks=(*diagnosis.checks, left))
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


def _runs_left() -> Check | None:
    """What killed processes left in the Dagster instance; None where there is no instance yet."""
    from winnowry.inspect.doctor import Check
    from winnowry.runs.home import dagster_home, is_made, open_instance
    from winnowry.runs.reap import reap

    home = dagster_home()
    if not is_made(home):
        return None
    with open_instance(home) as instance:
        left = reap(instance, dry=True)
    if not left:
        return Check("runs", "ok", f"none of {home} was left behind by a killed process")
    named = "; ".join(f"{one.run_id}: {one.reason}" for one in left[:5])
    more = f"; and {len(left) - 5} more" if len(left) > 5 else ""
    return Check("runs", "warn", f"{named}{more}", "the next winnowry run ends them; they hold nobody up")
