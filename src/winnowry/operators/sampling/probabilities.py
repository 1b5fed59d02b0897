"""Inclusion probabilities: how likely each record is to be kept, given its score, its size and the budget.

Every function takes records sorted by ascending score and gives probabilities in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from winnowry.operators.sampling.draw import Bools, Float64s, Int64s, filled


@dataclass(frozen=True)
class Inclusion:
    """Inclusion probabilities of the records of one stratum, in the order of their scores.

    Attributes:
        probability: n floats in [0, 1].
        r: factor on the base weight (cdf: on the token CDF), before clipping at 1; None for temperature, whose
            weights have no scale.
        hard: n booleans: kept for sure because of the highest scores, not by chance.
    """

    probability: Float64s
    r: float | None
    hard: Bools


def token_cdf(sizes: Int64s) -> Float64s:
    """Share of tokens up to and including each record; all zero where there are no tokens.

    >>> token_cdf(np.array([10, 30, 60])).tolist()
    [0.1, 0.4, 1.0]
    """
    total = int(sizes.sum())
    cdf = np.cumsum(sizes).astype(np.float64)
    cdf /= max(total, 1)
    return cdf


def paper(sizes: Int64s, budget: int, hard_fraction: float) -> Inclusion:
    """The released CDF-GC procedure, with its losses: nothing unused is given back and clipping is not made up for.

    Args:
        sizes: n token counts by ascending score.
        budget: tokens, S.
        hard_fraction: h; the hard set is the longest run from the top within int(S * h) tokens.

    Returns:
        probabilities ``min(1, r * cdf)`` with ``r = (S - int(S * h)) / sum(cdf * tokens)``, and 1 for the hard set.

    Source: CURATION-SPEC §1.3, read from github PPMark0712/CDF-GC.

    >>> inclusion = paper(np.full(10, 100), 200, 0.4)          # the first record overshoots 80: hard set empty
    >>> int(inclusion.hard.sum()), round(float(inclusion.probability.sum() * 100))
    (0, 120)
    """
    hard_budget = int(budget * hard_fraction)
    from_top = np.cumsum(sizes[::-1])
    n_hard = int(np.searchsorted(from_top, hard_budget, side="right"))
    rest = len(sizes) - n_hard
    hard = np.zeros(len(sizes), np.bool_)
    hard[rest:] = True
    cdf = token_cdf(sizes[:rest])
    expected = float((cdf * sizes[:rest]).sum())
    r = (budget - hard_budget) / expected if expected else 0.0
    probability = np.ones(len(sizes), np.float64)
    np.minimum(cdf * r, 1.0, out=probability[:rest])
    return Inclusion(probability, r, hard)


def cdf(sizes: Int64s, starts: Bools, budget: int, hard_fraction: float) -> Inclusion:
    """CDF sampling that spends its whole budget.

    Differs from :func:`paper` in three ways: a record too big for the hard set is passed over instead of ending it
    and what the hard set leaves goes to the rest; clipped probabilities are made up for, so that the expected
    tokens are the budget for any budget; records of equal score get the same probability.

    Args:
        sizes: n token counts > 0 by ascending score.
        starts: n booleans, true where a run of equal scores starts.
        budget: tokens.
        hard_fraction: share of the budget for the highest scores.

    Returns:
        probabilities whose token-weighted sum is the budget, or all 1 where the budget holds everything.

    Source: CURATION-SPEC §1.7.

    >>> round(float(cdf(np.full(10, 100), np.ones(10, bool), 200, 0.4).probability.sum() * 100), 9)
    200.0
    """
    total = int(sizes.sum())
    hard = filled(sizes[::-1], int(budget * hard_fraction), stop_below=total / max(len(sizes), 1))[::-1]
    left = ~hard
    rest = sizes[left]
    weights = token_cdf(rest)
    runs = np.flatnonzero(_starts_of(starts, left))
    if 0 < len(runs) < len(rest):
        shares = np.add.reduceat(weights * rest, runs) / np.add.reduceat(rest, runs)
        weights = np.repeat(shares, np.diff(np.append(runs, len(rest))))
    kept, r = water_filled(weights, rest, budget - (total - int(rest.sum())))
    probability = np.ones(len(sizes), np.float64)
    probability[left] = kept
    return Inclusion(probability, r, hard)


def _starts_of(starts: Bools, left: Bools) -> Bools:
    """Starts of runs of equal scores among the rows that are left: a run whose first row went keeps a start."""
    if left.all():
        return starts
    run = np.cumsum(starts)[left]
    kept = np.ones(len(run), np.bool_)
    np.not_equal(run[1:], run[:-1], out=kept[1:])
    return kept


def flat(sizes: Int64s, budget: int) -> Inclusion:
    """The same probability for every record: budget over tokens, at most 1.

    >>> flat(np.array([10, 30]), 10).probability.tolist()
    [0.25, 0.25]
    """
    r = min(1.0, budget / max(int(sizes.sum()), 1))
    return Inclusion(np.full(len(sizes), r), r, np.zeros(len(sizes), np.bool_))


def top(sizes: Int64s, budget: int) -> Inclusion:
    """Probability 1 for the highest scores that fit in the budget, 0 for all others.

    >>> top(np.array([10, 30, 20]), 50).probability.tolist()
    [0.0, 1.0, 1.0]
    """
    mean = int(sizes.sum()) / max(len(sizes), 1)
    kept = filled(sizes[::-1], budget, stop_below=mean)[::-1]
    return Inclusion(kept.astype(np.float64), 1.0, kept.copy())


def softmax(scores: Float64s, sizes: Int64s, budget: int, temperature: float) -> Inclusion:
    """Probability proportional to exp(z / temperature), z the score in token-weighted standard deviations.

    Records without a score (minus infinity) get the weight of the lowest score. Probabilities above 1 are clipped
    and made up for by the others.

    Args:
        scores: n ascending scores.
        sizes: n token counts > 0.
        budget: tokens.
        temperature: > 0.

    >>> softmax(np.array([0.0, 1.0]), np.array([10, 10]), 10, 1e9).probability.round(6).tolist()
    [0.5, 0.5]
    """
    scored = np.isfinite(scores)
    z = np.zeros(len(scores))
    if scored.any():
        known, weights = scores[scored], sizes[scored].astype(np.float64)
        mean = float((known * weights).sum() / weights.sum())
        spread = float(np.sqrt(((known - mean) ** 2 * weights).sum() / weights.sum()))
        z[scored] = (known - mean) / spread if spread > 0 else 0.0
        z[~scored] = z[scored][0]
    exponents = z / temperature
    return Inclusion(_water_filled_logs(exponents, sizes, budget), None, np.zeros(len(sizes), np.bool_))


def _water_filled_logs(logs: Float64s, sizes: Int64s, budget: int) -> Float64s:
    """:func:`water_filled` for weights given by their logarithms, which may be too far apart for floats."""
    total = int(sizes.sum())
    if budget >= total:
        return np.ones(len(sizes), np.float64)
    tokens = np.cumsum(sizes)
    weighted = np.logaddexp.accumulate(logs + np.log(sizes))
    free = len(sizes)
    while True:
        left = budget - (total - int(tokens[free - 1]))
        log_r = float(np.log(left) - weighted[free - 1]) if left > 0 else -np.inf
        still_free = int(np.searchsorted(logs[:free], -log_r, side="left"))
        if still_free in (0, free):
            break
        free = still_free
    probability = np.exp(np.minimum(logs + log_r, 0.0))
    probability[free:] = 1.0
    return probability


def water_filled(weights: Float64s, sizes: Int64s, budget: int) -> tuple[Float64s, float]:
    """``min(1, r * weight)`` with the r that makes the expected tokens equal to the budget.

    Args:
        weights: n ascending weights, > 0 where the size is > 0.
        sizes: n token counts.
        budget: tokens; at or above the sum of sizes every probability is 1.

    Returns:
        n probabilities, and r.

    >>> water_filled(np.array([0.1, 1.0]), np.array([10, 10]), 15)[0].round(9).tolist()
    [0.5, 1.0]
    """
    n = len(sizes)
    total = int(sizes.sum())
    if budget >= total:
        return np.ones(n, np.float64), 1.0 / float(weights[0]) if n and weights[0] > 0 else 1.0
    weighted = np.cumsum(weights * sizes)
    tokens = np.cumsum(sizes)
    free = n  # records below the water line, a prefix: weights ascend
    while True:
        clipped_tokens = total - (int(tokens[free - 1]) if free else 0)
        r = (budget - clipped_tokens) / float(weighted[free - 1])
        still_free = int(np.searchsorted(weights[:free] * r, 1.0, side="left"))
        if still_free in (0, free):
            break
        free = still_free
    probability = weights * r
    np.minimum(probability, 1.0, out=probability)
    probability[free:] = 1.0
    return probability, r
