"""A lake is a folder: wherever it is moved or copied to, it is the same lake, and it does not tell where it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.lakehouse.workspace import Workspace
from winnowry.stages.plan import plan

ODD = "lake 1#2?100%25 [x] 湖"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in somebody's home folder, whose recipe lies in it too."""
    root = tmp_path_factory.mktemp("home") / "somebody" / ODD
    root.mkdir(parents=True)
    land(root, years=("2019", "2020"), per_year=12)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"))
    return root


def actions(root: Path) -> set[str]:
    ws, recipe = open_recipe(root, root / "small.yaml")
    return {f"{entry.stage} {entry.partition}: {entry.reasons}" for entry in plan(ws, recipe).to_run}


def land_2021(root: Path, scratch: Path) -> None:
    land(scratch / "more", years=("2021",), per_year=12)
    shutil.copy(scratch / "more/landing/small/2021.jsonl.gz", root / "landing/small")


def test_nothing_that_a_lake_stores_tells_where_it_lies(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    assert {"facts.json", "page.html", "README.md", "recipe.json"} <= {path.name for path in files}
    for text in ("somebody", json.dumps(ODD)[1:-1], ODD):
        assert [str(path) for path in files if text.encode() in path.read_bytes()] == []
    ws = Workspace.open(str(made))
    uris = set(ws.lake.open("small", "raw").to_table()["uri"].to_pylist())
    uris |= set(ws.lake.open("small", "quarantine").to_table()["uri"].to_pylist())
    assert uris == set(ws.lake.open("small", "landing").to_table()["uri"].to_pylist())
    assert uris == {"landing/small/2019.jsonl.gz", "landing/small/2020.jsonl.gz"}


def test_a_copied_lake_has_nothing_to_do_and_goes_on_there(made: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(made, tmp_path / "elsewhere"))
    assert actions(elsewhere) == set()
    land_2021(elsewhere, tmp_path)
    results = run_all(*open_recipe(elsewhere, elsewhere / "small.yaml"), to="landing")
    assert results[0].metadata["objects_read"] == 1


@pytest.mark.parametrize("place", ["landing/small/2019.jsonl.gz:7", "{root}/landing/small/2019.jsonl.gz:7"])
def test_a_record_is_explained_by_its_place_as_the_user_writes_it(
    made: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", place.format(root=made), "--corpus", "small", "--root", str(made)]) == 0
    assert "landing/small/2019.jsonl.gz" in capsys.readouterr().out


def test_a_lake_whose_landing_names_whole_uris_is_not_read_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "old"
    root.mkdir()
    land(root, years=("2019", "2020"), per_year=12)
    write_recipe(root)
    with monkeypatch.context() as patch:  # as versions before this one stored them
        patch.setattr(Workspace, "relative", lambda ws, uri: ws.store.resolve(uri))
        run_all(*open_recipe(root, root / "small.yaml"), to="raw")
    landing = Workspace.open(str(root)).lake.open("small", "landing").to_table()["uri"].to_pylist()
    assert all(Path(uri).is_absolute() for uri in landing)
    ws, recipe = open_recipe(root, root / "small.yaml")
    assert {entry.stage for entry in plan(ws, recipe).to_run} & {"landing", "raw"} == set()
    land_2021(root, tmp_path)
    results = run_all(ws, recipe, to="raw")
    assert results[0].metadata["objects_read"] == 1
    assert ws.lake.open("small", "landing").count_rows() == 3
    copies = pa.compute.value_counts(ws.lake.open("small", "raw").to_table()["record_id"].combine_chunks())
    assert {row["counts"] for row in copies.to_pylist()} == {1}


@pytest.mark.parametrize(
    ("uri", "stored"),
    [
        ("landing/a.jsonl", "landing/a.jsonl"),
        ("{root}/landing/a b#?%.jsonl", "landing/a b#?%.jsonl"),
        ("file://{root}/landing/a.jsonl", "landing/a.jsonl"),
        ("{root}/~a.jsonl", "./~a.jsonl"),
        ("{root}x/a.jsonl", "{root}x/a.jsonl"),
        ("/data/a.jsonl", "/data/a.jsonl"),
        ("s3://bucket/a.jsonl", "s3://bucket/a.jsonl"),
    ],
)
def test_what_lies_below_the_root_is_stored_relative_to_it(tmp_path: Path, uri: str, stored: str) -> None:
    ws = Workspace.open(str(tmp_path))
    assert ws.relative(uri.format(root=tmp_path)) == stored.format(root=tmp_path)
    assert ws.store.resolve(ws.relative(stored.format(root=tmp_path))) == ws.store.resolve(uri.format(root=tmp_path))
