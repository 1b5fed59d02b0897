"""Components of a text, measured in their own units, as one score: statistics of a pool, then a weighted mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from winnowry.operators.scoring.statistics import Normalise, expected_at, length_regression, normalised, summary

Float64s = npt.NDArray[np.float64]


def fit_components(names: Sequence[str], measured: Float64s, n_words: Float64s, *, residual: bool) -> dict[str, Any]:
    """Summarise k components of a reference pool of n texts.

    Args:
        names: k names.
        measured: float64 (n, k), NaN where a component could not be measured.
        n_words: n; texts without a word do not count.
        residual: summarise what components exceed the pool's expectation at their number of words.

    Returns:
        A JSON object: ``n_rows``, ``n_rows_with_words``, ``log_words`` (range) and ``components`` (for each name
        ``length_coefficients`` and ``values``).
    """
    worded = n_words > 0
    log_words = np.log(n_words[worded])
    limits = (float(log_words.min()), float(log_words.max())) if len(log_words) else (0.0, 0.0)
    fitted: dict[str, Any] = {}
    for number, name in enumerate(names):
        values = measured[worded, number]
        known = ~np.isnan(values)
        coefficients = length_regression(values[known], log_words[known])
        if residual:
            values = values - expected_at(log_words, coefficients, limits)
        fitted[name] = {"length_coefficients": coefficients, "values": summary(values[known])}
    return {
        "n_rows": len(measured),
        "n_rows_with_words": int(worded.sum()),
        "log_words": {"min": limits[0], "max": limits[1]},
        "components": fitted,
    }


def combine_components(
    weights: Mapping[str, float],
    measured: Float64s,
    n_words: Float64s,
    fit: Mapping[str, Any],
    *,
    normalise: Normalise,
    residual: bool,
) -> Float64s:
    """The weighted mean of k normalised components for n texts; the weights of missing ones go to the others.

    Args:
        weights: a weight for each of the k names, in the order of the columns of ``measured``.
        measured: float64 (n, k), NaN where a component could not be measured.
        n_words: n numbers of words.
        fit: what :func:`fit_components` returned.
        normalise: scale of the components.
        residual: as in the fit.

    Returns:
        n scores in [0, 1]; NaN where no component with a weight is known.
    """
    log_words = np.log(np.maximum(n_words, 1.0))
    limits = (float(fit["log_words"]["min"]), float(fit["log_words"]["max"]))
    score = np.zeros(len(measured))
    weight = np.zeros(len(measured))
    for number, (name, share) in enumerate(weights.items()):
        pool = fit["components"][name]
        values = measured[:, number]
        if residual:
            values = values - expected_at(log_words, pool["length_coefficients"], limits)
        scaled = normalised(values, pool["values"], normalise)
        known = ~np.isnan(scaled) & bool(pool["values"]["n"])
        score[known] += share * scaled[known]
        weight[known] += share
    with np.errstate(invalid="ignore"):
        score /= weight  # 0 / 0 where nothing could be measured
    return score
