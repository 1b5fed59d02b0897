"""Every command line in the README, in docs/ and beside them is one that the command line understands."""

from __future__ import annotations

import contextlib
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.unit.cli.parsing import read
from winnowry.cli.main import cli

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = sorted(
    page
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "deploy/*.md", "benchmarks/*.md", "examples/**/*")
    for page in REPOSITORY.glob(pattern)
    if page.suffix in (".md", ".py", ".yaml", ".ipynb")
)
_BLOCK = re.compile(r"^ *```(?:console|sh|bash|shell)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^ *```.*$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`((?:[^`\n]|\n(?!\s*\n))+)`(?!`)")
_SHORT = re.compile(rf"(?:{'|'.join(cli.commands)}) (?:\S+ )*--\w")  # `plan --set`, without the program's name
_ASSIGNMENT = re.compile(r"\w+=")
_PLACEHOLDERS = {"winnowry COMMAND --help", "winnowry …", "winnowry ..."}
"""What stands for any command."""


def commands_of(shell: str) -> Iterator[str]:
    """The calls of winnowry in a line for a shell: each side of ``&&`` and ``|``, without variables before it."""
    lexer = shlex.shlex(shell, posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set(";&|<>()"):
            while words and _ASSIGNMENT.match(words[0]):
                words.pop(0)
            if words[:1] == ["winnowry"]:
                yield shlex.join(words)
            words = []
        else:
            words.append(word)


def in_blocks(text: str) -> Iterator[str]:
    """Calls in blocks for a shell: in a block with prompts, other lines are what the commands print."""
    for block in _BLOCK.findall(text):
        lines = textwrap.dedent(block).replace("\\\n", " ").splitlines()
        prompt = "$ " if any(line.startswith("$ ") for line in lines) else ""
        for start, line in enumerate(lines):
            if line.startswith(prompt) and "winnowry" in line:
                yield from commands_of(_whole(lines[start:]).removeprefix(prompt))


def _whole(lines: list[str]) -> str:
    """The first line, with those after it that a quotation mark it opens takes in."""
    for n in range(1, len(lines) + 1):
        shell = "\n".join(lines[:n])
        with contextlib.suppress(ValueError):
            shlex.split(shell, comments=True)
            return shell
    raise AssertionError(f"a quotation mark is not closed: {lines[0]}")


def in_prose(text: str) -> Iterator[str]:
    """Calls that a sentence or a comment mentions: they may leave out what the command needs besides."""
    for line in _INLINE.findall(_FENCE.sub("\n", _BLOCK.sub("\n", text))):
        call = " ".join(line.split())
        if _SHORT.match(call):
            call = f"winnowry {call}"
        if call.startswith("winnowry ") and call not in _PLACEHOLDERS:
            for one in _alternatives(call):
                yield from commands_of(one)


def _alternatives(call: str) -> list[str]:
    """A call for each of the values in ``--format parquet|jsonl``."""
    several = re.search(r"(?<= )[\w.-]+(?:\|[\w.-]+)+(?= |$)", call)
    if several is None:
        return [call]
    return [call[: several.start()] + value + call[several.end() :] for value in several[0].split("|")]


def documented(part: object) -> list[object]:
    assert callable(part)
    return [
        pytest.param(page, line, id=f"{page.relative_to(REPOSITORY)}: {line}")
        for page in PAGES
        for line in dict.fromkeys(part(page.read_text(encoding="utf-8")))
    ]


def test_there_are_many_of_both() -> None:
    assert len(documented(in_blocks)) > 20
    assert len(documented(in_prose)) > 20


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("```console\n$ winnowry ui  # runs\nwinnowry ui  http://127.0.0.1\n```\n", ["winnowry ui"]),
        ("```sh\nwinnowry run a \\\n  --to raw\n```\n", ["winnowry run a --to raw"]),
        ("- b\n  ```console\n  $ cd x && A=1 winnowry plan a | head\n  ```\n", ["winnowry plan a"]),
        ("```python\nwinnowry run a\n```\n", []),
        ("```yaml\na: 1  # as `winnowry run a`\n```\n", ["winnowry run a"]),
        ("`winnowry export --format a|b c`", ["winnowry export --format a c", "winnowry export --format b c"]),
        ("see `winnowry run\na --to raw`, not `winnowry.api`", ["winnowry run a --to raw"]),
        ("`plan a --set` and `run`, not `plan.py`", ["winnowry plan a --set"]),
    ],
)
def test_calls_are_seen_in_blocks_and_in_prose(text: str, calls: list[str]) -> None:
    assert [*in_blocks(text), *in_prose(text)] == calls


@pytest.mark.parametrize(("page", "line"), documented(in_blocks))
def test_a_command_to_copy_is_understood(page: Path, line: str) -> None:
    try:
        read(line)
    except click.UsageError as error:
        pytest.fail(f"{page}: {error.format_message()}, in: {line}")


@pytest.mark.parametrize(("page", "line"), documented(in_prose))
def test_a_command_that_a_sentence_mentions_exists_with_these_options(page: Path, line: str) -> None:
    try:
        read(line)
    except click.MissingParameter:
        return
    except click.BadOptionUsage as error:
        if not line.endswith(f" {error.option_name}"):  # `winnowry plan --set` names the option, no value
            pytest.fail(f"{page}: {error.format_message()}, in: {line}")
    except click.UsageError as error:
        pytest.fail(f"{page}: {error.format_message()}, in: {line}")
