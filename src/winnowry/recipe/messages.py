"""Mistakes in words: an error of pydantic as a sentence with a suggestion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]
UNKNOWN_FIELD = "unknown_field"
"""Type of an error that says by itself that a key is unknown, and what was meant."""

_EXPECTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "string": "text",
    "tuple": "a list", "list": "a list", "model": "a mapping", "dict": "a mapping",
}  # fmt: skip
_COMPARED = {
    "greater_than_equal": ("ge", "at least"), "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"), "less_than": ("lt", "less than"),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        path: keys and 0-based indexes from the top of the recipe.
        message: what is wrong and what to do.
        at_key: the key itself is wrong, not its value.
    """

    path: Path
    message: str
    at_key: bool = False

    @property
    def dotted(self) -> str:
        """The path as written in messages and in ``--set``."""
        return ".".join(str(part) for part in self.path) or "recipe"


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``; did you mean 'x'?`` or nothing.

    >>> did_you_mean("min_word", ["min_words", "max_words"])
    "; did you mean 'min_words'?"
    """
    near = get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


def field_names(cls: type[BaseModel]) -> list[str]:
    """Keys a model accepts, as written in YAML."""
    return [field.alias or name for name, field in cls.model_fields.items()]


def problems_of(error: ValidationError, cls: type[BaseModel], prefix: Path = ()) -> list[Problem]:
    """All mistakes of a validation."""
    problems = []
    for item in error.errors(include_url=False):
        place: Path = tuple(part for part in item["loc"])
        unknown = item["type"] in ("extra_forbidden", UNKNOWN_FIELD)
        problems.append(Problem((*prefix, *place), sentence(cls, place, dict(item)), at_key=unknown))
    return problems


def sentence(cls: type[BaseModel], place: Path, item: dict[str, Any]) -> str:
    """One mistake in words.

    Args:
        cls: the model that was validated.
        place: where in it.
        item: the mistake, as pydantic lists it.
    """
    kind, value, context = str(item["type"]), item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        known = field_names(_model_at(cls, place[:-1]) or cls)
        near = did_you_mean(str(place[-1]), known)
        return f"unknown field {place[-1]!r}" + (near or f"; fields are {', '.join(known)}")
    if kind == "missing":
        return f"missing{_description(cls, place)}"
    if kind == "literal_error":
        allowed = str(context["expected"]).replace(" or ", ", ")
        near = did_you_mean(str(value), [part.strip("' ") for part in allowed.split(",")])
        return f"expected one of {allowed}; got {value!r}{near}"
    if kind in _COMPARED:
        name, words = _COMPARED[kind]
        return f"must be {words} {context[name]}; got {value!r}"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}; got {value!r}"
    if kind == "too_short":
        return f"needs at least {context['min_length']} item(s)"
    if kind == "string_too_short":
        return "must not be empty" if context["min_length"] == 1 else f"needs {context['min_length']} characters"
    if kind == "value_error":
        return str(context.get("error", item["msg"]))
    expected = _EXPECTED.get(kind.split("_")[0])
    if expected and kind.endswith(("_type", "_parsing", "_from_float")):
        return f"expected {expected}; got {'nothing' if value is None else repr(value)}"
    return str(item["msg"])


def _description(cls: type[BaseModel], place: Path) -> str:
    owner = _model_at(cls, place[:-1])
    field = _field(owner, str(place[-1])) if owner is not None else None
    return f": {field.description}" if field is not None and field.description else ""


def _field(cls: type[BaseModel], key: str) -> Any:
    return next((field for name, field in cls.model_fields.items() if key in (name, field.alias)), None)


def _model_at(cls: type[BaseModel], place: Path) -> type[BaseModel] | None:
    """The model that a path leads to, through lists and optional fields."""
    current: type[BaseModel] | None = cls
    for part in place:
        if isinstance(part, int) or current is None:
            continue
        field = _field(current, part)
        current = _model_in(field.annotation) if field is not None else None
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part)) is not None), None)
