"""Records of SAC/TC609: what is exported is right and comes back, and what cannot be told is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.small_lake import CORPUS, IDS, TEXT, make_small_lake
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import UsageError
from winnowry.evidence.valid2.tc609 import tc609
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.export import export
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import releases
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.tc609 import FIELDS, problems

RECIPE = """\
version: 1
corpus: NAME
owner: data-team
description: sentences gathered by hand
sources:
  - {name: pages, uri: "landing/NAME/*.jsonl", SOURCE, partition: {by: path, part: 0, missing: all}}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0, seed: 7}
gates: {published: {valid2: {blocks: [], synthetic_share: 0}}}
"""
PLAIN = "license: CC-BY-4.0, fields: {id: id, event_time: date}"
PROFILED = "profile: tc609, fields: {id: id, event_time: original_time, license: license}"
GOOD: dict[str, Any] = {
    "id": "1",
    "rid": ["0"],
    "data_content": [{"media_type": "text", "content": "One."}],
    "annotation": {"label": ["a"], "annotation_method": "人工标注", "annotator": "其他"},
    "original_time": "2026-01-01",
    "last_modified_time": "2026-01-02",
    "version": "1.0.0",
    "license": "CC0-1.0",
    "source": "互联网",
    "source_details": "https://example.org/1",
    "generated_data_indicator": 0,
}


def run(root: Path, name: str, source: str, lines: list[dict[str, Any]]) -> Workspace:
    (root / "landing" / name).mkdir(parents=True)
    body = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (root / "landing" / name / "a.jsonl").write_text(body, encoding="utf-8")
    (root / f"{name}.yaml").write_text(RECIPE.replace("NAME", name).replace("SOURCE", source), encoding="utf-8")
    ws, recipe = open_recipe(root, root / f"{name}.yaml")
    run_all(ws, recipe)
    return ws


def records_below(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl"))
            for line in file.read_text(encoding="utf-8").splitlines()]  # fmt: skip


def test_a_release_comes_back_from_its_records(tmp_path: Path) -> None:
    lines = [
        {"id": str(i), "text": f"第{i}句话。 Sentence {i}\nends.", "date": f"2026-01-{i + 1:02d}"} for i in range(9)
    ]
    run(tmp_path, "first", PLAIN, lines)
    call = ["export", "first", "--format", "jsonl", "--profile", "tc609", "--root", str(tmp_path)]
    assert main([*call, "--out", str(tmp_path / "out")]) == 0
    written = records_below(tmp_path / "out")
    assert [problems(record) for record in written] == [[]] * 9
    assert [tuple(record) for record in written] == [FIELDS] * 9
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["profile"] == "tc609"
    assert {record["data_content"][0]["content"] for record in written} == {line["text"] for line in lines}
    assert {(record["source"], record["source_details"]) for record in written} == {("pages", "landing/first/*.jsonl")}
    assert {record["version"] for record in written} == {"1.0.0"}

    ws = run(tmp_path, "second", PROFILED, written)
    again = ws.lake.open("second", "published").to_table().to_pylist()
    was = ws.lake.open("first", "published").to_table().to_pylist()
    for name in ("text", "event_time", "license", "n_tokens"):
        assert sorted(str(row[name]) for row in again) == sorted(str(row[name]) for row in was)
    meta = json.loads(ws.lake.open("second", "raw").to_table(columns=["meta"])["meta"][0].as_py())
    assert set(meta) == set(FIELDS) - {"data_content"}


def test_what_a_release_does_not_hold_is_not_made_up(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path / "lake")
    with pytest.raises(UsageError, match="no word on whether its records are synthetic"):
        export(ws, CORPUS, "jsonl", str(tmp_path / "out"), profile="tc609")
    with pytest.raises(UsageError, match="for the format jsonl"):
        export(ws, CORPUS, "parquet", str(tmp_path / "out"), profile="tc609")
    run(tmp_path, "undated", PLAIN, [{"id": "1", "text": "No date."}, {"id": "2", "text": "A date.", "date": "2026"}])
    with pytest.raises(UsageError, match="1 records without a date"):
        export(Workspace.open(str(tmp_path)), "undated", "jsonl", str(tmp_path / "out"), profile="tc609")
    assert not (tmp_path / "out").exists()
    done = export(ws, CORPUS, "jsonl", str(tmp_path / "out"))
    assert "profile" not in done.to_dict()
    assert {row["record_id"]: row["text"] for row in records_below(tmp_path / "out")} == {
        IDS[name]: TEXT[name] for name in "ab"
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": ""}, "id: expected a string"),
        ({"original_time": None}, "original_time"),
        ({"rid": "0"}, "rid"),
        ({"data_content": []}, "data_content: expected a list"),
        ({"data_content": [{"content": "One."}]}, "data_content[0]"),
        ({"generated_data_indicator": True}, "generated_data_indicator"),
        ({"generated_data_indicator": 2}, "generated_data_indicator"),
        ({"version": "3"}, "version"),
        ({"source_details": "example.org"}, "source_details"),
        ({"annotation": {"label": [], "annotation_method": "人工标注", "annotator": None}}, "annotation.label"),
        ({"annotation": {"label": ["a"], "annotation_method": "manual", "annotator": None}}, "annotation_method"),
        ({"annotation": "yes"}, "annotation: expected an object"),
    ],
)
def test_a_wrong_record_is_told_what_is_wrong(change: dict[str, Any], said: str) -> None:
    assert problems(GOOD) == []
    (problem,) = problems({**GOOD, **change})
    assert said in problem
    assert problems({name: value for name, value in GOOD.items() if name not in change})


def read(*lines: object) -> list[Record | Unreadable]:
    stream = io.BytesIO("\n".join(json.dumps(line) for line in lines).encode())
    return list(JsonLines(profile="tc609").read(stream, "a.jsonl", ReadLimits()))


def test_text_is_lifted_out_of_its_list() -> None:
    image = {"media_type": "image", "path": "a.png"}
    two = [{"media_type": "Text", "content": "One."}, image, {"media_type": "text", "content": "Two."}]
    first, second = read(GOOD, {**GOOD, "data_content": two})
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.data["text"] == "One."
    assert "data_content" not in first.data
    assert second.data["text"] == "One.\n\nTwo."
    assert second.data["data_content"] == two


def test_records_without_text_are_kept_apart() -> None:
    image = [{"media_type": "image", "path": "a.png"}]
    found = read({**GOOD, "data_content": image}, {**GOOD, "data_content": "One."}, {"id": "1"}, [1])
    reasons = [item.reason for item in found if isinstance(item, Unreadable)]
    assert reasons == ["no_text_content", "no_data_content", "no_data_content", "not_an_object"]
    assert [item.position for item in found] == [0, 1, 2, 3]


def test_the_map_answers_what_the_tables_hold_and_no_more(tmp_path: Path) -> None:
    lines = [{"id": str(i), "text": f"Sentence {i} ends.", "date": f"2026-01-{i + 1:02d}"} for i in range(9)]
    ws = run(tmp_path, "first", PLAIN, lines)
    facts = release_facts(ws, "first", releases(ws, "first")[0])
    items = {item["id"]: item for item in facts["tc609"]["indicators"]}
    assert len([name for name in items if len(name) == 4]) == 17
    assert len([name for name in items if name.startswith("020801")]) == 7
    assert {item["status"] for item in items.values()} <= {"measured", "declared", "not applicable", "not measured"}
    assert items["0204"]["status"] == "measured"
    assert items["02080101"]["status"] == items["0207"]["status"] == items["0305"]["status"] == "not measured"
    assert items["0302"]["value"].startswith("records 9")
    checks = facts["tc609"]["documentation"]
    assert len(checks) == 20
    opened = {check["name"] for check in checks if not check["answered"]}
    assert opened == {"samples", "benchmark result"}
    support = next(check for check in checks if check["name"] == "support")
    assert support["answer"] == "data-team"
    assert items["0101"]["value"] == "5 of 5 checks answered"
    assert items["0102"]["value"] == "4 of 5 checks answered"
    bare = {**facts, "limits": [], "valid2": {**facts["valid2"], "owner": None}}
    assert {item["id"]: item["value"] for item in tc609(bare)["indicators"]}["0102"].endswith("4 make it complete")


def test_labels_that_the_gate_names_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = RECIPE.replace("synthetic_share: 0", "annotation: {column: source, reference: source}")
    monkeypatch.setitem(globals(), "RECIPE", labelled)
    lines = [{"id": str(i), "text": f"Sentence number {i}.", "date": "2026-01-01"} for i in range(12)]
    ws = run(tmp_path, "labelled", PLAIN, lines)
    found = tc609(release_facts(ws, "labelled", releases(ws, "labelled")[0]))
    items = {item["id"]: item for item in found["indicators"]}
    assert items["0203"]["status"] == items["0304"]["status"] == "measured"
    assert "100.0%" in items["0304"]["value"]
    checks = {check["name"]: check for check in found["documentation"]}
    assert checks["label statistics"]["answer"] == "100.0%, column source"
    assert checks["labelling specification"]["answered"] is False
