"""What SECURITY.md says of links, of places outside the root, and of secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.small_corpus import RECIPE, land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.core.errors import RecipeError, StorageError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage
from winnowry.storage.open import open_store
from winnowry.storage.reach import VARIABLE

LINE = '{"id": "a", "text": "of the landing"}\n'
STOLEN = '{"id": "b", "text": "stolen"}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake with one file in its landing; beside it a folder that is nobody's business."""
    (tmp_path / "lake/landing/s").mkdir(parents=True)
    (tmp_path / "lake/landing/s/a.jsonl").write_text(LINE)
    (tmp_path / "lake/other").mkdir()
    (tmp_path / "lake/other/b.jsonl").write_text(STOLEN)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/b.jsonl").write_text(STOLEN)
    return tmp_path / "lake"


def recipe_of(uri: str) -> Recipe:
    source = {"name": "s", "uri": uri, "fields": {"id": "id"}, "partition": {"by": "none"}}
    return Recipe.model_validate(
        {
            "version": 1,
            "corpus": "c",
            "sources": [source],
            "score": [{"op": "score.token_count"}],
            "sample": {"method": "uniform", "fraction": 1.0},
        }
    )


def landed(root: Path, recipe: Recipe) -> tuple[int, dict[str, int]]:
    """Records that landed, and what was refused."""
    result = run_stage(Workspace.open(str(root)), recipe, "landing", None, suites=lambda *_: [], run_id="t")
    return result.rows_out, dict(result.quarantined_by_reason)


REFUSED = {"source.jsonl: link_leaves_landing": 1}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("landing/s/link.jsonl", "../../../home/b.jsonl"),
        ("landing/s/link.jsonl", "../../other/b.jsonl"),
        ("landing/s/link", "../../../home"),
        ("landing/s/link", "../../other"),
        ("landing/s/deep/link", "../../../other"),
    ],
)
def test_a_link_that_leaves_the_landing_is_not_read(root: Path, link: str, target: str) -> None:
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(target)
    assert landed(root, recipe_of("landing/s/**/*.jsonl")) == (1, REFUSED)


@pytest.mark.parametrize("target", ["a.jsonl", "../elsewhere/c.jsonl", "../elsewhere"])
def test_a_link_inside_the_landing_is_followed(root: Path, target: str) -> None:
    (root / "landing/elsewhere").mkdir()
    (root / "landing/elsewhere/c.jsonl").write_text(STOLEN)
    (root / "landing/s/link.jsonl").symlink_to(target)
    n_records, refused = landed(root, recipe_of("landing/s/**/*.jsonl"))
    assert (n_records, refused) == (1 if target == "a.jsonl" else 2, {})


def test_a_link_to_a_declared_place_is_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "landing/s/link.jsonl").symlink_to("../../../home/b.jsonl")
    monkeypatch.setenv(VARIABLE, f"/nowhere {root.parent / 'home'}")
    assert landed(root, recipe_of("landing/s/*.jsonl")) == (2, {})


def test_a_file_that_becomes_a_link_after_it_landed_is_not_read(root: Path) -> None:
    recipe, path = recipe_of("landing/s/*.jsonl"), root / "landing/s/a.jsonl"
    landed(root, recipe)
    status = path.stat()
    other = root.parent / "home/same.jsonl"
    other.write_text(LINE)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    path.symlink_to(other)
    with pytest.raises(StorageError, match="leads out of the landing"):
        run_stage(Workspace.open(str(root)), recipe, "raw", "all", suites=lambda *_: [], run_id="t")


@pytest.mark.parametrize(
    "uri",
    [
        "{home}/*.jsonl",
        "file://{home}/b.jsonl",
        "../home/*.jsonl",
        "landing/../../home/b.jsonl",
        "{root}x/*.jsonl",
        "out/*.jsonl",
        "~/.ssh/*",
        "s3://somebody-elses-bucket/*.jsonl",
    ],
)
def test_a_place_outside_the_root_is_refused_before_anything_is_listed(root: Path, uri: str) -> None:
    (root / "out").symlink_to(root.parent / "home")
    recipe = recipe_of(uri.format(home=root.parent / "home", root=root))
    for call in (lambda: landed(root, recipe), lambda: plan(Workspace.open(str(root)), recipe)):
        with pytest.raises(UsageError, match=VARIABLE):
            call()


@pytest.mark.parametrize("uri", ["landing/s/*.jsonl", "{root}/landing/s/a.jsonl", "file://{root}/landing/**"])
def test_a_place_below_the_root_needs_no_declaration(root: Path, uri: str) -> None:
    assert landed(root, recipe_of(uri.format(root=root))) == (1, {})


def test_a_declared_place_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = root.parent / "home"
    monkeypatch.setenv(VARIABLE, f"s3://bucket {home}")
    with pytest.raises(UsageError, match=VARIABLE):
        landed(root, recipe_of(f"{home}more/*.jsonl").model_copy(update={"corpus": "d"}))
    assert landed(root, recipe_of(f"{home}/*.jsonl")) == (1, {})


SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIDnobody-may-see",
    "AWS_SECRET_ACCESS_KEY": "secret-nobody-may-see",
    "AWS_SESSION_TOKEN": "token-nobody-may-see",
    "LANDING_PLACE": "",
    "WRONG_PLACE": "value-nobody-may-see",
    "PLACE_WITH_PASSWORD": "s3://user:password-nobody-may-see@bucket",
    "AWS_ENDPOINT_URL": "http://user:endpoint-nobody-may-see@127.0.0.1:9",
}


def test_no_secret_is_in_the_lake_its_pages_the_home_of_runs_or_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root, home = tmp_path / "secret-place-nobody-may-see" / "lake", tmp_path / "dagster"
    root.mkdir(parents=True)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LANDING_PLACE", str(root))
    monkeypatch.setenv("WINNOWRY_HOME", str(home))
    caplog.set_level("INFO")
    land(root, years=("2019",), per_year=12)
    path = write_recipe(root, RECIPE.replace('"landing/', '"${env:LANDING_PLACE}/landing/'))
    assert "${env:LANDING_PLACE}" in path.read_text()
    run_all(*open_recipe(root, path))
    printed = []
    for uri in ("${env:WRONG_PLACE}/*.jsonl", "landing/${env:WRONG_PLACE}/*.jsonl", "${env:PLACE_WITH_PASSWORD}/*"):
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(RECIPE.replace('"landing/small/*.jsonl.gz"', f'"{uri}"').replace("small", "wrong"))
        for command in (["plan", str(wrong)], ["run", str(wrong), "--without-dagster"], ["--json", "plan", str(wrong)]):
            assert main([*command, "--root", str(root)]) != 0
            printed.append("".join(capfd.readouterr()))
    for place in ("s3://user:password-nobody-may-see@bucket/lake", "https://user:password-nobody-may-see@host/lake"):
        assert main(["plan", str(path), "--root", place]) != 0
        printed.append("".join(capfd.readouterr()))
    assert main(["plan", str(path), "--root", "s3://bucket/lake"]) != 0  # nothing listens there
    printed.append("".join(capfd.readouterr()))

    files = [file for folder in (root / "small", home) for file in folder.rglob("*") if file.is_file()]
    assert {"facts.json", "page.html", "README.md", "recipe.json"} <= {file.name for file in files}
    assert all(text.strip() for text in printed)
    for body in (*(file.read_bytes() for file in files), *(text.encode() for text in printed), caplog.text.encode()):
        assert b"nobody-may-see" not in body.replace(str(root).encode(), b"")


@pytest.mark.parametrize("place", ["s3://user:pass@bucket/x/*", "file://user@/x/*"])
def test_a_place_with_credentials_is_refused_without_repeating_them(place: str) -> None:
    with pytest.raises((ValueError, RecipeError), match="credentials") as caught:
        recipe_of(place)
    assert "pass@" not in json.dumps([error["msg"] for error in caught.value.errors()])  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="credentials") as refused:
        open_store(place)
    assert "pass@" not in str(refused.value)
