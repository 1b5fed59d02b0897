"""Banks of rubrics: every form of file that is read, and what of it is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import UsageError
from winnowry.records.rubrics import read_rubric, rubric_of_rows
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.rubrics import Profile, Rubrics

OWN = """\
rubric_id: manners
version: 3
criteria:
  - criterion_id: kind
    text: Is the answer kind?
    tiers: [{label: no, score: 0}, {label: so, score: 1}, {label: yes, score: 3}]
  - {criterion_id: terse, program: words, params: {most: 9}, weight: 2, veto: true, license: CC-BY-4.0}
interactions: [{a: kind, b: terse, kind: synergy, strength: 0.5}]
"""
VERIFIERS = (
    '[[criteria]]\nname = "kind"\ntext = "Is the answer kind?"\nweight = 2\nchoices = ["rude", "plain", "kind"]\n'
)
HALVES = ("1-2", "3-4", "5-6", "7-8", "9-10")
WRITING = {
    "index": 7,
    "domain1": "Law",
    "checklist": [{"name": "Form", "criteria_description": "Is the form right?", **dict.fromkeys(HALVES, "so")}],
}
BIGGEN = {
    "id": "plan_0",
    "capability": "planning",
    "score_rubric": {"criteria": "Does the plan hold?", **{f"score{n}_description": f"d{n}" for n in range(1, 6)}},
}
WRONG_DRUG = {"criterion": "Names a wrong drug", "points": -9, "tags": []}
HEALTH = {
    "prompt_id": "p1",
    "rubrics": [{"criterion": "Names the dose", "points": 7, "tags": ["level:example", "axis:accuracy"]}, WRONG_DRUG],
}


def read(body: str | bytes | dict[str, Any], profile: Profile = "rubric", **options: Any) -> list[Record | Unreadable]:
    if isinstance(body, dict):
        body = json.dumps(body)
    stream = io.BytesIO(body.encode() if isinstance(body, str) else body)
    return list(Rubrics(profile=profile, **options).read(stream, "landing/bank.yaml", ReadLimits()))


def columns(body: str | dict[str, Any], profile: Profile = "rubric", **options: Any) -> list[dict[str, Any]]:
    items = read(body, profile, **options)
    assert [item.position for item in items] == list(range(len(items)))
    made = [dict(item.columns or {}) for item in items if isinstance(item, Record)]
    assert len(made) == len(items), items
    return made


def test_every_criterion_of_a_rubric_is_a_record() -> None:
    kind, terse = columns(OWN)
    assert (kind["rubric_id"], kind["rubric_version"], kind["scope"], kind["group"]) == (
        "manners",
        3,
        "dataset",
        "manners",
    )
    assert [(tier["label"], tier["score"]) for tier in kind["tiers"]] == [("no", 0.0), ("so", 1.0), ("yes", 3.0)]
    assert json.loads(kind["interactions"]) == [{"a": "kind", "b": "terse", "kind": "synergy", "strength": 0.5}]
    assert (terse["program"], json.loads(terse["params"]), terse["tiers"], terse["veto"]) == (
        "words",
        {"most": 9},
        None,
        True,
    )
    second = read(OWN)[1]
    assert isinstance(second, Record)
    assert (second.key, second.text, second.data["license"]) == ("manners/terse", 'words {"most":9}', "CC-BY-4.0")


def test_banks_of_others_keep_their_tiers_and_points() -> None:
    (kind,) = columns(VERIFIERS, "verifiers")
    assert (kind["rubric_id"], kind["weight"]) == ("bank", 2.0)
    assert [(tier["label"], tier["score"]) for tier in kind["tiers"]] == [("rude", 0.0), ("plain", 1.0), ("kind", 2.0)]
    as_json = json.dumps({"criteria": [{"name": "kind", "text": "Is the answer kind?"}]})
    assert [tier["label"] for tier in columns(as_json, "verifiers")[0]["tiers"]] == ["no", "yes"]
    (form,) = columns(WRITING, "writingbench")
    assert (form["scope"], form["scope_ref"], form["family"]) == ("instance", "7", "Law")
    assert [(tier["label"], tier["score"], tier["text"]) for tier in form["tiers"]][::4] == [
        ("1-2", 1.5, "so"),
        ("9-10", 9.5, "so"),
    ]
    (plan,) = columns(BIGGEN, "biggen", origin="llm", author_model="m")
    assert [(tier["label"], tier["text"]) for tier in plan["tiers"]][-1] == ("5", "d5")
    assert (plan["origin"], plan["author_model"]) == ("llm", "m")
    assert [(c["points"], c["family"]) for c in columns(HEALTH, "healthbench")] == [(7.0, "accuracy"), (-9.0, None)]


@pytest.mark.parametrize(
    ("body", "profile", "message"),
    [
        ("criteria: [", "rubric", "neither YAML nor JSON"),
        ("- a", "rubric", "expected a rubric with `rubric_id`"),
        (OWN.replace("score: 3", "score: 1"), "rubric", "'yes' (1) does not lie above 'so' (1)"),
        (OWN.replace("b: terse", "b: tense"), "rubric", "an interaction names 'tense'"),
        (VERIFIERS.replace("weight = 2", "weight = -2"), "verifiers", "criteria.0.weight"),
        (VERIFIERS.replace('"plain", ', '"rude", '), "verifiers", "2 tiers are called 'rude'"),
        (VERIFIERS + "wait = 1\n", "verifiers", "criteria.0.wait: Extra inputs"),
        ("[[criteria", "verifiers", "Expected"),
        ({"index": 1}, "writingbench", "lacks 'checklist'"),
        (BIGGEN | {"score_rubric": {"criteria": "Does the plan hold?"}}, "biggen", "lacks 'score1_description'"),
        (HEALTH | {"rubrics": [WRONG_DRUG]}, "healthbench", "no criterion has points above 0"),
        (HEALTH | {"rubrics": "none"}, "healthbench", "string indices"),
        (b"\xff\xfe\x00", "rubric", "codec can't decode"),
    ],
)  # fmt: skip
def test_a_rubric_with_a_mistake_is_one_unreadable_place(body: Any, profile: Profile, message: str) -> None:
    (refused,) = read(body, profile)
    assert isinstance(refused, Unreadable)
    assert refused.reason == "bad_rubric"
    assert message in str(refused.value)


def test_a_bad_row_loses_no_other() -> None:
    lines = "\n".join([json.dumps(BIGGEN), "{", json.dumps(BIGGEN | {"id": "plan_1"})])
    assert [getattr(item, "reason", None) for item in read(lines, "biggen")] == [None, "bad_json", None]


def test_a_rubric_comes_back_from_the_rows_of_a_bank(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    rubric = read_rubric(tmp_path / "own.yaml")
    rows = [dict(item.columns or {}) | {"text": item.text, "license": item.data.get("license")}
            for item in read(OWN) if isinstance(item, Record)]  # fmt: skip
    for row in rows:
        row["text"] = row["text"] if row["program"] is None else None
    assert rubric_of_rows(rows, "bank") == rubric
    (tmp_path / "bank.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_rubric(tmp_path / "bank.jsonl") == rubric
    with pytest.raises(UsageError, match=r"bank: criteria of 2 rubrics \(manners, other\): expected one"):
        rubric_of_rows([rows[0], rows[1] | {"rubric_id": "other"}], "bank")
    with pytest.raises(UsageError, match="criteria of 0 rubrics: expected one"):
        rubric_of_rows([], "bank")
