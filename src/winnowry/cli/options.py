"""Options that every command takes, and the lake they name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from winnowry.api.lake import Lake
    from winnowry.cli.output import Output

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Call:
    """Values of the common options.

    Attributes:
        root: folder or ``s3://bucket/prefix`` of the lake.
        as_json: print one JSON document and nothing else on standard output.
    """

    root: str
    as_json: bool

    def output(self) -> Output:
        """Where this call prints."""
        from winnowry.cli.output import Output

        return Output(as_json=self.as_json)

    def lake(self) -> Lake:
        """The lake at the root."""
        from winnowry.api.lake import Lake

        return Lake(self.root)


def common_options(command: Command) -> Command:
    """Add ``--root``, ``--json`` and ``--verbose``; the command receives them as ``call: Call``."""
    from functools import wraps

    @wraps(command)
    def with_call(*args: Any, root: str, as_json: bool, verbose: bool, **kwargs: Any) -> Any:
        from winnowry.storage.named import storage_named

        _configure_logging(verbose)
        call = Call(_expanded(root), as_json)
        with storage_named(f"winnowry {click.get_current_context().info_name}", call.root):
            return command(*args, call=call, **kwargs)

    decorated: Any = click.option("-v", "--verbose", is_flag=True, help="Log every step to standard error.")(with_call)
    decorated = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(decorated)
    return click.option(  # type: ignore[no-any-return]
        "--root",
        envvar="WINNOWRY_ROOT",
        default=_default_root,
        show_default="lake in the project",
        show_envvar=True,
        metavar="URI",
        help="The lake: a folder or s3://bucket/prefix.",
    )(decorated)


def _default_root() -> str:
    from winnowry.runs.project import home_folder

    return str(home_folder() / "lake")


def _expanded(root: str) -> str:
    return root if "://" in root else str(Path(root).expanduser().resolve())


def _configure_logging(verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("winnowry").setLevel(logging.INFO if verbose else logging.WARNING)


def recipe_options(command: Command) -> Command:
    """Add the argument ``RECIPE`` and the option ``--set``; the command receives ``recipe`` and ``overrides``."""
    decorated: Any = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="ADDRESS=VALUE",
        help="Change a value of the recipe for this call, e.g. text.length.min_words=80. Repeatable.",
    )(command)
    return recipe_argument(decorated)  # type: ignore[no-any-return]


def recipe_argument(command: Command) -> Command:
    """Add the argument ``RECIPE``; a shell completes it to files and to the names in the project's ``recipes/``."""
    decorated: Any = click.argument("recipe", metavar="RECIPE", shell_complete=_recipes)(command)
    return decorated  # type: ignore[no-any-return]


def _recipes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from winnowry.runs.project import find_project

    names = sorted(path.stem for path in (find_project().root / "recipes").glob("*.yaml"))
    items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return items or [CompletionItem(incomplete, type="file")]
