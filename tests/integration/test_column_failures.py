"""Columns that cannot be computed: a clear error, nothing visible, finished work kept."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from expectations.registry import suites_for
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.columns.fill import ColumnResult, add_column
from winnowry.columns.listing import list_columns
from winnowry.columns.spec import ColumnSpec, OnError, Resources, python_column, sql_column
from winnowry.core.errors import DataError, StorageError, TableFormatError, UsageError, WorkerLostError
from winnowry.engine.local import close_pools
from winnowry.lakehouse.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
FUNCTIONS = """
import os
import re
import time

def sleeps(n_words):
    time.sleep(600)

def runs_for_ever(n_words):
    while True:
        pass

def backtracks(n_words):
    re.match(r"(a+)+$", "a" * 60 + "b")

def swallows(n_words):
    try:
        time.sleep(600)
    except Exception:
        time.sleep(600)

def needs_a_package(n_words):
    import package_that_is_nowhere
    return n_words

def dies(n_words):
    os._exit(1)
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    land(root, years=("2019", "2020"), per_year=12)
    write_recipe(root)
    run_all(*open_recipe(root, root / "small.yaml"))
    (root / "functions.py").write_text(FUNCTIONS)
    return root


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "lake"))


def function(
    ws: Workspace, name: str, *, type_: str | None = "int64", on_error: OnError = "fail", **resources: float
) -> ColumnSpec:
    place = f"{ws.root}/functions.py:{name}"
    dataset = ws.lake.table("small", "published").dataset()
    given = Resources(**resources)  # type: ignore[arg-type]
    return python_column(dataset, "published", "bad", place, type_=type_, on_error=on_error, resources=given)


def add(ws: Workspace, spec: ColumnSpec) -> ColumnResult:
    return add_column(ws, "small", spec, suites=suites_for)


def add_sql(ws: Workspace, name: str) -> ColumnResult:
    return add(ws, sql_column(ws.lake.table("small", "published").dataset(), "published", name, "n_words + 1"))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ["sleeps", "runs_for_ever", "backtracks"])
def test_a_function_that_hangs_is_interrupted(root: Path, name: str, workers: int) -> None:
    ws = Workspace.open(str(root))
    before = ws.lake.table("small", "published").dataset().version
    said = rf"{name} of \d+ rows of published, records [0-9a-f]+ to [0-9a-f]+: no answer within 0\.5 s.*--timeout"
    with pytest.raises(DataError, match=said):
        add(ws, function(ws, name, timeout_s=0.5, workers=workers))
    assert ws.lake.table("small", "published").dataset().version == before
    assert [column.state for column in list_columns(ws, "small")] == ["failed"]
    assert add_sql(ws, "bad").status == "added"


def test_one_that_swallows_the_interruption_is_interrupted_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnowry.columns.limit._AGAIN_S", 0.1)
    ws = Workspace.open(str(root))
    with pytest.raises(DataError, match="no answer within"):
        add(ws, function(ws, "swallows", timeout_s=0.2, workers=1))


def test_one_that_hangs_while_its_type_is_told_is_interrupted_too(root: Path) -> None:
    ws = Workspace.open(str(root))
    with pytest.raises(DataError, match="rows that tell its type: no answer within"):
        function(ws, "sleeps", type_=None, timeout_s=0.2)


@pytest.mark.parametrize("on_error", ["fail", "null"])
def test_a_missing_package_is_no_fault_of_a_row(root: Path, on_error: OnError) -> None:
    ws = Workspace.open(str(root))
    with pytest.raises(DataError, match="not installed here: No module named 'package_that_is_nowhere'"):
        add(ws, function(ws, "needs_a_package", on_error=on_error))
    (root / "functions.py").write_text("import package_that_is_nowhere\ndef f(n_words): return n_words")
    with pytest.raises(UsageError, match="importing it failed: ModuleNotFoundError"):
        function(ws, "f")


def test_a_worker_that_dies_is_told_and_the_next_run_has_new_ones(root: Path) -> None:
    ws = Workspace.open(str(root))
    for _ in range(2):
        with pytest.raises(WorkerLostError, match="ran out of memory"):
            add(ws, function(ws, "dies", workers=2))
    assert "bad" not in ws.lake.open("small", "published").schema.names
    (root / "functions.py").write_text("def fine(n_words): return n_words")
    assert add(ws, function(ws, "fine", workers=2)).status == "added"
    close_pools()


def test_a_column_of_this_name_by_another_definition_is_refused(root: Path) -> None:
    ws = Workspace.open(str(root))
    add_sql(ws, "bad")
    (root / "functions.py").write_text("def fine(n_words): return n_words")
    with pytest.raises(UsageError, match=r"has a column bad already .*--replace"):
        add(ws, function(ws, "fine"))


def test_an_input_that_is_gone_upstream_is_named(root: Path) -> None:
    ws = Workspace.open(str(root))
    add_sql(ws, "first")
    dataset = ws.lake.table("small", "published").dataset()
    spec = sql_column(dataset, "published", "second", "first * 2")
    dataset.drop_columns(["first"])
    with pytest.raises(UsageError, match="published has no column first, which second reads"):
        add(ws, spec)


def test_a_table_that_a_newer_lance_wrote_is_refused_and_left_alone(root: Path) -> None:
    newest = max((root / "small/published.lance/_versions").glob("*.manifest"), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(_of_a_newer_lance(newest.read_bytes()))
    before = sorted(path.name for path in (root / "small/published.lance").rglob("*"))
    with pytest.raises(TableFormatError, match=r"published\.lance: cannot be opened: .*Please upgrade Lance"):
        add_sql(Workspace.open(str(root)), "bad")
    command = ["column", "add", "small", "bad", "--sql", "n_words + 1", "--root", str(root)]
    run = subprocess.run(
        [sys.executable, "-m", "winnowry.cli.main", *command], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert run.returncode == 1, run.stderr
    assert "Please upgrade Lance" in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert sorted(path.name for path in (root / "small/published.lance").rglob("*")) == before


def _of_a_newer_lance(manifest: bytes) -> bytes:
    """The manifest with a reader feature that does not exist yet."""
    (position,) = struct.unpack("<Q", manifest[-16:-8])
    (size,) = struct.unpack("<I", manifest[position : position + 4])
    message = manifest[position + 4 : position + 4 + size]
    unknown = bytes([9 << 3]) + b"\x80\x80\x80\x80\x80\x20"  # reader_feature_flags: 1 << 40; the last one counts
    begun = manifest[:position] + struct.pack("<I", size + len(unknown))
    return begun + message + unknown + manifest[position + 4 + size :]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("leave_kib", [0, 4, 8, 16, 32])
def test_a_disk_that_fills_up_leaves_the_table_as_it_was(published: Path, small_disk: Path, leave_kib: int) -> None:
    root = Path(shutil.copytree(published, small_disk / "lake"))
    ws = Workspace.open(str(root))
    before = ws.lake.open("small", "published").to_table()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * max(0, shutil.disk_usage(small_disk).free - (leave_kib << 10)))
    with pytest.raises(StorageError, match="No space left on device"):
        add_sql(ws, "bad")
    assert ws.lake.open("small", "published").to_table().equals(before)
    ballast.unlink()
    assert add_sql(ws, "bad").status == "added"
