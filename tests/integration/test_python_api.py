"""The Python API on a lake: the two forms of a recipe share what they made, and an engine reaches every process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import winnowry as wn
from tests.small_corpus import land, write_recipe
from tests.threads_engine import install

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

_NOTING = """import os
from pathlib import Path
from tests.threads_engine import ThreadsEngine

def note(*words):
    with Path("calls").open("a") as calls:
        print(*words, os.getpid(), os.environ.get("WINNOWRY_ENGINE"), file=calls)

class Noting(ThreadsEngine):
    def map(self, *arguments, **options):
        note("map", self.slots)
        return super().map(*arguments, **options)

def engine(argument):
    note("make", argument)
    return Noting(int(argument))
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> wn.Lake:
    land(tmp_path / "lake", years=("2019", "2020"), per_year=12)
    write_recipe(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("DAGSTER_HOME", "WINNOWRY_ROOT", "WINNOWRY_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WINNOWRY_HOME", str(tmp_path / "home"))
    return wn.open("lake")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engine ``threads`` notes who makes and uses it: slots, process, and what the environment names."""
    (tmp_path / "noting.py").write_text(_NOTING)
    install(tmp_path, monkeypatch, "noting:engine")
    return tmp_path / "calls"


def test_what_a_recipe_made_in_python_has_run_in_dagster_is_fresh_for_its_yaml(lake: wn.Lake) -> None:
    import dagster as dg

    recipe = wn.load_recipe("small.yaml")
    made = wn.Recipe(**{name: getattr(recipe, name) for name in recipe.model_fields_set})

    first = lake.run(made, to="cleaned", dagster=True)
    assert first.succeeded, first.failures
    with dg.DagsterInstance.from_config(str(Path("home").resolve())) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["small", "cleaned"])) == {"2019", "2020"}
    again = lake.run("small.yaml", to="cleaned")
    assert {result.status for result in again.results} == {"skipped"}


def test_the_engine_of_a_run_computes_in_every_process_that_runs_stages(lake: wn.Lake, calls: Path) -> None:
    assert lake.run("small.yaml", to="cleaned", jobs=2, engine="threads[3]").succeeded

    used = [line.split() for line in calls.read_text().splitlines() if line.startswith("map")]
    assert {slots for _, slots, _, _ in used} == {"3"}
    assert {pid for _, _, pid, _ in used} - {str(os.getpid())} != set()


def test_the_engine_of_a_run_reaches_the_assets_of_dagster_and_no_later_run(lake: wn.Lake, calls: Path) -> None:
    assert lake.run("small.yaml", to="landing", dagster=True, engine="threads[3]").succeeded

    assert f"make 3 {os.getpid()} threads[3]" in calls.read_text().splitlines()
    assert "WINNOWRY_ENGINE" not in os.environ
