"""The least number of edits that make one sequence of another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Int64s = npt.NDArray[np.int64]


@kernel
def edit_distance(reference: Int64s, hypothesis: Int64s) -> int:
    """Least number of substitutions, deletions and insertions (Levenshtein 1966), in the memory of one sequence.

    Args:
        reference: n symbols.
        hypothesis: m symbols.
    """
    n = len(reference)
    row = np.arange(n + 1)
    for symbol in hypothesis:
        diagonal = row[0]
        row[0] += 1
        for place in range(1, n + 1):
            above = row[place]
            best = diagonal + (reference[place - 1] != symbol)
            best = min(best, above + 1, row[place - 1] + 1)
            row[place] = best
            diagonal = above
    return row[n]
