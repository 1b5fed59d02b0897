"""Strata: groups of records that are sampled each on its own, and their shares of the budget."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.core.errors import UsageError
from winnowry.operators.sampling.draw import Int64s

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
        found = [str(label) for label in encoded.dictionary.to_pylist()]
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        labels = sorted(set(found))
        place = {label: code for code, label in enumerate(labels)}
        renumbered = np.array([place[label] for label in found], np.int32)
        return (renumbered[codes] if len(found) else codes.astype(np.int32)), labels
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
