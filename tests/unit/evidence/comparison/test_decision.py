"""Verdict and recommendation come from one decision: no table of differences makes them contradict each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from winnowry.core.outcome import outcome
from winnowry.evidence.comparison.decision import Decision, decide
from winnowry.evidence.comparison.statistics import Difference

DETECTABLE = 0.05
APART = {"told_apart": True, "why": "they are"}
ARMS = ("recipe", "random", "length_matched", "gc_paper", "gc_length_controlled")


def gains(means: dict[str, float]) -> Callable[[str, str, str], Difference]:
    """Differences between arms of which each has bits per byte; lower is better."""

    def gain(arm: str, other: str, evaluation: str) -> Difference:
        mean = means[other] - means[arm]
        return Difference(mean, 0.01, mean - 0.03, mean + 0.03, DETECTABLE, 0.5)

    return gain


def decision(method: str = "cdf", enough: float | None = None, **means: float) -> Decision:
    """Of arms with bits per byte: the recipe's is 2 where nothing else is said."""
    every = {"recipe": 2.0, "random": 2.0, "length_matched": 2.0} | means
    return decide(gains(every), tuple(every), ("finance",), "finance", APART, method=method, enough=enough)


UNIFORM = {"sample.method": "uniform", "sample.by": None}
PAPER = {"sample.mode": "paper", "score.normalise": "minmax", "score.length_control": "none"}
MATCHED = {"sample.method": "length_matched", "sample.match": "cdf"}


@pytest.mark.parametrize(
    ("means", "decided", "changes"),
    [
        ({"random": 2.1, "length_matched": 2.1}, "better", None),
        ({"random": 2.1, "length_matched": 2.02}, "no difference", None),  # better than random by its lengths
        ({"random": 2.1, "length_matched": 1.9}, "worse", MATCHED),
        ({"random": 2.02, "length_matched": 2.1}, "no difference", UNIFORM),
        ({"random": 2.02, "length_matched": 1.98}, "no difference", UNIFORM),
        ({"random": 2.02, "length_matched": 1.9}, "worse", UNIFORM),
        ({"random": 1.9, "length_matched": 2.1}, "worse", UNIFORM),
        ({"random": 1.9, "length_matched": 1.9}, "worse", UNIFORM),
        # An arm that is better than the recipe, and not than random, is no improvement.
        ({"random": 1.9, "length_matched": 1.9, "gc_paper": 1.88}, "worse", UNIFORM),
        ({"random": 1.9, "length_matched": 1.9, "gc_paper": 1.8}, "worse", PAPER),
        ({"random": 2.1, "length_matched": 2.1, "gc_paper": 1.9}, "better", PAPER),
        ({"random": 2.1, "length_matched": 2.1, "gc_paper": 1.97}, "better", None),
    ],
)
def test_what_is_recommended_follows_from_what_is_decided(
    means: dict[str, float], decided: str, changes: dict[str, object] | None
) -> None:
    made = decision(**means)
    assert made.outcome == decided
    assert made.verdict.startswith("conclusive")
    recommended = None if made.recommendation is None else {k: v for k, v in made.recommendation.items() if k != "why"}
    assert recommended == changes
    assert made.advice


def test_no_differences_make_verdict_and_recommendation_contradict_each_other() -> None:
    for steps in itertools.product((-0.1, -0.02, 0.0, 0.02, 0.1), repeat=3):
        random, matched, paper = (2.0 + step for step in steps)
        made = decision(random=random, length_matched=matched, gc_paper=paper)
        against_random = outcome(random - 2.0, DETECTABLE)
        changed = (made.recommendation or {}).get("sample.method")
        if made.outcome == "worse":
            assert made.recommendation is not None
            assert "worse than" in made.verdict
        if changed == "uniform":
            assert against_random != "better"
        if made.advice.startswith("keep"):
            assert against_random == "better"
            assert made.outcome != "worse"
        if made.outcome == "better":
            assert "worse than random" not in made.verdict
            assert "worse than length_matched" not in made.verdict


def test_controls_that_are_not_told_apart_decide_and_recommend_nothing() -> None:
    every = {"recipe": 1.0, "random": 2.0, "length_matched": 2.0}
    made = decide(gains(every), tuple(every), ("finance",), "finance", {"told_apart": False, "why": "too small a pool"})
    assert (made.outcome, made.verdict) == ("inconclusive", "inconclusive: too small a pool")
    assert made.recommendation is None
    assert made.advice.startswith("none")


def test_a_smaller_budget_is_recommended_of_a_selection_that_is_better_and_of_no_other() -> None:
    better = decision(enough=0.1, random=2.1, length_matched=2.1)
    assert better.recommendation is not None
    assert better.recommendation["sample.token_fraction"] == 0.1
    assert "sample.token_fraction" not in (decision(enough=0.1).recommendation or {})


def test_a_recipe_that_selects_uniformly_is_not_told_to() -> None:
    made = decision(method="uniform")
    assert made.recommendation is None
    assert made.advice == "keep the recipe: it selects uniformly."


def test_the_verdict_says_each_difference_with_what_could_be_detected() -> None:
    made = decision(random=2.1, length_matched=2.02)
    assert "not told from length_matched on finance (+0.0200 bits per byte, 0.0500 can be detected)" in made.verdict
    assert "better than random on finance (+0.1000 bits per byte, 0.0500 can be detected)" in made.verdict
