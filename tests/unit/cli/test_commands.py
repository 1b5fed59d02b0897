"""The commands from outside: exit codes, what goes to which stream, and JSON that fits its schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from tests.small_lake import CORPUS, IDS, make_small_lake
from winnowry.cli.main import cli, main

SCHEMAS = Path(__file__).resolve().parents[3] / "docs" / "reference" / "json"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    make_small_lake(folder)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("WINNOWRY_ROOT", raising=False)

    def run(*arguments: object) -> Said:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def check(document: object, schema: str) -> None:
    rules = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.validate(document, rules, jsonschema.Draft202012Validator)


READING = [
    (("sql", f"select * from {CORPUS}.published"), "sql"),
    (("sql", "select * from tables"), "sql"),
    (("explain", IDS["a"]), "explain"),
    (("explain", IDS["c"]), "explain"),
    (("explain", IDS["d"]), "explain"),
    (("explain", IDS["e"]), "explain"),
    (("explain", IDS["f"]), "explain"),
    (("release", "list", CORPUS), "release-list"),
    (("release", "show", CORPUS, "prod"), "release-show"),
    (("release", "diff", CORPUS, "v1", "v2"), "release-diff"),
    (("doctor",), "doctor"),
    (("column", "list", CORPUS), "column-list"),
    (("maintain", "--dry-run"), "maintain"),
    (("verify",), "verify"),
    (("erase", CORPUS, "--uri", "nowhere.jsonl"), "erase"),
]


@pytest.mark.parametrize(("arguments", "schema"), READING, ids=lambda value: "-".join(value)[:40])
def test_json_output_fits_its_schema_and_nothing_else_is_printed(
    say: Any, root: Path, arguments: tuple[str, ...], schema: str
) -> None:
    said = say(*arguments, "--root", root, "--json")
    assert (said.code, said.err) == (0, "")
    check(said.document, schema)


@pytest.mark.parametrize(("arguments", "schema"), READING, ids=lambda value: "-".join(value)[:40])
def test_text_for_people_has_no_colour_codes_in_a_pipe(
    say: Any, root: Path, arguments: tuple[str, ...], schema: str
) -> None:
    said = say(*arguments, "--root", root)
    assert (said.code, said.err) == (0, "")
    assert said.out.strip()
    assert "\x1b" not in said.out


def test_export_and_rollback_print_documents_that_fit(say: Any, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    make_small_lake(lake)
    exported = say("export", CORPUS, "--format", "jsonl", "--out", tmp_path / "out", "--root", lake, "--json")
    check(exported.document, "export")
    rolled = say("release", "rollback", CORPUS, "v1", "--root", lake, "--json")
    check(rolled.document, "release-rollback")
    assert say("release", "show", CORPUS, "prod", "--root", lake, "--json").document["name"] == "v1"


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("sql", "select * from nowhere"), 2, "NotFoundError"),
        (("sql", "drop table x"), 2, "UsageError"),
        (("sql",), 2, "UsageError"),
        (("nonsense",), 2, "UsageError"),
        (("run",), 2, "UsageError"),
        (("run", "no-such-recipe"), 2, "NotFoundError"),
        (("run", "aws_docs", "--to", "nowhere"), 2, "UsageError"),
        (("run", "aws_docs", "--without-dagster", "--engine", "locl"), 2, "UsageError"),
        (("run", "aws_docs", "--engine", "locl"), 2, "UsageError"),
        (("explain", "0" * 32), 2, "NotFoundError"),
        (("release", "show", CORPUS, "v9"), 2, "NotFoundError"),
        (("release", "list", "numbers"), 2, "NotFoundError"),
        (("export", CORPUS, "--format", "csv", "--out", "x"), 2, "UsageError"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_was_expected(
    say: Any, root: Path, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    at = () if arguments[0] == "nonsense" else ("--root", root)
    as_json = say(*arguments, *at, "--json")
    assert as_json.code == code
    check(as_json.document, "error")
    assert as_json.document["error"]["type"] == kind
    as_text = say(*arguments, *at)
    assert (as_text.code, as_text.out) == (code, "")
    assert kind in as_text.err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("run", "aws_docs", "--to", "clened"), "did you mean cleaned?"),
        (("run", "aws_docs", "--engine", "locl"), "did you mean 'local'?"),
        (("run", "aws_docs", "--to", "comparison"), "the recipe has no stage 'comparison'; its stages are landing,"),
        (("column", "add", "leters", "x", "--sql", "1"), "did you mean letters?"),
        (("column", "add", CORPUS, "x", "--sql", "1", "--table", "publishd"), "did you mean published?"),
        (("column", "list", "leters"), "did you mean letters?"),
        (("column", "list", CORPUS, "--table", "publishd"), "did you mean published?"),
        (("column", "drop", "leters", "x"), "did you mean letters?"),
        (("sql", "select * from letters.publishd"), "did you mean letters.published?"),
        (("sql", "select * from leters.published"), "did you mean letters.published?"),
        (("sql", "select n_token from letters.published"), "n_tokens"),
        (("explain", "0" * 32, "--corpus", "leters"), "did you mean letters?"),
        (("release", "list", "leters"), "did you mean letters?"),
        (("release", "show", CORPUS, "prd"), "did you mean prod?"),
        (("release", "diff", CORPUS, "prd", "v2"), "did you mean prod?"),
        (("release", "rollback", CORPUS, "prd"), "did you mean prod?"),
        (("release", "rollback", CORPUS, "v1", "--tag", "prd"), "did you mean prod?"),
        (("export", CORPUS, "--format", "jsonl", "--out", "x", "--tag", "prd"), "did you mean prod?"),
        (("maintain", "--corpus", "leters"), "did you mean letters?"),
    ],
    ids=lambda value: "-".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_a_wrong_name_is_answered_with_the_one_that_was_meant(
    say: Any, root: Path, arguments: tuple[str, ...], meant: str
) -> None:
    answer = say(*arguments, "--root", root)
    assert (answer.code, answer.out) == (2, "")
    assert meant in " ".join(answer.err.split())


def test_every_mistake_of_a_recipe_is_a_problem_of_its_own(say: Any, root: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "broken.yaml"
    recipe.write_text("version: 1\ncorpus: broken\nsorces: []\nclean: [{op: text.lenght}]\n")
    said = say("run", recipe, "--root", root, "--json")
    assert said.code == 2
    check(said.document, "error")
    assert said.document["error"]["type"] == "RecipeError"
    assert len(said.document["error"]["problems"]) >= 2
    assert all(str(recipe) in problem for problem in said.document["error"]["problems"])


def test_a_recipe_that_is_not_there_is_answered_with_the_one_that_was_meant(say: Any, root: Path) -> None:
    assert "did you mean aws_docs?" in say("run", "aws_doc", "--root", root).err


def test_an_error_that_nobody_expected_exits_with_1_and_keeps_stdout_json(
    say: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nobody")

    monkeypatch.setattr("winnowry.reading.query.run_sql", fail)
    said = say("sql", "select 1", "--root", root, "--json")
    assert said.code == 1
    assert said.document["error"]["type"] == "InternalError"
    assert "by nobody" in said.document["error"]["message"]


def test_interruption_exits_with_130(say: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("winnowry.reading.query.run_sql", interrupt)
    assert say("sql", "select 1", "--root", root).code == 130


def test_the_root_comes_from_the_environment_too(say: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOWRY_ROOT", str(root))
    said = say("sql", "select count(*) as n from tables", "--json")
    assert said.document == [{"n": 9}]


def test_sql_json_keeps_times_numbers_and_nulls(say: Any, root: Path) -> None:
    said = say("sql", f"select event_time, n_words, parent_ids from {CORPUS}.cleaned where record_id = '{IDS['a']}'",
               "--root", root, "--json")  # fmt: skip
    [row] = said.document
    assert datetime.fromisoformat(row["event_time"]) == datetime(2020, 1, 2, 12, tzinfo=UTC)
    assert row["n_words"] == 90
    assert row["parent_ids"] == [IDS["a"]]
    nan = say("sql", f"select gc from {CORPUS}.scored where isnan(gc)", "--root", root, "--json")
    assert nan.document == [{"gc": None}]


def test_sql_shows_fifty_rows_to_people_and_all_of_them_as_json(say: Any, root: Path) -> None:
    query = "select range as i from range(60)"
    assert "the first 50 rows" in say("sql", query, "--root", root).out
    assert len(say("sql", query, "--root", root, "--json").document) == 60
    assert "3 rows" in say("sql", query, "--root", root, "--limit", "3").out


def test_doctor_exits_with_1_when_the_store_is_not_fit(say: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from winnowry.storage.local import LocalStore

    write = LocalStore.write
    monkeypatch.setattr(LocalStore, "write", lambda self, uri, data, *, if_absent=False: write(self, uri, data))
    said = say("doctor", "--root", root, "--json")
    assert said.code == 1
    assert said.document["healthy"] is False
    check(said.document, "doctor")


def test_init_writes_a_project_and_refuses_to_overwrite_one(say: Any, tmp_path: Path) -> None:
    said = say("init", tmp_path / "my-lake", "--json")
    assert said.code == 0
    check(said.document, "init")
    assert all((tmp_path / "my-lake" / name).is_file() for name in said.document["files"])
    assert set(said.document["files"]) == {
        ".gitignore", "definitions.py", "recipes/my_lake.yaml", "recipes/recipe.schema.json", "workspace.yaml",
    }  # fmt: skip
    again = say("init", tmp_path / "my-lake", "--json")
    assert again.code == 2
    assert "nothing was written" in again.document["error"]["message"]


def test_column_documents_fit_their_schemas(say: Any, tmp_path: Path) -> None:
    make_small_lake(tmp_path)
    trial = say(
        "column", "add", CORPUS, "twice", "--sql", "n_tokens * 2", "--fragments", 1, "--root", tmp_path, "--json"
    )
    assert trial.code == 0, trial.out
    check(trial.document, "column-add")
    added = say("column", "add", CORPUS, "twice", "--sql", "n_tokens * 2", "--root", tmp_path, "--json")
    assert (added.code, added.document["status"]) == (0, "added")
    check(added.document, "column-add")
    listed = say("column", "list", CORPUS, "--root", tmp_path, "--json")
    assert [column["state"] for column in listed.document["columns"]] == ["live"]
    check(listed.document, "column-list")
    rows = say("sql", f"select n_tokens, twice from {CORPUS}.published@latest", "--root", tmp_path, "--json").document
    assert rows
    assert all(row["twice"] == 2 * row["n_tokens"] for row in rows)
    dropped = say("column", "drop", CORPUS, "twice", "--root", tmp_path, "--json")
    check(dropped.document, "column-drop")
    check(say("maintain", "--root", tmp_path, "--json").document, "maintain")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x",), "give one of sql, op and python; got none"),
        (("x", "--sql", "n_tokens", "--op", "text.length"), "got sql and op"),
        (("x", "--sql", "n_tokens", "--type", "int64"), "type is for python"),
        (("1x", "--sql", "n_tokens"), "expected a letter"),
        (("x", "--sql", "n_token"), "No field named n_token"),
        (("x", "--sql", "n_tokens", "--where", "partition_ = 1"), "No field named partition_"),
        (("x", "--op", "text.lenght"), "did you mean 'text.length'?"),
        (("x", "--op", "text.length:min_wrds=1"), "min_wrds"),
        (("x", "--op", "text.length"), "writes n_chars, n_words: name the column as one of them"),
        (("x", "--python", "nowhere.py:f"), "cannot be read"),
        (("n_tokens", "--sql", "n_words"), "has a column n_tokens of its own"),
    ],
)
def test_a_wrong_column_is_told_before_anything_is_written(
    say: Any, root: Path, arguments: tuple[str, ...], said: str
) -> None:
    answer = say("column", "add", CORPUS, *arguments, "--root", root)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert not (root / CORPUS / "columns").exists()


def every_command() -> dict[str, click.Command]:
    """All commands by name, those of a group as ``group name``."""
    found: dict[str, click.Command] = {}
    for name, command in cli.commands.items():
        parts = command.commands if isinstance(command, click.Group) else {"": command}
        found |= {f"{name} {part}".strip(): member for part, member in parts.items()}
    return found


def test_there_are_the_fourteen_commands_of_the_contract() -> None:
    assert set(cli.commands) == {
        "init", "demo", "ui", "doctor", "maintain", "plan", "run", "sql", "explain", "column", "release", "export",
        "verify",
        "erase",
    }  # fmt: skip


def test_every_command_takes_root_and_json() -> None:
    for name, command in every_command().items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--root", "--json"} <= options, name


def test_every_json_document_has_a_schema() -> None:
    names = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert names == {name.replace(" ", "-") for name in every_command()} | {"error"}
