"""Documents cut into chunks, from landing to published: the ledger, a killed stage, batch cuts, `explain` and SQL."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.conftest import REPOSITORY
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import UsageError
from winnowry.core.ids import derived_id, record_id
from winnowry.engine import tasks
from winnowry.inspect.explain import explain
from winnowry.inspect.what_if import not_judged, what_if
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.lineage import live
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.reading.query import run_sql
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import find_release
from winnowry.stages.run import run_stage

EXAMPLE = REPOSITORY / "examples" / "documents"
PARTITION = "essays.jsonl"
LETTERS = """\
version: 1
corpus: letters
sources:
  - {name: s, uri: "landing/*.jsonl", fields: {id: id, text: text}, partition: {by: path, part: -1}}
clean:
  - {op: text.chunks, max_chars: 33}
  - {op: text.length, min_words: 3}
  - {op: text.chunks, max_chars: 30, as: piece}
score:
  - {op: text.length, min_words: 7, as: scored}
  - {op: score.token_count}
"""
RECORDS = 24
SUBJECTS = ("on rain and fog", "about the weather")
"""The first is a word longer than the second."""
KILLED = """
import os, signal, sys
sys.path.insert(0, {repository!r})
from tests.integration.test_derived_records import clean_letters
from winnowry.storage.local import LocalStore
plain, written = LocalStore.write, []
def write(self, uri, data, **how):
    done = plain(self, uri, data, **how)
    if "/units/" in uri:
        written.append(uri)
        if len(written) == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
    return done
LocalStore.write = write
clean_letters({root!r}, unit_rows=1)
"""


def opened(root: str | Path) -> tuple[Workspace, Recipe]:
    return open_recipe(Path(root), Path(root) / "recipe.yaml")


def rows(root: Path, corpus: str, table: str) -> list[dict[str, Any]]:
    view = opened(root)[0].lake.open(corpus, table)
    stored: list[dict[str, Any]] = view.to_table().drop_columns(["promotion_id"]).to_pylist()
    return sorted(stored, key=lambda row: str(row["record_id"]))


@pytest.fixture(scope="module")
def essays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, run to its release."""
    root = tmp_path_factory.mktemp("essays")
    shutil.copytree(EXAMPLE / "landing", root / "landing" / "documents")
    shutil.copy(EXAMPLE / "recipe.yaml", root / "recipe.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINNOWRY_WORKERS", "1")
        run_all(*opened(root))
    return root


def document(name: str) -> str:
    return record_id("essays", mapped_id=name)


def chunk(name: str, index: int) -> str:
    return derived_id([document(name)], index, "text.chunks")


def test_published_chunks_name_their_document_and_put_together_are_its_text(essays: Path) -> None:
    published = rows(essays, "documents", "published")
    texts = {row["record_id"]: row["payload"] for row in rows(essays, "documents", "raw")}
    for name in ("harbour", "stars"):
        parts = sorted(
            (row for row in published if row["parent_ids"] == [document(name)]), key=lambda row: row["chunk_index"]
        )
        assert [row["record_id"] for row in parts] == [chunk(name, index) for index in range(len(parts))]
        assert "".join(row["text"] for row in parts) == texts[document(name)]
        assert all(row["size"] == len(row["text"].encode()) for row in parts)
    assert {row["parent_ids"][0] for row in published} == {document(name) for name in ("harbour", "bread", "stars")}


def test_the_ledger_tells_consumed_documents_from_lost_ones(essays: Path) -> None:
    record = live(*opened(essays), "cleaned", PARTITION)
    assert record is not None
    published = len(rows(essays, "documents", "published"))
    assert record.ledger == {
        "rows_in": 4,
        "rows_out": published,
        "rows_quarantined": 2,  # the document without text, and the last chunk of the recipe for bread
        "rows_derived": published + 1,
        "rows_consumed": 3,
        "inputs_kept": 3,
    }
    assert record.facts["kept_fraction"] == 0.75
    raw = live(*opened(essays), "raw", PARTITION)
    assert raw is not None
    assert set(raw.ledger) == {"rows_in", "rows_out", "rows_quarantined"}


def test_the_funnel_says_that_documents_became_chunks_and_loses_none(essays: Path) -> None:
    ws, _ = opened(essays)
    steps = release_facts(ws, "documents", find_release(ws, "documents", "v1"))["funnel"]
    (became,) = [step["label"] for step in steps if "became" in step["label"]]
    assert became == f"passed the cleaning rules; 3 records became {len(rows(essays, 'documents', 'published')) + 1}"
    assert [step["pending"] for step in steps] == [0] * len(steps)


def test_a_document_without_chunks_and_a_rejected_chunk_are_in_quarantine(essays: Path) -> None:
    rejected = {row["record_id"]: row for row in rows(essays, "documents", "quarantine")}
    empty, last = rejected.pop(document("empty")), rejected.popitem()[1]
    assert rejected == {}
    assert (empty["operator"], empty["reason"], empty["parent_ids"]) == ("text.chunks", "no_children", None)
    assert (last["reason"], last["parent_ids"]) == ("min_words", [document("bread")])
    assert (last["uri"].rpartition("/")[2], last["position"]) == (PARTITION, 1)  # those of its document


def test_explain_of_a_chunk_shows_the_steps_of_its_document(essays: Path) -> None:
    ws, _ = opened(essays)
    walk = explain(ws, chunk("harbour", 1))
    total = sum(row["parent_ids"] == [document("harbour")] for row in rows(essays, "documents", "published"))
    assert (walk.status, walk.partition) == ("published", PARTITION)
    assert walk.verdict.endswith(f"; chunk 2 of {total} of {document('harbour')}")
    steps = {step.stage: step.outcome for step in walk.steps}
    assert list(steps) == ["landing", "raw", "cleaned", "scored", "sampled", "published"]
    assert steps["raw"].startswith(f"{document('harbour')} read from position 0 of ")
    assert steps["cleaned"].startswith(f"chunk 2 of {total} of {document('harbour')}; kept by every rule")
    assert explain(ws, chunk("harbour", 1)[:12]).record_id == chunk("harbour", 1)


def test_explain_of_a_document_lists_its_chunks_and_their_fates(essays: Path) -> None:
    ws, _ = opened(essays)
    walk = explain(ws, "bread")
    assert (walk.record_id, walk.status) == (document("bread"), "derived")
    step = walk.steps[-1]
    total = len(step.values)
    assert walk.verdict == f"became {total} records: {total - 1} published, 1 quarantined"
    assert list(step.values) == [chunk("bread", index) for index in range(total)]
    fates = list(step.values.values())
    assert fates[:-1] == ["published"] * (total - 1)
    assert fates[-1].startswith("quarantined at cleaned, rejected: text.length min_words")


def test_a_place_is_that_of_the_document_and_a_rejected_chunk_says_whose_it_is(essays: Path) -> None:
    ws, _ = opened(essays)
    assert explain(ws, "landing/documents/essays.jsonl:1").record_id == document("bread")
    (rejected,) = [row for row in rows(essays, "documents", "quarantine") if row["parent_ids"]]
    walk = explain(ws, rejected["record_id"])
    total = len(explain(ws, "bread").steps[-1].values)
    assert walk.status == "quarantined"
    assert walk.verdict.endswith(f"; chunk {total} of {total} of {document('bread')}")
    assert [step.stage for step in walk.steps] == ["landing", "raw", "cleaned"]


def test_sql_finds_the_neighbours_of_a_chunk(essays: Path) -> None:
    ws, _ = opened(essays)
    neighbours = run_sql(
        ws,
        "SELECT n.record_id FROM documents.published AS c JOIN documents.published AS n "
        "ON n.parent_ids = c.parent_ids AND abs(n.chunk_index - c.chunk_index) = 1 "
        f"WHERE c.record_id = '{chunk('harbour', 1)}' ORDER BY n.chunk_index",
    )
    assert neighbours["record_id"].to_pylist() == [chunk("harbour", 0), chunk("harbour", 2)]


def test_what_if_says_that_it_does_not_judge_a_recipe_with_a_derivation(essays: Path) -> None:
    ws, recipe = opened(essays)
    changed = apply_overrides(recipe, ["text.length.min_words=1"])
    reason = not_judged(ws, changed)
    assert reason is not None
    assert reason.startswith("documents: not judged: text.chunks makes records of records")
    with pytest.raises(UsageError, match=r"not judged: text\.chunks"):
        what_if(ws, recipe, changed)


def test_a_plan_with_a_changed_rule_is_shown_without_counts(essays: Path) -> None:
    recipe = str(essays / "recipe.yaml")
    with redirect_stdout(io.StringIO()) as printed:
        status = main(["plan", recipe, "--root", str(essays), "--set", "text.length.min_words=1", "--json"])
    answer = json.loads(printed.getvalue())
    assert status == 0
    assert list(answer["what_if"]) == ["not_judged"]
    assert answer["n_run"] > 0


# ---------------------------------------------------------------------------------- units of work


def clean_letters(root: str | Path, *overrides: str, unit_rows: int = 2048, force: bool = True) -> StageResult:
    """Clean with units of at most so many records."""
    before = tasks.UNIT_ROWS, tasks._LEAST_ROWS
    tasks.UNIT_ROWS = tasks._LEAST_ROWS = unit_rows  # type: ignore[misc]
    try:
        ws, recipe = opened(root)
        changed = apply_overrides(recipe, list(overrides)) if overrides else recipe
        return run_stage(ws, changed, "cleaned", "day.jsonl", suites=suites_for, run_id="test", force=force)
    finally:
        tasks.UNIT_ROWS, tasks._LEAST_ROWS = before  # type: ignore[misc]


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WINNOWRY_WORKERS", "1")
    (tmp_path / "landing").mkdir()
    lines = [
        {"id": str(n), "text": "" if n % 7 == 3 else f"Letter {n} is {SUBJECTS[n % 2]}. " * (n % 5 + 1) + "Bye."}
        for n in range(RECORDS)
    ]
    (tmp_path / "landing" / "day.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "recipe.yaml").write_text(LETTERS)
    run_all(*opened(tmp_path), to="raw")
    return tmp_path


def written(root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return rows(root, "letters", "cleaned"), rows(root, "letters", "quarantine")


def test_any_batch_cut_gives_the_same_tables(letters: Path) -> None:
    tables = []
    for unit_rows in (1, 7, 2048):
        clean_letters(letters, unit_rows=unit_rows)
        tables.append(written(letters))
    assert tables[0] == tables[1] == tables[2]
    cleaned, quarantined = tables[0]
    ingested = {row["record_id"] for row in rows(letters, "letters", "raw")}
    assert {row["parent_ids"][0] for row in cleaned} <= ingested  # two derivations: still the ingested record
    assert {row["reason"] for row in quarantined} == {"no_children", "min_words"}


def test_a_killed_stage_goes_on_at_its_unit(letters: Path) -> None:
    after = 15
    script = KILLED.format(repository=str(REPOSITORY), root=str(letters), after=after)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = clean_letters(letters, unit_rows=1, force=False)
    assert result.metadata["units_reused"] == after
    resumed = written(letters)
    clean_letters(letters)
    assert written(letters) == resumed


def test_the_gate_counts_records_that_came_in_not_those_made_of_them(letters: Path) -> None:
    # 3 of 24 letters are empty: 0.875 of them are kept, however many chunks were made of the others.
    with pytest.raises(GateFailed, match=r"min_kept_fraction|kept"):
        clean_letters(letters, "gates.cleaned.min_kept_fraction=0.9")
    result = clean_letters(letters, "gates.cleaned.min_kept_fraction=0.85")
    assert result.metadata["kept_fraction"] == 0.875
    assert result.rows_out > result.rows_in


def test_a_record_that_a_score_rejects_is_quarantined_with_its_parent(letters: Path) -> None:
    run_all(*opened(letters), to="scored")
    rejected = [row for row in rows(letters, "letters", "quarantine") if row["stage"] == "scored"]
    odd = {record_id("s", mapped_id=str(n)) for n in range(1, RECORDS, 2)}
    assert rejected
    assert {row["reason"] for row in rejected} == {"min_words"}
    assert {row["parent_ids"][0] for row in rejected} <= odd
