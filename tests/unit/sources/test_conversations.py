"""Conversations, pairs, RL prompts and chains of thought as their sources write them."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.structured_rows import read, read_bytes, reasons, records, said
from winnowry.sources.base import Record, Unreadable

ASKED = {"role": "user", "content": "u1"}
GOOD, BAD = ({"role": "assistant", "content": text} for text in ("good", "bad"))


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("answer", "spelt"),
    [
        ('"2024-01-05"', "2024-01-05"),
        ('"2024-01-05T10:00:00Z"', "2024-01-05T10:00:00Z"),
        ('"007"', "007"),
        ("7", "7"),
        ("1.10", "1.10"),
        ("-0.0", "-0.0"),
        ("1E5", "1E5"),
        ("12345678901234567890", "12345678901234567890"),
        ('"1e5"', "1e5"),
        ("true", "true"),
        ('"true"', "true"),
        ('"NaN"', "NaN"),
        ("null", None),
        ('""', ""),
        ('["a","b"]', '["a","b"]'),
        ('{"x": 1}', '{"x":1}'),
        ('" 7 "', " 7 "),
        ('"None"', "None"),
    ],
)
def test_an_answer_is_text_as_it_is_spelt(answer: str, spelt: str | None) -> None:
    [record] = read("rl_prompts", [f'{{"prompt": "?", "answer": {answer}}}'])
    assert isinstance(record, Record)
    assert record.columns is not None
    assert record.columns["answer"] == spelt


def test_null_false_and_text_answers_are_told_apart_by_the_layout() -> None:
    rows = [{"prompt": "?", "answer": value} for value in (True, "true", None, 7, "7")] + [{"prompt": "?"}]
    layouts = [json.loads(str((record.columns or {})["layout"])) for record in records("rl_prompts", rows)]
    assert [layout.get("answer", layout.get("null")) for layout in layouts] == [
        "boolean", None, ["answer"], "number", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"messages": [{"role": "user", "content": "a"}], "n": NaN}', "bad_json"),
        ('{"messages": [{"role": "user", "content": "a"}], "n": 1e999}', "bad_json"),
        ('{"messages": [{"role": "user", "role": "tool", "content": "a"}]}', "duplicate_key"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "surrogate"),
        ('{"messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}', None),
        ('{"messages": [{"role": "user", "content": "a"}], "x": ' + "[" * 65 + "]" * 65 + "}", "too_deep"),
        ('{"messages": [{"role": "user", "content": "a"}], "x": ' + "[" * 60 + "]" * 60 + "}", None),
        ('{"messages": [{"role": "user", "content": "a"}], "x": ' + "[" * 9999 + "]" * 9999 + "}", "too_deep"),
        ('{"messages": []}', "no_turns"),
        ('{"messages": null}', "no_turns"),
        ('{"messages": "hello"}', "no_turns"),
        ('{"messages": "[{\\"role\\": \\"user\\", \\"content\\": \\"a\\"}]"}', None),
        ('{"text": "hello"}', "no_turns"),
        ('{"conversations": [{"from": "human", "value": "a"}]}', "mixed_profile"),
        ('{"instruction": "a", "output": "b"}', "mixed_profile"),
        ('{"messages": ["hello"]}', "bad_turn"),
        ('{"messages": [{"role": 5, "content": "a"}]}', "wrong_type"),
        ('{"messages": [{"role": "user", "content": 5}]}', "wrong_type"),
        ('{"messages": [{"role": "user", "content": {"text": "a"}}]}', "wrong_type"),
        ('{"messages": [{"role": "wizard", "content": "a"}]}', None),
        ('{"messages": [{"content": "a"}]}', None),
        ('["a"]', "not_an_object"),
        ('{"messages": [', "bad_json"),
    ],
)
def test_a_bad_line_has_its_reason_and_the_next_one_is_read(line: str, reason: str | None) -> None:
    items = read("conversations", [line, said("user: Hi", "assistant: Hello.")])
    assert len(items) == 2
    assert (items[0].reason if isinstance(items[0], Unreadable) else None) == reason
    assert isinstance(items[1], Record)


def test_bytes_that_are_no_text_cost_their_line_only() -> None:
    good = json.dumps(said("user: Hi", "assistant: Hello.")).encode() + b"\n"
    items = read_bytes("conversations", b'{"messages": "\xff"}\n' + good)
    assert isinstance(items[0], Unreadable)
    assert items[0].reason == "bad_utf8"
    assert isinstance(items[1], Record)


PROFILES: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, str | None]]]] = {
    "sharegpt": (
        {"profile": "sharegpt"},
        {
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
            "system": "s",
        },
        [("system", "s"), ("user", "q"), ("assistant", "a")],
    ),
    "alpaca": (
        {"profile": "alpaca"},
        {"instruction": "i", "input": "k", "output": "o", "history": [["q", "a"]]},
        [("user", "q"), ("assistant", "a"), ("user", "i\nk"), ("assistant", "o")],
    ),
    "alpaca without input": (
        {"profile": "alpaca"},
        {"instruction": "i", "input": "", "output": "o", "system": "s"},
        [("system", "s"), ("user", "i"), ("assistant", "o")],
    ),
    "prompt and response": (
        {"profile": "prompt_response", "paths": {"response": "completion"}},
        {"prompt": "p", "completion": "c"},
        [("user", "p"), ("assistant", "c")],
    ),
    "paths": (
        {"paths": {"turns": "$.doc.chat", "role": "speaker", "content": "said"}},
        {"doc": {"chat": [{"speaker": "human", "said": "q"}, {"speaker": "bot", "said": "a"}]}},
        [("user", "q"), ("assistant", "a")],
    ),
}


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_lead_to_the_same_turns(name: str) -> None:
    options, row, expected = PROFILES[name]
    [record] = records("conversations", [{**row, "id": "x"}], **options)
    assert record.columns is not None
    turns: Any = record.columns["turns"]
    assert [(one["role"], one["text"]) for one in turns] == expected
    assert record.data == {"id": "x"} | ({"doc": {}} if "doc" in row else {})
    assert record.text == "\n\n".join(text for _, text in expected if text)


def test_an_unknown_part_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match="no part 'awnser' in records of rl_prompts; did you mean answer"):
        records("rl_prompts", [], paths={"awnser": "a"})


# ------------------------------------------------------------------------------------------------------------ Parquet


def test_in_structs_of_parquet_null_is_absent_and_the_records_are_those_of_json() -> None:
    def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}

    rows: list[dict[str, Any]] = [
        {
            "id": "weather",
            "messages": [
                turn("user", "Oslo?"),
                {"role": "assistant", "content": None, "tool_calls": [call("weather", {"city": "Oslo"})]},
                {"role": "tool", "content": "22 C", "tool_call_id": "c1"},
                turn("assistant", "22 C."),
            ],
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"required": ["city"]}}}],
        },
        {
            "id": "file",
            "messages": [
                turn("user", "Read it"),
                {"role": "assistant", "content": "", "tool_calls": [call("read", {"path": "/a", "limit": 5})]},
                {"role": "tool", "content": "x", "tool_call_id": "c1"},
                turn("assistant", "x"),
            ],
            "tools": [{"type": "function", "function": {"name": "read", "parameters": {"properties": {"path": 1}}}}],
        },
        {"id": "plain", "messages": [turn("user", "Hi"), turn("assistant", "Hello.")], "tools": None},
    ]
    stored = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stored)
    from_parquet = read_bytes("conversations", stored.getvalue())
    del rows[2]["tools"]
    from_json = records("conversations", rows)
    for mine, theirs in zip(from_parquet, from_json, strict=True):
        assert isinstance(mine, Record)
        columns, others = dict(mine.columns or {}), dict(theirs.columns or {})
        assert columns.pop("layout") is not None
        others.pop("layout")
        assert columns == others
    assert isinstance(from_parquet[0], Record)
    turns: Any = (from_parquet[0].columns or {})["turns"]
    assert turns[1]["calls"][0]["arguments"] == '{"city": "Oslo"}'
    assert turns[0]["calls"] is None


def test_calls_that_are_json_text_are_calls() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {"k": 1}}}]
    row = {"messages": [turn("user", "?"), {"role": "assistant", "tool_calls": json.dumps(calls)}]}
    [record] = records("conversations", [row])
    turns: Any = (record.columns or {})["turns"]
    assert [(call["id"], call["name"], call["arguments"]) for call in turns[1]["calls"]] == [("c", "f", '{"k": 1}')]
    [other] = records("conversations", [{"messages": [{"role": "assistant", "tool_calls": "soon"}]}])
    others: Any = (other.columns or {})["turns"]
    assert (others[0]["calls"], others[0]["extra"]) == (None, '{"tool_calls":"soon"}')


# -------------------------------------------------------------------------------------------------------------- pairs

U2 = turn("user", "u2")
SHARED = [ASKED, turn("assistant", "a1")]
PAIRS: dict[str, tuple[dict[str, Any], Any]] = {
    "the last answer differs": (
        {"chosen": [*SHARED, U2, GOOD], "rejected": [*SHARED, U2, BAD]},
        (["u1", "a1", "u2"], ["good"], ["bad"]),
    ),
    "they part early": (
        {"chosen": [*SHARED, U2, turn("assistant", "a2")], "rejected": [ASKED, turn("assistant", "b1"), U2, BAD]},
        (["u1"], ["a1", "u2", "a2"], ["b1", "u2", "bad"]),
    ),
    "one side is the beginning of the other": ({"chosen": SHARED, "rejected": [*SHARED, U2, BAD]}, "no_completion"),
    "the same the other way round": ({"rejected": SHARED, "chosen": [*SHARED, U2, BAD]}, "no_completion"),
    "users differ": (
        {"chosen": [*SHARED, turn("user", "red?"), GOOD], "rejected": [*SHARED, turn("user", "blue?"), BAD]},
        "prompts_differ",
    ),
    "one side ends where the prompt ends": ({"prompt": [ASKED], "chosen": [], "rejected": [BAD]}, "no_turns"),
    "equal sides": ({"chosen": [ASKED, GOOD], "rejected": [ASKED, GOOD]}, (["u1"], ["good"], ["good"])),
    "nothing in common": ({"chosen": [GOOD], "rejected": [BAD]}, "no_prompt"),
    "marks of hh-rlhf": (
        {
            "chosen": "\n\nHuman: why?\n\nAssistant: I think so.",
            "rejected": "\n\nHuman: why?\n\nAssistant: I thank you.",
        },
        (["why?"], ["I think so."], ["I thank you."]),
    ),
    "two texts": ({"chosen": "The sky is blue", "rejected": "The sky is blue and vast"}, "no_prompt"),
    "the prompt is repeated": (
        {"prompt": [ASKED], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        (["u1"], ["good"], ["bad"]),
    ),
    "texts with a prompt": ({"prompt": "p", "chosen": "c", "rejected": "r"}, (["p"], ["c"], ["r"])),
    "turns of LLaMA-Factory": (
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "c"},
            "rejected": {"from": "gpt", "value": "r"},
        },
        (["q"], ["c"], ["r"]),
    ),
    "no rejected": ({"prompt": "p", "chosen": "c"}, "missing_field"),
    "numbers": ({"prompt": "p", "chosen": 1, "rejected": 2}, "wrong_type"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_prompt_ends_between_turns_and_leaves_an_answer_on_both_sides(name: str) -> None:
    row, expected = PAIRS[name]
    if isinstance(expected, str):
        assert reasons("preferences", [row]) == [expected]
        return
    [record] = records("preferences", [row])
    columns: Any = record.columns
    parts = tuple([one["text"] for one in columns[part]] for part in ("prompt", "chosen", "rejected"))
    assert parts == expected


@pytest.mark.parametrize(
    ("chosen", "rejected", "margin"),
    [
        (8.0, 6.0, 2.0),
        (5, 7, -2.0),
        (6.0, 6.0, 0.0),
        (None, 7.0, None),
        ("7.0", "N/A", None),
        ("10", "9", None),
        (True, 0, None),
        ({"a": 1, "b": 2}, {"a": 4, "b": 3}, -2.0),
        ({"a": 1, "b": None}, {"a": 4, "b": 3}, None),
        ([1, 2], [1], 0.5),
    ],
)
def test_a_margin_is_of_numbers_only(chosen: Any, rejected: Any, margin: float | None) -> None:
    row = {"prompt": "p", "chosen": "c", "rejected": "r", "sc": chosen, "sr": rejected}
    [record] = records("preferences", [row], paths={"margin": "sc - sr"})
    assert (record.columns or {})["margin"] == margin


# ----------------------------------------------------------------------------------------------------------- rollouts


def test_rollouts_in_rows_of_their_own_are_gathered_wherever_they_stand() -> None:
    def rollout(prompt: str, number: int) -> dict[str, Any]:
        return {"pid": prompt, "rid": f"{prompt}{number}", "text": f"t{number}", "reward": number, "q": prompt.upper()}

    rows: list[Any] = [rollout("a", 0), rollout("b", 0), "no json", rollout("a", 1), {"text": "x"}, rollout("b", 1)]
    items = read("rl_prompts", rows, rollouts_by="pid", paths={"prompt": "q"})
    assert [item.position for item in items] == [0, 1, 2, 4]
    assert [item.reason for item in items if isinstance(item, Unreadable)] == ["bad_json", "missing_field"]
    first = items[0]
    assert isinstance(first, Record)
    columns: Any = first.columns
    assert first.text == "A"
    assert [(one["text"], one["reward"]) for one in columns["rollouts"]] == [("t0", 0.0), ("t1", 1.0)]
    assert json.loads(columns["layout"])["rollouts"] == [{"rid": "a0"}, {"rid": "a1"}]


def test_rollouts_of_one_prompt_that_state_two_are_refused() -> None:
    rows = [{"pid": 1, "prompt": "a", "text": "x", "reward": 1}, {"pid": 1, "prompt": "b", "text": "x", "reward": 1}]
    assert reasons("rl_prompts", rows, rollouts_by="pid") == ["prompts_differ"]


@pytest.mark.parametrize(
    ("rollouts", "reason"),
    [
        (["a"], None),
        ([{"text": "a", "reward": True}], None),
        ([{"text": "a", "reward": "1"}], "bad_rollout"),
        ([{"text": 5}], "bad_rollout"),
        ([7], "bad_rollout"),
        ("a", "bad_rollout"),
    ],
)
def test_rollouts_of_wrong_types_are_refused(rollouts: Any, reason: str | None) -> None:
    assert reasons("rl_prompts", [{"prompt": "p", "rollouts": rollouts}]) == [reason]


def test_a_row_of_verl_is_read_by_paths() -> None:
    row = {
        "data_source": "gsm8k",
        "prompt": [ASKED],
        "reward_model": {"style": "rule", "ground_truth": "72"},
        "extra_info": {"split": "train", "index": 0},
    }
    paths = {"answer": "reward_model.ground_truth", "verifier": "reward_model.style"}
    [record] = records("rl_prompts", [row], paths=paths)
    columns: Any = record.columns
    assert (columns["answer"], columns["verifier"], columns["n_prompts"]) == ("72", "rule", 1)
    assert record.data["extra_info"] == {"split": "train", "index": 0}


# ---------------------------------------------------------------------------------------------------------- reasoning


@pytest.mark.parametrize(
    ("row", "steps"),
    [
        ({"solution": "a\n\n b \n#### 1"}, ["a", " b ", "#### 1"]),
        ({"solution": "<think>one\ntwo</think>It is 2."}, ["one", "two"]),
        ({"steps": ["x", "y"]}, ["x", "y"]),
        ({"steps": [{"text": "x", "label": 1}], "solution": "x"}, ["x"]),
        ({"steps": ["x"], "labels": [True]}, ["x"]),
    ],
)
def test_steps_are_lines_or_what_the_source_lists(row: dict[str, Any], steps: list[str]) -> None:
    [record] = records("reasoning", [{"prompt": "p", **row}])
    made: Any = (record.columns or {})["steps"]
    assert [step["text"] for step in made] == steps
    for step in made:
        assert step["start"] is None or row["solution"][step["start"] : step["end"]] == step["text"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "p"}, "missing_field"),
        ({"solution": "s"}, "missing_field"),
        ({"prompt": "p", "solution": ["s"]}, "wrong_type"),
        ({"prompt": "p", "steps": ["x"], "labels": [1, 2]}, "bad_step"),
        ({"prompt": "p", "steps": [5]}, "bad_step"),
        ({"prompt": "p", "solution": "s", "verified": "yes"}, "wrong_type"),
    ],
)
def test_a_row_that_is_no_chain_of_thought_has_its_reason(row: dict[str, Any], reason: str) -> None:
    assert reasons("reasoning", [row]) == [reason]
