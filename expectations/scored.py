"""Suites of ``scored``: a score for nearly every record, which is not just its length."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import WARNING, contract, ledger
from expectations.custom import ExpectNoDrift, ExpectScoreLengthCorrelation
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger, quality and drift."""
    gate = recipe.gates.scored
    quality: list[Any] = [gxe.ExpectColumnValuesToBeBetween(column=recipe.kind.size_column, min_value=0)]
    drift = ["n_rows", f"mean_{recipe.kind.unit}"]
    score = score_column(recipe, schema)
    if score is not None:
        quality += [
            gxe.ExpectColumnValuesToNotBeNull(column=score, mostly=gate.min_scored_fraction),
            gxe.ExpectColumnValuesToBeBetween(column=score, min_value=-1e9, max_value=1e9),  # no infinities
            ExpectScoreLengthCorrelation(score=score, max_correlation=gate.max_length_correlation),
        ]
        drift.append(f"{score}_p50")
    return [
        Suite(
            "scored.contract",
            [*contract(schema), gxe.ExpectColumnUniqueValueCountToBeBetween(column="partition", max_value=1)],
        ),
        ledger("scored"),
        Suite("scored.quality", quality),
        Suite(
            "scored.drift",
            [ExpectNoDrift(measure=measure, max_relative_change=gate.max_drift, severity=WARNING) for measure in drift],
        ),
    ]


def score_column(recipe: Any, schema: pa.Schema) -> str | None:
    """The column that sampling goes by, when it is a score."""
    by = recipe.sample.by if recipe.sample is not None else None
    if by is None or by == recipe.kind.size_column or by not in schema.names:
        return None
    type_ = schema.field(by).type
    return str(by) if pa.types.is_integer(type_) or pa.types.is_floating(type_) else None
