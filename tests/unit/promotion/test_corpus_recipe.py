"""A corpus belongs to one recipe, however that is edited; another one of the same name does not slip in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import OtherRecipeError
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.corpus_recipe import FOR_A_RUN, claim_corpus, other_recipe
from winnowry.recipe.load import apply_overrides, load_recipe
from winnowry.recipe.model import Recipe

AT = {"fields": {"event_time": "t"}}
SOURCE = {"name": "s", "uri": "landing/s/*.jsonl", **AT}
OTHER_SOURCE = {"name": "o", "uri": "landing/o/*.jsonl", **AT}
FIRST = "/home/a/project/recipes/tickets.yaml"
CLONE = "/home/b/clone/recipes/tickets.yaml"
OTHER = "/home/b/other/recipes/mine.yaml"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace.open(str(tmp_path))


def recipe(file: str | None, *sources: dict[str, Any], **more: Any) -> Recipe:
    made = Recipe.model_validate({"version": 1, "corpus": "c", "sources": list(sources), **more})
    return made.from_file(None if file is None else Path(file))


FIRST_RECIPE = recipe(FIRST, SOURCE)

SAME = {
    "nothing changed": recipe(FIRST, SOURCE),
    "a rule was edited": recipe(FIRST, SOURCE, clean=[{"op": "text.length", "min_words": 9}]),
    "its description was edited": recipe(FIRST, SOURCE, description="tickets"),
    "a source was added": recipe(FIRST, SOURCE, OTHER_SOURCE),
    "every source was replaced in the same file": recipe(FIRST, OTHER_SOURCE),
    "the file was moved": recipe("/home/a/elsewhere/tickets.yaml", SOURCE),
    "the file was renamed": recipe("/home/a/project/recipes/renamed.yaml", SOURCE),
    "the same file in another clone": recipe(CLONE, SOURCE),
    "another clone, with a rule edited": recipe(CLONE, SOURCE, clean=[{"op": "text.length", "min_words": 9}]),
    "another clone, with a source added": recipe(CLONE, SOURCE, OTHER_SOURCE),
    "another clone, with the glob widened": recipe(CLONE, {"name": "s", "uri": "landing/s/**/*.jsonl.gz", **AT}),
    "another clone, with the source renamed": recipe(CLONE, {**SOURCE, "name": "t"}),
    "the sources made in Python": recipe(None, SOURCE),
    "written for a run of Dagster": recipe(f"/tmp/{FOR_A_RUN}x1/c.yaml", SOURCE),
    "another file that reads the same places by other rules": recipe(OTHER, SOURCE, clean=[{"op": "text.length"}]),
    "an option set for a run": apply_overrides(FIRST_RECIPE, ["limits.batch_rows=7"]),
    "its source set for a run": apply_overrides(FIRST_RECIPE, ["sources.0.uri=landing/t/*.jsonl"]),
}

DIFFERENT = {
    "another file with another source": recipe(OTHER, OTHER_SOURCE),
    "another file with another place of the same source name": recipe(OTHER, {**OTHER_SOURCE, "name": "s"}),
    "another file that adds a source": recipe(OTHER, SOURCE, OTHER_SOURCE),
    "a file of the same name in another project that reads elsewhere": recipe(CLONE, OTHER_SOURCE),
    "another source made in Python": recipe(None, OTHER_SOURCE),
    "a single file beside the other one's": recipe(OTHER, {"name": "s", "uri": "landing/s.jsonl", **AT}),
}


@pytest.mark.parametrize("case", SAME)
def test_a_recipe_that_is_edited_moved_or_run_from_a_clone_goes_on(ws: Workspace, case: str) -> None:
    claim_corpus(ws, FIRST_RECIPE)
    assert other_recipe(ws, SAME[case]) is None
    claim_corpus(ws, SAME[case])


@pytest.mark.parametrize("case", DIFFERENT)
def test_another_recipe_of_the_same_corpus_is_refused_until_it_takes_over(ws: Workspace, case: str) -> None:
    other = DIFFERENT[case]
    claim_corpus(ws, FIRST_RECIPE)
    with pytest.raises(OtherRecipeError, match="--take-over"):
        claim_corpus(ws, other)
    known = other_recipe(ws, other)
    assert known is not None
    assert known["file"] == FIRST
    claim_corpus(ws, other, take_over=True)
    claim_corpus(ws, other)
    with pytest.raises(OtherRecipeError):  # and now the corpus is the other one's
        claim_corpus(ws, FIRST_RECIPE)


def test_what_differs_is_said_key_by_key(ws: Workspace) -> None:
    claim_corpus(ws, recipe(FIRST, SOURCE, clean=[{"op": "text.length", "min_words": 5}]))
    other = recipe(OTHER, {**SOURCE, "uri": "landing/o/*.jsonl"}, clean=[{"op": "text.length", "min_words": 9}])
    known = other_recipe(ws, other)
    assert known is not None
    assert known["differences"] == [
        "text.length: min_words 5 → 9",
        "sources.s.uri: landing/s/*.jsonl → landing/o/*.jsonl",
    ]


def test_the_corpus_follows_its_recipe(ws: Workspace) -> None:
    # Moved first, edited then: what it was when the corpus was new is forgotten.
    claim_corpus(ws, FIRST_RECIPE)
    claim_corpus(ws, recipe(OTHER, SOURCE))
    claim_corpus(ws, recipe(OTHER, OTHER_SOURCE))
    with pytest.raises(OtherRecipeError):
        claim_corpus(ws, FIRST_RECIPE)


def test_two_notebooks_are_told_apart_by_what_they_read(ws: Workspace) -> None:
    claim_corpus(ws, recipe(None, SOURCE))
    claim_corpus(ws, recipe(None, SOURCE, OTHER_SOURCE))
    with pytest.raises(OtherRecipeError, match="made in Python"):
        claim_corpus(ws, recipe(None, {"name": "p", "uri": "landing/p/*.jsonl", **AT}))


def test_a_corpus_of_an_older_version_is_adopted(ws: Workspace, tmp_path: Path) -> None:
    assert other_recipe(ws, FIRST_RECIPE) is None
    claim_corpus(ws, recipe(OTHER, OTHER_SOURCE))
    stored = json.loads((tmp_path / "c" / "recipe.json").read_text())
    assert (stored["format"], stored["file"]) == (1, OTHER)


def test_keys_that_a_newer_version_wrote_are_no_obstacle(ws: Workspace, tmp_path: Path) -> None:
    claim_corpus(ws, FIRST_RECIPE)
    file = tmp_path / "c" / "recipe.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "newer": 1}))
    claim_corpus(ws, FIRST_RECIPE)


def test_a_place_is_the_same_however_it_is_written(ws: Workspace, tmp_path: Path) -> None:
    claim_corpus(ws, FIRST_RECIPE)
    claim_corpus(ws, recipe(OTHER, {"name": "s", "uri": f"{tmp_path}/landing/s/*.jsonl", **AT}))


def test_a_lake_may_be_moved_as_a_whole(ws: Workspace, tmp_path: Path) -> None:
    claim_corpus(ws, FIRST_RECIPE)
    (tmp_path / "moved" / "c").mkdir(parents=True)
    (tmp_path / "c" / "recipe.json").rename(tmp_path / "moved" / "c" / "recipe.json")
    claim_corpus(Workspace.open(str(tmp_path / "moved")), recipe(OTHER, SOURCE))


def test_a_recipe_knows_its_file_and_says_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(recipe(None, SOURCE).to_yaml())
    loaded = load_recipe(file)
    assert loaded.file == file
    assert apply_overrides(loaded, ["limits.batch_rows=7"]).file == file
    assert loaded == recipe(None, SOURCE)
    assert loaded.model_dump() == recipe(None, SOURCE).model_dump()
