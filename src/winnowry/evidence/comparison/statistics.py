"""What repetitions can and cannot tell: paired differences, their interval, and the smallest effect one would see."""

from __future__ import annotations

import math
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

    >>> found = paired([2.0, 2.1, 2.2], [1.9, 1.9, 2.1])
    >>> round(found.mean, 4), round(found.low, 4), round(found.high, 4)
    (0.1333, -0.0101, 0.2768)
    """
    differences = [r - a for r, a in zip(reference, arm, strict=True)]
    n = len(differences)
    average = math.fsum(differences) / n
    variance = math.fsum((value - average) ** 2 for value in differences) / (n - 1)
    error = math.sqrt(variance / n)
    margin = t_quantile(1 - ALPHA / 2, n - 1) * error
    detectable = (t_quantile(1 - ALPHA / 2, n - 1) + t_quantile(POWER, n - 1)) * error
    if error > 0.0:
        correction = 1.0 - 3.0 / (4.0 * (n - 1) - 1.0)
        effect: float | None = average / math.sqrt(variance) * correction
        p = 2.0 * t_tail(abs(average) / error, n - 1)
    else:
        effect, p = None, 1.0 if average == 0.0 else 0.0
    return Difference(average, average - margin, average + margin, effect, detectable, p)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of n >= 2 values.

    >>> mean_and_deviation([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    average = math.fsum(values) / len(values)
    return average, math.sqrt(math.fsum((value - average) ** 2 for value in values) / (len(values) - 1))


def holm(p_values: Mapping[str, float]) -> dict[str, bool]:
    """Which of several tests hold at level 0.05 together.

    Source: Holm (1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': True, 'c': False, 'b': False}
    """
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    found: dict[str, bool] = {}
    holding = True
    for place, (name, p) in enumerate(ordered):
        holding = holding and p <= ALPHA / (len(ordered) - place)
        found[name] = holding
    return found


def t_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t.

    >>> round(t_quantile(0.975, 4), 3)
    2.776
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def t_tail(t: float, degrees: int) -> float:
    """Probability that Student's t exceeds a value."""
    from scipy.special import stdtr

    return float(stdtr(degrees, -t))
