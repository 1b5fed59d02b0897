"""The recipe of a release: stored with it, shown, compared; and what older releases have instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.small_lake import CORPUS, make_small_lake
from winnowry.core.errors import NotFoundError, TableFormatError
from winnowry.core.ids import PromotionId
from winnowry.lakehouse.record import WHOLE_TABLE, PromotionRecord
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.fingerprint import data_hash
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe
from winnowry.releases.model import Release
from winnowry.releases.recipes import recipe_of, recipe_yaml, store_recipe
from winnowry.releases.releases import find_release, recipe_changes

RECIPE = """\
version: 1
corpus: letters
sources:
  - {name: pages, uri: "s3://${env:LETTERS_BUCKET}/landing/*.jsonl", format: jsonl, fields: {event_time: date}}
clean:
  - {op: text.length, min_words: 30}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 0.5, seed: 7}
"""


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("LETTERS_BUCKET", "a-secret-bucket")
    return make_small_lake(tmp_path / "lake")


def recipe(folder: Path, *changes: tuple[str, str]) -> Recipe:
    text = RECIPE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "letters.yaml"
    path.write_text(text)
    return load_recipe(path)


def record_of(ws: Workspace, release: int, made_with: Recipe) -> PromotionRecord:
    """The promotion of a release, which says that it was made with a recipe."""
    record = next(r for r in ws.lake.records(CORPUS).of("published", WHOLE_TABLE) if r.facts["release"] == release)
    record.lineage["recipe"] = {"data_hash": data_hash(made_with)}
    return record


def store(ws: Workspace, release: int, made_with: Recipe) -> None:
    store_recipe(ws, made_with, record_of(ws, release, made_with))


def test_what_is_stored_is_the_recipe_and_names_variables_without_their_values(ws: Workspace, tmp_path: Path) -> None:
    made_with = recipe(tmp_path)
    store(ws, 2, made_with)
    yaml = recipe_yaml(ws, find_release(ws, CORPUS, "v2"))
    again = tmp_path / "again.yaml"
    again.write_text(yaml)
    assert data_hash(load_recipe(again)) == data_hash(made_with)
    (file,) = (tmp_path / "lake").rglob("releases/v2/recipe.json")
    assert "${env:LETTERS_BUCKET}" in file.read_text()
    assert "a-secret-bucket" not in file.read_text()
    assert json.loads(file.read_text())["format"] == 1


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("min_words: 30", "min_words: 80", "text.length: min_words 30 → 80"),
        ("token_fraction: 0.5", "token_fraction: 0.4", "sample.token_fraction: 0.5 → 0.4"),
        ("format: jsonl", "license: MIT, format: jsonl", "sources.pages.license: None → MIT"),
        ("clean:", "clean:\n  - {op: dedup.exact}", "dedup.exact: added"),
        ("corpus: letters", "corpus: letters\ndescription: of pages", "description:  → of pages"),
        ("sample:", "publish: {tag: canary}\nsample:", "publish.tag: prod → canary"),
    ],
)
def test_recipes_are_compared_key_by_key(ws: Workspace, tmp_path: Path, old: str, new: str, line: str) -> None:
    store(ws, 1, recipe(tmp_path))
    store(ws, 2, recipe(tmp_path, (old, new)))
    first, second = find_release(ws, CORPUS, "v1"), find_release(ws, CORPUS, "v2")
    assert line in recipe_changes(ws, CORPUS, first, second)
    assert recipe_changes(ws, CORPUS, second, second) == []


def test_a_release_without_a_stored_recipe_says_so_and_its_stages_are_compared(ws: Workspace, tmp_path: Path) -> None:
    first, second = find_release(ws, CORPUS, "v1"), find_release(ws, CORPUS, "v2")
    with pytest.raises(NotFoundError, match="v1 has no stored recipe: it was made before recipes were stored"):
        recipe_yaml(ws, first)
    store(ws, 2, recipe(tmp_path))
    assert recipe_changes(ws, CORPUS, first, second) == ["sampled: sample.token_fraction: 0.2 → 0.4"]


def test_a_data_version_that_two_recipes_wrote_leads_to_neither_of_them(tmp_path: Path) -> None:
    """Without duplicates in a partition, both promotions of ``duplicates`` wrote the same; only one is of v1."""
    ws = Workspace.open(str(tmp_path))

    def promote(at: float, stage: str, output: str, inputs: dict[str, str], spec: dict[str, object]) -> Release:
        record = PromotionRecord(
            id=PromotionId(f"{at:06.0f}"), corpus=CORPUS, stage=stage, partition="2020", state="promoted",
            main=None, sides=[], replaces=None, created_at=at, promoted_at=at,
            lineage={"spec": spec, "inputs": inputs}, outputs={"2020": output}, ledger={}, facts={},
        )  # fmt: skip
        ws.lake.records(CORPUS).save(record)
        return Release(CORPUS, "v1", 1, (), 1, 1, promotion_id=record.id)

    made = []
    for at, (min_words, cleaned) in enumerate([(30, "c30"), (80, "c80")]):
        promote(10 * at + 1, "cleaned", cleaned, {}, {"clean": [{"op": "text.length", "min_words": min_words}]})
        promote(10 * at + 2, "duplicates", "none", {"cleaned/2020": cleaned}, {"clean": []})
        inputs = {"duplicates/2020": "none", "cleaned/2020": cleaned}
        promote(10 * at + 3, "sampled", f"s{cleaned}", {"duplicates/2020": "none"}, {"sample": None})
        made.append(promote(10 * at + 4, "published", f"p{at}", {**inputs, "sampled": f"s{cleaned}"}, {}))
    assert recipe_changes(ws, CORPUS, *made) == ["cleaned: text.length: min_words 30 → 80"]
    assert recipe_changes(ws, CORPUS, *reversed(made)) == ["cleaned: text.length: min_words 80 → 30"]


def test_a_recipe_that_is_not_the_releases_own_is_neither_stored_nor_shown(ws: Workspace, tmp_path: Path) -> None:
    release = find_release(ws, CORPUS, "v2")
    store_recipe(ws, recipe(tmp_path, ("30", "80")), record_of(ws, 2, recipe(tmp_path)))  # it changed after a crash
    assert recipe_of(ws, release) is None
    store(ws, 2, recipe(tmp_path))
    (file,) = (tmp_path / "lake").rglob("releases/v2/recipe.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "promotion_id": "of a rival"}))
    assert recipe_of(ws, release) is None


def test_a_recipe_of_a_newer_format_is_refused(ws: Workspace, tmp_path: Path) -> None:
    store(ws, 2, recipe(tmp_path))
    (file,) = (tmp_path / "lake").rglob("releases/v2/recipe.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 2}))
    with pytest.raises(TableFormatError, match="this recipe of a release has format 2"):
        recipe_of(ws, find_release(ws, CORPUS, "v2"))
