"""Suites of ``cleaned``: text or a file that is there, in the languages asked for, and enough of it kept."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import WARNING, contract, ledger
from expectations.custom import ExpectFewRepeatsToBeRemoved, ExpectFractionKeptToBeAtLeast, ExpectNoDrift
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite
from winnowry.operators.chat.structure import Structure
from winnowry.operators.dedup.repeats import RepeatedLines, RepeatedParagraphs

MUCH_REMOVED = 0.5
"""More than this share of a partition's characters, removed as repeated lines, warns."""
WITHOUT_CONTROL_TOKENS = 0.95
"""Of the conversations of a partition; fewer without a spelling of a control token in their contents warn."""


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger, quality and drift."""
    gate = recipe.gates.cleaned
    quality: list[Any] = [
        ExpectFractionKeptToBeAtLeast(min_fraction=gate.min_kept_fraction),
        *([gxe.ExpectColumnValuesToNotBeNull(column="text")] if recipe.kind.has_text else []),
        gxe.ExpectColumnValuesToBeBetween(column="size", min_value=1),
    ]
    if any(isinstance(operator, RepeatedLines | RepeatedParagraphs) for operator in recipe.clean):
        quality.append(ExpectFewRepeatsToBeRemoved(max_fraction=MUCH_REMOVED, severity=WARNING))
    quality += [
        gxe.ExpectColumnValuesToBeBetween(
            column=operator.control_tokens_column, max_value=0, mostly=WITHOUT_CONTROL_TOKENS, severity=WARNING
        )
        for operator in recipe.clean
        if isinstance(operator, Structure)
    ]
    if gate.languages and "language" in schema.names:
        quality.append(
            gxe.ExpectColumnValuesToBeInSet(
                column="language", value_set=list(gate.languages), mostly=gate.min_language_share
            )
        )
    return [
        Suite(
            "cleaned.contract",
            [
                *contract(schema),
                gxe.ExpectColumnUniqueValueCountToBeBetween(column="partition", max_value=1),
            ],
        ),
        ledger("cleaned"),
        Suite("cleaned.quality", quality),
        Suite(
            "cleaned.drift",
            [
                ExpectNoDrift(measure=measure, max_relative_change=gate.max_drift, severity=WARNING)
                for measure in ("n_rows", "kept_fraction")
            ],
        ),
    ]
