"""Medians of the values of each record."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Floats = npt.NDArray[np.float64]


@kernel
def row_medians(values: Floats, start: npt.NDArray[np.int64]) -> Floats:
    """Median of each row's finite values; NaN where it has none.

    Args:
        values: of all rows, one after the other.
        start: n + 1 places: where each row begins, and the end.
    """
    out = np.full(len(start) - 1, np.nan)
    for row in range(len(out)):
        own = values[start[row] : start[row + 1]]
        known = np.sort(own[np.isfinite(own)])
        n = len(known)
        if n:
            out[row] = (known[(n - 1) // 2] + known[n // 2]) / 2
    return out
