"""Stored judgements as a column: what ``rubric.reward`` reads beside the column of ``rubric.programs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.judging.calls import Order, Question, questions_of, rollout_of
from winnowry.judging.spec import Judge
from winnowry.judging.store import Store
from winnowry.operators.rubric.selection import JUDGED, own_criteria
from winnowry.records.rubrics import Rubric

NOT_ASKED = "not_asked"
"""The ``error`` of a criterion that no row of the table is about."""


class Scores:
    """Scores of one judge. They are made of labels by the rubric of now: its tiers may have got other scores since.

    Where a criterion was asked more than once the score is the mean of what was answered.

    Args:
        store: the judgements.
        judge: who was asked.
        rubric: whose criteria every answer has.
        repeats: that count.
        orders: that count.
    """

    def __init__(
        self,
        store: Store,
        judge: Judge,
        rubric: Rubric | None = None,
        *,
        repeats: int = 1,
        orders: Sequence[Order] = ("ab",),
    ) -> None:
        self._judge, self._rubric = judge, rubric
        self._ways = [(repeat, order) for repeat in range(repeats) for order in orders]
        self._labels = store.labels()

    def column(self, batch: pa.RecordBatch) -> pa.Array:
        """Scores of n rollouts, of the type that ``rubric.programs`` writes.

        Args:
            batch: ``record_id``, ``text``, and what else there is of ``prompt``, ``criteria`` and ``reference``.
        """
        return pa.array([self._of(row) for row in batch.to_pylist()], JUDGED)

    def _of(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        if row["text"] is None:
            return []
        try:
            own = own_criteria(row.get("criteria"))
        except UsageError:
            return []
        rollout = rollout_of(row)
        criteria = (*(self._rubric.criteria if self._rubric is not None else ()), *own)
        ways = [questions_of(rollout, criteria, self._judge, repeat, order) for repeat, order in self._ways]
        return [self._score(questions) for questions in zip(*ways, strict=True)]

    def _score(self, questions: Sequence[Question]) -> dict[str, Any]:
        stored = [self._labels.get(bytes.fromhex(question.key), (None, NOT_ASKED)) for question in questions]
        score_of = questions[0].criterion.score_of
        scores = [score_of[tier] for tier, _ in stored if tier is not None]
        mean = sum(scores) / len(scores) if scores else None
        error = None if scores else stored[0][1]
        return {"criterion_id": questions[0].criterion_id, "score": mean, "error": error}
