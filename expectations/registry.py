"""Which suites judge which stage."""

from __future__ import annotations

import importlib
from typing import Any

import pyarrow as pa

from winnowry.gates.suite import Suite
from winnowry.stages.graph import all_gates, all_stages

COLUMN = "column"
"""What the suites of a column that is added to a table are asked for as; its module is ``expectations.column``."""


def suites_for(stage: str, recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Suites of a stage, as the driver of promotions asks for them.

    Args:
        stage: a stage of the graph, or :data:`COLUMN`; those without concerns have no suites. Packages add
            concerns by entry points of the group ``winnowry.gates``.
        recipe: its ``gates`` give the parameters; its ``sample`` the score.
        schema: what the stage writes.
    """
    known = next((one for one in all_stages() if one.name == stage), None)
    suites: list[Suite] = []
    if stage == COLUMN or (known is not None and known.suites):
        own = known.expectations if known is not None else None
        suites += importlib.import_module(own or f"expectations.{stage}").suites(recipe, schema)
    for gate in all_gates():
        if gate.stage == stage:
            module, _, function = gate.suites.partition(":")
            suites += getattr(importlib.import_module(module), function)(recipe, schema)
    return suites
