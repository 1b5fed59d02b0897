"""What a failed command says, and with which exit code."""

from __future__ import annotations

import json
import logging
import os

import click

from winnowry.core.errors import RecipeError, UsageError, WinnowryError

logger = logging.getLogger(__name__)

DATA_FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def exit_code(error: BaseException) -> int:
    """Exit code of an error.

    >>> from winnowry.core.errors import GateFailedError, StorageError
    >>> exit_code(RecipeError(("a.yaml:1:1: x: y",))), exit_code(GateFailedError("n")), exit_code(StorageError("s"))
    (2, 1, 1)
    """
    if isinstance(error, UsageError | click.UsageError):
        return WRONG_USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    return DATA_FAILED


def failure_document(error: BaseException) -> dict[str, object]:
    """The JSON form of an error: ``{"error": {"type", "message", "problems", "stage", "table", "partition"}}``.

    ``problems`` has one entry a mistake where several were found at once (recipes), else the message alone. ``stage``,
    ``table`` and ``partition`` are there where the error knows them.
    """
    if isinstance(error, click.ClickException):
        kind, message = "UsageError", error.format_message()
    elif isinstance(error, KeyboardInterrupt | click.Abort):
        kind, message = "Interrupted", "interrupted; every table is as its last promotion left it"
    elif isinstance(error, WinnowryError):
        kind, message = type(error).__name__, str(error)
    else:
        kind, message = "InternalError", f"{type(error).__name__}: {error}"
    problems = list(error.problems) if isinstance(error, RecipeError) else [message]
    place = error.place if isinstance(error, WinnowryError) else {}
    return {"error": {"type": kind, "message": message, "problems": problems, **place}}


def report_failure(error: BaseException, *, as_json: bool) -> int:
    """Print an error, to standard output as JSON or to standard error as text, and return the exit code.

    The traceback of an error that winnowry did not raise on purpose is always printed to standard error.
    """
    code = exit_code(error)
    if isinstance(error, click.exceptions.Exit):
        return code
    if not isinstance(error, WinnowryError | click.ClickException | KeyboardInterrupt | click.Abort):
        logger.error("this is a bug in winnowry, please report it", exc_info=error)
    elif os.environ.get("WINNOWRY_DEBUG"):
        logger.error("%s", error, exc_info=error)
    document = failure_document(error)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return code
    detail = document["error"]
    assert isinstance(detail, dict)
    _print_text(error, detail["type"], detail["problems"])
    return code


def _print_text(error: BaseException, kind: str, problems: list[str]) -> None:
    from rich.text import Text

    from winnowry.cli.output import stderr

    console = stderr()
    usage = isinstance(error, click.UsageError) and error.ctx is not None
    title = Text.assemble(("✗ ", "bold red"), (kind, "bold red"))
    if len(problems) > 1:
        title.append(f": {len(problems)} problems", "red")
    console.print(title)
    for problem in problems:
        console.print(Text("\n".join(f"  {line}" for line in problem.splitlines())), soft_wrap=True)
    if usage:
        assert isinstance(error, click.UsageError)
        assert error.ctx is not None
        console.print(Text(f"  {error.ctx.get_usage()}", "dim"), soft_wrap=True)
        console.print(Text(f"  Help: {error.ctx.command_path} --help", "dim"), soft_wrap=True)
