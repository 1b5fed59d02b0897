"""A record of which nothing is left is refused by itself; its partition is promoted without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.walk import run_all
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.run import run_stage

FULL = "<p>A paragraph of enough words to be kept by every rule there is.</p>"
TEXTS = {
    "full": f"<html><body>{FULL}</body></html>",
    "other": f"<html><body>{FULL}{FULL}</body></html>",
    "scripts": "<html><head><title></title></head><body><script>x = 1</script></body></html>",
    "white": " \n\t\u3000 ",
    "empty": "",
}


def recipe_of(min_words: int | None) -> Recipe:
    source = {"name": "s", "uri": "landing/*", "fields": {"id": "id"}, "partition": {"by": "path", "part": -1}}
    clean = [{"op": "text.extract_html"}, {"op": "text.length", "min_words": min_words, "max_words": None}]
    return Recipe.model_validate({"version": 1, "corpus": "c", "sources": [source], "clean": clean})


def refused(ws: Workspace) -> dict[str, str]:
    """Reasons by the line of the record."""
    rows = ws.lake.open("c", "quarantine").to_table(where="stage = 'cleaned'").to_pylist()
    names = list(TEXTS)
    return {names[row["position"]]: f"{row['operator']}: {row['reason']}" for row in rows}


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    (tmp_path / "landing").mkdir()
    records = [json.dumps({"id": name, "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "landing" / "a.jsonl").write_text("\n".join(records))
    return Workspace.open(str(tmp_path))


EMPTY = {"scripts": "text.extract_html: empty", "white": "source: empty", "empty": "source: empty"}
SHORT = dict.fromkeys(EMPTY, "text.length: min_words")


def test_a_text_of_which_nothing_is_left_is_quarantined_and_its_partition_promoted(ws: Workspace) -> None:
    results = {result.stage: result for result in run_all(ws, recipe_of(None), to="cleaned")}
    assert (results["raw"].rows_out, results["cleaned"].rows_out, results["cleaned"].status) == (5, 2, "promoted")
    assert refused(ws) == EMPTY
    assert results["cleaned"].quarantined_by_reason == {"text.extract_html: empty": 1, "source: empty": 2}


@pytest.mark.parametrize("steps", [(3, None), (None, 3)], ids=["a rule goes", "a rule comes"])
def test_a_moved_threshold_refuses_what_cleaning_from_scratch_refuses(ws: Workspace, steps: tuple[Any, ...]) -> None:
    run_all(ws, recipe_of(steps[0]), to="cleaned")
    assert refused(ws) == (EMPTY if steps[0] is None else SHORT)
    again = run_stage(ws, recipe_of(steps[1]), "cleaned", "a.jsonl", suites=suites_for, run_id="again")
    assert again.metadata["columns_reused"]
    assert refused(ws) == (EMPTY if steps[1] is None else SHORT)


def test_a_file_without_a_byte_is_quarantined_and_its_partition_promoted(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "p"
    folder.mkdir(parents=True)
    (folder / "full.bin").write_bytes(b"\x00\x01")
    (folder / "none.bin").write_bytes(b"")
    source = {"name": "s", "uri": "landing/*/*", "format": "files", "partition": {"by": "path", "part": 0}}
    recipe = Recipe.model_validate(
        {"version": 1, "corpus": "c", "sources": [source], "clean": [{"op": "dedup.content"}]}
    )
    results = run_all(Workspace.open(str(tmp_path)), recipe, to="cleaned")
    assert [(result.stage, result.status, result.rows_out) for result in results] == [
        ("landing", "promoted", 2), ("raw", "promoted", 2), ("cleaned", "promoted", 1),
    ]  # fmt: skip
    assert results[-1].quarantined_by_reason == {"source: empty": 1}
