"""An object whose size and content are what landed is the same object, whatever its time and its entity tag."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.cli.main import main
from winnowry.recipe.model import Recipe
from winnowry.stages import landing
from winnowry.stages.plan import plan
from winnowry.storage import digests, local

YEAR = "landing/small/2019.jsonl.gz"
LATER = 2_000_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No digest is known from elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    digests._known.clear()
    yield
    digests._known.clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two years, published."""
    root = tmp_path_factory.mktemp("made") / "lake"
    root.mkdir()
    land(root, years=("2019", "2020"), per_year=12)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"))
    return root


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two years that only landed."""
    root = tmp_path_factory.mktemp("landed") / "lake"
    root.mkdir()
    land(root, years=("2019", "2020"), per_year=12)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"), to="landing")
    return root


def copied(lake: Path, to: Path) -> Path:
    """As ``cp -r`` does it: every file has the time of the copy."""
    return Path(shutil.copytree(lake, to, copy_function=shutil.copyfile))


def stale(root: Path) -> set[str]:
    ws, recipe = open_recipe(root, root / "small.yaml")
    return {f"{entry.stage} {entry.partition}" for entry in plan(ws, recipe).to_run}


def promotions(root: Path) -> set[str]:
    return {path.name for path in (root / "small" / "promotions").rglob("*.json")}


def test_a_run_after_cp_r_promotes_nothing(whole: Path, tmp_path: Path) -> None:
    copy = copied(whole, tmp_path / "copy")
    assert (copy / YEAR).stat().st_mtime_ns != (whole / YEAR).stat().st_mtime_ns
    before = promotions(copy)
    assert before
    assert main(["run", str(copy / "small.yaml"), "--root", str(copy), "--without-dagster"]) == 0
    assert promotions(copy) == before


def test_a_copy_is_read_once_a_machine_and_not_with_every_plan(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    opens = local.LocalStore.open
    monkeypatch.setattr(
        local.LocalStore, "open", lambda store, uri, **more: opened.append(uri) or opens(store, uri, **more)
    )
    of_landing = [str(tmp_path / "copy" / "landing/small" / f"{year}.jsonl.gz") for year in ("2019", "2020")]

    def read_by_a_plan() -> list[str]:
        opened.clear()
        assert "landing None" not in stale(tmp_path / "copy")
        return sorted(uri for uri in opened if "/landing/small/" in uri)

    shutil.copytree(landed, tmp_path / "copy")
    assert read_by_a_plan() == []
    for path in of_landing:
        os.utime(path, (LATER, LATER))
    assert read_by_a_plan() == of_landing
    assert read_by_a_plan() == []
    digests._known.clear()  # as in another process
    assert read_by_a_plan() == []


def touch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(path, (LATER, LATER))


def replace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As rsync without times does it."""
    beside = path.with_name("beside")
    beside.write_bytes(path.read_bytes())
    beside.replace(path)


def sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a store whose tags are made otherwise, as by ``aws s3 sync``."""
    monkeypatch.setattr(local, "_etag", lambda status: f"tag-{status.st_ino}")


def change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(path.read_bytes())
    data[4:8] = b"\x01\x02\x03\x04"  # the time in the head of a gzip member: other bytes, the same records
    path.write_bytes(data)
    os.utime(path, (LATER, LATER))


def change_and_keep_the_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = path.stat()
    change(path, monkeypatch)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(path.read_bytes() + gzip.compress(b"\n"))


@pytest.mark.parametrize(
    ("what", "is_read_again"),
    [
        (touch, False),
        (replace, False),
        (sync, False),
        (change, True),
        (grow, True),
        (change_and_keep_the_time, False),  # nothing that a listing says shows it
    ],
)
def test_what_a_person_may_do_to_an_object(
    landed: Path,
    tmp_path: Path,
    what: Callable[[Path, pytest.MonkeyPatch], None],
    is_read_again: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = Path(shutil.copytree(landed, tmp_path / "copy"))
    what(copy / YEAR, monkeypatch)
    assert ("landing None" in stale(copy)) == is_read_again
    if is_read_again:
        [result] = run_all(*open_recipe(copy, copy / "small.yaml"), to="landing")
        assert result.metadata["objects_read"] == 1


def test_an_older_version_that_is_restored_lands_again(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(landed, tmp_path / "copy"))
    older = (copy / YEAR).read_bytes()
    change(copy / YEAR, monkeypatch)
    run_all(*open_recipe(copy, copy / "small.yaml"), to="landing")
    assert "landing None" not in stale(copy)
    (copy / YEAR).write_bytes(older)
    assert "landing None" in stale(copy)


def test_with_a_new_object_the_copied_ones_are_not_read_again(whole: Path, tmp_path: Path) -> None:
    copy = copied(whole, tmp_path / "copy")
    land(tmp_path / "more", years=("2021",), per_year=12)
    shutil.copy(tmp_path / "more/landing/small/2021.jsonl.gz", copy / "landing/small")
    [result] = run_all(*open_recipe(copy, copy / "small.yaml"), to="landing")
    assert (result.metadata["objects"], result.metadata["objects_read"]) == (3, 1)
    assert {key for key in stale(copy) if key.startswith("raw ")} == {"raw 2021"}


def test_a_landing_that_is_copied_before_it_was_read_is_read_from_the_copy(landed: Path, tmp_path: Path) -> None:
    copy = copied(landed, tmp_path / "copy")
    results = run_all(*open_recipe(copy, copy / "small.yaml"), to="raw")
    assert [result.status for result in results] == ["skipped", "promoted", "promoted"]


def test_a_copy_of_a_lake_that_knows_no_digests_lands_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "lake"
    root.mkdir()
    land(root, years=("2019",), per_year=12)
    write_recipe(root)
    with monkeypatch.context() as patch:
        patch.setattr(landing.Landing, "_sha256", lambda production, info: None)
        run_all(*open_recipe(root, root / "small.yaml"), to="landing")
    assert "landing None" not in stale(root)
    touch(root / YEAR, monkeypatch)
    assert "landing None" in stale(root)
    run_all(*open_recipe(root, root / "small.yaml"), to="landing")
    os.utime(root / YEAR, (LATER + 1, LATER + 1))
    assert "landing None" not in stale(root)


def test_a_file_that_is_not_read_in_order_has_a_digest_too(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["one", "two"]}), tmp_path / "landing" / "a.parquet")
    source = {"name": "s", "uri": "landing/*", "format": "parquet", "fields": {"id": "id"}, "partition": {"by": "none"}}
    ws, _ = open_recipe(tmp_path, write_recipe(tmp_path))
    further = {"score": [{"op": "score.token_count"}], "sample": {"method": "uniform", "fraction": 1.0}}
    recipe = Recipe.model_validate({"version": 1, "corpus": "c", "sources": [source], **further})
    run_all(ws, recipe, to="landing")
    assert ws.lake.open("c", "landing").to_table()["object_sha256"].null_count == 0
    touch(tmp_path / "landing" / "a.parquet", pytest.MonkeyPatch())
    assert [entry for entry in plan(ws, recipe).to_run if entry.stage == "landing"] == []
