"""The command ``winnowry``: parses, dispatches, and turns errors into exit codes.

The name alone prints the help. Exit codes: 0 success, 1 a gate or the data failed, 2 wrong usage or recipe, 130
interrupted (143 by SIGTERM, 129 by a closed terminal). With ``--json`` standard output holds one JSON document and
nothing else, also when a command fails.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext

import click

from winnowry.cli.column import command as column
from winnowry.cli.demo import command as demo
from winnowry.cli.doctor import command as doctor
from winnowry.cli.erase import command as erase
from winnowry.cli.examples import CommandGroup, examples
from winnowry.cli.explain import command as explain
from winnowry.cli.export import command as export
from winnowry.cli.failure import report_failure
from winnowry.cli.init import command as init
from winnowry.cli.interruption import Interruption
from winnowry.cli.maintain import command as maintain
from winnowry.cli.plan import command as plan
from winnowry.cli.release import command as release
from winnowry.cli.run import command as run
from winnowry.cli.sql import command as sql
from winnowry.cli.ui import command as ui
from winnowry.cli.verify import command as verify
from winnowry.storage.refusals import panics_as_damage


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples(
        "winnowry demo  # the whole way on real text, offline",
        "winnowry init my-lake  # a project of your own",
        "winnowry run --help  # what a command does",
    ),
)
@click.version_option(None, "-V", "--version", package_name="winnowry", prog_name="winnowry")
def cli() -> None:
    """Raw data to training data you can trust: Lance tables, gated by Great Expectations, run by Dagster."""


for _command in (init, demo, ui, doctor, plan, run, sql, explain, column, release, export, maintain, verify, erase):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: the command line after the program's name; that of the process by default.

    Returns:
        0 success, 1 a gate or the data failed, 2 wrong usage or recipe, 130 interrupted.
    """
    command_line = list(sys.argv[1:] if arguments is None else arguments)
    interruption = Interruption()

    def interrupted() -> int:
        return report_failure(KeyboardInterrupt(), as_json="--json" in command_line)

    # The UI has runs to end before it ends itself, and listens to signals on its own.
    listening = nullcontext() if command_line[:1] == ["ui"] else interruption.listening(interrupted)
    with listening:
        try:
            with panics_as_damage("the lake"):
                status = cli.main(args=command_line, prog_name="winnowry", standalone_mode=False)
            status = status if isinstance(status, int) else 0
            if status != 0 and interruption.signum is not None:
                status = interrupted()
        except (Exception, KeyboardInterrupt) as error:
            stopped = interruption.signum is not None
            status = interrupted() if stopped else report_failure(error, as_json="--json" in command_line)
        if status != 0:
            interruption.end()
    return status


if __name__ == "__main__":
    sys.exit(main())
