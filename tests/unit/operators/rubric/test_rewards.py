"""Rewards: the formula against hand counts, and what holds for every rubric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnowry.core.errors import UsageError
from winnowry.operators.rubric.aggregate import Aggregation
from winnowry.records.rubrics import Criterion, Interaction, read_rubric, rubric_of

NAN = math.nan


def criteria(*weights: float, **fields: Any) -> list[Criterion]:
    return [Criterion(criterion_id=f"c{n}", program="words", weight=w, **fields) for n, w in enumerate(weights)]


def points(*values: float) -> list[Criterion]:
    return [Criterion(criterion_id=f"c{n}", program="words", points=value) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("options", "asked", "pairs", "scores", "reward"),
    [
        ({}, criteria(3, 1), (), [1, 0], 0.75),
        ({}, criteria(3, 1), (), [0.5, 1], 0.625),
        ({}, criteria(0, 1), (), [1, 0], 0.0),
        ({"saturate": 3}, criteria(1), (), [0.5], (1 - math.exp(-1.5)) / (1 - math.exp(-3))),
        ({"shape": 2}, criteria(1), (), [0.8], 0.7 + 0.3 * (0.64 - 0.49) / (1 - 0.49)),
        ({"shape": 2}, criteria(1), (), [0.6], 0.6),
        ({}, criteria(1, 1), [Interaction(a="c0", b="c1", kind="synergy", strength=0.2)], [0.5, 0.3], 0.4 + 0.06),
        ({}, criteria(1, 1), [Interaction(a="c0", b="c1", kind="conflict", strength=0.5)], [1, 1], 0.5),
        ({}, criteria(1, 1), [Interaction(a="c0", b="c1", kind="synergy", strength=1)], [1, 1], 1.0),
        ({}, points(7, 3, -5), (), [1, 0, 1], 0.2),  # (7 - 5) / 10
        ({}, points(7, 3, -5), (), [0, 0, 1], 0.0),
        ({}, points(7, 3, -5), (), [1, 1, 0], 1.0),
        ({}, criteria(3, 1), (), [1, NAN], NAN),
        ({"least_judged": 0.75}, criteria(3, 1), (), [1, NAN], 1.0),
        ({"least_judged": 0.8}, criteria(3, 1), (), [1, NAN], NAN),
    ],
)
def test_a_reward_is_what_the_formula_says(
    options: dict[str, Any], asked: list[Criterion], pairs: Any, scores: list[float], reward: float
) -> None:
    made = Aggregation(**options).rewards(np.array([scores]), asked, pairs).reward[0]
    assert made == pytest.approx(reward, abs=1e-12, nan_ok=True)


def test_a_veto_holds_where_the_rest_was_not_judged_and_only_below_its_limit() -> None:
    asked = [*criteria(1), Criterion(criterion_id="v", program="words", veto=True, veto_below=0.5, weight=0)]
    made = Aggregation().rewards(np.array([[1, 0.4], [1, 0.5], [NAN, 0.0], [1, NAN]]), asked)
    assert made.reward.tolist()[:3] == [0.0, 1.0, 0.0]
    assert made.vetoed_by.tolist() == [1, -1, 1, -1]


scores = st.lists(st.floats(0, 1), min_size=3, max_size=3)
options = st.fixed_dictionaries(
    {"saturate": st.sampled_from([0.0, 1.0, 3.0, 8.0]), "shape": st.sampled_from([1.0, 2.0, 4.0]),
     "shape_from": st.floats(0.2, 0.9)}
)  # fmt: skip
weights = st.lists(st.floats(0.01, 10), min_size=3, max_size=3)


@given(options, weights, scores, st.integers(0, 2), st.floats(0, 1), st.booleans())
def test_a_reward_lies_in_0_to_1_rises_with_every_score_and_knows_no_scale_of_weights(
    options: dict[str, Any], weights: list[float], scores: list[float], which: int, more: float, synergy: bool
) -> None:
    formula, asked = Aggregation(**options), criteria(*weights)
    pairs = [Interaction(a="c0", b="c2", kind="synergy", strength=0.3)] if synergy else []
    better = [min(1.0, s + more * (n == which)) for n, s in enumerate(scores)]
    low, high = formula.rewards(np.array([scores, better]), asked, pairs).reward
    assert -1e-12 <= low <= high + 1e-12 <= 1 + 1e-11
    scaled = formula.rewards(np.array([scores]), criteria(*(7 * w for w in weights)), pairs).reward[0]
    assert scaled == pytest.approx(low, abs=1e-9)


def test_a_conflict_and_points_below_0_do_not_rise_with_every_score() -> None:
    conflict = [Interaction(a="c0", b="c1", kind="conflict", strength=1)]
    low, high = Aggregation().rewards(np.array([[1, 0], [1, 1]]), criteria(9, 1), conflict).reward
    assert high < low
    low, high = Aggregation().rewards(np.array([[1, 0], [1, 1]]), points(1, -1)).reward
    assert high < low


ONE_TIER = {"label": "x", "score": 1}
PROGRAM = {"criterion_id": "a", "program": "words"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criteria": []}, "criteria: Tuple should have at least 1 item"),
        ({"criteria": [{"criterion_id": "a", "text": "Be good"}]}, "no judge can decide 'Be good'"),
        ({"criteria": [{"criterion_id": "a", "text": "Is it kind?", "tiers": [ONE_TIER]}]}, "1 tiers"),
        ({"criteria": [{"criterion_id": "a", "text": "Is it kind?",
                        "tiers": [{"label": "x", "score": 2}, {"label": "y", "score": 2}]}]},
         "'y' .* does not lie above 'x'"),
        ({"criteria": [{"criterion_id": "a", "program": "words", "weight": 0}]}, "the weights sum to 0"),
        ({"criteria": [{"criterion_id": "a", "program": "words", "points": -2}]}, "no criterion has points above 0"),
        ({"criteria": [PROGRAM | {"points": 2}, PROGRAM | {"criterion_id": "b"}]},
         "some criteria have `points`"),
        ({"criteria": [{"criterion_id": "a", "program": "words"}] * 2}, "2 criteria are called 'a'"),
        ({"criteria": [{"criterion_id": n, "text": t} for n, t in (("a", "Is it  kind?"), ("b", "is it kind?"))]},
         "2 criteria ask the same"),
        ({"interactions": [{"a": "c", "b": "z", "kind": "synergy", "strength": 1}]}, "an interaction names 'z'"),
        ({"criteria": [PROGRAM | {"weight": math.inf}]}, "weight: Input should be a finite"),
    ],
)  # fmt: skip
def test_a_rubric_that_cannot_judge_is_refused_with_its_mistake(change: dict[str, Any], message: str) -> None:
    whole = {"rubric_id": "r", "criteria": [{"criterion_id": "c", "program": "words"}], **change}
    with pytest.raises(UsageError, match=message):
        rubric_of(whole, "r.yaml")


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Any) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("rubric_id: r\ncriteria:\n- {criterion_id: a, text: short}\n- {criterion_id: b, wait: 1}\n")
    with pytest.raises(UsageError, match=r"criteria\.0: no judge .*; criteria\.1\.wait: Extra inputs"):
        read_rubric(path)
    path.write_text("a: [")
    with pytest.raises(UsageError, match="neither YAML nor JSON"):
        read_rubric(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_rubric(tmp_path / "none.yaml")


def test_labels_that_yaml_reads_as_numbers_or_truth_stay_words(tmp_path: Any) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "rubric_id: r\ncriteria:\n- {criterion_id: a, text: 这个回答是否友善, "
        "tiers: [{label: 1, score: 0}, {label: yes, score: 1}, {label: 10, score: 4}]}\n"
    )
    assert read_rubric(path).criteria[0].score_of == {"1": 0.0, "yes": 0.25, "10": 1.0}
