"""What a person signs for is complete: about what, by whom, why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from winnowry.recipe.accepted import Accepted

SIGNED = {"reason": "known", "by": "kim"}
GATE = {"stage": "cleaned", "partition": "2024-01-02", "expectation": "cleaned.quality"}


@pytest.mark.parametrize(
    "written",
    [
        {**SIGNED, **GATE},
        {**SIGNED, **GATE, "until": "2030-01-01"},
        {**SIGNED, "stage": "published", "expectation": "published.quality"},
        {**SIGNED, "partition": "2024-01-02", "leave_out": True},
    ],
)
def test_complete_ones_are_read(written: dict[str, Any]) -> None:
    assert Accepted.model_validate(written).counts()


@pytest.mark.parametrize(
    "written",
    [
        GATE,
        {**GATE, "by": "kim"},
        {**GATE, "reason": "known"},
        {**GATE, **SIGNED, "reason": ""},
        {**SIGNED, "stage": "cleaned"},
        {**SIGNED, "partition": "2024-01-02"},
        {**SIGNED, "leave_out": True},
        {**SIGNED, **GATE, "leave_out": True},
        {**SIGNED, **GATE, "until": "soon"},
    ],
)
def test_others_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Accepted.model_validate(written)
