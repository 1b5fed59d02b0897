"""Applying one operator to one text in a test."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from winnowry.operators.base import Operator


def measured(operator: Operator, text: str | None) -> dict[str, Any]:
    """What an operator writes for a text, names without their prefix."""
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    (row,) = operator.apply(batch).to_pylist()
    prefix = f"{operator.as_ or getattr(operator, 'PREFIX', '')}_"
    return {name.removeprefix(prefix): value for name, value in row.items()}


def rejected_by(operator: Operator, text: str | None) -> list[str]:
    """Names of the rules that a text fails, in order."""
    batch = pa.record_batch([pa.array([text], pa.large_string())], names=["text"])
    written = operator.apply(batch)
    return [rule.name for rule in operator.rules() if not rule.keeps(written[rule.column])[0].as_py()]
