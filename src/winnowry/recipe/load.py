"""Read a recipe from YAML; every mistake at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from winnowry.core.errors import RecipeError, UsageError
from winnowry.recipe.check import check
from winnowry.recipe.model import Recipe


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, validate and check a recipe.

    Raises:
        UsageError: there is no such file.
        RecipeError: all mistakes, one line each: ``file:line:col: path: message``.
    """
    file = Path(path)
    if not file.is_file():
        near = get_close_matches(file.name, [p.name for p in file.parent.glob("*.yaml")] if file.parent.is_dir() else [])
        raise UsageError(f"{file}: no such recipe" + (f"; did you mean {file.parent / near[0]}?" if near else ""))
    data = _parse(file)
    recipe = _validate(data, file)
    problems = check(recipe)
    if problems:
        raise RecipeError(tuple(f"{file}{_place(data, where)}: {_dotted(where)}: {text}" for where, text in problems))
    return apply_overrides(recipe, overrides) if overrides else recipe


def _parse(file: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    yaml = YAML(typ="rt", pure=True)
    try:
        data = yaml.load(file.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise RecipeError((f"{file}{at}: {error.problem or error}",)) from error
    if not isinstance(data, dict):
        raise RecipeError((f"{file}:1:1: a recipe is a mapping",))
    return data


def _validate(data: Any, file: Path) -> Recipe:
    from winnowry.operators.registry import operators

    problems: list[str] = []
    plain = _plain(data)
    known = operators()
    for stage in ("clean", "score"):
        items = plain.get(stage)
        if not isinstance(items, list):
            continue
        for index, item in enumerate(items):
            cls = known.get(item.get("op")) if isinstance(item, dict) else None
            if cls is None:
                op = item.get("op") if isinstance(item, dict) else item
                near = get_close_matches(str(op), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                problems.append(f"{file}{_place(data, (stage, index))}: {stage}.{index}: unknown op {op!r}{hint}")
                continue
            try:
                items[index] = cls.model_validate(item)
            except ValidationError as error:
                problems += _lines(error, data, file, (stage, index), set(_names(cls)))
        plain[stage] = [item for item in items if not isinstance(item, dict)]
    try:
        recipe = Recipe.model_validate(plain)
    except ValidationError as error:
        problems += _lines(error, data, file, (), set(Recipe.model_fields))
        raise RecipeError(tuple(problems)) from error
    if problems:
        raise RecipeError(tuple(problems))
    return recipe


def _names(cls: type[Any]) -> list[str]:
    return [field.alias or name for name, field in cls.model_fields.items()]


def _lines(error: ValidationError, data: Any, file: Path, prefix: tuple[Any, ...], names: set[str]) -> list[str]:
    lines = []
    for item in error.errors():
        where = (*prefix, *item["loc"])
        message = item["msg"]
        if item["type"] == "extra_forbidden":
            options = names if len(item["loc"]) == 1 else _all_names()
            near = get_close_matches(str(where[-1]), sorted(options), n=1)
            message = f"unknown field {str(where[-1])!r}" + (f"; did you mean {near[0]!r}?" if near else "")
        lines.append(f"{file}{_place(data, where)}: {_dotted(where)}: {message}")
    return lines


def _all_names() -> set[str]:
    from winnowry.operators.sampling.spec import SampleSpec
    from winnowry.recipe import gates, model

    models = [model.Source, model.Fields, model.Partition, model.Limits, model.Publish, SampleSpec, gates.Gates,
              gates.RawGate, gates.CleanedGate, gates.ScoredGate, gates.SampledGate, gates.PublishedGate]  # fmt: skip
    return {name for cls in models for name in cls.model_fields}


def _place(data: Any, where: tuple[Any, ...]) -> str:
    node, line, column = data, 0, 0
    for key in where:
        try:
            marks = node.lc
            line, column = marks.key(key) if isinstance(node, dict) else marks.item(key)
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return f":{line + 1}:{column + 1}"


def _dotted(where: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in where) or "recipe"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def apply_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Change parameters: ``text.length.min_words=80``, ``clean.3.min_words=80`` or ``sample.seed=1``.

    Raises:
        RecipeError: every override that names nothing or has a bad value.
    """
    from ruamel.yaml import YAML

    data = recipe.model_dump(mode="json", by_alias=True)
    problems = []
    for override in overrides:
        path, separator, text = override.partition("=")
        target = _target(data, path.strip()) if separator else None
        if target is None:
            near = get_close_matches(path.strip(), _addresses(data), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else "; write OPERATOR.PARAMETER=VALUE"
            problems.append(f"--set {override}: names nothing in the recipe{hint}")
            continue
        holder, key = target
        holder[key] = _plain(YAML(typ="safe", pure=True).load(text))
    if problems:
        raise RecipeError(tuple(problems))
    try:
        changed = Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(tuple(f"--set: {_dotted(e['loc'])}: {e['msg']}" for e in error.errors())) from error
    found = check(changed)
    if found:
        raise RecipeError(tuple(f"--set: {_dotted(where)}: {text}" for where, text in found))
    return changed


def _target(data: dict[str, Any], path: str) -> tuple[Any, Any] | None:
    for stage in ("clean", "score"):
        for item in data[stage]:
            for name in (item["op"], item.get("as")):
                if name and path.startswith(f"{name}.") and path[len(name) + 1 :] in item:
                    return item, path[len(name) + 1 :]
    node: Any = data
    *parents, last = path.split(".")
    for part in parents:
        if isinstance(node, list) and part.lstrip("-").isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return None
    return (node, last) if isinstance(node, dict) and last in node else None


def _addresses(data: dict[str, Any]) -> list[str]:
    found = [f"{item['op']}.{key}" for stage in ("clean", "score") for item in data[stage] for key in item]
    for section in ("sample", "limits", "publish"):
        found += [f"{section}.{key}" for key in data.get(section) or {}]
    return found
