"""From scores of criteria to a reward: weighted mean or points, saturation, interactions, shaping and vetoes.

The paper (Rubicon, arXiv 2508.12790) names these parts in words; the formulas are ours. Points are HealthBench's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from winnowry.core.jsonable import digest
from winnowry.records.rubrics import Criterion, Interaction

Scores = npt.NDArray[np.float64]


class Rewards(NamedTuple):
    """Rewards of n answers.

    Attributes:
        reward: 0 to 1; NaN where too little was judged and nothing vetoes.
        vetoed_by: index of the first criterion that vetoes, or -1.
        judged_share: weight of what was judged, 0 to 1.
    """

    reward: Scores
    vetoed_by: npt.NDArray[np.int64]
    judged_share: Scores


class Aggregation(BaseModel):
    """How scores become a reward. It can change without asking a judge again.

    With scores ``s`` in 0 to 1, weights ``w`` and the options ``a``, ``τ``, ``γ``::

        g(s) = (1 − e^(−a·s)) / (1 − e^(−a));   a = 0: s
        B    = Σ w·g(s) / Σ w                    over the criteria that were judged
        B    = Σ points·g(s) / Σ positive points where criteria have points, cut to 0 … 1
        B'   = B + Σ ±strength · min(s_i, s_j)   over interactions, cut to 0 … 1
        R    = B' up to τ, above it τ + (1 − τ)·(B'^γ − τ^γ) / (1 − τ^γ)

    A criterion that vetoes makes R 0 wherever it scores below its ``veto_below``, whatever else was judged.

    R rises with every score, except through a ``conflict``, a criterion of negative points, and the share of what was
    judged. It does not change when all weights are scaled. Without options it is the weighted mean, and with two tiers
    that is the explicit aggregation of Rubrics as Rewards (arXiv 2507.17746).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    saturate: float = Field(default=0.0, ge=0, le=50, description="a: how much a first success counts more than a last")
    shape_from: float = Field(default=0.7, gt=0, lt=1, description="τ: where the upper part of the scale begins")
    shape: float = Field(
        default=1.0, ge=1, le=20, description="γ: how much steeper it is there near 1; 1 is not at all"
    )
    least_judged: float = Field(
        default=1.0, gt=0, le=1, description="least share of the weight that is judged; below it there is no reward"
    )

    @property
    def hash(self) -> str:
        """What identifies it, in tables and in reward functions."""
        return digest(self.model_dump(mode="json"))

    def rewards(
        self, scores: Scores, criteria: Sequence[Criterion], interactions: Sequence[Interaction] = ()
    ) -> Rewards:
        """Rewards of answers to the same criteria.

        Args:
            scores: shape (n, criteria), 0 to 1; NaN where a criterion was not judged.
            criteria: in the order of the columns.
            interactions: between them.
        """
        scores = np.asarray(scores, np.float64).reshape(-1, len(criteria))
        known = ~np.isnan(scores)
        points = np.array([criterion.points or 0.0 for criterion in criteria])
        signed = bool(criteria) and criteria[0].points is not None
        weights = np.abs(points) if signed else np.array([criterion.weight for criterion in criteria])
        share = known @ weights / weights.sum()
        value = np.where(known, self._saturated(np.nan_to_num(scores)), 0.0)
        if signed:
            base = value @ points / np.maximum(points, 0.0).sum()
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                base = value @ weights / (known @ weights)
        at = {criterion.criterion_id: column for column, criterion in enumerate(criteria)}
        for pair in interactions:
            both = np.nan_to_num(np.minimum(scores[:, at[pair.a]], scores[:, at[pair.b]]))
            base = base + (both if pair.kind == "synergy" else -both) * pair.strength
        reward = self._shaped(np.clip(base, 0.0, 1.0))
        reward = np.where(share >= self.least_judged - 1e-12, reward, np.nan)
        below = np.array([criterion.veto_below if criterion.veto else -np.inf for criterion in criteria])
        hits = known & (np.nan_to_num(scores, nan=np.inf) < below)
        vetoed_by = np.where(hits.any(axis=1), hits.argmax(axis=1), -1)
        return Rewards(np.where(vetoed_by >= 0, 0.0, reward), vetoed_by, share)

    def _saturated(self, scores: Scores) -> Scores:
        if self.saturate == 0:
            return scores
        return np.asarray(np.expm1(-self.saturate * scores) / np.expm1(-self.saturate))

    def _shaped(self, base: Scores) -> Scores:
        if self.shape == 1:
            return base
        low, power = self.shape_from, self.shape
        upper = low + (1 - low) * (base**power - low**power) / (1 - low**power)
        return np.where(base <= low, base, upper)


def scores_of(judged: Sequence[dict[str, Any] | None], criteria: Sequence[Criterion]) -> Scores:
    """Scores of one answer in the order of the criteria, NaN where one is missing.

    Args:
        judged: ``criterion_id`` and ``score`` of each; a later one of a criterion replaces an earlier one.
        criteria: of the answer.
    """
    by_id = {item["criterion_id"]: item["score"] for item in judged if item is not None}
    values = [by_id.get(criterion.criterion_id) for criterion in criteria]
    return np.array([np.nan if value is None else value for value in values], np.float64)
