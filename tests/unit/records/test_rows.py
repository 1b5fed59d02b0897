"""Rows become columns and rows again: equal, through Arrow, with null and absent told apart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.structured_rows import records
from winnowry.records.kinds import kind_named
from winnowry.records.rows import Losses, messages_row, preference_row, sharegpt_row

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**20) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
CALL = st.one_of(
    st.fixed_dictionaries(
        {
            "function": st.fixed_dictionaries(
                {"name": WORDS}, optional={"arguments": WORDS | st.dictionaries(WORDS, JSON)}
            )
        },
        optional={"id": WORDS | st.none(), "type": st.just("function"), "index": st.integers(0, 3)},
    ),
    st.fixed_dictionaries({"name": WORDS, "arguments": st.dictionaries(WORDS, JSON)}, optional={"id": WORDS}),
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": WORDS})
    | st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": WORDS})}),
    max_size=3,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "wizard"]) | WORDS},
    optional={
        "content": st.none() | WORDS | PARTS,
        "tool_calls": st.none() | st.lists(CALL, max_size=3) | JSON,
        "tool_call_id": st.none() | WORDS,
        "name": st.none() | WORDS | st.integers(),
        "reasoning_content": st.none() | WORDS,
        "thinking": WORDS,
        "weight": st.none() | st.sampled_from([0, 1, 0.5]) | WORDS,
        "train": st.booleans(),
        "custom": JSON,
    },
)
SHAREGPT = st.fixed_dictionaries(
    {"from": st.sampled_from(["human", "gpt", "system", "observation", "chatgpt"]), "value": WORDS},
    optional={"weight": st.sampled_from([0, 1]), "markdown": JSON},
)
SIDE = st.lists(st.fixed_dictionaries({"role": st.just("assistant"), "content": WORDS}), min_size=1, max_size=2)


def through_arrow(name: str, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The columns of a row, as a table gives them back."""
    [record] = records(name, [row], **options)
    kinds = {"conversations": "conversation", "preferences": "preference"}
    schema = pa.schema(list(kind_named(kinds[name]).columns))
    columns: dict[str, Any] = pa.RecordBatch.from_pylist([dict(record.columns or {})], schema=schema).to_pylist()[0]
    return columns


@given(
    messages=st.lists(MESSAGE, min_size=1, max_size=4),
    more=st.fixed_dictionaries({}, optional={"id": WORDS, "tools": st.none() | WORDS | st.lists(JSON), "meta": JSON}),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_messages_become_columns_and_messages_again(messages: list[dict[str, Any]], more: dict[str, Any]) -> None:
    row = {**more, "messages": messages}
    assert messages_row(through_arrow("conversations", row), Counter()) == row


@given(
    turns=st.lists(SHAREGPT, min_size=1, max_size=4),
    more=st.fixed_dictionaries({}, optional={"id": WORDS, "system": WORDS, "tools": WORDS, "images": st.lists(WORDS)}),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sharegpt_becomes_columns_and_sharegpt_again(turns: list[dict[str, Any]], more: dict[str, Any]) -> None:
    row = {**more, "conversations": turns}
    losses: Losses = Counter()
    assert sharegpt_row(through_arrow("conversations", row, profile="sharegpt"), losses) == row
    assert not +losses


@given(
    turns=st.lists(WORDS, min_size=2, max_size=5),
    system=st.none() | WORDS.filter(bool),
)
@settings(max_examples=25, deadline=None)
def test_plain_messages_go_through_sharegpt_and_come_back(turns: list[str], system: str | None) -> None:
    messages = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(turns)]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    losses: Losses = Counter()
    there = sharegpt_row(through_arrow("conversations", {"messages": messages}), losses)
    back = messages_row(through_arrow("conversations", there, profile="sharegpt"), losses)
    assert back["messages"] == messages
    assert not +losses


@given(prompt=WORDS | SIDE, chosen=WORDS | SIDE, rejected=WORDS | SIDE, more=st.dictionaries(st.just("score"), JSON))
@settings(max_examples=25, deadline=None)
def test_pairs_become_columns_and_pairs_again(prompt: Any, chosen: Any, rejected: Any, more: dict[str, Any]) -> None:
    row = {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}
    assert preference_row(through_arrow("preferences", row), Counter()) == row


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": "\n\nHuman: why?\n\nAssistant: So.", "rejected": "\n\nHuman: why?\n\nAssistant:"},
        {
            "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}],
        },
        {
            "prompt": [{"role": "user", "content": "q"}],
            "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
            "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}],
        },
        {"system": "s", "prompt": "q", "chosen": "a", "rejected": "b", "margin": 2},
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "a"},
            "rejected": {"from": "gpt", "value": "b"},
        },
    ],
)
def test_pairs_in_other_forms_are_written_as_they_came(row: dict[str, Any]) -> None:
    assert preference_row(through_arrow("preferences", row), Counter()) == row


def test_what_sharegpt_cannot_say_is_counted_and_results_follow_their_calls() -> None:
    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": '{"k": 1}'}} for name in ("one", "two")
    ]
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "?"}]},
            {"role": "assistant", "content": "Let me see.", "tool_calls": calls},
            {"role": "tool", "content": "2", "tool_call_id": "two"},
            {"role": "tool", "content": "1", "tool_call_id": "one"},
            {"role": "assistant", "content": "Done", "reasoning_content": "sum"},
        ]
    }
    losses: Losses = Counter()
    written = sharegpt_row(through_arrow("conversations", row), losses)
    assert [(one["from"], one["value"]) for one in written["conversations"]] == [
        ("human", "?"),
        ("gpt", "Let me see."),
        ("function_call", '[{"name": "one", "arguments": {"k": 1}}, {"name": "two", "arguments": {"k": 1}}]'),
        ("observation", "1"),
        ("observation", "2"),
        ("gpt", "<think>\nsum\n</think>\n\nDone"),
    ]
    assert dict(+losses) == {
        "contents in parts, of which the text is left": 1,
        "ids of calls": 4,
        "texts beside a call, which became a turn": 1,
    }


def test_alpaca_becomes_messages() -> None:
    row = {"instruction": "i", "input": "k", "output": "o", "id": 1}
    written = messages_row(through_arrow("conversations", row, profile="alpaca"), Counter())
    assert written == {
        "id": 1,
        "messages": [{"role": "user", "content": "i\nk"}, {"role": "assistant", "content": "o"}],
    }
