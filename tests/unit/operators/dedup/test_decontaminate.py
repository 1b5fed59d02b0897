"""What was copied from evaluation sets, in spans counted by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import ValidationError

from tests.unit.operators.dedup.folding import ngrams, words
from winnowry.core.errors import ContractError
from winnowry.operators.dedup.decontaminate import Decontaminate

QUESTION = "If a train leaves at 7 and another one at 9, when does the second overtake the first train?"  # 19 words
SHORT = "How many apples does Ann have left now?"  # 8 words
ANSWER = "after exactly four hours"  # 4 words


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    records = [
        {"id": "q1", "question": QUESTION, "solution": {"text": ANSWER}},
        {"id": "q2", "question": SHORT, "solution": {"text": "12"}},
    ]
    path = tmp_path / "quiz.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def operator(path: Path, **more: Any) -> Decontaminate:
    given = {"name": "quiz", "path": str(path), "fields": ["question"], "answers": ["solution.text"]}
    return Decontaminate.model_validate({"sets": [given], **more})


def found(op: Decontaminate, *texts: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = op.apply(pa.record_batch({"text": pa.array(texts, pa.large_string())})).to_pylist()
    return [{name.removeprefix("contamination_"): value for name, value in row.items()} for row in rows]


def test_thirteen_words_in_a_row_are_found_with_their_span_whatever_their_case_and_punctuation(quiz: Path) -> None:
    inside = " ".join(QUESTION.split()[2:15]).upper().replace(" ", " -\n")  # 13 of the 19 words
    text = f"Ünrelated… {inside} whatever"
    (row,) = found(operator(quiz), text)
    assert (row["matches"], row["set"], row["kind"]) == (1, "quiz", "ngram")
    assert text[row["start"] : row["end"]] == inside.rstrip("?")


def test_overlapping_runs_make_one_stretch(quiz: Path) -> None:
    (row,) = found(operator(quiz), f"See: {QUESTION} Answer below.")
    assert row["matches"] == 19 - 13 + 1
    assert (row["start"], row["end"]) == (5, 5 + len(QUESTION) - 1)  # without the question mark


def test_twelve_of_thirteen_words_are_not_enough(quiz: Path) -> None:
    assert found(operator(quiz), " ".join(QUESTION.split()[:12]))[0] == dict.fromkeys(
        ("set", "kind", "start", "end"), None
    ) | {"matches": 0}


def test_a_changed_number_is_another_text(quiz: Path) -> None:
    assert found(operator(quiz), QUESTION.replace("7", "8").replace("9", "6"))[0]["matches"] == 0


def test_a_short_text_is_found_as_a_whole_and_only_then(quiz: Path) -> None:
    whole, part = found(operator(quiz), f"{SHORT} Two.", SHORT.replace(" now", ""))
    assert (whole["matches"], whole["start"], whole["end"]) == (1, 0, len(SHORT) - 1)
    assert part["matches"] == 0
    assert found(operator(quiz, min_words=9), SHORT)[0]["matches"] == 0


def test_an_answer_is_found_as_a_whole_and_said_to_be_one(quiz: Path) -> None:
    (row,) = found(operator(quiz), f"It does so {ANSWER}.")
    assert (row["kind"], row["start"], row["end"]) == ("answer", 11, 11 + len(ANSWER))
    assert found(operator(quiz), "12")[0]["matches"] == 0  # too short to mean anything
    assert found(operator(quiz, min_answer_words=1), "It is 12.")[0]["kind"] == "answer"


def test_the_longest_stretch_is_reported_of_several_sets(quiz: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("one two three four five six seven eight nine ten\n")
    op = Decontaminate.model_validate(
        {"sets": [{"name": "other", "path": str(other)}, {"name": "quiz", "path": str(quiz), "fields": ["question"]}]}
    )
    (row,) = found(op, f"One two three four five six seven eight nine ten. {QUESTION}")
    assert (row["set"], row["matches"]) == ("quiz", 1 + 7)


def test_chinese_is_matched_by_characters(tmp_path: Path) -> None:
    path = tmp_path / "zh.jsonl"
    path.write_text(
        json.dumps({"question": "根据消费函数，随着收入增长，消费将"}, ensure_ascii=False), encoding="utf-8"
    )
    op = Decontaminate.model_validate({"sets": [{"name": "zh", "path": str(path)}]})
    (row,) = found(op, "问：根据消费函数 随着收入增长 消费将如何")
    assert (row["matches"], row["start"], row["end"]) == (15 - 13 + 1, 2, 19)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".txt", ".txt.zst"])
def test_every_format_gives_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"set{suffix}"
    body = (f"{QUESTION}\n" if ".txt" in suffix else json.dumps({"a": {"b": [QUESTION]}}) + "\n").encode()
    if suffix == ".parquet":
        pq.write_table(pa.table({"a": [{"b": [QUESTION]}]}), path)
    elif suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(body))
    elif suffix.endswith(".zst"):
        path.write_bytes(zstandard.ZstdCompressor().compress(body))
    else:
        path.write_bytes(body)
    op = Decontaminate.model_validate({"sets": [{"name": "s", "path": str(path)}]})
    assert found(op, QUESTION)[0]["matches"] == 7


def test_the_rule_rejects_a_match_and_keeps_the_rest(quiz: Path) -> None:
    op = operator(quiz)
    (rule,) = op.rules()
    batch = op.apply(pa.record_batch({"text": pa.array([QUESTION, "clean", None], pa.large_string())}))
    assert rule.keeps(batch[rule.column]).to_pylist() == [False, True, True]
    assert operator(quiz, max_matches=None).rules() == ()


def test_what_the_set_contains_is_part_of_the_fingerprint(quiz: Path) -> None:
    before = operator(quiz)
    assert before.fingerprint()["contents"] == {"quiz": hashlib.sha256(quiz.read_bytes()).hexdigest()}
    quiz.write_text(quiz.read_text().replace("apples", "pears"))
    os.utime(quiz, ns=(1, 1))  # the size of the file has changed too
    assert operator(quiz).fingerprint()["contents"] != before.fingerprint()["contents"]


def test_a_set_that_is_replaced_during_a_run_stops_it_instead_of_rejecting_rows(quiz: Path) -> None:
    op: Decontaminate = pickle.loads(pickle.dumps(operator(quiz)))
    quiz.write_text(json.dumps({"question": "Another one altogether?", "solution": {"text": ""}}))
    with pytest.raises(ContractError, match="is not the file of the recipe"):
        found(op, "x")


def test_a_stored_specification_is_read_back_when_its_file_is_gone(quiz: Path) -> None:
    stored = {key: value for key, value in operator(quiz).fingerprint().items() if key != "version"}
    quiz.unlink()
    again = Decontaminate.model_validate(stored)
    assert again.fingerprint() == stored | {"version": 1}
    with pytest.raises(ContractError, match="no file"):
        found(again, "x")


def test_a_broken_set_stops_the_run_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"question": "fine"}\n{"question": \n')
    with pytest.raises(ContractError, match=r"bad\.jsonl, line 2: not JSON"):
        found(Decontaminate.model_validate({"sets": [{"name": "bad", "path": str(path)}]}), "x")
    path.write_text('{"question": "fine"}\n')
    lacking = Decontaminate.model_validate({"sets": [{"name": "bad", "path": str(path), "fields": ["answer"]}]})
    with pytest.raises(ContractError, match="no field 'answer'"):
        found(lacking, "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sets": [{"name": "x", "path": "/nowhere/x.jsonl"}]}, "no file /nowhere/x.jsonl"),
        ({"sets": [{"name": "x", "path": __file__}]}, "none of .jsonl, .parquet, .txt"),
        ({"ngram": 5}, "must not exceed"),
        ({"contents": {"other": "0" * 64}}, "no evaluation set by 'other'"),
    ],
)
def test_a_mistake_in_the_recipe_is_named(quiz: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        operator(quiz, **change)


def test_matches_are_those_of_sets_of_ngrams_on_real_questions(real_data: Path) -> None:
    """Every sentence of TAT-QA's first contexts, whole, cut short and shuffled, against sets of tuples."""
    path = real_data / "eval_qa" / "tatqa_dev_test.jsonl.zst"
    given = {"name": "tatqa", "path": str(path), "fields": ["paragraphs.text"]}
    op = Decontaminate.model_validate({"sets": [given], "min_words": 13})
    paragraphs = [text for _, text in op.sets[0].texts()]
    known: set[tuple[str, ...]] = set()
    for text in paragraphs:
        if len(spelled := words(text, one_number=False)) >= 13:
            known |= ngrams(spelled, 13)
    asked = [piece for text in paragraphs[:150] for piece in (text, text[40:160], " ".join(text.split()[::-1]))]
    expected = []
    for text in asked:
        spelled = words(text, one_number=False)
        runs = [tuple(spelled[i : i + 13]) for i in range(len(spelled) - 12)]
        expected.append(sum(run in known for run in runs))
    assert [row["matches"] for row in found(op, *asked)] == expected
    assert sum(n > 0 for n in expected) > 150
    assert sum(n == 0 for n in expected) > 100
