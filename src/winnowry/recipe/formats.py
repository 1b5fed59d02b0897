"""Source formats as a recipe writes them: the options of a format stand beside the fields of the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from winnowry.recipe.messages import UNKNOWN_FIELD, did_you_mean, field_names, sentence
from winnowry.sources.base import SourceFormat
from winnowry.sources.registry import formats

_KNOWN_ERRORS = frozenset(get_args(ErrorType))


def known_format(name: str) -> str:
    """The name, where there is such a format.

    Raises:
        PydanticCustomError: there is none.
    """
    known = formats()
    if name in known:
        return name
    names = ", ".join(map(repr, known))
    raise _custom("unknown_format", f"expected one of {names}; got {name!r}{did_you_mean(name, known)}")


def read_format(name: str, options: Mapping[str, Any], beside: tuple[str, ...], *, strict: bool) -> SourceFormat:
    """A format with its options.

    Args:
        name: of a known format.
        options: as the recipe writes them; those that are None are not set.
        beside: fields of the source, which a misspelt option may have meant.
        strict: as a recipe file is read: a list is a tuple, but ``true`` is no number and ``"50"`` no integer.

    Raises:
        ValidationError: every option that does not belong to the format, and every one with a wrong value.
    """
    known = formats()
    cls = known[name]
    own = {key: value for key, value in options.items() if key in field_names(cls) and value is not None}
    errors: list[InitErrorDetails] = []
    for key, value in options.items():
        if key in field_names(cls):
            continue
        owners = [other for other in known if key in field_names(known[other])]
        if owners and value is not None:
            message = f"`{key}` is for {' and '.join(owners)}; the format is {name}"
            errors.append({"type": _custom("option_of_another_format", message), "loc": (key,), "input": value})
        elif not owners:
            fields = [*beside, *field_names(cls)]
            near = did_you_mean(key, {*fields, *(field for other in known.values() for field in field_names(other))})
            message = f"unknown field {key!r}" + (near or f"; fields are {', '.join(dict.fromkeys(fields))}")
            errors.append({"type": _custom(UNKNOWN_FIELD, message), "loc": (key,), "input": value})
    try:
        options_model = cls.model_validate_json(json.dumps(own), strict=True) if strict else cls.model_validate(own)
    except ValidationError as error:
        errors += [_again(dict(item), cls) for item in error.errors(include_url=False)]
    if errors:
        raise ValidationError.from_exception_data(f"format {name}", errors)
    return options_model


def option_values(options: SourceFormat) -> dict[str, Any]:
    """The options that are set, by the keys of the recipe, in the order of the format's fields."""
    return {
        field.alias or name: getattr(options, name)
        for name, field in type(options).model_fields.items()
        if name in options.model_fields_set
    }


def _custom(kind: Any, message: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{message}", {"message": message})


def _again(item: dict[str, Any], cls: type[SourceFormat]) -> InitErrorDetails:
    """An error in the options of a format as an error of the source."""
    kind, message = item["type"], item["msg"]
    if kind in ("missing", "extra_forbidden"):  # in words here, where the format and its fields are known
        message = sentence(cls, item["loc"], item)
        kind = "missing_option" if kind == "missing" else UNKNOWN_FIELD
    known = kind in _KNOWN_ERRORS
    return {
        "type": kind if known else _custom(kind, message),
        "loc": item["loc"],
        "input": item["input"],
        "ctx": item.get("ctx", {}) if known else {},
    }
