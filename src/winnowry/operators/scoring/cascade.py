"""A cheap score on every row, the costly one only where it decides: band and mapping, fitted on a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from winnowry.operators.scoring.correlation import spearman

Float64s = npt.NDArray[np.float64]

FEWEST_BINS, MAX_BINS = 8, 64
ROWS_A_BIN = 8
# Knots nearer than this are one: a slope over a smaller step may overflow, and no score is known so precisely.
SMALLEST_STEP = 1e-12


class Cascade(BaseModel):
    """Which rows of a cascade are parsed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    band: tuple[float, float] = Field(
        default=(0.7, 0.9),
        description=(
            "rows whose parser-free score lies between these ranks of the fit pool are parsed; rank is the share of "
            "words in lower-scored texts, so a budget of the top 20 % of words has its boundary at 0.8"
        ),
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.band
        if not 0.0 <= low < high <= 1.0:
            raise ValueError(f"band {list(self.band)} is no range of ranks; give two numbers with 0 <= low < high <= 1")
        return self


def fit_cascade(lite: Float64s, full: Float64s, n_words: Float64s, band: tuple[float, float]) -> dict[str, Any]:
    """Find the band and the mapping from the parser-free score to the full one.

    The mapping is the isotonic regression of the full score on the parser-free one, fitted to means of bins of equal
    count and linear between them, so that different scores keep different ranks.

    Args:
        lite: n parser-free scores; NaN where there is none.
        full: n full scores of the same rows.
        n_words: n weights of the ranks.
        band: two ranks, shares of words.

    Returns:
        A JSON object: ``band_scores`` (two parser-free scores), ``lite`` and ``full`` (knots of the mapping, both
        rising), ``n`` and ``spearman`` (of the two scores in the sample). It does not depend on the order of rows.
        Without rows the band is empty and there are no knots.
    """
    known = ~(np.isnan(lite) | np.isnan(full))
    order = np.lexsort((full[known], lite[known]))
    lite, full, weight = lite[known][order], full[known][order], n_words[known][order]
    if len(lite) == 0:
        return {"band_scores": [1.0, 0.0], "lite": [], "full": [], "n": 0, "spearman": None}
    reached = np.cumsum(weight) / weight.sum()
    places = np.minimum(np.searchsorted(reached, band), len(lite) - 1)
    parts = np.array_split(
        np.arange(len(lite)), min(len(lite), max(FEWEST_BINS, min(MAX_BINS, len(lite) // ROWS_A_BIN)))
    )
    blocks: list[tuple[float, float, int]] = []
    for part in parts:
        blocks.append((float(lite[part].mean()), float(full[part].mean()), len(part)))
        while len(blocks) > 1 and (blocks[-1][1] <= blocks[-2][1] or blocks[-1][0] - blocks[-2][0] < SMALLEST_STEP):
            blocks[-2:] = [_pooled(blocks[-2], blocks[-1])]
    return {
        "band_scores": [
            float(lite[places[0]]) if band[0] > 0.0 else -1.0,
            float(lite[places[1]]) if band[1] < 1.0 else 2.0,
        ],
        "lite": [block[0] for block in blocks],
        "full": [block[1] for block in blocks],
        "n": len(lite),
        "spearman": spearman(lite, full),
    }


def in_band(lite: Float64s, fitted: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Which of n rows are to be parsed; False where there is no score."""
    low, high = fitted["band_scores"]
    chosen: npt.NDArray[np.bool_] = (lite >= low) & (lite <= high)  # a comparison with NaN is False
    return chosen


def mapped(lite: Float64s, fitted: Mapping[str, Any]) -> Float64s:
    """Parser-free scores on the scale of the full score, in [0, 1]; beyond the knots the end's slope goes on.

    >>> mapped(np.array([0.5, 1.0]), {"lite": [0.0, 0.8], "full": [0.2, 0.6]}).round(3).tolist()
    [0.45, 0.7]
    """
    at, value = np.asarray(fitted["lite"], np.float64), np.asarray(fitted["full"], np.float64)
    if len(at) == 0:
        return np.full(len(lite), np.nan)
    score = np.interp(lite, at, value)
    if len(at) > 1:
        low, high = (value[1] - value[0]) / (at[1] - at[0]), (value[-1] - value[-2]) / (at[-1] - at[-2])
        score = np.where(lite < at[0], value[0] + (lite - at[0]) * low, score)
        score = np.where(lite > at[-1], value[-1] + (lite - at[-1]) * high, score)
    clipped: Float64s = np.where(np.isnan(lite), np.nan, np.clip(score, 0.0, 1.0))
    return clipped


def _pooled(left: tuple[float, float, int], right: tuple[float, float, int]) -> tuple[float, float, int]:
    n = left[2] + right[2]
    return (left[0] * left[2] + right[0] * right[2]) / n, (left[1] * left[2] + right[1] * right[2]) / n, n
