"""Columns added to a living table: zero-copy, gated before anyone sees them, safe beside other writers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from expectations.registry import suites_for
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.columns.fill import ColumnGateFailed, ColumnResult, add_column
from winnowry.columns.listing import drop, list_columns
from winnowry.columns.spec import ColumnSpec, Resources, operator_column, python_column, sql_column
from winnowry.core.errors import ContractError, DataError, UsageError
from winnowry.core.retry import Retry
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import GateFailed
from winnowry.recipe.load import apply_overrides

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTIONS = """
import pyarrow.compute as pc

def twice(n_words):
    return pc.multiply(n_words, 2)

def short(n_words):
    return n_words[:-1]

def other_type(n_words):
    return pc.cast(n_words, "string") if len(n_words) < 64 else n_words

def raises(n_words):
    if any(n % 2 == 0 for n in n_words.to_pylist()):
        raise ValueError("not this one")
    return n_words

def even_only(n_words):
    for n in n_words.to_pylist():
        if n % 2:
            raise ValueError(f"odd: {n}")
    return n_words

def nothing(n_words):
    return [float("nan")] * len(n_words)
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    land(root, years=("2019", "2020", "2021"), per_year=25)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"))
    (root / "functions.py").write_text(FUNCTIONS)
    return root


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "lake"))


def sql(ws: Workspace, name: str, expression: str, **options: Any) -> ColumnSpec:
    return sql_column(ws.lake.table("small", "published").dataset(), "published", name, expression, **options)


def add(ws: Workspace, spec: ColumnSpec, **options: Any) -> ColumnResult:
    return add_column(ws, "small", spec, suites=suites_for, **options)


def table(ws: Workspace, name: str = "published") -> pa.Table:
    return ws.lake.open("small", name).to_table()


def data_files(root: Path) -> set[str]:
    return {path.name for path in (root / "small" / "published.lance" / "data").iterdir()}


def test_a_column_writes_its_own_files_and_rewrites_none(root: Path) -> None:
    ws = Workspace.open(str(root))
    before, files = table(ws), data_files(root)
    sizes = {name: (root / "small/published.lance/data" / name).stat().st_mtime_ns for name in files}
    result = add(ws, sql(ws, "per_word", "cast(n_chars as double) / n_words"))
    assert (result.status, result.rows, result.null_rows) == ("added", before.num_rows, 0)
    assert result.fragments_computed == result.fragments == 3
    assert {gate.verdict for gate in result.gates} == {"pass"}
    after = table(ws)
    assert after.drop_columns(["per_word"]).equals(before)
    expected = pc.divide(pc.cast(after["n_chars"], pa.float64()), after["n_words"])
    assert after["per_word"].equals(expected)
    assert sizes == {name: (root / "small/published.lance/data" / name).stat().st_mtime_ns for name in files}
    assert ws.lake.open("small", "published").to_table(where=f"record_id = '{after['record_id'][0]}'").num_rows == 1
    again = add(ws, sql(ws, "per_word", "cast(n_chars as double) / n_words"))
    assert (again.status, again.fragments_computed) == ("present", 0)


def test_readers_of_a_release_keep_what_they_had(root: Path) -> None:
    ws = Workspace.open(str(root))
    add(ws, sql(ws, "twice", "n_words * 2"))
    assert "twice" not in ws.lake.open("small", "published", "prod").schema.names
    drop(ws, "small", "published", "twice")
    assert "twice" not in ws.lake.open("small", "published").schema.names


def test_operators_and_functions_compute_columns_too(root: Path) -> None:
    ws = Workspace.open(str(root))
    dataset = ws.lake.table("small", "published").dataset()
    add(ws, operator_column(dataset, "published", "n_lines", "text.lines"))
    add(ws, python_column(dataset, "published", "twice", f"{root}/functions.py:twice", type_=None))
    found = table(ws)
    assert found["twice"].equals(pc.multiply(found["n_words"], 2))
    assert found["n_lines"].to_pylist() == [
        len([x for x in t.split("\n") if x.strip()]) for t in found["text"].to_pylist()
    ]
    listed = {column.column: column for column in list_columns(ws, "small")}
    assert {name: column.state for name, column in listed.items()} == {"n_lines": "live", "twice": "live"}
    assert listed["twice"].inputs == ["n_words"]


@pytest.mark.parametrize(
    ("function", "type_", "error", "said"),
    [
        ("short", "int64", ContractError, "values came back"),
        ("other_type", "int64", ContractError, "values are string, the column is int64"),
        ("raises", "int64", DataError, r"record [0-9a-f]{32}: ValueError: not this one"),
        ("nothing", None, ColumnGateFailed, "are null or NaN"),
        ("absent", None, UsageError, "has no function 'absent'"),
    ],
)
def test_a_bad_function_leaves_the_table_as_it_was(
    root: Path, function: str, type_: str | None, error: type[Exception], said: str
) -> None:
    ws = Workspace.open(str(root))
    before = ws.lake.table("small", "published").dataset().version

    def try_it() -> None:
        dataset = ws.lake.table("small", "published").dataset()
        add(ws, python_column(dataset, "published", "bad", f"{root}/functions.py:{function}", type_=type_))

    with pytest.raises(error, match=said):
        try_it()
    assert ws.lake.table("small", "published").dataset().version == before
    assert [column.state for column in list_columns(ws, "small")] == ([] if function == "absent" else ["failed"])
    assert add(ws, sql(ws, "bad", "n_words")).status == "added"  # the name is free for a better try


def test_a_trial_changes_nothing_and_its_files_are_used_later(root: Path) -> None:
    ws = Workspace.open(str(root))
    spec = sql(ws, "twice", "n_words * 2")
    trial = add(ws, spec, fragments=2)
    assert (trial.status, trial.fragments, trial.fragments_computed) == ("trial", 2, 2)
    assert "twice" not in table(ws).schema.names
    assert list_columns(ws, "small") == []
    whole = add(ws, spec)
    assert (whole.fragments_computed, whole.fragments_reused) == (1, 2)


def test_only_the_rows_asked_for_have_a_value(root: Path) -> None:
    ws = Workspace.open(str(root))
    add(ws, sql(ws, "some", "n_words", where="partition = '2020'"))
    found = table(ws)
    for row in found.to_pylist():
        assert row["some"] == (row["n_words"] if row["partition"] == "2020" else None)


def test_rows_of_a_later_release_get_the_column_before_anyone_sees_them(root: Path) -> None:
    ws, recipe = open_recipe(root, root / "small.yaml")
    add(ws, sql(ws, "twice", "n_words * 2"))
    add(ws, sql(ws, "four_times", "twice * 2"))
    rows = table(ws).num_rows
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.8"]))
    found = table(ws)
    assert found.num_rows > rows
    assert found["twice"].equals(pc.multiply(found["n_words"], 2))
    assert found["four_times"].equals(pc.multiply(found["n_words"], 4))
    with pytest.raises(UsageError, match="twice is read by four_times"):
        drop(ws, "small", "published", "twice")


def test_the_gate_of_a_column_is_asked_again_for_every_partition_that_comes_later(tmp_path: Path) -> None:
    land(tmp_path, years=("2019",), per_year=12)
    write_recipe(tmp_path)
    ws, recipe = open_recipe(tmp_path, tmp_path / "small.yaml")
    run_all(ws, recipe, to="cleaned")
    cleaned = ws.lake.table("small", "cleaned").dataset()
    assert add(ws, sql_column(cleaned, "cleaned", "year", "nullif(partition, '2020')")).status == "added"
    before = table(ws, "cleaned")
    land(tmp_path, years=("2019", "2020"), per_year=12)  # 12 pages and 5 copies stay of 2020
    with pytest.raises(GateFailed, match=r"column\.values: .* column year: 17 of 17 rows are null or NaN"):
        run_all(ws, recipe, to="cleaned")
    assert table(ws, "cleaned").equals(before)


def test_a_recipe_does_not_write_over_a_column_that_was_added(root: Path) -> None:
    ws = Workspace.open(str(root))
    cleaned = ws.lake.table("small", "cleaned").dataset()
    add(ws, sql_column(cleaned, "cleaned", "n_lines", "n_words + 1"))
    more = (
        (root / "small.yaml")
        .read_text()
        .replace("  - {op: dedup.exact}", "  - {op: text.lines}\n  - {op: dedup.exact}")
    )
    (root / "small.yaml").write_text(more)
    with pytest.raises(ContractError, match="recipe writes column n_lines, which was added to the table"):
        run_all(*open_recipe(root, root / "small.yaml"), to="cleaned")


def test_a_name_that_differs_from_another_in_case_only_is_not_added(root: Path) -> None:
    ws = Workspace.open(str(root))
    with pytest.raises(UsageError, match="has a column n_words, which SQL does not tell apart from N_Words"):
        add(ws, sql(ws, "N_Words", "n_words + 1"))


def test_a_release_that_lands_meanwhile_is_filled_too_and_nothing_is_computed_twice(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, recipe = open_recipe(root, root / "small.yaml")
    landed = threading.Event()

    def rival() -> None:
        if not landed.is_set():
            landed.set()
            run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.8"]))

    monkeypatch.setattr(barrier, "hook", lambda point: rival() if point == "column:planned" else None)
    result = add(ws, sql(ws, "twice", "n_words * 2"))
    found = table(ws)
    assert landed.is_set()
    assert result.commits_refused >= 1
    assert found["twice"].equals(pc.multiply(found["n_words"], 2))
    assert result.fragments_computed <= 6  # three before the release, at most three that it brought


def test_a_column_that_lands_while_a_release_is_promoted_is_in_its_rows(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws, recipe = open_recipe(root, root / "small.yaml")
    landed = threading.Event()

    def rival() -> None:
        if not landed.is_set():
            landed.set()
            add(ws, sql(ws, "twice", "n_words * 2"))

    monkeypatch.setattr(barrier, "hook", lambda point: rival() if point == "staged:published" else None)
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.8"]))
    assert landed.is_set()
    found = table(ws)
    assert found["twice"].equals(pc.multiply(found["n_words"], 2))


def test_deleted_rows_keep_values_in_their_places(root: Path) -> None:
    ws = Workspace.open(str(root))
    handle = ws.lake.table("small", "published")
    gone = table(ws)["record_id"].to_pylist()[::3]
    handle.dataset().delete("record_id IN (" + ", ".join(f"'{value}'" for value in gone) + ")")
    add(ws, sql(ws, "twice", "n_words * 2"))
    found = table(ws)
    assert not set(gone) & set(found["record_id"].to_pylist())
    assert found["twice"].equals(pc.multiply(found["n_words"], 2))


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_files_it_wrote(root: Path) -> None:
    functions = root / "slow.py"
    functions.write_text("import time\ndef slow(n_words):\n    time.sleep(1.5)\n    return n_words\n")
    command = [
        sys.executable, "-c", "import sys; from winnowry.cli.main import main; sys.exit(main())",
        "column", "add", "small", "slow", "--python", f"{functions}:slow", "--root", str(root), "--type", "int64",
    ]  # fmt: skip
    started = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    notes = root / "small" / "columns" / "published" / "slow"
    until = time.monotonic() + 120
    while not list(notes.glob("*/*.json")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    ws = Workspace.open(str(root))
    assert "slow" not in table(ws).schema.names
    assert [column.state for column in list_columns(ws, "small")] == ["filling"]
    done = subprocess.run([*command, "--json"], cwd=REPOSITORY, capture_output=True, check=True)
    import json

    result = json.loads(done.stdout)
    assert result["status"] == "added"
    assert result["fragments_reused"] >= 1
    assert result["fragments_computed"] == result["fragments"] - result["fragments_reused"]
    assert table(ws)["slow"].equals(table(ws)["n_words"])


@pytest.mark.slow
def test_twelve_columns_and_a_release_from_many_processes_lose_nothing(root: Path) -> None:
    """Each process adds three columns while releases of other sizes land."""
    code = (
        "import sys; from winnowry.cli.main import main\n"
        "for n in map(int, sys.argv[2:]):\n"
        "    added = ['column', 'add', 'small', f'c{n}', '--sql', f'n_words * {n}', '--root', sys.argv[1], '--json']\n"
        "    assert main(added) == 0, n\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(root), *map(str, range(start, start + 3))],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
        )
        for start in (1, 4, 7, 10)
    ]
    ws, recipe = open_recipe(root, root / "small.yaml")
    for fraction in (0.5, 0.2, 0.8):
        run_all(ws, apply_overrides(recipe, [f"sample.token_fraction={fraction}"]))
    assert [process.wait(timeout=500) for process in processes] == [0, 0, 0, 0]
    found = table(ws)
    for number in range(1, 13):
        assert found[f"c{number}"].equals(pc.multiply(found["n_words"], number)), number
    selected = ws.lake.open("small", "sampled").to_table(columns=["record_id"], where="selected")
    assert sorted(found["record_id"].to_pylist()) == sorted(selected["record_id"].to_pylist())


def test_rows_that_a_function_fails_on_can_do_without_a_value(root: Path) -> None:
    ws = Workspace.open(str(root))
    dataset = ws.lake.table("small", "published").dataset()
    place = f"{root}/functions.py:even_only"
    words = {row["record_id"]: row["n_words"] for row in table(ws).to_pylist()}
    odd = {name for name, n in words.items() if n % 2}
    assert 0 < len(odd) < len(words)
    strict = python_column(dataset, "published", "even", place, type_="int64", on_error="null")
    with pytest.raises(ColumnGateFailed, match="are null or NaN"):
        add(ws, strict)
    spec = python_column(dataset, "published", "even", place, type_="int64", on_error="null", max_null_fraction=1)
    result = add(ws, spec)
    assert (result.rows_failed, result.null_rows) == (len(odd), len(odd))
    assert {name for name, _ in result.failed} <= odd
    assert result.failed[0][1] == f"ValueError: odd: {words[result.failed[0][0]]}"
    found = {row["record_id"]: row["even"] for row in table(ws).to_pylist()}
    assert found == {name: None if name in odd else n for name, n in words.items()}


def test_a_transient_error_is_met_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnowry.columns.values._CALLS", Retry(attempts=4, first_wait_s=0.0, longest_wait_s=0.0))
    ws = Workspace.open(str(root))
    path = root / "flaky.py"
    path.write_text(
        "calls = []\n\ndef flaky(n_words):\n    calls.append(1)\n"
        "    if len(calls) % 3:\n        raise ConnectionError('busy')\n    return n_words\n"
    )
    dataset = ws.lake.table("small", "published").dataset()
    assert add(ws, python_column(dataset, "published", "f", f"{path}:flaky", type_="int64")).status == "added"
    assert table(ws)["f"].equals(table(ws)["n_words"])


def test_the_number_of_rows_given_at_once_can_be_told(root: Path) -> None:
    ws = Workspace.open(str(root))
    path = root / "sizes.py"
    path.write_text("def size(n_words):\n    return [len(n_words)] * len(n_words)\n")
    dataset = ws.lake.table("small", "published").dataset()
    add(ws, python_column(dataset, "published", "at_once", f"{path}:size", type_="int64", resources=Resources(3, 1)))
    assert max(table(ws)["at_once"].to_pylist()) == 3


def test_a_machine_without_the_files_computes_the_same_column(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winnowry.columns.values._WORTH_PROCESSES", 1)
    words = tmp_path / "words.txt"
    words.write_text("service\n")
    ws = Workspace.open(str(root))
    dataset = ws.lake.table("small", "published").dataset()
    specs = [
        operator_column(dataset, "published", "listed_n", f'text.word_lists:lists={{crude: "{words}"}}'),
        python_column(dataset, "published", "doubled", f"{root}/functions.py:twice", type_="int64"),
    ]
    for spec, file in zip(specs, (words, root / "functions.py"), strict=True):

        class Elsewhere:
            """Runs tasks when the file is gone."""

            slots = 1

            def map(self, function: Any, tasks: Any, file: Path = file, **_: Any) -> Any:
                file.unlink()
                return map(function, tasks)

        assert add(ws, spec, engine=Elsewhere()).null_rows == 0
        assert not file.exists()
    table = ws.lake.open("small", "published").to_table(columns=["text", "n_words", "listed_n", "doubled"])
    assert table["doubled"].to_pylist() == [2 * n for n in table["n_words"].to_pylist()]
    expected = [len(re.findall(r"\bservice\b", text, re.IGNORECASE)) for text in table["text"].to_pylist()]
    assert table["listed_n"].to_pylist() == expected
    assert sum(expected) > 0


def test_a_column_of_an_operator_whose_file_changed_is_refused(root: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("service\n")
    ws = Workspace.open(str(root))
    dataset = ws.lake.table("small", "published").dataset()
    spec = operator_column(dataset, "published", "listed_n", f'text.word_lists:lists={{crude: "{words}"}}')
    words.write_text("resource\n")
    with pytest.raises(UsageError, match=r"words\.txt changed since the column was added \(lists_sha256\)"):
        add(ws, spec)
