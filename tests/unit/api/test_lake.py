"""The lake in Python: what is refused, and how."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import winnowry as wn
from tests.small_lake import CORPUS, make_small_lake
from winnowry.core.errors import NotFoundError, RecipeError, UsageError


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> wn.Lake:
    folder = tmp_path_factory.mktemp("lake")
    make_small_lake(folder)
    return wn.open(folder)


def test_a_root_is_a_folder_an_uri_or_what_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINNOWRY_ROOT", raising=False)
    assert wn.open().root == f"{tmp_path}/lake"
    assert wn.open("elsewhere").root == wn.open(Path("elsewhere")).root == f"{tmp_path}/elsewhere"
    monkeypatch.setenv("WINNOWRY_ROOT", "s3://bucket/lake")
    assert wn.open().root == "s3://bucket/lake"


def test_a_table_is_read_at_a_version_and_by_columns_and_rows(lake: wn.Lake) -> None:
    v1, prod = lake.table(f"{CORPUS}.published", "v1"), lake.table(f"{CORPUS}.published", "prod")

    assert (v1.count(), prod.count(), prod.count("n_tokens > 10")) == (1, 2, 1)
    assert lake.table(f"{CORPUS}.published", v1.version).to_arrow() == v1.to_arrow()
    assert prod.to_arrow(["n_tokens", "gc"], "n_tokens > 10").to_pylist() == [{"n_tokens": 20, "gc": 0.5}]
    assert pa.Table.from_batches(prod.scan(["record_id"])) == prod.to_arrow(["record_id"])
    assert lake.table(f"{CORPUS}.quarantine").count() == 2


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("letters", None, "expected CORPUS.TABLE, such as letters.published"),
        ("leters.published", None, "no corpus 'leters'; did you mean letters?"),
        ("letters.publishd", None, "letters has no table 'publishd'; did you mean published?"),
        ("letters.published", "prd", "letters.published has no version 'prd'; did you mean 'prod'?"),
        ("letters.published", 99, "letters.published has no version 99"),
    ],
)
def test_a_table_that_is_not_there_is_answered_with_the_one_that_was_meant(
    lake: wn.Lake, name: str, version: int | str | None, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        lake.table(name, version)
    assert message in str(error.value)


def test_a_column_or_a_predicate_that_does_not_fit_is_wrong_usage(lake: wn.Lake) -> None:
    table = lake.table(f"{CORPUS}.published")
    with pytest.raises(UsageError, match="did you mean 'n_tokens'"):
        table.to_arrow(["n_token"])
    with pytest.raises(UsageError, match="n_token"):
        table.count("n_token > 1")
    with pytest.raises(UsageError, match="did you mean 'n_tokens'"):
        next(table.scan(["n_token"]))


def test_a_column_takes_an_operator_that_was_made_in_python(tmp_path: Path) -> None:
    make_small_lake(tmp_path)
    lake = wn.open(tmp_path)

    assert lake.add_column(CORPUS, "n_lines", op=wn.ops.text.lines(), fragments=1).status == "trial"
    with pytest.raises(UsageError, match="got sql and op"):
        lake.add_column(CORPUS, "lines", op=wn.ops.text.lines(), sql="1")


def test_an_unknown_engine_or_stage_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    lake = wn.open(tmp_path / "nothing")
    with pytest.raises(UsageError, match="unknown engine 'locl'; did you mean 'local'"):
        lake.run("aws_docs", engine="locl")
    with pytest.raises(UsageError, match="no stage 'clened'; did you mean cleaned"):
        lake.run("aws_docs", to="clened")
    with pytest.raises(NotFoundError, match="did you mean aws_docs"):
        lake.run("aws_dcs")


def test_a_recipe_with_mistakes_does_not_run(tmp_path: Path) -> None:
    recipe = wn.load_recipe(Path(__file__).resolve().parents[3] / "recipes" / "aws_docs.yaml")
    wrong = recipe.model_copy(update={"score": ()})
    with pytest.raises(RecipeError, match=r"score: nothing writes n_tokens"):
        wn.open(tmp_path).run(wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lake, out: lake.export(CORPUS, "csv", out), "format 'csv': expected 'jsonl' or 'parquet'"),
        (lambda lake, out: lake.export(CORPUS, "jsonl", out, profile="nope"), "profile 'nope': expected 'tc609'"),
        (
            lambda lake, out: lake.export(CORPUS, "parquet", out, profile="tc609"),
            "profile tc609 is for the format jsonl",
        ),
        (lambda lake, out: lake.add_column(CORPUS, "x", sql="1", on_error="nul"), "on_error 'nul': expected 'fail'"),
        (lambda lake, out: lake.add_column(CORPUS, "x", sql="1", where="no_such > 1"), "where 'no_such > 1'"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_before_anything_is_written(
    lake: wn.Lake, tmp_path: Path, call: Callable[[wn.Lake, Path], object], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        call(lake, tmp_path / "out")
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_single_name_may_stand_alone(lake: wn.Lake) -> None:
    assert lake.table(f"{CORPUS}.published").to_arrow("n_tokens").column_names == ["n_tokens"]
    assert next(lake.table(f"{CORPUS}.published").scan("n_tokens")).schema.names == ["n_tokens"]
    assert [done.corpus for done in lake.maintain(CORPUS, dry_run=True)] == [CORPUS]


def test_a_script_without_a_guard_is_told_to_have_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # What a process of a pool has set while it imports the script that started it.
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(UsageError, match="__main__"):
        wn.open(tmp_path).run("aws_docs")
