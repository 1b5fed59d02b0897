from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from winnowry.core.errors import RecipeError, UsageError
from winnowry.operators.text.length import Length
from winnowry.recipe.diff import diff_specs
from winnowry.recipe.fingerprint import data_hash, metadata_hash
from winnowry.recipe.load import apply_overrides, load_recipe
from winnowry.recipe.model import Recipe
from winnowry.recipe.schema import recipe_json_schema, reference_page, schema_text
from winnowry.stages.graph import stage_named

GOOD = """\
version: 1
corpus: small
sources:
  - {name: pages, uri: "landing/*.jsonl", fields: {event_time: at}, partition: {by: event_time, every: year}}
clean:
  - {op: text.language, keep: [en, no], min_score: 0.8}
  - {op: text.length, min_words: 20}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
  - {op: score.grammatical_complexity, as: gc}
sample: {method: cdf, by: gc, token_fraction: 0.2, seed: 7}
"""


def load(folder: Path, text: str = GOOD, overrides: tuple[str, ...] = ()) -> Recipe:
    path = folder / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, overrides)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(folder, text)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_every_mistake_is_reported_at_once_with_its_line_and_column(tmp_path: Path) -> None:
    text = (
        GOOD.replace("min_words: 20", "min_word: 20")
        .replace("dedup.exact", "dedup.exac")
        .replace("token_fraction: 0.2", "token_fraction: 2")
        .replace("corpus: small\n", "corpus: small\ncorpus: other\nownr: me\n")
    )
    assert mistakes(tmp_path, text) == [
        "r.yaml:3:1: corpus: a second 'corpus' in the same mapping (the first is in line 2)",
        "r.yaml:4:1: ownr: unknown field 'ownr'; did you mean 'owner'?",
        "r.yaml:9:23: clean.1.min_word: unknown field 'min_word'; did you mean 'min_words'?",
        "r.yaml:10:10: clean.2.op: unknown op 'dedup.exac'; did you mean 'dedup.exact'?",
        "r.yaml:14:47: sample.token_fraction: must be at most 1.0; got 2",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("min_words: 20", "min_words: lots", "expected a whole number; got 'lots'"),
        ("min_words: 20", "min_words: true", "expected a whole number; got True"),
        ("version: 1", "version: 2", "expected one of 1; got 2"),
        ("corpus: small\n", "", "missing: name of the corpus"),
        ("by: gc", "by: gx", "no operator of `score` writes 'gx'; did you mean 'gc'?"),
        ("  - {op: score.token_count}\n", "", "nothing writes n_tokens"),
        ("- {op: dedup.exact}", "- {op: dedup.exact}\n  - {op: dedup.exact}", "give this one a name"),
        ("fields: {event_time: at}, ", "", "needs `fields: {event_time: FIELD}`"),
        ("corpus: small\n", "corpus: small\ngates: {cleand: {}}\n", "did you mean 'cleaned'?"),
        ("corpus: small\n", 'corpus: small\nowner: "${env:HOME}"\n', "may only stand in the uri of a source"),
        ('"landing/*.jsonl"', '"${env:WINNOWRY_ABSENT}/x"', "environment variable 'WINNOWRY_ABSENT' is not set"),
    ],
)
def test_a_mistake_is_told_in_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = mistakes(tmp_path, GOOD.replace(old, new))
    assert len(found) == 1
    assert expected in found[0]


def test_yaml_that_does_not_parse_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "version: 1\nclean: [\n")[0].startswith("r.yaml:3:1: recipe: not YAML")


def test_norwegian_is_a_language_and_exponents_are_numbers(tmp_path: Path) -> None:
    recipe = load(tmp_path, GOOD.replace("min_score: 0.8", "min_score: 1e-3"))
    assert recipe.clean[0].model_dump()["keep"] == ("en", "no")
    assert recipe.clean[0].model_dump()["min_score"] == 0.001


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "aws_docs.yaml").write_text(GOOD)
    with pytest.raises(UsageError, match=r"did you mean .*aws_docs\.yaml\?"):
        load_recipe(tmp_path / "aws_doc.yaml")


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def test_key_order_changes_no_hash(tmp_path: Path) -> None:
    data, before = YAML(typ="safe").load(GOOD), data_hash(load(tmp_path))
    for seed in range(20):
        assert data_hash(load(tmp_path, json.dumps(shuffled(data, random.Random(seed))))) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min_score: 0.8", "min_score: 0.80"),
        ("clean:\n", "clean:   # a comment\n"),
        ("token_fraction: 0.2", "token_fraction: 0.2, hard_fraction: 0.4"),
        ("corpus: small\n", "corpus: small\nowner: someone\nlimits: {batch_rows: 7}\n"),
    ],
)
def test_what_changes_no_data_changes_no_data_hash(tmp_path: Path, old: str, new: str) -> None:
    assert data_hash(load(tmp_path, GOOD.replace(old, new))) == data_hash(load(tmp_path))


def test_the_owner_changes_the_metadata_hash(tmp_path: Path) -> None:
    changed = load(tmp_path, GOOD + "owner: someone\n")
    assert metadata_hash(changed) != metadata_hash(load(tmp_path))


def test_the_seed_and_an_operator_version_change_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load(tmp_path)
    before = data_hash(recipe)
    assert data_hash(apply_overrides(recipe, ["sample.seed=8"])) != before
    spec = stage_named("cleaned").specification(recipe)
    monkeypatch.setattr(Length, "VERSION", Length.VERSION + 1)
    assert data_hash(recipe) != before
    assert diff_specs(spec, stage_named("cleaned").specification(recipe)) == [
        f"text.length: version {Length.VERSION - 1} → {Length.VERSION}"
    ]


def test_editing_the_sample_does_not_redo_cleaning(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    changed = apply_overrides(recipe, ["sample.token_fraction=0.1"])
    assert stage_named("cleaned").hash(changed) == stage_named("cleaned").hash(recipe)
    assert stage_named("sampled").hash(changed) != stage_named("sampled").hash(recipe)


def test_an_environment_variable_is_replaced_and_kept_out_of_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = GOOD.replace("landing/*", "${env:WINNOWRY_LAKE}/*")
    monkeypatch.setenv("WINNOWRY_LAKE", "s3://one")
    one = load(tmp_path, text)
    monkeypatch.setenv("WINNOWRY_LAKE", "s3://two")
    two = load(tmp_path, text)
    assert (one.sources[0].uri, two.sources[0].uri) == ("s3://one/*.jsonl", "s3://two/*.jsonl")
    assert data_hash(one) == data_hash(two)
    assert "s3://one" not in json.dumps(stage_named("raw").specification(one))
    assert pickle.loads(pickle.dumps(one)).sources[0].uri == "s3://one/*.jsonl"


def test_an_operator_is_addressed_by_name_by_as_and_by_index(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    for address in ("text.length.min_words", "clean.1.min_words"):
        assert apply_overrides(recipe, [f"{address}=80"]).clean[1].model_dump()["min_words"] == 80
    assert apply_overrides(recipe, ["gc.length_control=none"]).score[1].model_dump()["length_control"] == "none"
    assert apply_overrides(recipe, ["gates.cleaned.min_kept_fraction=0.3"]).gates.cleaned.min_kept_fraction == 0.3


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("text.length.min_word=3", "did you mean 'min_words'?"),
        ("text.lenght.min_words=3", "did you mean 'text.length.min_words'?"),
        ("clean.9.min_words=3", "items are 0 to 2"),
        ("sample.sed=1", "did you mean 'seed'?"),
        ("sample.seed", "expected ADDRESS=VALUE"),
        ("sample.token_fraction=2", "must be at most 1"),
    ],
)
def test_an_override_that_names_nothing_is_a_mistake(tmp_path: Path, override: str, expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, overrides=(override,))
    assert expected in str(caught.value)
    assert f"set {override}" in str(caught.value)


def test_the_demo_recipe_is_valid_and_fits_the_schema(repository: Path) -> None:
    path = repository / "recipes" / "aws_docs.yaml"
    assert load_recipe(path).corpus == "aws_docs"
    jsonschema.validate(YAML(typ="safe").load(path), recipe_json_schema())


def test_the_generated_files_are_not_stale(repository: Path) -> None:
    again = "run `python -m winnowry.recipe.schema`"
    assert (repository / "recipes/recipe.schema.json").read_text(encoding="utf-8") == schema_text(), again
    assert (repository / "docs/reference/recipe.md").read_text(encoding="utf-8") == reference_page(), again
