"""Rank correlation, for gates that ask whether a score is more than the length of the text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]

MAX_ROWS = 1_000_000


def spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    draws: npt.ArrayLike | None = None,
    max_rows: int = MAX_ROWS,
) -> float | None:
    """Spearman's rank correlation of two columns; equal values share their average rank.

    Args:
        x: n numbers; rows where either is NaN are left out.
        y: n numbers.
        draws: n permanent random numbers in (0, 1) (``sampling.draw.permanent_random`` of the record ids). Of more
            than ``max_rows`` rows those with the smallest draws are used, so the result does not depend on the order
            of rows. Without them, an evenly spaced choice of rows is used.
        max_rows: rows ranked at most; the standard error at a million rows is below 0.001.

    Returns:
        In [-1, 1], or None where it is not defined: fewer than two rows, or a column of one value.

    >>> spearman([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    >>> spearman([1, 1], [2, 3]) is None
    True
    """
    left, right = np.asarray(x, np.float64), np.asarray(y, np.float64)
    known = ~(np.isnan(left) | np.isnan(right))
    left, right = left[known], right[known]
    n = len(left)
    if n > max_rows:
        if draws is None:
            chosen = np.linspace(0, n - 1, max_rows).astype(np.int64)
        else:
            chosen = np.argpartition(np.asarray(draws, np.float64)[known], max_rows)[:max_rows]
        left, right, n = left[chosen], right[chosen], max_rows
    if n < 2:
        return None
    from scipy.stats import rankdata

    # Not `spearmanr`: halves add up exactly, so that the result, which fits keep, depends on no order of rows.
    left, right = rankdata(left) - (n + 1) / 2, rankdata(right) - (n + 1) / 2
    spread = float(np.sqrt((left * left).sum() * (right * right).sum()))
    if spread == 0.0:
        return None
    return min(1.0, max(-1.0, float((left * right).sum()) / spread))
