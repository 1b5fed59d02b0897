"""Budgets, strata and quotas are in the unit of the kind, or in records: sums over the rows that were drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from winnowry.core.errors import RecipeError
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe
from winnowry.stages.sampled import draw

SPEECH = """\
version: 1
corpus: speech
sources:
  - {name: read, uri: "landing/*.jsonl", format: speech_manifest, fields: {text: text, id: id, carry: [speaker]},
     partition: none}
clean: [{op: audio.facts}, {op: audio.measure}]
score: [{op: score.column, column: snr_db}]
sample: SAMPLE
"""
PICTURES = """\
version: 1
corpus: shots
sources: [{name: shots, uri: "landing/*", format: files, kind: image, partition: none}]
clean: [{op: image.measure}]
score: [{op: score.column, column: noise}]
sample: SAMPLE
"""
ROWS = 2000


def recipe_of(folder: Path, text: str, sample: str) -> Recipe:
    (folder / "recipe.yaml").write_text(text.replace("SAMPLE", sample))
    return load_recipe(folder / "recipe.yaml")


def records(kind: str) -> pa.Table:
    """A tenth of the speech is by ``b``; shapes from square to three times as long as wide."""
    rng = np.random.default_rng(4)
    sizes = {
        "audio": ("duration_ms", rng.integers(1000, 20_000, ROWS)),
        "image": ("n_pixels", rng.integers(1, 9, ROWS)),
    }
    name, values = sizes[kind]
    return pa.table({
        "record_id": [f"{i:032x}" for i in range(ROWS)],
        "partition": ["all"] * ROWS,
        name: pa.array(values, pa.int64()),
        "snr_db_score": rng.random(ROWS),
        "noise_score": rng.random(ROWS),
        "speaker": ["b" if i % 10 == 0 else "a" for i in range(ROWS)],
        "license": [None if i % 4 == 0 else "CC0-1.0" for i in range(ROWS)],
        "aspect": pa.array(rng.uniform(1, 3, ROWS)),
    })  # fmt: skip


def drawn(recipe: Recipe, table: pa.Table) -> Any:
    return table.filter(pa.array(draw(recipe, table).selected, pa.bool_())).to_pandas()


@pytest.fixture(autouse=True)
def _extras() -> None:
    for package in ("soundfile", "PIL", "simplejpeg", "pi_heif"):
        pytest.importorskip(package)


@pytest.mark.parametrize(
    "method", ["method: uniform", "method: top_k, by: snr_db_score", "method: cdf, by: snr_db_score"]
)
def test_a_budget_of_seconds_is_met_and_shared_by_speaker_in_seconds(tmp_path: Path, method: str) -> None:
    sample = f"{{{method}, budget: {{seconds: 3600}}, strata: [speaker], quotas: {{b: 0.25}}, seed: 1}}"
    seconds = (
        drawn(recipe_of(tmp_path, SPEECH, sample), records("audio")).groupby("speaker")["duration_ms"].sum() / 1000
    )
    assert seconds.sum() == pytest.approx(3600, abs=20)
    assert seconds["b"] == pytest.approx(900, abs=20)  # to within a record, of which the longest has 20 s


def test_without_a_quota_every_speaker_has_the_share_that_it_has_of_the_seconds(tmp_path: Path) -> None:
    table = records("audio")
    sample = "{method: uniform, fraction: 0.5, strata: [speaker], seed: 1}"
    chosen = drawn(recipe_of(tmp_path, SPEECH, sample), table).groupby("speaker")["duration_ms"].sum()
    whole = table.to_pandas().groupby("speaker")["duration_ms"].sum()
    assert (chosen / whole).to_dict() == pytest.approx({"a": 0.5, "b": 0.5}, abs=0.02)


@pytest.mark.parametrize("unit", ["images", "records"])
def test_a_budget_of_pictures_is_met_exactly_and_shared_by_licence_and_shape(tmp_path: Path, unit: str) -> None:
    sample = (
        f"{{method: uniform, budget: {{{unit}: 400}}, strata: [license, aspect], bins: {{aspect: [1.5, 2]}}, seed: 3, "
        "quotas: {null|from 2: 0.25, CC0-1.0|below 1.5: {at_most: 0.1}}}"
    )
    chosen = drawn(recipe_of(tmp_path, PICTURES, sample), records("image"))
    assert len(chosen) == 400
    assert ((chosen["license"].isna()) & (chosen["aspect"] >= 2)).sum() == 100
    assert ((chosen["license"] == "CC0-1.0") & (chosen["aspect"] < 1.5)).sum() == 40


def test_a_budget_of_pixels_is_another_one(tmp_path: Path) -> None:
    chosen = drawn(recipe_of(tmp_path, PICTURES, "{method: uniform, budget: {pixels: 400}, seed: 3}"), records("image"))
    assert chosen["n_pixels"].sum() == pytest.approx(400, abs=8)
    assert len(chosen) < 200


def test_the_best_pictures_are_as_many_as_the_budget(tmp_path: Path) -> None:
    sample = "{method: top_k, by: noise_score, prefer: lowest, budget: {images: 10}}"
    table = records("image")
    best = sorted(table["noise_score"].to_pylist())[:10]
    assert sorted(drawn(recipe_of(tmp_path, PICTURES, sample), table)["noise_score"]) == best


@pytest.mark.parametrize(
    ("text", "sample", "says"),
    [
        (SPEECH, "{method: uniform, budget: {images: 5}}", "in images; records of kind audio are counted in seconds"),
        (PICTURES, "{method: uniform, budget: {seconds: 5}}", "counted in pixels"),
        (PICTURES, "{method: uniform, budget: {images: 5}, bins: {aspect: [2]}}", "which strata does not name"),
        (PICTURES, "{method: uniform, budget: {images: 5}, strata: [aspect], bins: {aspect: [2, 1]}}", "that ascend"),
        (PICTURES, "{method: uniform, budget: {images: 5}, strata: [aspect], bins: {aspect: []}}", "that ascend"),
        (
            PICTURES,
            "{method: uniform, budget: {images: 5}, strata: [image_format], bins: {image_format: [1]}}",
            "only numbers are cut into ranges",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_or_cut_is_refused(tmp_path: Path, text: str, sample: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        recipe_of(tmp_path, text, sample)
