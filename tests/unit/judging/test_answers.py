"""What is a verdict and what is none: each line is one decision."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stand_in_judge import completion
from winnowry.judging.answers import read_answer
from winnowry.judging.calls import Question
from winnowry.judging.spec import Judge
from winnowry.records.rubrics import Criterion

QUALITY = Criterion(
    criterion_id="quality",
    text="How good is the answer?",
    tiers=[{"label": "bad", "score": 0}, {"label": "fair", "score": 0.5}, {"label": "good", "score": 1}],
)
TEN = Criterion(
    criterion_id="ten", text="Marks out of ten, please", tiers=[{"label": n, "score": n} for n in range(1, 11)]
)
TONE = Criterion(criterion_id="tone", text="Is the tone friendly?")
GOOD, BAD = '{"quality": "good"}', '{"quality": "bad"}'


def judge_of(**options: Any) -> Judge:
    return Judge(model="m", endpoint="http://localhost/v1", **options)


def read(reply: Any, *criteria: Criterion, **options: Any) -> list[str | None]:
    """Label, or the reason in brackets, for each criterion."""
    questions = [Question(criterion, "0" * 32) for criterion in criteria or (QUALITY,)]
    answer = read_answer(reply[2] if isinstance(reply, tuple) else reply, questions, judge_of(**options))
    return [v.tier if v.tier is not None else f"[{v.error}]" for v in answer.verdicts]


FORMS = [
    (GOOD, "good"),
    ('{"verdict": "good"}', "good"),
    ("good", "good"),
    (" good\n", "good"),
    ('"good"', "good"),
    ('{"quality": {"rationale": "it is bad {no}", "verdict": "good"}}', "good"),
    ('{"rationale": "not bad", "verdict": "good"}', "good"),
    ('[{"criterion_id": "quality", "verdict": "good"}]', "good"),
    ('{"verdicts": [{"id": "quality", "label": "good"}]}', "good"),
    ("```json\n" + GOOD + "\n```", "good"),
    ("```\ngood\n```", "good"),
    ("<think>perhaps " + BAD + "</think>\n" + GOOD, "good"),
    ("<thinking>bad</thinking>good", "good"),
    ("perhaps " + BAD + "</think>\n" + GOOD, "good"),  # templates that open the thinking themselves
    ("<think>x</think>```json\n" + GOOD + "\n```", "good"),
    ('{"quality": {"rationale": "says <think>", "verdict": "good"}}', "good"),
    ('{"quality": "good", "quality": "good"}', "good"),
    ('{"quality": "good", "other": "bad"}', "good"),
    ([{"type": "text", "text": GOOD}], "good"),
    ([{"type": "text", "text": '{"quality":'}, {"type": "text", "text": ' "good"}'}], "good"),
    ([{"type": "reasoning", "text": BAD}, {"type": "text", "text": GOOD}], "good"),
    ("<think>perhaps " + BAD + " but", "[open_thinking]"),
    ("<think>good", "[open_thinking]"),
    (BAD + "\nWait, on reflection:\n" + GOOD, "[two_verdicts]"),
    (GOOD + GOOD, "[two_verdicts]"),
    ("The answer is not good, it is bad.", "[unreadable]"),
    ("My verdict: " + GOOD, "[unreadable]"),
    (GOOD[:-2], "[unreadable]"),
    ("good bad", "[unreadable]"),
    ("good.", "[unreadable]"),
    ("```json\n" + GOOD, "[unreadable]"),
    ("not json at all", "[unreadable]"),
    ('{"quality": NaN}', "[unreadable]"),
    ("[" * 100_000, "[unreadable]"),
    (GOOD.replace("good", "GOOD"), "[unknown_label]"),
    ("GOOD", "[unreadable]"),
    (GOOD.replace("good", "excellent"), "[unknown_label]"),
    ('{"quality": ""}', "[unknown_label]"),
    ('{"quality": true}', "[unknown_label]"),
    ('{"quality": ["good", "bad"]}', "[contradicting]"),
    ('{"quality": "good", "quality": "bad"}', "[contradicting]"),
    ('{"quality": {"verdict": "good", "label": "bad"}}', "[contradicting]"),
    ('[{"id": "quality", "verdict": "good"}, {"id": "quality", "verdict": "bad"}]', "[contradicting]"),
    ('{"quality": null}', "[undecided]"),
    ("null", "[undecided]"),
    ("{}", "[missing]"),
    ("[]", "[missing]"),
    ('{"qualities": "good"}', "[missing]"),
    ("7", "[unknown_label]"),
    ("", "[no_content]"),
    (" \n", "[no_content]"),
    (None, "[no_content]"),
    ([], "[no_content]"),
    (17, "[no_content]"),
]


@pytest.mark.parametrize(("content", "expected"), FORMS)
def test_a_content_is_a_verdict_or_says_why_it_is_none(content: Any, expected: str) -> None:
    assert read(completion(content)) == [expected]


def test_labels_in_other_case_count_where_the_judge_declares_it_and_they_stay_apart() -> None:
    assert read(completion(GOOD.replace("good", "GOOD")), any_case=True) == ["good"]
    assert read(completion("Good"), any_case=True) == ["good"]
    tiers = [{"label": "a", "score": 0}, {"label": "A", "score": 1}]
    twins = Criterion(criterion_id="twins", text="small or capital letter", tiers=tiers)
    assert read(completion("A"), twins, any_case=True) == ["A"]


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", "good"), ("STOP", "good"), (None, "good"), ("end_turn", "good"),
        ("length", "[length]"), ("max_tokens", "[length]"), ("MAX_TOKENS", "[length]"),
        ("content_filter", "[content_filter]"), ("SAFETY", "[content_filter]"), ("refusal", "[refusal]"),
        ("error", "[interrupted]"), ("abort", "[interrupted]"), ("insufficient_system_resource", "[interrupted]"),
    ],
)  # fmt: skip
def test_why_an_answer_ended_is_part_of_it(finish: str | None, expected: str) -> None:
    assert read(completion(GOOD, finish)) == [expected]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (completion("10"), "10"),
        (completion('{"ten": 10}'), "10"),
        (completion('{"ten": "10"}'), "10"),
        (completion("1"), "1"),
        (completion('{"ten": 1.0}'), "[unknown_label]"),
        (completion('{"ten": "1', "length"), "[length]"),
        (completion("1", "length"), "[length]"),
        (completion("1", None), "[length]"),  # nothing says that no 0 was to follow
        (completion("1", "stop", (1000, 512)), "[length]"),  # as many tokens as it may have
        (completion('{"ten": "1"}', "stop", (1000, 512)), "1"),  # JSON says itself that it is whole
        (completion('{"ten": "1"}', None), "1"),
        (completion("2", None), "2"),
    ],
)
def test_a_one_is_never_the_beginning_of_a_ten(reply: Any, expected: str) -> None:
    assert read(reply, TEN) == [expected]


def call(arguments: Any, name: str = "verdict") -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([call(GOOD)], "good"),
        ([call('{"verdict": "good"}')], "good"),
        ([call({"quality": "good"})], "good"),
        ([call(GOOD[:-3])], "[unreadable]"),
        ([call(GOOD), call(BAD)], "[two_verdicts]"),
        ([call(GOOD, "search")], "[unreadable]"),
        ([None], "[unreadable]"),
        ([], "[no_content]"),
    ],
)
def test_a_call_of_a_tool_is_read_where_the_judge_asks_for_one(calls: Any, expected: str) -> None:
    reply = completion(None, "tool_calls", tool_calls=calls)
    assert read(reply, answer_by="tool") == [expected]
    assert read(reply) == ["[no_content]"]
    assert read(completion(GOOD), answer_by="tool") == ["good"]


@pytest.mark.parametrize(
    ("reply", "expected", "raw"),
    [
        (completion(None, refusal="I can't. It may be good."), "[refusal]", "I can't. It may be good."),
        (completion([{"type": "refusal", "refusal": "good"}]), "[refusal]", ""),
        (completion(None, reasoning_content="The tier is good."), "[no_content]", "The tier is good."),
        (completion("", reasoning="good"), "[no_content]", "good"),
        (completion("The answer is good"), "[unreadable]", "The answer is good"),
        ({"choices": []}, "[no_choices]", ""),
        ({"choices": None}, "[no_choices]", ""),
        ({}, "[no_choices]", ""),
        ({"choices": ["good"]}, "[no_choices]", ""),
        ({"choices": [{"finish_reason": "stop"}]}, "[no_content]", ""),
        ({"choices": [{"text": "good"}]}, "[no_content]", ""),
    ],
)
def test_what_stands_beside_the_content_is_no_verdict_and_is_kept(reply: Any, expected: str, raw: str) -> None:
    assert read(reply) == [expected]
    body = reply[2] if isinstance(reply, tuple) else reply
    assert read_answer(body, [Question(QUALITY, "0" * 32)], judge_of()).raw == raw


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"quality": "good", "tone": "yes"}, ["good", "yes"]),
        ({"tone": "yes", "quality": "good"}, ["good", "yes"]),
        ({"quality": "good"}, ["good", "[missing]"]),
        ({"quality": "good", "tone": "maybe"}, ["good", "[unknown_label]"]),
        ({"quality": "yes", "tone": "good"}, ["[unknown_label]", "[unknown_label]"]),
        ({"quality": "good", "tone": None}, ["good", "[undecided]"]),
        ({"verdict": "good"}, ["[missing]", "[missing]"]),
        ([{"id": "tone", "verdict": "yes"}, {"id": "quality", "verdict": "good"}], ["good", "yes"]),
        ([{"id": "tone", "verdict": "yes"}, {"id": "tone", "verdict": "no"}], ["[missing]", "[contradicting]"]),
        ([{"verdict": "good"}, {"verdict": "yes"}], ["[unreadable]", "[unreadable]"]),
        (["good", "yes"], ["[unreadable]", "[unreadable]"]),
        ("good", ["[unreadable]", "[unreadable]"]),
    ],
)
def test_several_criteria_are_told_apart_by_their_ids(content: Any, expected: list[str]) -> None:
    assert read(completion(json.dumps(content)), QUALITY, TONE) == expected


def test_reasons_are_kept_beside_the_verdict() -> None:
    reply = completion('{"quality": {"rationale": "clear", "verdict": "good"}}')[2]
    assert read_answer(reply, [Question(QUALITY, "0" * 32)], judge_of()).verdicts[0].rationale == "clear"
