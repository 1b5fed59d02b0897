"""Strata by source with quotas and repetitions, from files to a release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.walk import open_recipe, run_all
from winnowry.core.errors import UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe

RECIPE = """\
version: 1
corpus: mixed
sources:
  - {name: news, uri: "landing/news/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
  - {name: forum, uri: "landing/forum/*.jsonl", fields: {id: id, event_time: date},
     partition: {by: event_time, every: year}}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 0.5, seed: 3, strata: [source], SHARES}
"""


def opened(root: Path, shares: str) -> tuple[Workspace, Recipe]:
    for name, n in (("news", 40), ("forum", 200)):
        folder = root / "landing" / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            {"id": f"{name}-{i}", "date": f"{2018 + i % 3}-01-01", "text": f"{name} text number {i} of many."}
            for i in range(n)
        ]
        (folder / "part.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (root / "mixed.yaml").write_text(RECIPE.replace("SHARES", shares))
    return open_recipe(root, root / "mixed.yaml")


def tokens_by_source(ws: Workspace, recipe: Recipe) -> dict[str, int]:
    table = ws.lake.open(recipe.corpus, "published").to_table(columns=["source", "n_tokens", "repeats", "stratum"])
    totals: dict[str, int] = {}
    for row in table.to_pylist():
        assert row["stratum"] == row["source"]
        totals[row["source"]] = totals.get(row["source"], 0) + row["n_tokens"] * row["repeats"]
    return totals


def test_a_small_source_is_repeated_to_fill_its_quota(tmp_path: Path) -> None:
    ws, recipe = opened(tmp_path, "quotas: {news: 0.6}, epochs: {news: 2}")
    results = run_all(ws, recipe)
    budget = next(result for result in results if result.stage == "sampled").metadata["budget_tokens"]
    totals = tokens_by_source(ws, recipe)
    assert totals["news"] / budget == pytest.approx(0.6, abs=0.02)
    assert totals["forum"] / budget == pytest.approx(0.4, abs=0.02)


@pytest.mark.slow
def test_other_epochs_change_the_release(tmp_path: Path) -> None:
    ws, recipe = opened(tmp_path, "quotas: {news: 0.6}, epochs: {news: 2}")
    run_all(ws, recipe)
    before = tokens_by_source(ws, recipe)
    ws, recipe = opened(tmp_path, "quotas: {news: 0.45}, epochs: {news: 2}")
    run_all(ws, recipe)
    after = tokens_by_source(ws, recipe)
    assert after["news"] / before["news"] == pytest.approx(0.75, abs=0.03)


def test_a_stratum_of_no_column_is_a_mistake_in_the_recipe(tmp_path: Path) -> None:
    opened(tmp_path, "weights: {news: 2}")
    path = tmp_path / "mixed.yaml"
    path.write_text(path.read_text().replace("[source]", "[sourc]"))
    with pytest.raises(UsageError, match=r"no operator writes 'sourc'.*'source'"):
        open_recipe(tmp_path, path)
