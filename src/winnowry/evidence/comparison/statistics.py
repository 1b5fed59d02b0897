"""What repetitions can and cannot tell: paired differences, their error, and the smallest effect one would see."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from winnowry.core.outcome import Outcome, outcome

ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Difference:
    """How much better one arm is than another over the same draws of a pool; positive: fewer bits per byte.

    Attributes:
        mean: of the paired differences.
        error: standard error of the mean, for another pool of the same kind.
        low: of the 95 % interval for the mean, two-sided.
        high: as above.
        detectable: smallest mean difference that would be seen with power 0.8.
        p: probability of a mean at least so far from 0 if there were no difference (t-test with this error).
    """

    mean: float
    error: float
    low: float
    high: float
    detectable: float
    p: float

    @property
    def outcome(self) -> Outcome:
        """What may be said of it."""
        return outcome(self.mean, self.detectable)


def paired(reference: Sequence[float], arm: Sequence[float], *, share: float) -> Difference:
    """Compare two arms draw by draw; both saw the same part of the pool.

    Each draw holds a ``share`` of one pool, so draws overlap and their results are alike: the spread of the differences
    says how much a pool that lacks a few documents differs, and not how much another pool would. The delete-d jackknife
    scales it: a share p keeps a pool of n at p·n, whose result varies by (1 - p) / p of the variance of the whole.
    Divided by the root of their number instead, differences of useless scores count as real more often than not.

    Args:
        reference: n >= 2 values of the reference.
        arm: n values of the arm, for the same draws.
        share: of the pool in each draw, in (0, 1).

    Source: Shao and Wu (1989), delete-d jackknife, its error ``sqrt(p / (1 - p))`` times the standard deviation over
    draws; Student's t with n - 1 degrees of freedom; Cohen (1988) for power.

    >>> difference = paired([2.0, 2.1, 2.2], [1.9, 1.9, 2.1], share=0.5)
    >>> round(difference.mean, 4), round(difference.error, 4)
    (0.1333, 0.0577)
    """
    from scipy import stats

    average, deviation = mean_and_deviation([r - a for r, a in zip(reference, arm, strict=True)])
    if deviation == 0.0:
        return Difference(average, 0.0, average, average, 0.0, 1.0 if average == 0.0 else 0.0)
    degrees = len(reference) - 1
    error = deviation * math.sqrt(share / (1 - share))
    wide = float(stats.t.ppf(1 - ALPHA / 2, degrees))
    return Difference(
        mean=average,
        error=error,
        low=average - wide * error,
        high=average + wide * error,
        detectable=(wide + float(stats.t.ppf(POWER, degrees))) * error,
        p=2 * float(stats.t.sf(abs(average) / error, degrees)),
    )


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of n >= 2 values.

    >>> mean_and_deviation([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    return statistics.fmean(values), statistics.stdev(values)
