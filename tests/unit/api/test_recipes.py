"""The two forms of a recipe, YAML and Python, are the same recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import winnowry as wn
from winnowry.api.recipes import read_recipe
from winnowry.core.errors import NotFoundError, RecipeError
from winnowry.recipe.fingerprint import data_hash, hash_of, metadata_hash
from winnowry.stages.graph import stages_in

REPOSITORY = Path(__file__).resolve().parents[3]
RECIPES = sorted([*REPOSITORY.glob("recipes/**/*.yaml"), *REPOSITORY.glob("examples/**/*.yaml")])
YAML = """version: 1
corpus: tickets
description: "Letters: to us"
sources:
  - {name: mail, uri: "landing/mail/*.csv",
     format: csv, encoding: gb18030, delimiter: ";", fields: {event_time: t},
     partition: {every: year, keys: [2019, 2020]}}
clean:
  - {op: text.length, min_words: 10, as: size}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0, seed: 7}
gates: {cleaned: {min_kept_fraction: 0.25}}
"""


def made(**changes: Any) -> wn.Recipe:
    parts: dict[str, Any] = {
        "version": 1,
        "corpus": "tickets",
        "description": "Letters: to us",
        "sources": (
            wn.Source(
                name="mail",
                uri="landing/mail/*.csv",
                format="csv",
                encoding="gb18030",
                delimiter=";",
                fields=wn.Fields(event_time="t"),
                partition=wn.Partition(every="year", keys=("2019", "2020")),
            ),
        ),
        "clean": (wn.ops.text.length(min_words=10, as_="size"), wn.ops.dedup.exact()),
        "score": (wn.ops.score.token_count(),),
        "sample": wn.Sample(method="uniform", token_fraction=1.0, seed=7),
        "gates": wn.Gates(cleaned={"min_kept_fraction": 0.25}),
    }
    return wn.Recipe(**(parts | changes))


def hashes(recipe: wn.Recipe) -> dict[str, str]:
    stages = {stage.name: hash_of(stage.specification(recipe)) for stage in stages_in(recipe)}
    return {"data": data_hash(recipe), "metadata": metadata_hash(recipe), **stages}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_a_recipe_written_as_yaml_and_read_again_has_every_hash(path: Path, tmp_path: Path) -> None:
    recipe = wn.load_recipe(path)
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml(), encoding="utf-8")

    assert hashes(wn.load_recipe(again)) == hashes(recipe)
    assert wn.load_recipe(again).to_yaml() == recipe.to_yaml()


def test_a_recipe_made_in_python_has_the_hashes_of_its_yaml(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(YAML)

    assert hashes(made()) == hashes(wn.load_recipe(tmp_path / "r.yaml"))


def test_every_mistake_of_a_recipe_made_in_python_is_reported_at_once() -> None:
    wrong = made(
        description="${env:HOME}",
        clean=(wn.ops.dedup.exact(), wn.ops.dedup.exact()),
        sample=wn.Sample(by="gc", token_fraction=0.5),
        columns=(wn.Column(name="tone"),),
    )
    with pytest.raises(RecipeError) as error:
        read_recipe(wrong)

    places = [problem.partition(": ")[0] for problem in error.value.problems]
    assert {"sample.by", "columns.0", "description"} <= set(places)


def test_the_file_of_a_python_column_is_written_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tone.py").write_text("def tone(text): ...\n")
    recipe = made(columns=(wn.Column(name="tone", python="tone.py:tone", type="float64"),))
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "r.yaml").write_text(recipe.to_yaml())

    again = wn.load_recipe(tmp_path / "below" / "r.yaml")
    assert again.columns is not None
    assert again.columns[0].python == f"{tmp_path}/tone.py:tone"
    assert hashes(again) == hashes(read_recipe(recipe))


def test_values_are_changed_by_their_addresses_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(YAML)
    change = ["text.length.min_words=20"]

    assert read_recipe(made(), change) == read_recipe(tmp_path / "r.yaml", change)


def test_a_variable_of_the_environment_stays_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_BUCKET", "secret-bucket")
    recipe = made(sources=(wn.Source(name="mail", uri="s3://${env:LAKE_BUCKET}/*.jsonl"),))

    assert recipe.sources[0].uri == "s3://secret-bucket/*.jsonl"
    assert "s3://${env:LAKE_BUCKET}/*.jsonl" in recipe.to_yaml()
    assert "secret" not in recipe.to_yaml()


def test_a_name_that_is_no_recipe_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(NotFoundError, match="did you mean aws_docs"):
        read_recipe("aws_doc")
