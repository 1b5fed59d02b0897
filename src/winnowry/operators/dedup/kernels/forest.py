"""A union-find forest over record numbers: every record leads to the smallest record of its group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Numbers = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@kernel
def root_of(parent: Any, i: int) -> int:
    """The smallest record of a record's group so far; the way to it is shortened."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def unite(parent: Any, i: int, j: int) -> None:
    """Make one group of the groups of two records."""
    a, b = root_of(parent, i), root_of(parent, j)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@kernel
def unite_all(parent: Numbers, rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> None:
    """Make one group of the groups of each of n records and another."""
    for i in range(rows.size):
        unite(parent, rows[i], others[i])
