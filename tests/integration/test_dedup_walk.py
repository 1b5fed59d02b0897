"""Near-duplicates through the whole walk: any order of partitions, a late one, what plan and explain say of them."""

from __future__ import annotations

import gzip
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from tests.conftest import REPOSITORY
from tests.small_corpus import RECIPE, page, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.cli.plan import plan_view
from winnowry.core.errors import RecipeError
from winnowry.inspect.explain import explain
from winnowry.operators.base import Operator
from winnowry.stages.plan import plan

NEAR = RECIPE.replace("  - {op: dedup.exact}\n", "  - {op: dedup.exact}\n  - {op: dedup.minhash}\n")
YEARS = ("2019", "2020", "2021")
WORDS = ("one", "eleven", "two", "three")  # the edition of 2021 is the longest


def land_year(root: Path, year: str) -> None:
    """Twenty pages of the year's own, and the year's edition of ten pages that all years have, a sentence changed."""
    folder = root / "landing" / "small"
    folder.mkdir(parents=True, exist_ok=True)
    own, common = random.Random(year), random.Random("common")
    pages = [page(own, 20) for _ in range(20)]
    editions = [page(common, 40) for _ in range(10)]
    lines = [{"id": f"{year}-{n}", "html": html, "api_version": f"{year}-05-01"} for n, html in enumerate(pages)]
    for n, html in enumerate(editions):
        note = f"<p>This is the edition of {WORDS[int(year) % 4]} for readers.</p></main>"
        edited = html.replace("</main>", note)
        lines.append({"id": f"{year}-edition-{n}", "html": edited, "api_version": f"{year}-05-01"})
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    (folder / f"{year}.jsonl.gz").write_bytes(gzip.compress(body, mtime=0))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("near")
    for year in YEARS:
        land_year(root, year)
    ws, recipe = open_recipe(root, write_recipe(root, NEAR))
    run_all(ws, recipe)
    return root


def rows(ws: Any, table: str) -> list[dict[str, Any]]:
    columns = [n for n in ws.lake.open("small", table).schema.names if n != "promotion_id"]
    found = ws.lake.open("small", table).to_table(columns=columns).to_pylist()
    return sorted(found, key=lambda row: row["record_id"])


def source_ids(ws: Any) -> dict[str, str]:
    raw = ws.lake.open("small", "raw").to_table(columns=["record_id", "uri", "position"]).to_pylist()
    return {row["record_id"]: f"{Path(row['uri']).name[:4]}-{row['position']}" for row in raw}


def test_of_each_page_that_all_years_have_the_earliest_edition_stays(walked: Path) -> None:
    ws, _ = open_recipe(walked, walked / "small.yaml")
    named = source_ids(ws)
    decided = rows(ws, "duplicates")
    assert {named[row["record_id"]]: named[row["kept_record_id"]] for row in decided} == {
        f"{year}-{n}": f"2019-{n}" for year in ("2020", "2021") for n in range(20, 30)
    }
    assert {row["method"] for row in decided} == {"minhash"}
    assert {row["group_size"] for row in decided} == {3}
    assert all(0.9 < row["similarity"] <= 1 for row in decided)
    kept = {row["record_id"] for row in rows(ws, "cleaned")} - {row["record_id"] for row in decided}
    assert {row["record_id"] for row in rows(ws, "scored")} == kept


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_late_partition_and_another_order_give_the_same_as_all_at_once(
    walked: Path, tmp_path: Path, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOWRY_WORKERS", workers)
    for year in ("2021", "2020"):
        land_year(tmp_path, year)
    ws, recipe = open_recipe(tmp_path, write_recipe(tmp_path, NEAR))
    run_all(ws, recipe, order=("2021", "2020"))
    kept_2020 = {row["kept_record_id"] for row in rows(ws, "duplicates")}
    land_year(tmp_path, "2019")  # earlier in time, so its editions become the keepers
    results = run_all(ws, recipe)
    assert {r.partition for r in results if r.stage == "cleaned" and r.status == "promoted"} == {"2019"}
    whole, _ = open_recipe(walked, walked / "small.yaml")
    assert rows(ws, "duplicates") == rows(whole, "duplicates")
    assert kept_2020 <= {row["record_id"] for row in rows(ws, "duplicates")}
    assert [row["record_id"] for row in rows(ws, "sampled")] == [row["record_id"] for row in rows(whole, "sampled")]


def test_explain_tells_the_group_from_both_sides(walked: Path) -> None:
    ws, _ = open_recipe(walked, walked / "small.yaml")
    decided = rows(ws, "duplicates")
    keeper = decided[0]["kept_record_id"]
    others = [row for row in decided if row["kept_record_id"] == keeper]
    walk = explain(ws, others[0]["record_id"])
    step = next(step for step in walk.steps if step.table == "duplicates")
    assert f"duplicate of {keeper} by minhash, similarity 0." in step.outcome
    assert "one of 3 in its group" in step.outcome
    assert [text[:32] for text in step.values["others_of_group"]] == [others[1]["record_id"]]
    walk = explain(ws, keeper)
    assert walk.status in ("published", "not_selected")
    assert walk.verdict.endswith("; keeper of a group of 3")
    cleaned = next(step for step in walk.steps if step.table == "cleaned")
    assert sorted(text[:32] for text in cleaned.values["stands_for"]) == [row["record_id"] for row in others]


def test_plan_says_what_recall_to_expect(walked: Path) -> None:
    ws, recipe = open_recipe(walked, walked / "small.yaml")
    (curve,) = plan(ws, recipe).deduplication
    assert (curve.operator, curve.bands, curve.rows, curve.threshold) == ("dedup.minhash", 14, 8, 0.719)
    assert dict(curve.recall)[0.8] == pytest.approx(0.9235, abs=5e-5)
    schema = json.loads((REPOSITORY / "docs/reference/json/plan.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(plan(ws, recipe).to_dict())), schema)
    console = Console(width=120, record=True, file=io.StringIO())
    for part in plan_view(plan(ws, recipe), ws.root):
        console.print(part)
    shown = console.export_text()
    assert "14 bands of 8 rows over 5-grams of words" in shown
    assert "0.924" in shown


def test_another_keeper_policy_decides_groups_anew_and_cleans_nothing(
    walked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    root = Path(shutil.copytree(walked, tmp_path / "own"))
    run_all(*open_recipe(root, root / "small.yaml"), to="raw")  # the copies are other objects of the same content
    longest = NEAR.replace("exact}", "exact, keep: longest}").replace("minhash}", "minhash, keep: longest}")
    ws, recipe = open_recipe(root, write_recipe(root, longest))
    planned = {(entry.stage, entry.action) for entry in plan(ws, recipe).entries}
    assert {stage for stage, action in planned if action == "skip"} == {"landing", "raw", "cleaned", "fit"}
    assert {stage for stage, action in planned if action == "run"} == {"duplicates", "scored", "sampled", "published"}
    (decide,) = (entry for entry in plan(ws, recipe).entries if entry.stage == "duplicates")
    assert decide.reasons == [
        "recipe changed: dedup.exact: keep earliest → longest",
        "recipe changed: dedup.minhash: keep earliest → longest",
    ]

    called: list[str] = []
    for operator in recipe.clean:
        apply = type(operator).apply

        def counting(self: Operator, batch: Any, apply: Any = apply) -> Any:
            called.append(self.op)
            return apply(self, batch)

        monkeypatch.setattr(type(operator), "apply", counting)
    results = run_all(ws, recipe)
    assert called == []
    assert "cleaned" not in {result.stage for result in results if result.status == "promoted"}
    named = source_ids(ws)
    assert {named[row["record_id"]]: named[row["kept_record_id"]] for row in rows(ws, "duplicates")} == {
        f"{year}-{n}": f"2021-{n}" for year in ("2019", "2020") for n in range(20, 30)
    }
    assert {entry.action for entry in plan(ws, recipe).entries} == {"skip"}


def test_keys_that_only_deduplication_reads_are_not_published(walked: Path) -> None:
    ws, _ = open_recipe(walked, walked / "small.yaml")
    keys = {"content_key", "minhash"}
    assert keys <= set(ws.lake.open("small", "cleaned").schema.names)
    assert not keys & set(ws.lake.open("small", "published").schema.names)
    assert {"text", "n_words", "language", "n_tokens", "gc"} <= set(ws.lake.open("small", "published").schema.names)


def test_a_recipe_whose_operators_disagree_about_the_keeper_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="must be the same in each"):
        open_recipe(tmp_path, write_recipe(tmp_path, NEAR.replace("minhash}", "minhash, keep: longest}")))


def test_a_changed_evaluation_set_makes_partitions_stale_and_its_questions_are_rejected(
    walked: Path, tmp_path: Path
) -> None:
    quiz = tmp_path / "quiz.jsonl"
    quiz.write_text(json.dumps({"question": "nothing in the corpus asks this particular question of anybody at all"}))
    decontaminate = f"  - {{op: text.decontaminate, sets: [{{name: quiz, path: {json.dumps(str(quiz))}}}]}}\n"
    text = NEAR.replace("  - {op: dedup.exact}\n", decontaminate + "  - {op: dedup.exact}\n")
    root = tmp_path / "lake"
    shutil.copytree(walked / "landing", root / "landing")
    ws, recipe = open_recipe(root, write_recipe(root, text))
    run_all(ws, recipe, to="cleaned")
    assert {entry.action for entry in plan(ws, recipe).entries if entry.stage == "cleaned"} == {"skip"}
    copied = rows(ws, "cleaned")[0]
    quiz.write_text(json.dumps({"question": copied["text"]}))
    ws, recipe = open_recipe(root, root / "small.yaml")
    entries = [entry for entry in plan(ws, recipe).entries if entry.stage == "cleaned"]
    assert {entry.action for entry in entries} == {"run"}
    assert "text.decontaminate: contents" in entries[0].reasons[0]
    run_all(ws, recipe, to="cleaned")
    rejected = ws.lake.open("small", "quarantine").to_table(where=f"record_id = '{copied['record_id']}'").to_pylist()
    assert [(row["operator"], row["reason"]) for row in rejected] == [("text.decontaminate", "max_matches")]
    measured = json.loads(rejected[0]["columns"])
    assert (measured["contamination_set"], measured["contamination_start"]) == ("quiz", 0)
    assert measured["contamination_end"] > 0.9 * len(copied["text"])
