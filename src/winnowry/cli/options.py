"""Options that every command takes, and the workspace they open."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from winnowry.cli.output import Output
    from winnowry.pipeline.workspace import Workspace
    from winnowry.recipe.model import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Call:
    """What the common options said.

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

    def workspace(self) -> Workspace:
        """Open the lake at the root.

        Raises:
            StorageError: the root cannot be reached.
        """
        from winnowry.pipeline.workspace import Workspace

        return Workspace.open(self.root)


def common_options(command: Command) -> Command:
    """Add ``--root``, ``--json`` and ``--verbose``; the command receives them as ``call: Call``."""
    from functools import wraps

    @wraps(command)
    def with_call(*args: Any, root: str, as_json: bool, verbose: bool, **kwargs: Any) -> Any:
        _configure_logging(verbose)
        return command(*args, call=Call(_expanded(root), as_json), **kwargs)

    decorated: Any = click.option("-v", "--verbose", is_flag=True, help="Log every step to standard error.")(with_call)
    decorated = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(decorated)
    return click.option(  # type: ignore[no-any-return]
        "--root",
        envvar="WINNOWRY_ROOT",
        default="./lake",
        show_default=True,
        show_envvar=True,
        metavar="URI",
        help="The lake: a folder or s3://bucket/prefix.",
    )(decorated)


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
    return click.argument("recipe", metavar="RECIPE")(decorated)  # type: ignore[no-any-return]


def read_recipe(name_or_path: str, overrides: tuple[str, ...] = ()) -> Recipe:
    """Load a recipe by path, or by name from the project's ``recipes/``.

    Raises:
        RecipeError: all its mistakes.
        NotFoundError: no such recipe.
    """
    from winnowry.cli.project import find_project
    from winnowry.recipe.load import apply_overrides, find_recipe, load_recipe

    recipe = load_recipe(find_recipe(name_or_path, find_project().root / "recipes"))
    return apply_overrides(recipe, overrides) if overrides else recipe


def dagster_home() -> Path:
    """Folder of the Dagster instance: ``WINNOWRY_HOME``, ``DAGSTER_HOME`` or ``.winnowry`` in the working directory."""
    for name in ("WINNOWRY_HOME", "DAGSTER_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser().resolve()
    return Path.cwd() / ".winnowry"
