"""Numbers of the literature, and judges that have to be refused by their own number."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from winnowry.judging.agreement import accuracy, alpha, entropy, kappa, position_bias, rates, share, trust, veto_rate

_ = math.nan
KRIPPENDORFF = [  # 4 observers, 12 units: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
THREE_CODERS = [  # the worked example of the article on Wikipedia, 15 units
    [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
    [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
    [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
]


@pytest.mark.parametrize(
    ("observers", "nominal", "interval"), [(KRIPPENDORFF, 0.743, 0.849), (THREE_CODERS, 0.691, 0.811)]
)
def test_alpha_is_that_of_the_literature(observers: list[list[float]], nominal: float, interval: float) -> None:
    units = np.array(observers).T
    assert alpha(units, "nominal") == pytest.approx(nominal, abs=5e-4)
    assert alpha(units, "interval") == pytest.approx(interval, abs=5e-4)


def test_alpha_without_pairs_or_without_differences() -> None:
    assert math.isnan(alpha(np.array([[1.0, _], [_, 2.0]]), "interval"))
    assert math.isnan(alpha(np.empty((0, 2)), "nominal"))
    assert alpha(np.ones((5, 2)), "interval") == 1.0
    assert alpha(np.array([[0.0, 1.0], [1.0, 0.0]]), "nominal") == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_of_newcombe(hits: int, n: int, low: float, high: float) -> None:
    made = share(hits, n)
    assert (made.low, made.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = share(n - hits, n)
    assert mirrored.high == pytest.approx(1 - low, abs=5e-5)


def test_a_share_of_nothing_is_not_known() -> None:
    assert math.isnan(share(0, 0).value)
    assert share(0, 0)[1:] == (0.0, 1.0, 0)
    assert share(7, 7).high == 1.0


def test_kappa_is_cohens() -> None:
    first = ["yes"] * 25 + ["no"] * 25  # 20 both yes, 15 both no, 5 and 10 apart: (0.7 - 0.5) / (1 - 0.5)
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(["a"], ["a"]) == 1.0
    assert math.isnan(kappa([], []))


def test_position_bias_has_a_direction() -> None:
    assert position_bias([(0.0, 1.0)] * 4).toward_first == 1.0  # worst first: the worst; best first: the best
    assert position_bias([(1.0, 0.0)] * 4).toward_first == -1.0
    even = position_bias([(0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)])
    assert (even.flips.value, even.toward_first) == (0.5, 0.0)
    assert math.isnan(position_bias([]).toward_first)


def test_entropy_of_tiers() -> None:
    assert entropy({"a": 2, "b": 1, "c": 1}, 3) == pytest.approx(1.5 * math.log(2) / math.log(3))
    assert math.isnan(entropy({}, 2))


def test_rates_by_hand() -> None:
    errors = [None] * 6 + ["unreadable", "refusal", "timeout", "undecided"]
    made = rates(errors)
    assert (made.unreadable.value, made.refused.value, made.undecided.value) == (0.1, 0.1, 0.4)
    assert veto_rate([None, "safety", None, "style"]).value == 0.5


def test_a_verdict_that_is_missing_is_not_right() -> None:
    anchors = {("a", "c"): "yes", ("b", "c"): "no", ("d", "c"): "no"}
    assert accuracy({("a", "c"): "yes", ("b", "c"): None, ("z", "c"): "no"}, anchors)[0] == pytest.approx(1 / 3)


TRUTH = {f"r{number}": "yes" if number % 2 else "no" for number in range(400)}
SCORE = {"no": 0.0, "yes": 1.0}


def rows_of(says: Any, judge_hash: str = "h") -> list[dict[str, Any]]:
    return [
        {
            "judge_hash": judge_hash, "record_id": record, "criterion_id": "c", "repeat": repeat, "order": order,
            "tier": tier, "score": SCORE[tier], "error": None,
        }
        for record, truth in TRUTH.items()
        for repeat, order in ((0, "ab"), (1, "ab"), (0, "ba"))
        for tier in [says(truth, record, repeat, order)]
    ]  # fmt: skip


def test_each_bad_judge_is_refused_by_its_own_number() -> None:
    anchors = {(record, "c"): tier for record, tier in TRUTH.items()}
    labels = {"c": ("no", "yes")}
    other = {"yes": "no", "no": "yes"}
    draw = random.Random(5)
    wrong_twice = {record for record in TRUTH if draw.random() < 0.3}
    judges = {
        "able": lambda truth, record, repeat, order: truth,
        "consistent": lambda truth, record, repeat, order: other[truth] if record in wrong_twice else truth,
        "lazy": lambda truth, record, repeat, order: "yes",
        "flipped": lambda truth, record, repeat, order: other[truth] if draw.random() < 0.2 else truth,
        "biased": lambda truth, record, repeat, order: "no" if order == "ab" else "yes",
    }
    made = {
        row.judge_hash: row
        for row in trust([row for name, says in judges.items() for row in rows_of(says, name)], labels, anchors)
    }
    assert made["able"].accuracy is not None
    assert made["able"].accuracy.low > 0.98
    assert (made["able"].kappa["c"], made["able"].entropy["c"], made["able"].bias.flips.value) == (1.0, 1.0, 0.0)
    assert made["consistent"].kappa["c"] == 1.0  # agrees with itself and is wrong: only anchors tell
    assert made["consistent"].accuracy is not None
    assert made["consistent"].accuracy.low < 0.75
    assert made["lazy"].entropy["c"] == 0.0
    assert made["flipped"].kappa["c"] < 0.6  # expected: 2 · 0.68 - 1 = 0.36
    assert made["biased"].bias.toward_first == 1.0


def test_three_tiers_have_an_interval_alpha_and_judges_are_apart_by_what_was_served() -> None:
    rows = [
        {"judge_hash": served, "record_id": str(unit), "criterion_id": "c", "repeat": repeat, "order": "ab",
         "tier": str(value), "score": value, "error": None}
        for served in ("m-1", "m-2")
        for repeat, observer in enumerate(KRIPPENDORFF)
        for unit, value in enumerate(observer)
        if not math.isnan(value)
    ]  # fmt: skip
    made = trust(rows, {"c": ("1", "2", "3", "4", "5")})
    assert [row.judge_hash for row in made] == ["m-1", "m-2"]
    assert made[0].alpha["c"] == pytest.approx(0.849, abs=5e-4)
    assert (made[0].accuracy, made[0].kappa) == (None, {})
