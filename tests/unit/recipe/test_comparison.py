"""What a recipe may say about a comparison, and what hashes it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from winnowry.core.errors import RecipeError
from winnowry.recipe.fingerprint import data_hash, recipe_spec
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stage_named

RECIPE = """\
version: 1
corpus: letters
sources:
  - {name: one, uri: "a/*.jsonl", fields: {event_time: date}, partition: {by: event_time, every: year}}
clean:
  - {op: text.length}
score:
  - {op: score.token_count}
sample: {method: cdf, by: n_tokens, token_fraction: 0.2}
"""
TARGET = 'target: {name: finance, uri: "eval/*.jsonl"}'


def load(tmp_path: Path, text: str) -> Recipe:
    (tmp_path / "letters.yaml").write_text(RECIPE + text)
    return load_recipe(tmp_path / "letters.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gates: {comparison: {}}", "a gate for a comparison that the recipe does not make"),
        ("comparison: {arms: [random, dsir]}", "arms dsir need a `target`"),
        (
            "comparison: {arms: [random, recipe]}\ngates: {comparison: {better_than: length_matched}}",
            "arm 'length_matched' is not compared",
        ),
        (
            f"comparison: {{{TARGET}}}\ngates: {{comparison: {{on: finances}}}}",
            "no evaluation is named 'finances'; did you mean 'finance'?",
        ),
        (
            'comparison: {evaluations: [{name: qa, uri: "a/*.jsonl"}, {name: qa, uri: "b/*.jsonl"}]}',
            "two evaluations are named qa",
        ),
        ("comparison: {fractions: [0.1, 1.5]}", "fractions must lie in (0, 1]"),
        ("comparison: {holdout: {newest_fraction: 0.1, since: '2020-01-01'}}", "not both"),
        ("comparison: {proxy: {kind: transformer, width: 100, heads: 3}}", "does not divide"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(RecipeError, match=r".*") as caught:
        load(tmp_path, text)
    assert expected in str(caught.value)


def test_a_comparison_without_a_selection_or_without_a_common_budget_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "letters.yaml").write_text(RECIPE.replace("token_fraction: 0.2", "tokens: 1000") + "comparison: {}\n")
    with pytest.raises(RecipeError, match="the budget of every arm"):
        load_recipe(tmp_path / "letters.yaml")
    (tmp_path / "letters.yaml").write_text(RECIPE.split("sample:")[0] + "comparison: {}\n")
    with pytest.raises(RecipeError, match="no selection to compare"):
        load_recipe(tmp_path / "letters.yaml")


def test_arms_that_need_a_target_are_left_out_where_there_is_none(tmp_path: Path) -> None:
    without = load(tmp_path, "comparison: {}").comparison
    assert without is not None
    assert not {"dsir", "bits_per_byte"} & set(without.compared())
    with_target = load(tmp_path, f"comparison: {{{TARGET}}}").comparison
    assert with_target is not None
    assert {"dsir", "bits_per_byte"} < set(with_target.compared())


def test_a_comparison_changes_the_hash_of_its_own_stage_and_of_no_other(tmp_path: Path) -> None:
    plain = load(tmp_path, "")
    assert "comparison" not in recipe_spec(plain)
    assert "comparison" not in recipe_spec(plain)["gates"]
    compared = load(tmp_path, "comparison: {seeds: 5}")
    more = load(tmp_path, "comparison: {seeds: 9}")
    for stage in ("landing", "raw", "cleaned", "duplicates", "fit", "scored", "sampled", "published"):
        assert len({stage_named(stage).hash(recipe) for recipe in (plain, compared, more)}) == 1, stage
    assert stage_named("comparison").hash(compared) != stage_named("comparison").hash(more)
    assert data_hash(plain) != data_hash(compared)
