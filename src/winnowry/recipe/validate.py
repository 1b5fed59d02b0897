"""Plain data to a recipe: every part is validated on its own, so that all mistakes are reported at once."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from winnowry.operators.base import Operator
from winnowry.operators.registry import operators
from winnowry.recipe.check import check_parts, check_release, kind_of
from winnowry.recipe.check_comparison import check_comparison
from winnowry.recipe.columns import AddedColumn
from winnowry.recipe.comparison import Comparison
from winnowry.recipe.formats import read_format
from winnowry.recipe.gates import Gates
from winnowry.recipe.messages import Path, Problem, did_you_mean, problems_of
from winnowry.recipe.model import Limits, Publish, Recipe, Source
from winnowry.recipe.place import names_variable
from winnowry.sampling.spec import SampleSpec
from winnowry.sources.registry import formats

_Part = TypeVar("_Part", bound=BaseModel)
_SECTIONS: dict[str, type[BaseModel]] = {
    "sample": SampleSpec,
    "comparison": Comparison,
    "gates": Gates,
    "publish": Publish,
    "limits": Limits,
}


def validate(data: dict[str, Any]) -> tuple[Recipe | None, list[Problem]]:
    """Validate plain data.

    Args:
        data: what YAML holds: mappings, lists, text, numbers.

    Returns:
        The recipe, or None, and all mistakes.
    """
    problems = misplaced_variables(data)
    sources = _each(data.get("sources"), "sources", problems, _source)
    clean = _each(data.get("clean"), "clean", problems, _operator)
    score = _each(data.get("score"), "score", problems, _operator)
    columns = _each(data.get("columns"), "columns", problems, _column)
    parts = dict(data)
    for name, items in (("sources", sources), ("clean", clean), ("score", score), ("columns", columns)):
        if items is not None:
            parts[name] = tuple(item for item in items if item is not None)
    for name, cls in _SECTIONS.items():
        if data.get(name) is not None:
            parts[name] = _one(cls, data[name], (name,), problems)
        elif name in data:
            parts.pop(name)
    broken = {problem.path[0] for problem in problems if problem.path}
    recipe = None
    try:
        recipe = Recipe.model_validate(parts)
    except ValidationError as error:
        problems += [p for p in problems_of(error, Recipe) if not p.path or p.path[0] not in broken]
    sample = parts.get("sample")
    drawn = sample if isinstance(sample, SampleSpec) else None
    problems += check_parts(sources or [], clean or [], score or [], drawn, columns or [])
    comparison, gates = parts.get("comparison"), parts.get("gates")
    if "sample" not in broken:
        problems += check_release(sources or [], clean or [], score or [], drawn, gates, parts.get("publish"))
    if "comparison" not in broken and "gates" not in broken and "sample" not in broken:
        problems += check_comparison(comparison, gates, sample, kind_of(sources or []))
    return (recipe if not problems else None), problems


def _each(items: Any, stage: str, problems: list[Problem], read: Any) -> list[Any] | None:
    if not isinstance(items, list):
        return None
    return [read(item, (stage, index), problems) for index, item in enumerate(items)]


def _source(item: Any, path: Path, problems: list[Problem]) -> Source | None:
    if isinstance(item, dict) and item.get("partition") == "none":
        item = {**item, "partition": {"by": "none"}}
    source = _one(Source, item, path, problems)
    if source is None and isinstance(item, dict):
        problems += [problem for problem in _option_problems(item, path) if problem not in problems]
    return source


def _option_problems(item: dict[str, Any], path: Path) -> list[Problem]:
    """Mistakes in the options of a source's format, which the source judges only where its own keys are right."""
    name = item.get("format", Source.model_fields["format"].default)
    if not isinstance(name, str) or name not in formats():
        return []
    own = Source.model_fields
    options = {str(key): value for key, value in item.items() if key not in own or key in formats()[name].model_fields}
    try:
        read_format(name, options, tuple(own), strict=True)
    except ValidationError as error:
        return problems_of(error, Source, path)
    return []


def _operator(item: Any, path: Path, problems: list[Problem]) -> Operator | None:
    known = operators()
    if not isinstance(item, dict) or "op" not in item:
        problems.append(Problem(path, f"an operator is a mapping with `op`, e.g. {{op: text.length}}; got {item!r}"))
        return None
    name = str(item["op"])
    if name not in known:
        near = did_you_mean(name, known) or f"; operators are {', '.join(known)}"
        problems.append(Problem((*path, "op"), f"unknown op {name!r}{near}"))
        return None
    return _one(known[name], item, path, problems)


def _column(item: Any, path: Path, problems: list[Problem]) -> AddedColumn | None:
    if not isinstance(item, dict) or item.get("operator") is None:
        return _one(AddedColumn, item, path, problems)
    operator = _operator(item["operator"], (*path, "operator"), problems)
    column = _one(AddedColumn, {key: value for key, value in item.items() if key != "operator"}, path, problems)
    return None if column is None or operator is None else column.model_copy(update={"operator": operator})


def _one(cls: type[_Part], item: Any, path: Path, problems: list[Problem]) -> _Part | None:
    try:
        # As JSON and strict: a list is a tuple, but `true` is no number and `"50"` no integer.
        return cls.model_validate_json(json.dumps(item), strict=True)
    except ValidationError as error:
        problems += problems_of(error, cls, path)
        return None


def misplaced_variables(value: Any, path: Path = ()) -> list[Problem]:
    """Variables of the environment in plain data of a recipe, where none may stand."""
    if isinstance(value, dict):
        return [problem for key, item in value.items() for problem in misplaced_variables(item, (*path, str(key)))]
    if isinstance(value, list):
        return [problem for index, item in enumerate(value) for problem in misplaced_variables(item, (*path, index))]
    place = path[-1:] == ("uri",) and path[0] in ("sources", "comparison")
    if isinstance(value, str) and names_variable(value) and not place:
        return [Problem(path, "`${env:NAME}` may only stand in the uri of a source or of a text set")]
    return []
