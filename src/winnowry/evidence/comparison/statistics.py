"""What repetitions can and cannot tell: paired differences, their interval, and the smallest effect one would see."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Difference:
    """How much better one arm is than another over the same seeds; positive: fewer bits per byte.

    Attributes:
        mean: of the paired differences.
        low: of the interval for the mean, two-sided.
        high: as above.
        effect_size: mean over standard deviation of the differences, corrected for few pairs (Hedges); None where they
            do not vary.
        detectable: smallest mean difference that so many pairs of this spread would show with power 0.8.
        p: probability of a mean at least so far from 0 if there were no difference (paired t-test).
    """

    mean: float
    low: float
    high: float
    effect_size: float | None
    detectable: float
    p: float


def paired(reference: Sequence[float], arm: Sequence[float]) -> Difference:
    """Compare two arms seed by seed; both saw the same part of the pool.

    Args:
        reference: n >= 2 values of the reference.
        arm: n values of the arm, for the same seeds.

    Source: Student's paired t-test; Hedges (1981) for the correction; Cohen (1988) for power.

    >>> difference = paired([2.0, 2.1, 2.2], [1.9, 1.9, 2.1])
    >>> round(difference.mean, 4), round(difference.low, 4), round(difference.high, 4)
    (0.1333, -0.0101, 0.2768)
    """
    from scipy import stats

    average, deviation = mean_and_deviation([r - a for r, a in zip(reference, arm, strict=True)])
    if deviation == 0.0:
        return Difference(average, average, average, None, 0.0, 1.0 if average == 0.0 else 0.0)
    degrees = len(reference) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # differences that hardly vary are a result like any other
        test = stats.ttest_rel(reference, arm)
    interval = test.confidence_interval(1 - ALPHA)
    quantiles = stats.t.ppf(1 - ALPHA / 2, degrees) + stats.t.ppf(POWER, degrees)
    return Difference(
        mean=average,
        low=float(interval.low),
        high=float(interval.high),
        effect_size=average / deviation * (1.0 - 3.0 / (4.0 * degrees - 1.0)),
        detectable=float(quantiles) * deviation / math.sqrt(degrees + 1),
        p=float(test.pvalue),
    )


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of n >= 2 values.

    >>> mean_and_deviation([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    return statistics.fmean(values), statistics.stdev(values)


def holm(p_values: Mapping[str, float]) -> dict[str, bool]:
    """Which of several tests hold at level 0.05 together.

    Source: Holm (1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': True, 'c': False, 'b': False}
    """
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    verdicts: dict[str, bool] = {}
    holding = True
    for place, (name, p) in enumerate(ordered):
        holding = holding and p <= ALPHA / (len(ordered) - place)
        verdicts[name] = holding
    return verdicts
