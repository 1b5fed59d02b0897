"""Recipes as arguments: a path, a name in the project's ``recipes/``, or an object made in Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from winnowry.core.errors import NotFoundError, RecipeError
from winnowry.promotion.corpus_recipe import FOR_A_RUN
from winnowry.recipe.check import check
from winnowry.recipe.load import apply_overrides, load_recipe
from winnowry.recipe.model import Recipe
from winnowry.recipe.validate import misplaced_variables
from winnowry.runs.project import find_project

RecipeArgument = Recipe | str | os.PathLike[str]
"""A recipe, the path of its file, or its name in the project's ``recipes/``."""


def recipe_path(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a recipe: a path, else ``NAME.yaml`` in the project's ``recipes/``, else a packaged one of that name.

    Raises:
        NotFoundError: none of them is a file.
    """
    from winnowry.runs.template import template_root

    if Path(name_or_path).is_file():
        return Path(name_or_path)
    name = os.fspath(name_or_path)
    folder = find_project().root / "recipes"
    for named in (folder / f"{name}.yaml", template_root() / "recipes" / f"{name}.yaml"):
        if named.is_file():
            return named
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise NotFoundError(
        f"no recipe {name!r}{hint}\nExpected a file, or one of {folder}: {', '.join(names) or 'none there'}"
    )


def checked(recipe: Recipe) -> Recipe:
    """A recipe that was made in Python, once nothing is wrong between its parts.

    Raises:
        RecipeError: all mistakes, one line each: ``path: message``.
    """
    problems = [*check(recipe), *misplaced_variables(recipe.model_dump(mode="json", by_alias=True))]
    if problems:
        raise RecipeError(tuple(f"{problem.dotted}: {problem.message}" for problem in problems))
    return recipe


def read_recipe(recipe: RecipeArgument, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of an argument, with values changed.

    Args:
        recipe: recipe, path or name.
        overrides: ``ADDRESS=VALUE``, e.g. ``text.length.min_words=80``.

    Raises:
        RecipeError: all its mistakes.
        NotFoundError: no such recipe.
    """
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe_path(recipe), overrides)
    checked(recipe)
    return apply_overrides(recipe, overrides) if overrides else recipe


@contextmanager
def recipe_file(recipe: RecipeArgument) -> Iterator[Path]:
    """A file of the recipe for as long as the body runs: its own, or one that is written for it."""
    import tempfile

    if not isinstance(recipe, Recipe):
        yield recipe_path(recipe)
        return
    with tempfile.TemporaryDirectory(prefix=FOR_A_RUN) as folder:
        file = Path(folder) / f"{recipe.corpus}.yaml"
        file.write_text(recipe.to_yaml(), encoding="utf-8")
        yield file
