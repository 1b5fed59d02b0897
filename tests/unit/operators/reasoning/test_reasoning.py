"""Answers, steps and rollouts. Right values are hand counts, and quantiles of scipy.stats.beta."""

from __future__ import annotations

from typing import Any

import pytest

from tests.structured_rows import batch_of
from winnowry.operators.base import Operator
from winnowry.operators.pairs.check import PairCheck
from winnowry.operators.pairs.length import PairLength
from winnowry.operators.reasoning.final import CotFinal, Verifiable
from winnowry.operators.reasoning.kernels.answers import equal, extract, kind_of
from winnowry.operators.reasoning.kernels.calculator import UnreadableError, value_of
from winnowry.operators.reasoning.kernels.steps import equations_of
from winnowry.operators.reasoning.pass_rate import PassRate
from winnowry.operators.reasoning.steps import CotSteps


def of(operator: Operator, name: str, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = operator.apply(batch_of(name, rows, **options)).to_pylist()
    return made


ANSWERS: list[tuple[str, str, bool]] = [
    # numbers and where they stand
    ("72", "48 + 24 = 72 clips.\n#### 72", True),
    ("72", "#### 73", False),
    ("1500", "She pays $1,500.", True),
    ("1500", "#### 1.500", False),
    ("3", "First 5, then \\boxed{3}", True),
    ("5", "First \\boxed{5}, no: \\boxed{3}", False),
    ("4", "\\boxed{4", False),
    ("-2", "The answer is −2.", True),
    ("6", "The answer is six", True),
    ("15", "所以一共有 15 人", True),
    ("15", "答案：１５。", True),
    ("0.2", "\\boxed{.20}", True),
    ("2500000", "\\boxed{2.5 \\times 10^6}", True),
    ("10", "A: 10", True),
    ("10", "I give up.", False),
    ("007", "7", True),
    # fractions, percentages, units
    ("3/8", "\\boxed{\\dfrac38}", True),
    ("3/8", "\\boxed{0.375}", True),
    ("3/8", "\\boxed{\\frac{8}{3}}", False),
    ("7/2", "The answer is 3 1/2", True),
    ("2/3", "\\boxed{0.667}", False),
    ("40%", "\\boxed{0.4}", True),
    ("40%", "\\boxed{40}", True),
    ("40", "\\boxed{0.4}", False),
    ("3 m", "\\boxed{300\\text{ cm}}", True),
    ("3 m", "\\boxed{3\\text{ s}}", False),
    ("3 m", "\\boxed{3}", True),
    ("2 hours", "The answer is 120 minutes", True),
    ("$5", "The answer is 500 cents", True),
    ("$5", "The answer is 5 €", False),
    ("45^\\circ", "\\boxed{45}", True),
    # expressions
    ("x^2-1", "\\boxed{(x-1)(x+1)}", True),
    ("x^2-1", "\\boxed{(x-1)^2}", False),
    ("\\sqrt{50}", "\\boxed{5\\sqrt2}", True),
    ("\\frac{1}{\\sqrt2}", "\\boxed{\\frac{\\sqrt{2}}{2}}", True),
    ("2\\pi", "\\boxed{6.28}", False),
    ("\\log_3 81", "\\boxed{4}", True),
    ("\\cos 60^\\circ", "\\boxed{\\frac12}", True),
    ("6!", "\\boxed{720}", True),
    ("n=4", "\\boxed{4}", True),
    # choices
    ("C", "A looks right, but the answer is (C).", True),
    ("C", "C. Because of gravity", True),
    ("C", "Correct is another: D", False),
    ("BD", "答案：B、D", True),
    ("BD", "\\boxed{B}", False),
    ("A", "A dog barked", False),
    # sets, tuples, intervals, times, words
    ("\\{1, 4\\}", "\\boxed{4, 1}", True),
    ("\\{1, 4\\}", "\\boxed{1}", False),
    ("\\pm 2", "\\boxed{2, -2}", True),
    ("(2, 5)", "\\boxed{(5, 2)}", False),
    ("(2, 5)", "\\boxed{(2.0, 5)}", True),
    ("[2, 5)", "\\boxed{2 \\le x < 5}", True),
    ("[2, 5)", "\\boxed{(2, 5)}", False),
    ("(3, \\infty)", "\\boxed{x > 3}", True),
    ("7:45", "The answer is 7:45 pm", True),
    ("7:45", "The answer is 7:54", False),
    ("no", "The answer is No.", True),
    ("Rome", "The answer is Milan", False),
    # attacks on the calculator
    ("2", "\\boxed{9^{9^{9^{9}}}}", False),
    ("2", "\\boxed{99999999999!}", False),
    ("2", "\\boxed{" + "(" * 100 + "2" + ")" * 100 + "}", False),
    ("2", "\\boxed{__import__('os').getpid()}", False),
]


@pytest.mark.parametrize(("right", "solution", "same"), ANSWERS)
def test_answers_are_found_and_compared(right: str, solution: str, same: bool) -> None:
    assert equal(right, extract(solution, kind_of(right)))[0] is same


@pytest.mark.parametrize("right", sorted({right for right, _, _ in ANSWERS}))
def test_an_answer_equals_itself(right: str) -> None:
    assert equal(right, right)[0]


def test_money_of_gsm8k_is_no_formula() -> None:
    solution = "He has $5 and $7, so <<5+7=12>>$12 in all.\nA: 12"
    assert extract(solution, "number") == "12"


@pytest.mark.parametrize("text", ["1/0", "2^", "(1", "ab", "1 2x)", "9" * 401, "\\unknown{1}", ""])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        value_of(text)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("48/2 = <<48/2=24>>24 clips", [("48/2=24", None)]),
        ("so <<48/2=25>>25", [("48/2=25", "24")]),
        ("10/3 = <<10/3=3.33>>3.33", [("10/3=3.33", None)]),
        ("<<10/3=3.3>>", [("10/3=3.3", None)]),
        ("<<10/3=3.4>>", [("10/3=3.4", "3.333333333")]),
        ("<<10/3=3>>", [("10/3=3", "3.333333333")]),
        ("<<20*5%=1>>", [("20*5%=1", None)]),
        ("<<1,000*2=2,000>>", [("1,000*2=2,000", None)]),
        ("<<560//10=56>>", [("560//10=56", None)]),
        ("<<x*2=4>>", []),
        ("It takes 12 * 2 = 25 minutes", [("12 * 2 = 25", "24")]),
        ("It takes 3 × $4 = $12.", [("3 × $4 = $12", None)]),
        ("2 + 1 1/2 = 3 1/2 cups", []),
        ("X*2 - 40 = 250", []),
        ("192 / 1.2 = 1.2Y", []),
        ("$2.50 - $2.24 = 26 cents", []),
        ("At 6:00+48=6:48 the sun sets", []),
        ("There is nothing to compute", []),
    ],
)
def test_equations_are_recomputed_to_the_decimals_that_they_have(
    step: str, found: list[tuple[str, str | None]]
) -> None:
    assert [(equation.written, equation.computed) for equation in equations_of(step)] == found


def test_the_first_wrong_step_is_named() -> None:
    [found] = of(CotSteps(), "reasoning", {"prompt": "p", "solution": "<<1+1=2>>\nhm\n<<2*2=5>>\n<<3*3=8>>\nhm"})
    assert found == {
        "cot_n_steps": 5,
        "cot_n_equations": 3,
        "cot_n_wrong": 2,
        "cot_wrong_step": "step 3: written 5, computed 4",
        "cot_wrong_steps": [3, 4],
        "cot_repeated_ratio": 0.2,
    }


@pytest.mark.parametrize(
    ("row", "final", "correct", "differs"),
    [
        ({"solution": "…\n#### 72", "reference": "72"}, "72", True, None),
        ({"solution": "…\n#### 72", "reference": "so 72\nA: 72", "verified": False}, "72", True, True),
        ({"solution": "…\n#### 71", "reference": "72", "verified": False}, "71", False, False),
        ({"solution": "…\n#### 71"}, "71", None, None),
        ({"solution": "#### 1", "answer": "2", "reference": "2"}, "2", True, None),
        ({"solution": "no idea", "reference": "2"}, None, False, None),
        ({"solution": "#### 7", "answer": 7.0, "reference": 7}, "7.0", True, None),
    ],
)
def test_a_final_answer_is_compared_with_the_reference(
    row: dict[str, Any], final: str | None, correct: bool | None, differs: bool | None
) -> None:
    [found] = of(CotFinal(), "reasoning", {"prompt": "p", **row})
    assert (found["cot_final"], found["cot_correct"], found["cot_verdict_differs"]) == (final, correct, differs)


@pytest.mark.parametrize(
    ("row", "kind", "verifiable"),
    [
        ({"answer": "72"}, "number", True),
        ({"answer": " 7 "}, "number", True),
        ({"answer": "B"}, "choice", True),
        ({"answer": "x^2"}, "expression", True),
        ({"answer": "Paris"}, "expression", True),
        ({"answer": ""}, None, False),
        ({"answer": None}, None, False),
        ({}, None, False),
        ({"answer": "def f(): ...", "verifier": "code"}, None, None),
    ],
)
def test_an_answer_is_verifiable_where_it_is_something(
    row: dict[str, Any], kind: str | None, verifiable: bool | None
) -> None:
    [found] = of(Verifiable(), "rl_prompts", {"prompt": "p", **row})
    assert (found["rl_answer_kind"], found["rl_verifiable"]) == (kind, verifiable)


# ----------------------------------------------------------------------------------------------------------- rollouts


def rollouts(
    *rewards: float | None, cut: int = 0, step: int | None = None, text: str | None = None
) -> list[dict[str, Any]]:
    return [
        {
            "text": text or f"answer {number} of {step}",
            "reward": reward,
            "finish": "length" if number >= len(rewards) - cut else "stop",
            "step": step,
        }
        for number, reward in enumerate(rewards)
    ]


RATES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = {
    "1 and -1": (
        rollouts(*[1] * 4, *[-1] * 4),
        {},
        {"k": 4, "n": 8, "pass_rate": 0.5, "pass_low": 0.199, "pass_high": 0.801, "learnability": 0.25},
    ),
    "a little for the form": (
        rollouts(1, 1, 0.1, 0.1, 0.1, 0.1, 0, 0),
        {},
        {"k": 2, "n": 8, "pass_rate": 0.25, "pass_low": 0.056, "pass_high": 0.592, "learnability": 0.188},
    ),
    "any reward": (rollouts(1, 1, 0.1, 0.1, 0.1, 0.1, 0, 0), {"success": "reward > 0"}, {"k": 6, "n": 8}),
    "less is better": (rollouts(1, 2, 3), {"success": "reward <= 2"}, {"k": 2, "n": 3}),
    "cut ones say nothing": (
        rollouts(1, 1, 1, 0, 0, 0, 0, 0, cut=3),
        {},
        {"k": 3, "n": 5, "pass_low": 0.209, "pass_high": 0.906, "truncated_ratio": 0.375},
    ),
    "cut ones failed": (
        rollouts(1, 1, 1, 0, 0, 0, 0, 0, cut=3),
        {"truncated": "fail"},
        {"k": 3, "n": 8, "pass_low": 0.119, "pass_high": 0.705, "truncated_ratio": 0.375},
    ),
    "a cut one never passed": (rollouts(1, 1, cut=1), {"truncated": "fail"}, {"k": 1, "n": 2}),
    "null is no failure": (
        rollouts(1, 1, 0, 0, 0, 0, None, None),
        {},
        {"k": 2, "n": 6, "pass_low": 0.077, "pass_high": 0.714},
    ),
    "copies": (rollouts(*[1] * 8, text="same"), {}, {"k": 8, "n": 8, "distinct": 1, "pass_rate": 1.0}),
    "the last step counts": (
        [*rollouts(*[0] * 8, step=0), *rollouts(*[1] * 8, step=100)],
        {},
        {"k": 8, "n": 8, "pass_rate": 1.0, "learnability": 0.0},
    ),
    "none": ([], {}, {"k": 0, "n": 0, "pass_rate": None}),
    "all cut": (rollouts(1, 1, cut=2), {}, {"k": 0, "n": 0, "pass_rate": None, "truncated_ratio": 1.0}),
}


@pytest.mark.parametrize("name", RATES)
def test_a_pass_rate_is_of_rollouts_that_say_something(name: str) -> None:
    listed, options, expected = RATES[name]
    [found] = of(PassRate.model_validate(options), "rl_prompts", {"prompt": "p", "rollouts": listed})
    rounded = {key: round(value, 3) if isinstance(value := found[f"rl_{key}"], float) else value for key in expected}
    assert rounded == expected


def test_steps_of_a_policy_are_counted_apart() -> None:
    row = {"prompt": "p", "rollouts": [*rollouts(*[1] * 8, step=100), *rollouts(*[0] * 8, step=0)]}
    [found] = of(PassRate(), "rl_prompts", row)
    assert [(one["step"], one["k"], one["n"]) for one in found["rl_by_step"]] == [(0, 0, 8), (100, 8, 8)]


def test_a_success_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'mean\(reward\)' is no comparison"):
        PassRate(success="mean(reward)")


# -------------------------------------------------------------------------------------------------------------- pairs


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"chosen": "a good answer", "rejected": "some other thing"}, {"similarity": 0.0}),
        ({"chosen": "same  words", "rejected": "same words\n"}, {"identical": "both sides have the same text"}),
        ({"chosen": "a b c d", "rejected": "a b c e"}, {"similarity": 1 / 3}),
        ({"chosen": "good", "rejected": " \u200b"}, {"empty": "rejected"}),
        ({"chosen": "x", "rejected": "y", "margin": -2.0}, {"margin_contradicts": "-2"}),
        ({"chosen": "x", "rejected": "y", "margin": 0}, {"tie": "0"}),
        ({"chosen": "x", "rejected": "y", "margin": "7"}, {"margin_contradicts": None, "tie": None}),
        (
            {"chosen": "x", "rejected": "y", "margin": 3.5, "r": {"a": 1, "b": 1}, "s": {"a": 4, "b": 3}},
            {"ratings_disagree": True, "margin_contradicts": None},
        ),
    ],
)
def test_pairs_that_teach_nothing_are_named(row: dict[str, Any], expected: dict[str, Any]) -> None:
    [found] = of(PairCheck(), "preferences", {"prompt": "p", **row}, paths={"ratings": "r - s"})
    assert {key: found[f"pair_{key}"] for key in expected} == expected


def test_a_margin_that_is_missing_meets_every_limit() -> None:
    rows = [{"prompt": "p", "chosen": "x", "rejected": "y", "margin": margin} for margin in (2.0, 0.5, "7", None)]
    operator = PairCheck(min_margin=1)
    rule = operator.rules()[-1]
    written = operator.apply(batch_of("preferences", rows))
    assert rule.name == "min_margin"
    assert rule.keeps(written[rule.column]).to_pylist() == [True, False, True, True]


def test_pairs_say_which_answer_is_longer() -> None:
    rows = [{"prompt": "p", "chosen": "long one", "rejected": "short"}, {"prompt": "p", "chosen": "a", "rejected": "b"}]
    found = of(PairLength(), "preferences", *rows)
    assert [(row["pair_longer_chosen"], row["pair_chosen_chars"]) for row in found] == [(1, 8), (None, 1)]
    assert round(found[0]["pair_log_ratio"], 3) == 0.405  # ln(9 / 6)
