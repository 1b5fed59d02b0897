"""Turns of a conversation on the page of a release."""

from __future__ import annotations

import pyarrow as pa

from winnowry.records.conversations import TURNS, turn
from winnowry.releases.facts.examples import masked
from winnowry.releases.facts.turns import turn_columns, turns_of


def test_columns_of_turns_are_told_by_their_type() -> None:
    schema = pa.schema([("text", pa.string()), ("prompt", TURNS), ("n", pa.int64()), ("chosen", TURNS)])
    assert turn_columns(schema) == ["prompt", "chosen"]


def test_turns_are_cut_counted_and_masked_and_calls_are_shown() -> None:
    call = {"id": "1", "name": "mail", "arguments": '{"to": "jane.doe@company.org"}', "was_text": True, "extra": None}
    turns = [
        turn("user", "Write to jane.doe@company.org"),
        turn("assistant", None, calls=[call]),
        turn(None, "x" * 700, role_raw="critic"),
        *[turn("user", "again")] * 7,
    ]
    row = {"prompt": turns, "chosen": turns[:1], "rejected": None}
    (shown, answer) = turns_of(row, ["prompt", "chosen", "rejected"], masked)
    assert (shown["column"], len(shown["turns"]), shown["more"]) == ("prompt", 8, 2)
    first, second, third = shown["turns"][:3]
    assert first == {"role": "user", "text": "Write to <EMAIL>", "cut": False, "calls": []}
    assert (second["text"], second["calls"]) == (None, ['mail({"to": "<EMAIL>"})'])
    assert (third["role"], len(third["text"]), third["cut"]) == ("critic", 600, True)
    assert (answer["column"], answer["more"]) == ("chosen", 0)
