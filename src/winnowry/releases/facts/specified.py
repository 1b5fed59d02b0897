"""The operators that a release was made with, from the specifications of its stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from winnowry.operators.base import Operator
from winnowry.operators.registry import operators as registered


def specified_operators(stages: Mapping[str, Any]) -> Iterator[tuple[int, Operator]]:
    """Every operator with the version that ran.

    What is not installed here, or is of another version with other options, is left out.

    Args:
        stages: specification of every stage, by name.
    """
    known = registered()
    for spec in stages.values():
        for item in [*(spec.get("clean") or []), *(spec.get("score") or [])]:
            kind = known.get(str(item.get("op")))
            if kind is None:
                continue
            options = {field.alias or name for name, field in kind.model_fields.items()}
            try:
                operator = kind.model_validate({name: value for name, value in item.items() if name in options})
            except ValidationError:
                continue
            yield int(item.get("version", 1)), operator
