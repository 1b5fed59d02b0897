"""Every command line in the README and in docs/ is one that the command line understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from winnowry.cli.main import cli

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_LINE = re.compile(r"^\s*(?:\$ )?winnowry ((?:.*\\\n)*.*)$", re.MULTILINE)
_BLOCK = re.compile(r"```(?:console|sh|bash)\n(.*?)```", re.DOTALL)


def documented() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in _LINE.findall(block):
                found.append((page.name, line.replace("\\\n", " ")))
    return found


def test_there_are_many() -> None:
    assert len(documented()) > 20


@pytest.mark.parametrize(("page", "line"), documented())
def test_a_documented_command_is_understood(page: str, line: str) -> None:
    arguments = shlex.split(line, comments=True)
    command: click.Command = cli
    context = click.Context(command, info_name="winnowry")
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{page}: no command {name!r} in: winnowry {line}"
        command = found
        context = click.Context(command, parent=context, info_name=name)
    if "--help" not in arguments:
        command.make_parser(context).parse_args(arguments)  # an unknown option raises
