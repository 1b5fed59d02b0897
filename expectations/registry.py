"""Which suites judge which stage."""

from __future__ import annotations

import importlib
from typing import Any

import pyarrow as pa

from winnowry.gates.suite import Suite
from winnowry.stages.graph import all_stages

COLUMN = "column"
"""What the suites of a column that is added to a table are asked for as; its module is ``expectations.column``."""


def suites_for(stage: str, recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Suites of a stage, as the driver of promotions asks for them.

    Args:
        stage: a stage of the graph, or :data:`COLUMN`; those without concerns have no suites.
        recipe: its ``gates`` give the parameters; its ``sample`` the score.
        schema: what the stage writes.
    """
    known = next((one for one in all_stages() if one.name == stage), None)
    if stage != COLUMN and (known is None or not known.suites):
        return []
    own = known.expectations if known is not None else None
    module = importlib.import_module(own or f"expectations.{stage}")
    suites: list[Suite] = module.suites(recipe, schema)
    return suites
