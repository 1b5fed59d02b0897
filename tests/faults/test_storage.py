"""A disk that fills up and a root that cannot be written: a clear error, whole tables, and a run that goes on after.

A small disk is mounted where that is permitted; where it is not, a limit on the size of files stands in for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.verify import problems, visible_problems
from tests.faults.worker import land_first, run_child, walk, walk_and_tell

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

DISK_MIB = 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill a file system but for so many bytes."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    ballast.write_bytes(b"\0" * max(0, free - leave))
    return ballast


@pytest.mark.parametrize("leave_kib", [0, 8, 24, 64, 128, 256, 400])
def test_a_full_disk_stops_a_walk_with_a_clear_error_and_whole_tables(
    small_disk: Path, tmp_path: Path, leave_kib: int
) -> None:
    root, told = small_disk / "lake", tmp_path / "told"
    land_first(root)
    ballast = fill(small_disk, leave_kib << 10)
    assert run_child(walk_and_tell, root, told) == 1
    error, message = told.read_text().split(": ", 1)
    assert error in ("StorageError", "AccessDeniedError", "LakehouseError"), f"{error}: {message}"
    assert "No space left on device" in message
    assert visible_problems(root) == []
    ballast.unlink()
    assert run_child(walk, root) == 0
    assert problems(root) == []


def test_a_full_disk_does_not_harm_a_finished_lake(small_disk: Path, tmp_path: Path) -> None:
    root, told = small_disk / "lake", tmp_path / "told"
    land_first(root)
    assert run_child(walk, root) == 0
    ballast = fill(small_disk, 0)
    assert run_child(walk_and_tell, root, told, force=True) == 1
    assert told.read_text().startswith("StorageError"), told.read_text()
    assert problems(root) == []
    ballast.unlink()
    assert run_child(walk, root, force=True) == 0


@pytest.mark.parametrize("limit", [600, 2000, 4000, 8000])
def test_writes_that_fail_stop_a_walk_with_a_clear_error_and_whole_tables(tmp_path: Path, limit: int) -> None:
    root, told = tmp_path / "lake", tmp_path / "told"
    land_first(root)
    assert run_child(walk_and_tell, root, told, file_limit=limit) == 1
    assert told.read_text().split(":", 1)[0] in ("StorageError", "LakehouseError"), told.read_text()
    assert "small" in told.read_text()
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root) == []


@pytest.fixture
def read_only(small_disk: Path) -> Iterator[Path]:
    """A lake on a disk that is then mounted read-only."""
    root = small_disk / "lake"
    land_first(root)
    assert run_child(walk, root) == 0
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    if subprocess.run(remount, capture_output=True, check=False).returncode:
        pytest.skip("remounting read-only is not permitted here (needs root)")
    yield root
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_a_read_only_root_can_be_read_and_says_so_when_written(read_only: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    assert run_child(walk_and_tell, read_only, told, force=True) == 1
    assert told.read_text().startswith("AccessDeniedError"), told.read_text()
    assert "small/landing" in told.read_text() or str(read_only) in told.read_text()
    assert run_child(walk, read_only) == 0, "an up-to-date lake needs no write"
    assert problems(read_only) == []


def test_a_folder_without_write_permission_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("permissions do not bind root; the read-only mount stands in")
    root, told = tmp_path / "lake", tmp_path / "told"
    land_first(root)
    root.chmod(0o555)
    try:
        assert run_child(walk_and_tell, root, told) == 1
    finally:
        root.chmod(0o755)
    assert told.read_text().startswith("AccessDeniedError"), told.read_text()
