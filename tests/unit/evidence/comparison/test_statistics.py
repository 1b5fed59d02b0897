"""What repetitions tell, against SciPy's tests and hand counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from winnowry.evidence.comparison.statistics import holm, mean_and_deviation, paired


@pytest.mark.parametrize("seed", range(5))
def test_a_paired_difference_is_that_of_the_paired_t_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(2.0, 0.05, 5)
    arm = reference - rng.normal(0.02, 0.01, 5)
    found = paired(reference.tolist(), arm.tolist())
    test = stats.ttest_rel(reference, arm)
    interval = test.confidence_interval(0.95)
    assert found.p == pytest.approx(test.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.mean == pytest.approx(float(np.mean(reference - arm)))


def test_the_detectable_effect_is_found_with_the_power_it_promises() -> None:
    """With a true effect of that size, four of five experiments find it (to the approximation by central t)."""
    rng = np.random.default_rng(3)
    n, deviation = 5, 1.0
    quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)
    effect = quantiles * deviation / np.sqrt(n)
    draws = rng.normal(effect, deviation, (4000, n))
    power = np.mean(stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05)
    assert 0.75 < power < 0.9
    found = paired([0.0, 0.1, -0.1, 0.2, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    spread = np.std([0.0, 0.1, -0.1, 0.2, 0.0], ddof=1)
    assert found.detectable == pytest.approx(quantiles * spread / np.sqrt(5))


def test_differences_that_do_not_vary_have_no_effect_size() -> None:
    found = paired([2.0, 2.0, 2.0], [1.5, 1.5, 1.5])
    assert (found.mean, found.low, found.high, found.effect_size, found.detectable, found.p) == (
        0.5,
        0.5,
        0.5,
        None,
        0,
        0,
    )
    assert paired([1.0, 1.0], [1.0, 1.0]).p == 1.0


def test_the_effect_size_is_corrected_for_few_pairs() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1; Hedges' factor for 2 degrees of freedom is 1 - 3 / (4 * 2 - 1) = 4 / 7.
    assert paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).effect_size == pytest.approx(8 / 7)


def test_holm_stops_at_the_first_that_does_not_hold() -> None:
    # 0.05 / 3, 0.05 / 2, 0.05 / 1: 0.01 holds, 0.03 does not, and 0.04 is not asked any more.
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03}) == {"b": True, "c": False, "a": False}
    assert holm({}) == {}


def test_mean_and_deviation_of_a_sample() -> None:
    assert mean_and_deviation([2.0, 4.0, 4.0, 6.0]) == pytest.approx((4.0, (8 / 3) ** 0.5))
