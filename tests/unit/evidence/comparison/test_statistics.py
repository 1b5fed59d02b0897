"""What repetitions tell, against SciPy's tests and hand counts."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from winnowry.evidence.comparison.statistics import mean_and_deviation, paired


@pytest.mark.parametrize("seed", range(5))
def test_a_paired_difference_is_that_of_the_paired_t_test_with_the_error_of_the_jackknife(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(2.0, 0.05, 5)
    arm = reference - rng.normal(0.02, 0.01, 5)
    difference = paired(reference.tolist(), arm.tolist(), share=0.9)
    interval = stats.ttest_rel(reference, arm).confidence_interval(0.95)
    # sqrt(p / (1 - p)) = 3 in place of 1 / sqrt(5): the interval of independent pairs, 3 * sqrt(5) times as wide.
    middle, half = float(np.mean(reference - arm)), (interval.high - interval.low) / 2
    assert difference.mean == pytest.approx(middle)
    assert difference.error == pytest.approx(3 * np.std(reference - arm, ddof=1))
    assert (difference.low, difference.high) == pytest.approx((middle - 3 * 5**0.5 * half, middle + 3 * 5**0.5 * half))
    assert (difference.p < 0.05) == (difference.low > 0 or difference.high < 0)


def test_a_delete_one_jackknife_gives_the_error_of_a_mean() -> None:
    """Tukey's case: a share of (n - 1) / n, all n parts; the error of a mean is s / sqrt(n)."""
    values = np.array([3.0, 5.0, 4.0, 9.0, 1.0, 7.0])
    n = len(values)
    without_one = (values.sum() - values) / (n - 1)
    difference = paired(without_one.tolist(), [0.0] * n, share=(n - 1) / n)
    # The n parts are all there are, so their spread is over n and not over n - 1.
    assert difference.error * ((n - 1) / n) ** 0.5 == pytest.approx(values.std(ddof=1) / n**0.5)


def test_the_detectable_effect_is_found_with_the_power_it_promises() -> None:
    """With a true effect of that size, four of five experiments find it (to the approximation by central t)."""
    rng = np.random.default_rng(3)
    n, deviation = 5, 1.0
    quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)
    effect = quantiles * deviation / np.sqrt(n)
    draws = rng.normal(effect, deviation, (4000, n))
    power = np.mean(stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05)
    assert 0.75 < power < 0.9
    difference = paired([0.0, 0.1, -0.1, 0.2, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0], share=0.8)
    assert difference.detectable == pytest.approx(quantiles * 2 * np.std([0.0, 0.1, -0.1, 0.2, 0.0], ddof=1))


def test_differences_that_do_not_vary_have_no_error() -> None:
    difference = paired([2.0, 2.0, 2.0], [1.5, 1.5, 1.5], share=0.9)
    assert (
        difference.mean,
        difference.low,
        difference.high,
        difference.error,
        difference.detectable,
        difference.p,
    ) == (0.5, 0.5, 0.5, 0, 0, 0)
    assert difference.outcome == "better"
    same = paired([1.0, 1.0], [1.0, 1.0], share=0.9)
    assert (same.p, same.outcome) == (1.0, "not told apart")


class Simulation:
    """A pool of documents whose worth is known, selections of a fifth by a score, and five draws of nine tenths."""

    documents, draws, share, fraction = 2000, 5, 0.9, 0.2

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.worth = self.rng.normal(0.0, 1.0, self.documents)
        self.parts = self.rng.random((self.draws, self.documents)) < self.share

    def results(self, score: npt.NDArray[np.float64]) -> list[float]:
        """What a model of the mean worth of the selected documents costs, draw by draw; lower is better."""
        costs = []
        for part in self.parts:
            rows = np.flatnonzero(part)
            best = rows[np.argsort(-score[rows])[: int(self.fraction * len(rows))]]
            costs.append(-float(self.worth[best].mean()))
        return costs

    def useless(self) -> list[float]:
        """The results of a score that has nothing to do with worth."""
        return self.results(self.rng.random(self.documents))

    def useful(self, gain: float) -> list[float]:
        """The results of a score whose selection is better by ``gain`` in the mean of worth."""
        # The mean of the best fifth of normal values is 1.4 standard deviations above the others' mean.
        correlation = gain / 1.4
        noise = self.rng.normal(0.0, 1.0, self.documents)
        return self.results(correlation * self.worth + (1 - correlation**2) ** 0.5 * noise)


def independent(reference: list[float], arm: list[float]) -> bool:
    """Whether a difference is beyond what could be detected if the draws were independent."""
    differences = np.subtract(reference, arm)
    n = len(differences)
    quantiles = stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)
    return bool(abs(differences.mean()) > quantiles * differences.std(ddof=1) / n**0.5)


def test_two_useless_scores_are_seldom_told_apart_though_independent_draws_would_say_so_more_often_than_not() -> None:
    apart, would = [], []
    for seed in range(12):
        simulation = Simulation(seed)
        useless = [simulation.useless() for _ in range(12)]
        for one, other in itertools.combinations(useless, 2):
            apart.append(paired(one, other, share=simulation.share).outcome != "not told apart")
            would.append(independent(one, other))
    assert np.mean(apart) <= 0.05
    assert np.mean(would) > 0.5


def test_a_score_that_is_better_by_five_errors_is_seen() -> None:
    apart = []
    for seed in range(60):
        simulation = Simulation(100 + seed)
        # A selection of 400 documents has an error of 1 / sqrt(400), the difference of two of them sqrt(2) times that.
        gain = 5 * 2**0.5 / 400**0.5
        apart.append(paired(simulation.useless(), simulation.useful(gain), share=simulation.share).outcome == "better")
    assert np.mean(apart) > 0.7


def test_mean_and_deviation_of_a_sample() -> None:
    assert mean_and_deviation([2.0, 4.0, 4.0, 6.0]) == pytest.approx((4.0, (8 / 3) ** 0.5))
