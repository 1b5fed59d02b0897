"""Columns that a recipe declares: planned, run, replaced and rolled back like stages, each an asset of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from expectations.registry import suites_for
from tests.integration.dagster_project import RECIPE
from tests.integration.dagster_project import project as dagster_project
from tests.small_corpus import land
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.columns.definitions import Definitions
from winnowry.columns.fill import add_column
from winnowry.columns.listing import drop, list_columns
from winnowry.columns.spec import sql_column
from winnowry.core.errors import LakehouseError, MissingPartitionsError, RecipeError, UsageError
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import GateFailed, StageResult
from winnowry.recipe.load import load_recipe
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stage_named
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage, stages_of

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

COLUMNS = """\
columns:
  - {name: per_word, sql: "cast(n_chars as double) / n_words"}
  - {name: n_lines, table: cleaned, operator: {op: text.lines}}
  - {name: loud, python: "functions.py:loud", type: float64}
"""
FUNCTIONS = """
def loud(n_words, per_word):
    return [float(n) * p for n, p in zip(n_words.to_pylist(), per_word.to_pylist())]
"""


def write(root: Path, columns: str = COLUMNS) -> Path:
    path = root / "small.yaml"
    path.write_text(RECIPE + columns, encoding="utf-8")
    (root / "functions.py").write_text(FUNCTIONS)
    return path


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    land(tmp_path, years=("2019", "2020"), per_year=25)
    write(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def with_column(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a release and its first declared column."""
    root = tmp_path_factory.mktemp("with_column")
    land(root, years=("2019", "2020"), per_year=25)
    run_all(*open_recipe(root, write(root)), to="published.per_word")
    return root


@pytest.fixture
def filled(with_column: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(with_column, tmp_path / "lake"))


def run(ws: Workspace, recipe: Recipe, stage: str, partition: str | None = None) -> StageResult:
    return run_stage(ws, recipe, stage, partition, suites=suites_for, run_id="test")


def published(ws: Workspace) -> pa.Table:
    return ws.lake.open("small", "published").to_table()


def entries(ws: Workspace, recipe: Recipe) -> dict[str, tuple[str, list[str]]]:
    return {entry.stage: (entry.action, entry.reasons) for entry in plan(ws, recipe).entries if "." in entry.stage}


def test_columns_come_after_the_stages_and_are_then_fresh(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "small.yaml")
    assert stages_of(recipe)[-4:] == ("published", "published.per_word", "cleaned.n_lines", "published.loud")
    assert entries(ws, recipe)["published.per_word"] == ("run", ["not promoted yet"])
    with pytest.raises(MissingPartitionsError, match="not promoted yet: published; run that stage first"):
        run(ws, recipe, "published.per_word")
    results = {result.stage: result for result in run_all(ws, recipe, to="published.loud")}
    assert [results[stage].status for stage in stages_of(recipe)[-3:]] == ["promoted"] * 3
    assert {gate.verdict for gate in results["published.loud"].gates} == {"pass"}
    table = published(ws)
    assert table["per_word"].equals(pc.divide(pc.cast(table["n_chars"], pa.float64()), table["n_words"]))
    assert table["loud"].equals(pc.multiply(pc.cast(table["n_words"], pa.float64()), table["per_word"]))
    cleaned = ws.lake.open("small", "cleaned").to_table()
    lines = [len([line for line in text.split("\n") if line.strip()]) for text in cleaned["text"].to_pylist()]
    assert cleaned["n_lines"].to_pylist() == lines
    assert {action for action, _ in entries(ws, recipe).values()} == {"skip"}
    assert run(ws, recipe, "published.loud").status == "skipped"
    # The release was made before its columns: it is stale, and the next one has them.
    (due,) = [entry for entry in plan(ws, recipe).entries if entry.stage == "published"]
    assert due.reasons == ["new input: column/loud, column/per_word"]
    made = run(ws, recipe, "published")
    assert (made.status, made.metadata["rows_added"], made.metadata["rows_removed"]) == ("promoted", 0, 0)
    first, second = (set(ws.lake.open("small", "published", tag).schema.names) for tag in ("v1", "prod"))
    assert second - first == {"loud", "per_word"}
    assert plan(ws, recipe).to_run == []


def test_they_change_no_stage_of_the_recipe(lake: Path, tmp_path: Path) -> None:
    without = load_recipe(write(tmp_path, ""))
    recipe = load_recipe(write(tmp_path))
    for stage in stages_of(without):
        assert stage_named(stage).hash(recipe) == stage_named(stage).hash(without)


def test_a_changed_definition_takes_the_place_of_the_old_values_and_can_be_undone(filled: Path) -> None:
    ws, recipe = open_recipe(filled, filled / "small.yaml")
    before = published(ws)
    changed = load_recipe(write(filled, COLUMNS.replace("/ n_words", "/ n_words / 2")))
    action, reasons = entries(ws, changed)["published.per_word"]
    assert action == "run"
    assert "recipe changed" in reasons[0]
    assert run(ws, changed, "published.per_word").status == "promoted"
    after = published(ws)
    assert after["per_word"].equals(pc.divide(before["per_word"], 2.0))
    assert after.drop_columns(["per_word"]).equals(before.drop_columns(["per_word"]))
    (listed,) = [column for column in list_columns(ws, "small") if column.column == "per_word"]
    assert [old.source for old in listed.earlier] == ["cast(n_chars as double) / n_words"]
    assert sum(state.rows for state in listed.partitions) == after.num_rows
    undone = run(ws, recipe, "published.per_word")
    assert (undone.status, undone.metadata["fragments_computed"]) == ("promoted", 0)  # its files were still there
    assert published(ws).equals(before)


def test_later_rows_get_the_values_of_the_new_definition(filled: Path) -> None:
    ws, _ = open_recipe(filled, filled / "small.yaml")
    changed = load_recipe(write(filled, COLUMNS.replace("/ n_words", "/ n_words / 2")))
    run(ws, changed, "published.per_word")
    land(filled, years=("2021",), per_year=25)
    run_all(ws, changed, to="published")
    table = published(ws)
    assert "2021" in table["partition"].to_pylist()
    assert table["per_word"].equals(
        pc.divide(pc.divide(pc.cast(table["n_chars"], pa.float64()), table["n_words"]), 2.0)
    )


def test_a_process_that_dies_after_the_commit_leaves_new_values_that_later_rows_get(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The definition still names the old values then; the table knows better."""
    ws, recipe = open_recipe(lake, lake / "small.yaml")
    run_all(ws, recipe, to="published.per_word")
    changed = load_recipe(write(lake, COLUMNS.replace("/ n_words", "/ n_words / 2")))

    def die(point: str) -> None:
        if point == "column:committed":
            raise KeyboardInterrupt

    monkeypatch.setattr(barrier, "hook", die)
    with pytest.raises(KeyboardInterrupt):
        run(ws, changed, "published.per_word")
    monkeypatch.setattr(barrier, "hook", None)
    found = Definitions(ws, "small").get("published", "per_word")
    assert found is not None
    assert found.next is not None
    land(lake, years=("2021",), per_year=25)
    run_all(ws, changed, to="published")
    table = published(ws)
    assert table["per_word"].equals(
        pc.divide(pc.divide(pc.cast(table["n_chars"], pa.float64()), table["n_words"]), 2.0)
    )
    assert run(ws, changed, "published.per_word").status == "skipped"
    settled = Definitions(ws, "small").get("published", "per_word")
    assert settled is not None
    assert (settled.next, len(settled.earlier)) == (None, 1)


def test_a_refused_replacement_leaves_the_old_values(filled: Path) -> None:
    ws, recipe = open_recipe(filled, filled / "small.yaml")
    before = published(ws)
    nulls = load_recipe(write(filled, COLUMNS.replace("/ n_words", "/ nullif(n_words, n_words)")))
    with pytest.raises(GateFailed, match="are null or NaN"):
        run(ws, nulls, "published.per_word")
    assert published(ws).equals(before)
    (listed,) = [column for column in list_columns(ws, "small") if column.column == "per_word"]
    assert (listed.state, listed.earlier) == ("live", [])
    assert "null or NaN" in str(listed.error)
    assert run(ws, recipe, "published.per_word").status == "skipped"


def test_values_in_a_compacted_file_are_replaced_too(filled: Path) -> None:
    """Compaction writes all columns of a fragment into one file; the column is then no file of its own."""
    ws, _ = open_recipe(filled, filled / "small.yaml")
    before = published(ws)
    ws.lake.table("small", "published").dataset().optimize.compact_files(target_rows_per_fragment=1000)
    changed = load_recipe(write(filled, COLUMNS.replace("/ n_words", "/ n_words / 2")))
    assert run(ws, changed, "published.per_word").status == "promoted"
    after = published(ws)
    expected = dict(zip(before["record_id"].to_pylist(), before["per_word"].to_pylist(), strict=True))
    found = dict(zip(after["record_id"].to_pylist(), after["per_word"].to_pylist(), strict=True))
    assert found == {name: value / 2 for name, value in expected.items()}
    dataset = ws.lake.table("small", "published").dataset()
    dataset.validate()
    half = sorted(found.values())[len(found) // 2]
    assert dataset.count_rows(f"per_word > {half}") == sum(value > half for value in found.values())


def test_another_type_and_an_indexed_column_are_refused(filled: Path) -> None:
    ws, _ = open_recipe(filled, filled / "small.yaml")
    with pytest.raises(UsageError, match="is double, the new values are string"):
        run(
            ws,
            load_recipe(write(filled, COLUMNS.replace("/ n_words", "").replace("double", "string"))),
            "published.per_word",
        )
    ws.lake.table("small", "published").dataset().create_scalar_index("per_word", "BTREE")
    changed = load_recipe(write(filled, COLUMNS.replace("/ n_words", "/ n_words / 2")))
    with pytest.raises(LakehouseError, match="index per_word_idx is built on the present values"):
        run(ws, changed, "published.per_word")


def test_two_replacements_at_once_are_one(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ws, _ = open_recipe(filled, filled / "small.yaml")
    dataset = ws.lake.table("small", "published").dataset()
    rival = sql_column(dataset, "published", "per_word", "cast(n_words as double)")
    other = sql_column(dataset, "published", "per_word", "cast(n_words as double) * 3")
    done = []

    def beat(point: str) -> None:
        if point != "column:planned":
            return
        monkeypatch.setattr(barrier, "hook", None)
        with pytest.raises(UsageError, match="is being replaced already"):
            add_column(ws, "small", other, suites=suites_for, take_place=True)
        done.append(add_column(ws, "small", rival, suites=suites_for, take_place=True))

    monkeypatch.setattr(barrier, "hook", beat)
    mine = add_column(ws, "small", rival, suites=suites_for, take_place=True)
    assert (done[0].status, mine.status) == ("added", "present")
    table = published(ws)
    assert table["per_word"].to_pylist() == [float(n) for n in table["n_words"].to_pylist()]
    drop(ws, "small", "published", "per_word")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("- {name: a, sql: n_words, python: 'functions.py:loud'}", "columns.0: give one of sql, operator and python"),
        ("- {name: a}", "columns.0: give one of sql, operator and python; got none"),
        ("- {name: text, sql: n_words}", "columns.0.name: published has a column text of its own"),
        ("- {name: a, sql: n_words}\n  - {name: a, sql: n_chars}", "columns.1.name: columns.0 is published.a already"),
        ("- {name: a, sql: n_words, type: int64}", "columns.0.type: `type` is for `python`"),
        ("- {name: a, operator: {op: text.lenght}}", "did you mean 'text.length'"),
        ("- {name: a, operator: {op: text.length}}", "writes n_chars, n_words: name the column as one of them"),
        ("- {name: a, operator: {op: text.lines}, table: scored}", "reads 'text', which scored does not have"),
        ("- {name: a, python: 'nowhere.py:f'}", "nowhere.py: no such file"),
        ("- {name: a, table: quarantine, sql: n_words}", "columns.0.table"),
        ("- {name: a, max_null_fraction: 2, sql: n_words}", "columns.0.max_null_fraction"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path: Path, columns: str, said: str) -> None:
    path = write(tmp_path, f"columns:\n  {columns}\n")
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    assert said in str(refused.value)


def test_a_plan_names_every_column_that_does_not_fit_its_table(lake: Path) -> None:
    ws, recipe = open_recipe(lake, lake / "small.yaml")
    run_all(ws, recipe, to="published")
    wrong = load_recipe(
        write(lake, "columns:\n  - {name: a, sql: n_wrds}\n  - {name: b, sql: n_words, where: nope = 1}\n")
    )
    with pytest.raises(RecipeError) as refused:
        plan(ws, wrong)
    assert len(refused.value.problems) == 2
    assert "No field named n_wrds" in str(refused.value)
    assert "No field named nope" in str(refused.value)


def test_each_is_an_asset_with_its_gate_and_its_lineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = RECIPE + COLUMNS.split("  - {name: loud")[0]
    with dagster_project(tmp_path, monkeypatch, bad=False, text=text) as project:
        keys = {"/".join(key.path) for key in project.definitions.resolve_all_asset_keys()}
        assert {"small/published/per_word", "small/cleaned/n_lines"} <= keys
        run_all(project.workspace, project.recipe, to="published")
        outcome = project.run("published.per_word")
    assert outcome.success
    metadata = outcome.metadata("per_word")
    assert metadata["column"] == "per_word"
    lineage = metadata["dagster/column_lineage"].deps_by_column["per_word"]
    assert {dep.column_name for dep in lineage} == {"n_chars", "n_words"}
    assert {name: check.passed for name, check in outcome.checks("per_word").items()} == {
        "contract": True,
        "values": True,
    }
    assert json.loads(json.dumps(metadata["winnowry/result"]))["status"] == "promoted"


def test_a_run_from_the_command_line_takes_them_along(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main([str(argument) for argument in (*arguments, "--root", lake, "--json")])
        return code, json.loads(capsys.readouterr().out)

    code, first = say("run", lake / "small.yaml", "--without-dagster")
    assert code == 0, first["error"]
    assert {result["stage"]: result["status"] for result in first["results"]}["published.loud"] == "promoted"
    _, shipped = say("run", lake / "small.yaml", "--without-dagster")
    assert {result["stage"] for result in shipped["results"] if result["status"] != "skipped"} == {"published"}
    _, again = say("run", lake / "small.yaml", "--without-dagster")
    assert {result["status"] for result in again["results"]} == {"skipped"}
    code, refused = say("run", lake / "small.yaml", "--to", "published.lod")
    assert code == 2
    assert "did you mean published.loud?" in refused["error"]["message"]
    code, replaced = say("column", "add", "small", "per_word", "--sql", "cast(n_words as double)", "--replace")
    assert code == 0, replaced["error"]
    _, listed = say("column", "list", "small", "--table", "published")
    before = next(column for column in listed["columns"] if column["column"] == "per_word")["earlier"][0]
    code, undone = say("column", "add", "small", "per_word", "--version", before["column_version"])
    assert (code, undone["column_version"]) == (0, before["column_version"])
    code, refused = say("column", "add", "small", "per_word", "--version", "zz")
    assert code == 2
    assert "0 of the versions of published.per_word fit" in refused["error"]["message"]
