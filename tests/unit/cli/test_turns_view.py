"""Turns and steps as lines: who speaks, what is said, and what a check says of it."""

from __future__ import annotations

from winnowry.cli.turns_view import lines_of, marks_in
from winnowry.records.conversations import turn

CALL = {"id": None, "name": "f", "arguments": "{}", "was_text": True, "extra": None}


def test_the_failing_turn_is_marked_and_calls_are_folded() -> None:
    marks = marks_in([{"columns": {"chat_empty_turn": "turn 1", "chat_refusal": "none"}, "value": "turn 0"}])
    shown = lines_of([turn("user", "Hi\nthere"), turn("assistant", ""), turn("assistant", None, calls=[CALL])], marks)
    assert shown is not None
    assert shown.plain.split("\n") == [
        "user  Hi⏎there",
        "assistant  (nothing)  ← chat_empty_turn: turn 1",
        "assistant  → f({})",
    ]


def test_the_failing_step_is_counted_from_one() -> None:
    steps = [{"text": text, "start": None, "end": None, "label": None} for text in ("2*2=4", "3*3=8")]
    shown = lines_of(steps, marks_in([{"cot_wrong_step": "step 2: written 8, computed 9"}]))
    assert shown is not None
    assert shown.plain == "1  2*2=4\n2  3*3=8  ← cot_wrong_step: step 2: written 8, computed 9"


def test_of_a_long_conversation_the_first_turns_and_the_marked_one_are_shown() -> None:
    shown = lines_of([turn("user", str(n)) for n in range(90)], marks_in([{"chat_unknown_role": "turn 80: role 'x'"}]))
    assert shown is not None
    lines = shown.plain.split("\n")
    assert len(lines) == 42
    assert lines[40].startswith("user  80  ←")
    assert lines[41] == "… 90 in all"


def test_other_values_are_no_turns() -> None:
    marks = marks_in([])
    assert [lines_of(value, marks) for value in ([], None, "a", [1], [{"k": 1}])] == [None] * 5
