"""Strata: groups of records that are sampled each on its own, and their shares of the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import UsageError
from winnowry.sampling.draw import Int64s

_ROUNDING = 1e-6  # of a token: what sums and products of shares are off by
_SMALLEST_WEIGHT = 1e-9

WHOLE = "all"
"""Label of the only stratum where a specification names none."""


def stratum_labels(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Array:
    """Name the stratum of each record after its values: ``source=pages/language=en``.

    Args:
        columns: the strata columns in the order of ``SampleSpec.strata``, n rows each; a null reads ``null``.

    Returns:
        n strings (``pa.string()``), no nulls.

    Raises:
        UsageError: no column is given.

    >>> stratum_labels({"source": pa.array(["a", None]), "language": pa.array(["en", "en"])}).to_pylist()
    ['source=a/language=en', 'source=null/language=en']
    """
    if not columns:
        raise UsageError("stratum_labels needs at least one column; without strata use the label 'all'")
    parts = []
    for name, column in columns.items():
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        values = pc.fill_null(pc.cast(whole, pa.string()), "null")
        parts.append(pc.binary_join_element_wise(pa.scalar(f"{name}"), values, "="))
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def range_labels(values: pa.Array, edges: Sequence[float]) -> pa.Array:
    """Name the range of each number: ``below 1.2``, ``1.2 to 2``, ``from 2``; a range holds its lower edge.

    Args:
        values: n numbers; what is none is in no range.
        edges: ascending, at least one.

    >>> range_labels(pa.array([1.0, 1.2, None, 2.0, 9]), (1.2, 2.0)).to_pylist()
    ['below 1.2', '1.2 to 2', None, 'from 2', 'from 2']
    """
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    names = pa.array([f"below {edges[0]:g}", *inner, f"from {edges[-1]:g}"])
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    places = np.searchsorted(np.asarray(edges), numbers, side="right")
    return names.take(pa.array(places, mask=np.isnan(numbers)))


def stratum_codes(
    strata: npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray | None, n: int
) -> tuple[npt.NDArray[np.integer] | None, list[str]]:
    """Number the strata in the order of their labels, so that numbers do not depend on the order of rows.

    Args:
        strata: n labels (Arrow strings or dictionary, or numpy integers or strings), or None for one stratum.
        n: number of records.

    Returns:
        n codes, or None for one stratum; and the label of each code.

    Raises:
        UsageError: another length than n, or nulls.
    """
    if strata is None:
        return None, [WHOLE]
    if len(strata) != n:
        raise UsageError(f"strata have {len(strata)} rows, the records {n}")
    if isinstance(strata, pa.Array | pa.ChunkedArray):
        if strata.null_count:
            raise UsageError(f"{strata.null_count} stratum labels are null; see stratum_labels")
        whole = strata.combine_chunks() if isinstance(strata, pa.ChunkedArray) else strata
        encoded = whole if pa.types.is_dictionary(whole.type) else pc.dictionary_encode(whole)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        distinct = [str(label) for label in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        labels = sorted(set(distinct))
        place = {label: code for code, label in enumerate(labels)}
        renumbered = np.array([place[label] for label in distinct], np.int32)
        return (renumbered[codes] if len(distinct) else codes.astype(np.int32)), labels
    values, inverse = np.unique(strata, return_inverse=True)
    labels = [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    return inverse.astype(np.int32, copy=False), labels


def quotas(tokens: Int64s, budget: int) -> Int64s:
    """Share the budget among strata in proportion to their tokens, by largest remainder; the sum is the budget.

    Args:
        tokens: tokens of each stratum.
        budget: at most the sum of ``tokens``.

    Returns:
        budget of each stratum; of equal remainders the first stratum's wins.

    >>> quotas(np.array([50, 30, 20]), 11).tolist()
    [6, 3, 2]
    """
    total = int(tokens.sum())
    if total == 0:
        return np.zeros(len(tokens), np.int64)
    shares = [divmod(int(count) * budget, total) for count in tokens]  # Python integers: no overflow
    whole = np.array([share for share, _ in shares], np.int64)
    by_remainder = sorted(range(len(shares)), key=lambda code: (-shares[code][1], code))
    whole[by_remainder[: budget - int(whole.sum())]] += 1
    return whole


@dataclass(frozen=True)
class Mixture:
    """How a budget is shared among strata.

    Attributes:
        shares: tokens of each stratum, at most its capacity.
        capped: strata that cannot or must not get more.
        unfilled: tokens of the budget that no stratum could take.
    """

    shares: Int64s
    capped: npt.NDArray[np.bool_]
    unfilled: int


def mixture(
    tokens: Int64s,
    budget: int,
    weights: npt.NDArray[np.float64],
    at_least: npt.NDArray[np.float64],
    at_most: npt.NDArray[np.float64],
    epochs: npt.NDArray[np.float64],
) -> Mixture:
    """Share a budget in proportion to weighted tokens, within floors and caps.

    ``share = min(max(f * weight * tokens, at_least * budget), at_most * budget, epochs * tokens)``, with the factor f,
    common to all strata, that makes the shares add up to the budget.

    Args:
        tokens: tokens of each of k strata.
        budget: tokens to share.
        weights: factor on a stratum's natural share, >= 0; below a billionth of the largest it counts as 0.
        at_least: smallest share of the budget, 0 to 1; their sum is at most 1.
        at_most: largest share of the budget.
        epochs: how often a stratum may be gone through.

    Returns:
        whole tokens; where even the caps do not add up to the budget the rest is ``unfilled``.

    >>> mixture(np.array([50, 30, 20]), 20, np.ones(3), np.array([0, 0.5, 0]), np.ones(3), np.ones(3)).shares.tolist()
    [7, 10, 3]
    """
    capacity = np.floor(tokens * epochs)
    # A quota of half of 11 tokens is met by 5 and by 6.
    high = np.minimum(np.ceil(at_most * budget - _ROUNDING), capacity)
    low = np.minimum(np.floor(at_least * budget + _ROUNDING), high)
    reached = min(budget, int(high.sum()))
    rate = np.where(weights > _SMALLEST_WEIGHT * weights.max(initial=0.0), weights, 0.0) * tokens
    growing = rate > 0
    knots = np.unique(np.concatenate([[0.0], low[growing] / rate[growing], high[growing] / rate[growing]]))
    totals = np.array([np.clip(knot * rate, low, high).sum() for knot in knots])
    place = int(np.searchsorted(totals, reached))
    if place >= len(knots):
        exact = np.clip(knots[-1] * rate, low, high)
    elif place == 0 or totals[place] == totals[place - 1]:
        exact = np.clip(knots[place] * rate, low, high)
    else:
        part = (reached - totals[place - 1]) / (totals[place] - totals[place - 1])
        exact = np.clip((knots[place - 1] + part * (knots[place] - knots[place - 1])) * rate, low, high)
    whole = np.floor(exact + _ROUNDING)
    by_remainder = sorted(range(len(whole)), key=lambda code: (whole[code] - exact[code], code))
    left = reached - int(whole.sum())
    for code in by_remainder:
        if left > 0 and rate[code] > 0 and whole[code] < high[code]:
            whole[code] += 1
            left -= 1
    shares = whole.astype(np.int64)
    return Mixture(shares, shares >= high, budget - int(shares.sum()))
