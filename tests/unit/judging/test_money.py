"""Costs by hand: USD per million tokens, 10 in and 30 out."""

from __future__ import annotations

from typing import Any

import pytest

from winnowry.core.errors import UsageError
from winnowry.judging.money import Budget, Spent, Usage, cost, usage_of
from winnowry.judging.spec import Judge, judge_of

PRICES = {"in": 10, "out": 30}


def judge(**options: Any) -> Judge:
    return judge_of({"model": "m", "endpoint": "http://localhost/v1", "usd_per_m": PRICES, **options})


FULL = {"prompt_tokens": 1000, "completion_tokens": 20}
ESTIMATE = (100, 0, 10, True)  # of 300 bytes asked and 30 answered


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (FULL, (1000, 0, 20, False)),
        ({**FULL, "prompt_tokens_details": {"cached_tokens": 800}}, (1000, 800, 20, False)),
        ({**FULL, "completion_tokens_details": {"reasoning_tokens": 12}}, (1000, 0, 20, False)),
        ({**FULL, "prompt_tokens_details": None}, (1000, 0, 20, False)),
        ({**FULL, "prompt_tokens_details": {"cached_tokens": None}}, (1000, 0, 20, False)),
        ({**FULL, "prompt_tokens_details": {"cached_tokens": 4000}}, (1000, 1000, 20, False)),
        ({**FULL, "prompt_cache_hit_tokens": 800}, (1000, 800, 20, False)),
        ({"input_tokens": 1000, "output_tokens": 20}, (1000, 0, 20, False)),
        (None, ESTIMATE),
        ("absent", ESTIMATE),
        ([], ESTIMATE),
        ({}, ESTIMATE),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, ESTIMATE),
        ({"prompt_tokens": None, "completion_tokens": None}, ESTIMATE),
        ({"prompt_tokens": -5, "completion_tokens": "20"}, ESTIMATE),
        ({"prompt_tokens": float("nan"), "completion_tokens": True}, ESTIMATE),
        ({"total_tokens": 1020}, ESTIMATE),
        ({"prompt_tokens": 1000}, (1000, 0, 10, True)),
        ({"completion_tokens": 20}, (100, 0, 20, True)),
    ],
)  # fmt: skip
def test_what_an_endpoint_does_not_say_is_estimated_and_flagged(usage: Any, expected: tuple[Any, ...]) -> None:
    reply = {} if usage == "absent" else {"usage": usage}
    assert tuple(usage_of(reply, 300, 30)) == expected


def test_an_empty_answer_has_no_tokens() -> None:
    assert tuple(usage_of({"usage": {"prompt_tokens": 1000, "completion_tokens": 0}}, 300, 0)) == (1000, 0, 0, False)


def test_cached_tokens_have_their_own_price_and_reasoning_is_not_added_again() -> None:
    usage = Usage(1000, 800, 20)
    assert cost(usage, judge().usd_per_m) == pytest.approx(0.0106)
    assert cost(usage, judge(usd_per_m={**PRICES, "cached": 1}).usd_per_m) == pytest.approx(0.0034)
    assert cost(usage, judge(usd_per_m={**PRICES, "cached": 0}).usd_per_m) == pytest.approx(0.0026)
    assert cost(usage, None) == 0


def test_shares_of_judgements_asked_together_sum_to_the_call() -> None:
    shares = Usage(1000, 7, 20, True).shares(3)
    assert [sum(column) for column in zip(*[share[:3] for share in shares], strict=True)] == [1000, 7, 20]
    assert all(share.estimated for share in shares)


def test_a_budget_reserves_the_most_before_the_call_and_knows_what_was_spent() -> None:
    options = judge(max_usd=0.05, max_tokens=64)  # 488 bytes: (488 + 512) · 10 + 64 · 30 = $0.01192
    budget = Budget(options, Spent(usd=0.02))
    assert budget.reserve(488) == pytest.approx(0.01192)
    assert budget.reserve(488) is not None
    assert budget.reserve(488) is None  # 0.02 + 3 · 0.01192 > 0.05
    budget.settle(0.01192, 0.001)
    assert budget.reserve(488) is not None


def test_a_reply_that_is_lost_counts_as_dear_as_it_may_be() -> None:
    budget = Budget(judge(max_usd=0.05, max_tokens=64), Spent())
    for _ in range(4):
        reserved = budget.reserve(488)
        assert reserved is not None
        budget.settle(reserved, None)
    assert budget.reserve(488) is None
    assert (budget.spent.usd, round(budget.spent.unsettled_usd, 5)) == (0, 0.04768)
    assert "without a reply" in budget.exhausted


def test_a_reply_that_costs_more_than_the_most_raises_it_for_the_next() -> None:
    budget = Budget(judge(max_usd=0.05, max_tokens=64), Spent())
    reserved = budget.reserve(488)
    assert reserved is not None
    budget.settle(reserved, 0.03)
    assert budget.reserve(488) is None  # it too may cost 0.03


def test_calls_are_limited_too_and_one_that_reached_nobody_is_none() -> None:
    budget = Budget(judge(max_calls=3), Spent(calls=2))
    reserved = budget.reserve(10)
    assert reserved is not None
    assert budget.reserve(10) is None
    budget.never_made(reserved)
    assert budget.reserve(10) is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"usd_per_m": None, "max_usd": 1}, "`max_usd` without `usd_per_m`"),
        ({"usd_per_m": {"in": 1}}, "usd_per_m.out"),
        ({"usd_per_m": {"in": -1, "out": 1}}, "usd_per_m.in"),
        ({"max_usd": float("nan")}, "max_usd"),
        ({"template": "judge $answer by $critera"}, "did you mean 'criteria'"),
        ({"template": "judge $answer"}, "lacks \\$criteria"),
        ({"template": "$answer $criteria costs $ 5"}, "write `\\$\\$`"),
        ({"key_env": "sk-SECRET1234"}, "key_env"),
        ({"modle": "m"}, "modle"),
    ],
)
def test_a_wrong_judge_is_named_and_its_values_are_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        judge(**options)
    assert "SECRET" not in str(error.value)


def test_the_hash_is_of_what_decides_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    first = judge()
    same = {"endpoint": "http://other/v1", "key_env": "K", "requests_per_s": 1, "attempts": 1, "max_usd": 5}
    assert judge(**same, usd_per_m={"in": 1, "out": 1}).hash == first.hash
    others = [
        {"model": "n"}, {"temperature": 1}, {"max_tokens": 9}, {"template": "$answer $criteria"}, {"answer_by": "tool"},
        {"criteria_per_call": 1}, {"extra_body": {"top_p": 0.5}}, {"any_case": True}, {"rationale": True},
    ]  # fmt: skip
    hashes = {judge(**options).hash for options in others}
    assert len(hashes | {first.hash}) == len(others) + 1
    assert len({first.hash_of("m-1"), first.hash_of("m-2"), first.hash_of(None)}) == 3


def test_endpoint_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    named = judge(endpoint="${env:CRITIC_URL}", key_env="CRITIC_KEY")
    for ask in (named.url, named.key):
        with pytest.raises(UsageError, match=r"CRITIC_.* is not set"):
            ask()
    monkeypatch.setenv("CRITIC_URL", "https://host/v1/chat/completions/")
    monkeypatch.setenv("CRITIC_KEY", " abc\n")
    assert (named.url(), named.key()) == ("https://host/v1", "abc")
    for wrong in ("ftp://host", "host/v1"):
        with pytest.raises(UsageError, match="expected http"):
            judge(endpoint=wrong).url()
