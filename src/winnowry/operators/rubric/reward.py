"""``rubric.reward``: the reward of an answer from the scores of its criteria."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.core.errors import UsageError
from winnowry.operators.base import Operator, Rule
from winnowry.operators.rubric.aggregate import Aggregation, scores_of
from winnowry.operators.rubric.selection import CRITERIA, JUDGED, asked_of
from winnowry.records.rubrics import Rubric, read_rubric

COMPONENTS = pa.list_(
    pa.struct(
        [("criterion_id", pa.string()), ("family", pa.string()), ("weight", pa.float64()), ("score", pa.float64())]
    )
)


class Reward(Operator):
    """Aggregate the scores of criteria to a reward, 0 to 1.

    The formula stands at :class:`~winnowry.operators.rubric.aggregate.Aggregation`. Nothing is judged here: weights,
    points, vetoes and options may change, and stored judgements answer.

    Writes ``reward`` (float64; null where less than ``least_judged`` was judged and nothing vetoes), ``vetoed_by``
    (string: id of the first criterion that vetoes, or null), ``judged_share`` (float64, 0 to 1) and
    ``reward_components`` (list of ``criterion_id``, ``family``, ``weight`` or points, and ``score``, null where it was
    not judged). With ``as`` the columns begin with it and ``_``, and the reward is called so.

    Raises:
        UsageError: the file is no rubric.

    Source: the parts are Rubicon's (arXiv 2508.12790), without numbers there; points are HealthBench's.
    """

    VERSION: ClassVar[int] = 1

    op: Literal["rubric.reward"] = "rubric.reward"
    bank: str | None = Field(default=None, description="YAML or JSON file of a rubric whose criteria every answer has.")
    rubric: Rubric | None = Field(
        default=None, description="The rubric itself; read from `bank` when the recipe is loaded."
    )
    judged: tuple[str, ...] = Field(
        default=("programs",), min_length=1, description="Columns with scores, as `rubric.programs` writes them."
    )
    saturate: float = Field(
        default=0.0, ge=0, le=50, description="How much a first success counts more than a last; 3 is strong. Ours."
    )
    shape_from: float = Field(default=0.7, gt=0, lt=1, description="Where the upper part of the scale begins. Ours.")
    shape: float = Field(default=1.0, ge=1, le=20, description="How much steeper the scale is near 1; 1 is not at all.")
    least_judged: float = Field(
        default=1.0, gt=0, le=1, description="Least share of the weight that is judged; below it there is no reward."
    )

    rewarded: bool = Field(default=True, description="Whether answers without a reward are refused.")

    @model_validator(mode="after")
    def _read_bank(self) -> Self:
        if self.rubric is None and self.bank is not None:
            try:
                self.__dict__["rubric"] = read_rubric(self.bank)  # the model is frozen from here on
            except UsageError as error:
                raise ValueError(str(error)) from None
        return self

    @property
    def aggregation(self) -> Aggregation:
        """The formula with its options."""
        return Aggregation(**{name: getattr(self, name) for name in Aggregation.model_fields})

    def _name(self, column: str) -> str:
        return column if self.as_ is None else f"{self.as_}_{column.removeprefix('reward_')}"

    def reads(self) -> pa.Schema:
        """The scores, and the criteria of the record."""
        return pa.schema([*(pa.field(name, JUDGED) for name in self.judged), CRITERIA])

    def writes(self) -> pa.Schema:
        """Reward, veto, share and components."""
        return pa.schema(
            [
                pa.field(self.as_ or "reward", pa.float64()),
                pa.field(self._name("vetoed_by"), pa.string()),
                pa.field(self._name("judged_share"), pa.float64()),
                pa.field(self._name("reward_components"), COMPONENTS),
            ]
        )

    def rules(self) -> tuple[Rule, ...]:
        """An answer without a reward is set aside: no number stands for what was not judged."""
        if not self.rewarded:
            return ()
        return (Rule(name="rewarded", column=self.as_ or "reward", comparison=">=", threshold=0.0),)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Reward n answers."""
        n = batch.num_rows
        judged = [batch.column(name).to_pylist() for name in self.judged]
        reward: list[float | None] = [None] * n
        vetoed_by: list[str | None] = [None] * n
        share: list[float | None] = [None] * n
        components: list[list[dict[str, Any]]] = [[] for _ in range(n)]
        for asked in asked_of(batch, self.rubric):
            criteria = asked.criteria
            if asked.wrong is not None or not criteria:
                continue
            rows = asked.rows.tolist()
            scores = np.stack(
                [scores_of([item for column in judged for item in column[row] or ()], criteria) for row in rows]
            )
            rewards = self.aggregation.rewards(scores, criteria, asked.interactions)
            for at, row in enumerate(rows):
                value, veto = float(rewards.reward[at]), int(rewards.vetoed_by[at])
                reward[row] = None if np.isnan(value) else value
                vetoed_by[row] = criteria[veto].criterion_id if veto >= 0 else None
                share[row] = float(rewards.judged_share[at])
                components[row] = [
                    {
                        "criterion_id": criterion.criterion_id,
                        "family": criterion.family or None,
                        "weight": criterion.weight if criterion.points is None else criterion.points,
                        "score": None if np.isnan(score) else float(score),
                    }
                    for criterion, score in zip(criteria, scores[at], strict=True)
                ]
        columns = [
            pa.array(reward, pa.float64()),
            pa.array(vetoed_by, pa.string()),
            pa.array(share, pa.float64()),
            pa.array(components, COMPONENTS),
        ]
        return pa.record_batch(columns, schema=self.writes())
