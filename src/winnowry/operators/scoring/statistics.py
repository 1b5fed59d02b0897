"""Statistics of a reference pool, and components brought to a common scale with them.

What a fit holds is JSON: it is stored once under a version and used for every later batch, so that a new partition
never moves old scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]
Normalise = Literal["minmax", "rank", "robust"]

N_QUANTILES = 256


def length_regression(values: Float64s, log_words: Float64s) -> list[float]:
    """Least-squares coefficients of a component on 1, L and L squared, L the log of the number of words.

    A plug-in entropy grows with length and bends as it nears saturation, hence the square.

    Args:
        values: n measured components, no NaN.
        log_words: n natural logs of the number of words.

    Returns:
        Three coefficients, constant first; higher ones are 0 where L has too few different values. The result does
        not depend on the order of rows.

    Source: this project; why is in docs/reference/scores.md.

    >>> length = np.array([1.0, 2.0, 3.0, 4.0])
    >>> [round(c, 9) for c in length_regression(1 + 2 * length, length)]
    [1.0, 2.0, 0.0]
    """
    if len(values) == 0:
        return [0.0, 0.0, 0.0]
    order = np.lexsort((values, log_words))
    values, log_words = values[order], log_words[order]
    degree = min(2, len(np.unique(log_words)) - 1)
    centre = float(log_words.mean())
    spread = float(log_words.std()) or 1.0
    scaled = (log_words - centre) / spread
    powers = [scaled**power for power in range(degree + 1)]
    moments = np.array([[float((a * b).sum()) for b in powers] for a in powers])
    slopes = np.linalg.solve(moments, np.array([float((a * values).sum()) for a in powers])).tolist()
    a, b, c = (*slopes, 0.0, 0.0)[:3]
    # back from (L - centre) / spread to L
    return [
        a - b * centre / spread + c * (centre / spread) ** 2,
        b / spread - 2 * c * centre / spread**2,
        c / spread**2,
    ]


def expected_at(log_words: Float64s, coefficients: list[float], limits: tuple[float, float]) -> Float64s:
    """What the regression expects at a length; lengths outside the pool's range count as its ends."""
    length = np.clip(log_words, *limits)
    constant, linear, square = coefficients
    return constant + length * (linear + length * square)


def summary(values: Float64s) -> dict[str, Any]:
    """Where a component lies: count, mean, standard deviation, range, 1st and 99th percentile, quantile grid.

    Args:
        values: n numbers without NaN.

    Returns:
        A JSON object; without values, every number is null and the grid empty.

    >>> summary(np.array([1.0, 3.0]))["mean"]
    2.0
    """
    if len(values) == 0:
        return {"n": 0, "mean": None, "std": None, "min": None, "max": None, "p1": None, "p99": None, "quantiles": []}
    ordered = np.sort(values)
    low, high = np.quantile(ordered, [0.01, 0.99])
    return {
        "n": len(ordered),
        "mean": float(ordered.mean()),
        "std": float(ordered.std()),
        "min": float(ordered[0]),
        "max": float(ordered[-1]),
        "p1": float(low),
        "p99": float(high),
        "quantiles": np.quantile(ordered, np.linspace(0.0, 1.0, N_QUANTILES + 1)).tolist(),
    }


def normalised(values: Float64s, pool: Mapping[str, Any], how: Normalise) -> Float64s:
    """Bring a component to [0, 1] with the statistics of the pool; values beyond the pool's ends are clipped.

    Args:
        values: n numbers; NaN stays NaN.
        pool: what :func:`summary` gave.
        how: ``minmax``: the pool's range (paper; one outlier moves everything); ``robust``: 1st to 99th percentile;
            ``rank``: share of the pool below, half of those equal.

    Returns:
        n floats in [0, 1]; all 0 where the pool has no spread or no values (paper).

    Source: minmax is the released code of Ying et al., EMNLP 2025 main 1121; robust and rank are this project's.

    >>> pool = summary(np.array([0.0, 1.0, 2.0, 4.0]))
    >>> normalised(np.array([1.0, 9.0]), pool, "minmax").tolist()
    [0.25, 1.0]
    """
    if how == "rank":
        grid = np.asarray(pool["quantiles"], np.float64)
        if len(grid) == 0 or grid[0] == grid[-1]:
            return np.where(np.isnan(values), np.nan, 0.0)
        levels, first, counts = np.unique(grid, return_index=True, return_counts=True)
        shares = (first + (counts - 1) / 2) / (len(grid) - 1)
        return np.where(np.isnan(values), np.nan, np.interp(values, levels, shares))
    low, high = (pool["min"], pool["max"]) if how == "minmax" else (pool["p1"], pool["p99"])
    if low is None or high <= low:
        return np.where(np.isnan(values), np.nan, 0.0)
    scaled: Float64s = np.clip((values - low) / (high - low), 0.0, 1.0)
    return scaled
