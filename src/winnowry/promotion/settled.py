"""What stands beside a verdict: who has signed for it, and examples of the rows that the candidate rejects."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from winnowry.core.sql import in_list
from winnowry.gates.result import GateResult
from winnowry.lakehouse.view import TableView
from winnowry.promotion.request import Request
from winnowry.recipe.accepted import Accepted
from winnowry.stages.graph import shown_before

_EXAMPLES = 10
_OF_EACH_REASON = 3
_LOOKED_AT = 50_000  # rows; the rest can only hold more of the same
_EXCERPT = 80  # characters
_READ = ["record_id", "operator", "reason", "value", "threshold"]


def examples_of(request: Request, rejected: TableView) -> list[dict[str, Any]]:
    """A few rejected rows, of the most frequent reasons first.

    Args:
        request: the stage that rejected them.
        rejected: the quarantine's candidate.

    Returns:
        ``record_id``, ``rejected`` (operator, rule, value and threshold) and ``excerpt``, where the text is there.
    """
    rows = rejected.to_table(columns=_READ, limit=_LOOKED_AT).to_pylist()
    frequent = Counter((row["operator"], row["reason"]) for row in rows)
    shown: list[dict[str, Any]] = []
    for (operator, reason), _ in frequent.most_common():
        of_reason = [row for row in rows if (row["operator"], row["reason"]) == (operator, reason)]
        shown += of_reason[:_OF_EACH_REASON]
    shown = shown[:_EXAMPLES]
    texts = _excerpts(request, rejected, [row["record_id"] for row in shown])
    return [
        {"record_id": row["record_id"], "rejected": _why(row)}
        | ({"excerpt": texts[row["record_id"]]} if row["record_id"] in texts else {})
        for row in shown
    ]


class Settled:
    """What becomes of the verdicts on a candidate: failures that a person has signed for, and examples of rejects.

    Args:
        request: the stage that is judged.
        rejected: the quarantine's candidate.
    """

    def __init__(self, request: Request, rejected: TableView) -> None:
        self._request, self._rejected = request, rejected
        self.accepted: list[dict[str, Any]] = []

    def __call__(self, result: GateResult) -> GateResult:
        """The verdict, accepted where the recipe says so; one without failing rows of its own shows rejects."""
        if result.blocks and not _own_rows(result) and result.suite.rsplit(".", 1)[-1] not in _OF_SHAPE:
            result = replace(result, samples=self._examples)
        accepted = acceptance(self._request, result)
        if accepted is None:
            return result
        message = f"{result.message}; {accepted.signed()}"
        self.accepted.append(
            accepted.document() | {"suite": result.suite, "failed": result.expectation, "message": message}
        )
        return replace(result, verdict="accepted", message=message)

    @cached_property
    def _examples(self) -> list[dict[str, Any]]:
        return examples_of(self._request, self._rejected)


_OF_SHAPE = ("contract", "ledger")
"""Concerns that rejected rows show nothing of."""


def _own_rows(result: GateResult) -> bool:
    return bool(result.samples) or result.unexpected_count is not None


def acceptance(request: Request, result: GateResult) -> Accepted | None:
    """Who has signed for a failure; what could not be judged cannot be accepted."""
    if result.verdict != "fail":
        return None
    for accepted in request.recipe.gates.accept or ():
        named = (accepted.stage, accepted.partition) == (request.stage.name, request.partition)
        if named and accepted.expectation in (result.expectation, result.suite) and accepted.counts():
            return accepted
    return None


def _why(row: dict[str, Any]) -> str:
    text = f"{row['operator']}: {row['reason']}"
    text += f", value {row['value']}" if row["value"] is not None else ""
    return text + (f", threshold {row['threshold']}" if row["threshold"] is not None else "")


def _excerpts(request: Request, rejected: TableView, ids: list[str]) -> dict[str, str]:
    """Beginnings of texts by record id: of what could not be read, its bytes; else the text as it came to the stage."""
    if not ids:
        return {}
    where = in_list("record_id", ids)
    parts = [rejected.to_table(columns=["record_id", "payload"], where=where)]
    before = shown_before(request.stage.name)
    if before is not None:
        table, column = before
        view = request.ws.lake.partition_view(request.corpus, table, request.key)
        if column in view.schema.names and not pa.types.is_struct(view.schema.field(column).type):
            parts.append(view.to_table(columns=["record_id", column], where=where))
    excerpts: dict[str, str] = {}
    for part in parts:
        for name, value in zip(part.column(0).to_pylist(), part.column(1).to_pylist(), strict=True):
            if value is not None:
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                excerpts[name] = text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")
    return excerpts
