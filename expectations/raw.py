"""Suites of ``raw``: one record a landed record, each with an identity and a partition."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from expectations.contract import WARNING, contract, ledger, refusal_limits
from expectations.custom import ExpectFractionQuarantinedToBeAtMost, ExpectNoCollidingIds, ExpectNoDrift
from winnowry.core.tables import TEXT
from winnowry.gates.specification import gxe
from winnowry.gates.suite import Suite


def suites(recipe: Any, schema: pa.Schema) -> list[Suite]:
    """Contract, ledger, quality and drift."""
    gate = recipe.gates.raw
    # A file's payload is a large object: what it holds was hashed when it was read.
    is_text = schema.field("payload").type == TEXT
    text = [gxe.ExpectColumnValuesToNotBeNull(column="payload")] if is_text else []
    return [
        Suite(
            "raw.contract",
            [
                *contract(schema),
                gxe.ExpectColumnUniqueValueCountToBeBetween(column="partition", max_value=1),
                gxe.ExpectColumnValuesToMatchRegex(column="content_sha256", regex="^[0-9a-f]{64}$"),
                gxe.ExpectColumnValuesToBeBetween(column="position", min_value=0),
                ExpectNoCollidingIds(),
            ],
        ),
        ledger("raw"),
        Suite(
            "raw.quality",
            [
                gxe.ExpectTableRowCountToBeBetween(min_value=gate.min_rows),
                *[
                    ExpectFractionQuarantinedToBeAtMost(max_fraction=limit, strict_max=strict, severity=severity)
                    for limit, strict, severity in refusal_limits(recipe)
                ],
                *text,
            ],
        ),
        Suite(
            "raw.drift",
            [ExpectNoDrift(measure="n_rows", max_relative_change=gate.max_drift, severity=WARNING)],
        ),
    ]
