"""Inclusion probabilities: how likely each record is to be kept, given its score, its size and the budget.

Every function takes records sorted by ascending score and gives probabilities in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from winnowry.sampling.draw import Bools, Float64s, Int64s, filled

_HALVINGS = 60


@dataclass(frozen=True)
class Inclusion:
    """Inclusion probabilities of the records of one stratum, in the order of their scores.

    Attributes:
        probability: n floats in [0, 1].
        r: factor on the base weight (cdf: on the token CDF), before clipping at 1; None for temperature,
            gumbel_top_k and length_matched, whose weights have no scale.
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

    Source: github PPMark0712/CDF-GC, the code of Ying et al., EMNLP 2025 main 1121.

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

    Source: this project.

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


def exponential(logits: Float64s, sizes: Int64s, budget: int) -> Inclusion:
    """Probabilities of Gumbel top-k: those of ``exp(logit)``-weighted drawing without replacement.

    ``1 - exp(-rate * exp(logit))``, the rate such that the expected tokens are the budget. Taking records by
    :func:`~winnowry.sampling.draw.gumbel_order` until the budget is full includes them with about these.

    Args:
        logits: n numbers, score / temperature; minus infinity has probability 0.
        sizes: n token counts > 0.
        budget: tokens.

    Source: Kool, van Hoof and Welling (2019), Stochastic beams and where to find them; Rosén (1997), successive
    sampling as an order sampling scheme.

    >>> exponential(np.array([0.0, 0.0]), np.array([10, 10]), 10).probability.round(9).tolist()
    [0.5, 0.5]
    """
    known = np.isfinite(logits)
    probability = np.zeros(len(logits))
    if budget >= int(sizes[known].sum()):
        probability[known] = 1.0
    elif budget > 0:
        probability[known] = _exponential_share(logits[known], sizes[known], budget)
    return Inclusion(probability, None, np.zeros(len(logits), np.bool_))


def _exponential_share(logits: Float64s, sizes: Int64s, budget: int) -> Float64s:
    """The root is bracketed and halved: the expected tokens rise with the rate, whatever the spread of weights."""
    low = float(-logits.max()) + np.log(budget / float(sizes.sum())) - 1.0
    high = float(-logits.min()) + 4.0
    while float((-np.expm1(-np.exp(np.minimum(logits + high, 40.0))) * sizes).sum()) < budget:
        high += 4.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if float((-np.expm1(-np.exp(np.minimum(logits + middle, 40.0))) * sizes).sum()) < budget:
            low = middle
        else:
            high = middle
    shares: Float64s = -np.expm1(-np.exp(np.minimum(logits + high, 40.0)))
    return np.maximum(shares, np.finfo(np.float64).tiny)  # the least likely can still fill what the others leave


def length_bins(sizes: Int64s) -> Int64s:
    """Number of the length bin of each record: a quarter of an octave, ``floor(4 log2(size))``.

    >>> length_bins(np.array([1, 2, 1000, 1024])).tolist()
    [0, 4, 39, 40]
    """
    bins: Int64s = np.floor(4.0 * np.log2(np.maximum(sizes, 1))).astype(np.int64)
    return bins


def length_matched(sizes: Int64s, reference: Float64s, budget: int) -> Inclusion:
    """The same probability for all records of a length bin, tokens by bin as those of another selection.

    Args:
        sizes: n token counts > 0.
        reference: n inclusion probabilities of the other selection.
        budget: tokens; where it exceeds what the bins of the other selection hold, other bins stay at 0.

    >>> length_matched(np.array([8, 8, 64, 64]), np.array([1.0, 0.0, 0.0, 0.0]), 8).probability.tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    _, of = np.unique(length_bins(sizes), return_inverse=True)
    tokens = np.bincount(of, sizes).astype(np.int64)
    # Whole numbers of 1/1024 token: their sum does not depend on the order of rows.
    expected = np.bincount(of, np.rint(sizes * reference * 1024.0)) / 1024.0
    wanted = expected / np.maximum(tokens, 1)  # share of each bin that the other selects
    usable = wanted > 0.0
    shares = np.zeros(len(tokens))
    if usable.any():
        order = np.flatnonzero(usable)[np.argsort(wanted[usable], kind="stable")]
        shares[order], _ = water_filled(wanted[order], tokens[order], min(budget, int(tokens[order].sum())))
    return Inclusion(shares[of], None, np.zeros(len(sizes), np.bool_))


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
