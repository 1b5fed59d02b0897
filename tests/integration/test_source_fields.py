"""Fields that a source maps, from the landing to a release: nested, in the path, carried on; and records that stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import winnowry as wn
from winnowry.core.errors import RecipeError

RECIPE = """\
version: 1
corpus: letters
sources:
  - name: letters
    uri: "landing/letters/**/*.jsonl"
    hive: true
    fields: {text: doc.text, event_time: date, carry: {url: url, lang: lang, label: doc.label}}
    partition: {by: event_time, every: month}
score:
  - {op: score.token_count}
sample: {method: uniform, fraction: 1.0, strata: [lang]}
"""
RECORDS = {
    "lang=en/date=2024-01-01": {"doc": {"text": "one", "label": 3}, "url": "http://a/1"},
    "lang=de/date=2024-02-01": {"doc": {"text": "zwei", "label": ["x", 2**70]}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, record in RECORDS.items():
        (tmp_path / "landing" / "letters" / place).mkdir(parents=True)
        (tmp_path / "landing" / "letters" / place / "part-0.jsonl").write_text(json.dumps(record) + "\n")
    return tmp_path


def written(folder: Path, text: str) -> str:
    (folder / "letters.yaml").write_text(text)
    return str(folder / "letters.yaml")


def test_fields_of_record_and_path_reach_the_release_and_its_export(folder: Path) -> None:
    lake = wn.open(folder)
    assert lake.run(written(folder, RECIPE), dagster=False, jobs=1).succeeded
    lake.export("letters", "jsonl", str(folder / "out"))
    lines = [json.loads(line) for file in (folder / "out").glob("*.jsonl") for line in file.read_text().splitlines()]
    names = ("partition", "text", "url", "lang", "label", "stratum")
    assert sorted(tuple(line[name] for name in names) for line in lines) == [
        ("2024-01", "one", "http://a/1", "en", "3", "en"),
        ("2024-02", "zwei", None, "de", f'["x",{2**70}]', "de"),
    ]
    card = json.loads((folder / "letters" / "releases" / "v1" / "card.croissant.json").read_text())
    assert {"url", "lang", "label"} <= {field["name"] for field in card["recordSet"][0]["field"]}
    # Another literal part of the glob gives the same files other paths, and so other ids.
    wider = RECIPE.replace("landing/letters/", "landing/")
    note = lake.plan(written(folder, wider)).note or ""
    assert "source 'letters': 2 records would be new" in note
    assert "was landing/letters/ and is landing/" in note
    assert "fields.id" in note
    assert "would be new" not in (lake.plan(written(folder, RECIPE)).note or "")
    again = RECIPE.replace("fields: {text", "fields: {id: url, text")
    assert "known by their place in a file, and would be by field 'url'" in (
        lake.plan(written(folder, again)).note or ""
    )


def test_a_recipe_that_cannot_run_to_its_end_is_refused_before_anything_runs(folder: Path) -> None:
    lake = wn.open(folder)
    recipe = written(folder, RECIPE[: RECIPE.index("score:")])
    for ask in (lake.plan, lambda path: lake.run(path, dagster=False)):
        with pytest.raises(RecipeError) as refusal:
            ask(recipe)
        assert [line.split(":")[1] for line in refusal.value.problems] == [" score", " sample"]
    assert not (folder / "letters").exists()
