"""Multiple-choice questions: how they are read, answered by code length, and when the answers count."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnowry.core.errors import EmptySourceError, UsageError
from winnowry.evidence.comparison.questions import QuestionFile, answered, beats_chance, write_questions
from winnowry.evidence.comparison.text_sets import Question, read_questions
from winnowry.evidence.comparison.texts import TokenFile
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.comparison import Questions

RECORDS: list[dict[str, Any]] = [
    {"q": "2 + 2?", "options": ["3", "4", "5"], "a": "B"},
    {"q": "Sky?", "options": ["blue", "green"], "a": 0},
    {"q": "Sea?", "options": ["B", "A"], "a": "A"},  # a choice of that text comes before the letter
]
FIELDS = Questions(name="school", uri="school*", question="q", choices="options", answer="a")


def test_questions_are_read_from_lines_and_from_parquet(tmp_path: Path) -> None:
    (tmp_path / "school1.jsonl").write_text("\n".join(map(json.dumps, RECORDS)) + "\n\n")
    rows = [{**record, "a": str(record["a"]) if record["a"] != 0 else "A"} for record in RECORDS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "school2.parquet")
    found = list(read_questions(Workspace.open(str(tmp_path)), FIELDS))
    assert found[:3] == [
        Question("2 + 2?", ["3", "4", "5"], 1), Question("Sky?", ["blue", "green"], 0), Question("Sea?", ["B", "A"], 1)
    ]  # fmt: skip
    assert found[3:] == found[:3]
    assert found[0].documents() == ["2 + 2?\n3", "2 + 2?\n4", "2 + 2?\n5"]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"options": ["a", "b"], "a": 0}, "no question in field 'q' (it has options, a)"),
        ({"q": "?", "options": ["a"], "a": 0}, "'options' must be a list of two texts or more; it is ['a']"),
        ({"q": "?", "options": {"A": "a"}, "a": 0}, "'options' must be a list of two texts or more"),
        ({"q": "?", "options": ["a", "b"], "a": "C"}, "'a' is 'C', which is no letter, place or text of 2 choices"),
        ({"q": "?", "options": ["a", "b"], "a": 2}, "'a' is 2, which is no letter"),
        ({"q": "?", "options": ["a", "b"], "a": True}, "'a' is True, which is no letter"),
        ({"q": "?", "options": ["a", "b"]}, "'a' is None, which is no letter"),
        (["q"], "a list, expected an object with fields"),
    ],
)
def test_what_is_no_question_is_told_with_its_line(tmp_path: Path, record: Any, says: str) -> None:
    (tmp_path / "school.jsonl").write_text(json.dumps(RECORDS[0]) + "\n" + json.dumps(record))
    with pytest.raises(UsageError, match=re.escape("school.jsonl, line 2: ") + ".*" + re.escape(says)):
        list(read_questions(Workspace.open(str(tmp_path)), FIELDS))


def test_questions_are_no_text_files_and_there_must_be_some(tmp_path: Path) -> None:
    ws = Workspace.open(str(tmp_path))
    with pytest.raises(EmptySourceError, match="text set 'school': no object matches"):
        list(read_questions(ws, FIELDS))
    (tmp_path / "school.txt").write_text("?")
    with pytest.raises(UsageError, match=r"school.txt: questions 'school' are read from .jsonl"):
        list(read_questions(ws, FIELDS))


def test_the_shortest_code_is_the_answer_and_ties_share_it() -> None:
    asked = QuestionFile(TokenFile(Path("unread")), np.array([0, 3, 5, 7]), np.array([1, 3, 6]))
    bits = np.array([9.0, 4.0, 5.0, 2.0, 2.0, 1.0, 8.0])  # right; right or wrong; wrong
    assert answered(bits, asked) == pytest.approx((1 + 0.5 + 0) / 3)
    assert asked.chance == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)


def test_a_large_set_is_cut_by_whole_questions(tmp_path: Path) -> None:
    many = [Question(f"What is {number} and {number}?", ["one", "two", "three"], number % 3) for number in range(200)]
    whole = write_questions(tmp_path / "whole", many, 1_000_000)
    part = write_questions(tmp_path / "part", many, int(whole.tokens.offsets[-1]) // 4)
    assert (len(whole), len(part)) == (200, 50)
    assert len(part.tokens) == 150
    assert part.first.tolist() == list(range(0, 151, 3))
    places = np.unique(np.linspace(0, 199, 50).astype(int))
    assert (part.right - part.first[:-1]).tolist() == [place % 3 for place in places]


def test_beating_chance_needs_enough_questions() -> None:
    # By chance 25 of 100 are right, with a standard deviation of sqrt(100 / 4 * 3 / 4) = 4.33: 1.645 of them are 7.12.
    assert not beats_chance(0.32, 0.25, 100)
    assert beats_chance(0.33, 0.25, 100)
    assert not beats_chance(0.5, 0.5, 10_000)
