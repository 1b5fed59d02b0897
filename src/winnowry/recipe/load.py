"""Read a recipe from YAML; every mistake at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from winnowry.core.errors import RecipeError, UsageError
from winnowry.recipe.document import Document
from winnowry.recipe.model import Recipe
from winnowry.recipe.overrides import apply_overrides as apply_overrides
from winnowry.recipe.validate import validate


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, validate and check a recipe; then apply overrides.

    Args:
        path: a YAML file.
        overrides: ``ADDRESS=VALUE``, see :func:`~winnowry.recipe.overrides.apply_overrides`.

    Raises:
        UsageError: there is no such file.
        RecipeError: all mistakes in the order of the file, one line each: ``file:line:col: path: message``.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{file}: no such recipe{_near(file)}")
    try:
        document = Document(file, file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecipeError((f"{file}:1:1: recipe: not UTF-8 at byte {error.start}; save it as UTF-8",)) from error
    for index, source in enumerate(_listed(document.data.get("sources"))):
        _keep_keys_as_written(document, index, source)
    for column in _listed(document.data.get("columns")):
        if isinstance(column, dict) and isinstance(column.get("python"), str):
            column["python"] = str(file.parent.resolve() / column["python"])  # as a path, wherever the command runs
    recipe, problems = validate(document.data)
    lines = [f"{place}: {message}" for place, message in document.problems]
    lines += [document.line(problem) for problem in problems]
    if lines or recipe is None:
        raise RecipeError(tuple(sorted(lines, key=lambda line: _order(line, str(file)))))
    recipe = recipe.from_file(file.absolute())
    return apply_overrides(recipe, overrides) if overrides else recipe


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _keep_keys_as_written(document: Document, index: int, source: object) -> None:
    """Partition keys are text: ``keys: [2019, 2020-01]`` needs no quotes."""
    partition = source.get("partition") if isinstance(source, dict) else None
    if not isinstance(partition, dict):
        return
    where = ("sources", index, "partition")
    for position, key in enumerate(_listed(partition.get("keys"))):
        if isinstance(key, int | float) and not isinstance(key, bool):
            partition["keys"][position] = document.written((*where, "keys", position))
    missing = partition.get("missing")
    if isinstance(missing, int | float) and not isinstance(missing, bool):
        partition["missing"] = document.written((*where, "missing"))


def _order(line: str, file: str) -> tuple[int, int]:
    row, column, _ = line[len(file) + 1 :].split(":", 2)
    return int(row), int(column)


def _near(file: Path) -> str:
    if not file.parent.is_dir():
        return f"; there is no folder {file.parent}"
    names = sorted(path.name for path in file.parent.iterdir() if path.suffix in (".yaml", ".yml"))
    near = get_close_matches(file.name, names, n=3) or get_close_matches(f"{file.name}.yaml", names, n=3)
    if near:
        return f"; did you mean {', '.join(str(file.parent / name) for name in near)}?"
    return f"; recipes there are {', '.join(names)}" if names else "; there is no recipe in that folder"
