"""What the command line says about itself."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from tests.unit.cli.parsing import every_command, read
from winnowry.cli.main import cli, main

COMMANDS = dict(every_command())
_EXAMPLES = re.compile(r"^ *Examples:\n((?: +winnowry .+\n)+)", re.MULTILINE)


def help_of(name: str) -> str:
    result = CliRunner().invoke(cli, [*name.split()[1:], "--help"], prog_name="winnowry", terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_that_the_command_line_understands(name: str) -> None:
    examples = _EXAMPLES.search(help_of(name))

    assert examples is not None
    lines = [line.strip() for line in examples[1].splitlines()]
    assert any(line.startswith(name) for line in lines)
    for line in lines:
        read(line)


@pytest.mark.parametrize(
    "line",
    [
        "winnowry nonsense",
        "winnowry run",
        "winnowry run support --partitions 2019",
        "winnowry run support --jobs many",
        "winnowry export support --format csv --out out",
        "winnowry release shw support",
        "winnowry explain one two",
    ],
)
def test_a_wrong_command_line_is_not_understood(line: str) -> None:
    with pytest.raises(click.UsageError):
        read(line)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if isinstance(command, click.Group)])
def test_a_name_alone_prints_the_help_on_standard_output(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(name.split()[1:]) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith(f"Usage: {name} ")
    assert printed.err == ""


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_printed(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option]) == 0
    assert re.fullmatch(r"winnowry, version \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_a_shell_is_printed(shell: str) -> None:
    result = CliRunner().invoke(cli, [], prog_name="winnowry", env={"_WINNOWRY_COMPLETE": f"{shell}_source"})

    assert result.exit_code == 0
    assert f"_WINNOWRY_COMPLETE={shell}_complete" in result.output


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("winnowry run aws", ["plain,aws_docs"]),
        ("winnowry plan aws", ["plain,aws_docs"]),
        ("winnowry run mine/re", ["file,mine/re"]),
        ("winnowry export sup", []),
    ],
)
def test_a_shell_completes_recipes_by_name_and_by_file(words: str, offered: list[str]) -> None:
    environment = {"_WINNOWRY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}

    result = CliRunner().invoke(cli, [], prog_name="winnowry", env=environment)

    assert result.output.split() == offered
