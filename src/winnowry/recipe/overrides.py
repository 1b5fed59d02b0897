"""``--set ADDRESS=VALUE``: change parameters of a recipe for one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from winnowry.core.errors import RecipeError
from winnowry.recipe.document import parse_value
from winnowry.recipe.messages import Path, Problem, did_you_mean, field_names
from winnowry.recipe.model import Recipe
from winnowry.recipe.validate import validate


def apply_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """A recipe with some values changed, validated and checked as a whole.

    Args:
        recipe: any valid recipe; it is not changed.
        overrides: ``ADDRESS=VALUE``. An address is an operator's name and a parameter
            (``text.length.min_words=80``), the name of ``as`` (``gc.tier=tagged``), the stage and 0-based index
            (``clean.3.min_words=80``), or a path (``sample.seed=1``, ``gates.cleaned.min_kept_fraction=0.3``). A
            value is YAML.

    Raises:
        RecipeError: every override that names nothing or does not fit.
    """
    data = _as_declared(recipe)
    problems: list[str] = []
    changed: dict[Path, str] = {}
    for override in overrides:
        address, separator, text = (part.strip() for part in override.partition("="))
        try:
            if not separator or not address:
                raise ValueError("expected ADDRESS=VALUE, e.g. text.length.min_words=80")
            path = _path(recipe, address)
            _put(data, path, _value(text))
            changed[path] = override
        except ValueError as error:
            problems.append(f"set {override}: {error}")
    result, mistakes = validate(data)
    problems += [_line(problem, changed) for problem in mistakes]
    if problems or result is None:
        raise RecipeError(tuple(problems))
    return result.from_file(recipe.file)


def _as_declared(recipe: Recipe) -> dict[str, Any]:
    """What was set, without defaults: some models forbid options that do not belong together."""
    data = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for stage in ("clean", "score"):
        for item, operator in zip(data.get(stage, []), getattr(recipe, stage), strict=True):
            item["op"] = operator.op
    return data


def _value(text: str) -> Any:
    from ruamel.yaml.error import YAMLError

    try:
        return parse_value(text)
    except YAMLError as error:
        raise ValueError(f"{text!r} is not a YAML value: {str(error).splitlines()[0]}") from error


def _path(recipe: Recipe, address: str) -> Path:
    named = {name: places for name, places in _names(recipe).items() if address.startswith(f"{name}.")}
    if named:
        name = max(named, key=len)
        if len(named[name]) > 1:
            ways = ", ".join(".".join(str(part) for part in place) for place in named[name])
            raise ValueError(f"{len(named[name])} operators are named {name!r}; address one of {ways}")
        return (*named[name][0], *_parts(address[len(name) + 1 :]))
    path = _parts(address)
    if path[0] not in Recipe.model_fields or (len(path) == 1 and path[0] in ("sources", "clean", "score")):
        near = did_you_mean(address, _addresses(recipe), 0.5)
        raise ValueError(f"names nothing in the recipe{near or '; expected OPERATOR.PARAMETER=VALUE'}")
    return path


def _parts(address: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in address.split("."))


def _put(data: dict[str, Any], path: Path, value: Any) -> None:
    node: Any = data
    for depth, part in enumerate(path[:-1]):
        if isinstance(node, list):
            if not isinstance(part, int) or part >= len(node):
                where = ".".join(str(step) for step in path[:depth])
                raise ValueError(f"{where} has no item {part!r}; its items are 0 to {len(node) - 1}")
            node = node[part]
        else:
            key = str(part)
            if node.get(key) is None:
                node[key] = {}
            node = node[key]
            if not isinstance(node, dict | list):
                raise ValueError(f"{'.'.join(str(step) for step in path[: depth + 1])} is a single value")
    last = path[-1]
    if isinstance(node, list):
        if not isinstance(last, int) or last >= len(node):
            raise ValueError(f"there is no item {last!r}; items are 0 to {len(node) - 1}")
        node[last] = value
    else:
        node[str(last)] = value


def _names(recipe: Recipe) -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = {}
    for stage in ("clean", "score"):
        for index, operator in enumerate(getattr(recipe, stage)):
            for name in dict.fromkeys((operator.op, operator.as_)):
                if name:
                    named.setdefault(name, []).append((stage, index))
    return named


def _addresses(recipe: Recipe) -> list[str]:
    addresses = [key for key in Recipe.model_fields if key not in ("sources", "clean", "score")]
    for operator in (*recipe.clean, *recipe.score):
        keys = field_names(type(operator))
        addresses += [f"{name}.{key}" for name in (operator.op, operator.as_) if name for key in keys]
    for section in ("sample", "gates", "publish", "limits"):
        part = getattr(recipe, section)
        addresses += [f"{section}.{key}" for key in (field_names(type(part)) if part is not None else [])]
    return addresses


def _line(problem: Problem, changed: dict[Path, str]) -> str:
    path: Path = problem.path
    same = [override for place, override in changed.items() if tuple(map(str, place)) == tuple(map(str, path))]
    inside = [override for place, override in changed.items() if place[0] == (path[0] if path else None)]
    culprit = (same or inside or list(changed.values()))[:1]
    return f"set {culprit[0] if culprit else ''}: {problem.dotted}: {problem.message}"
