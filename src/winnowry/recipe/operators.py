"""Operators as a recipe writes them: mappings with `op`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny

from winnowry.operators.base import Operator
from winnowry.operators.registry import operators

AnyOperator = Annotated[SerializeAsAny[Operator], Field()]
"""A field that keeps all parameters of whichever operator it holds."""


def read_operator(value: Any) -> Operator:
    """The operator that a mapping describes.

    Raises:
        ValueError: no mapping with `op`, an unknown operator, or wrong parameters.
    """
    if isinstance(value, Operator):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("op"), str):
        raise ValueError("an operator is a mapping with `op`")
    known = operators()
    cls = known.get(value["op"])
    if cls is None:
        near = get_close_matches(value["op"], known, n=1)
        raise ValueError(f"unknown op {value['op']!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return cls.model_validate(value)
