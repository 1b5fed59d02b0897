"""Which suites judge which stage."""

from __future__ import annotations

import importlib
from typing import Any

import pyarrow as pa

from winnowry.gates.suite import Suite

STAGES = ("raw", "cleaned", "duplicates", "scored", "sampled", "comparison", "published", "column")


def suites_for(stage: str, recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Suites of a stage, as the pipeline wants them.

    Args:
        stage: a stage that writes a gated table; others have no suites.
        recipe: its ``gates`` give the parameters; its ``sample`` the score.
        schema: what the stage writes.
    """
    if stage not in STAGES:
        return []
    module = importlib.import_module(f"expectations.{stage}")
    suites: list[Suite] = module.suites(recipe, schema)
    return suites
