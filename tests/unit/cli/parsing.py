"""Reads a command line as ``winnowry`` would, without doing what it says."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

import click

from winnowry.cli.main import cli


def every_command() -> Iterator[tuple[str, click.Command]]:
    """``winnowry``, its commands and theirs, each with its full name."""
    waiting: list[tuple[str, click.Command]] = [("winnowry", cli)]
    for name, command in waiting:
        yield name, command
        if isinstance(command, click.Group):
            waiting += [(f"{name} {child}", command.commands[child]) for child in sorted(command.commands)]


def read(line: str) -> None:
    """Read a line as far as the command would before it starts: names, options, their values and how many there are.

    Raises:
        click.UsageError: the command line would refuse it.
    """
    arguments = shlex.split(line, comments=True)
    assert arguments.pop(0) == "winnowry"
    with contextlib.suppress(click.exceptions.Exit), contextlib.redirect_stdout(None):
        context = cli.make_context("winnowry", list(arguments))
        command: click.Command = cli
        while isinstance(command, click.Group):
            name, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert name is not None
            assert below is not None
            command = below
            context = command.make_context(name, rest, parent=context)
