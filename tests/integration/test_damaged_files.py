"""A file beside the tables is gone, empty, cut or foreign: a run mends it, or ends in one sentence with its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import PARTITIONED
from winnowry.core.errors import WinnowryError
from winnowry.inspect.doctor import doctor
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import load_recipe
from winnowry.releases.releases import rollback
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage, stages_of

CORPUS = "small"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One release; its tag was put there by hand."""
    root = tmp_path_factory.mktemp("released")
    land(root, years=("2019", "2020"), per_year=15)
    write_recipe(root)
    run(root)
    rollback(Workspace.open(str(root)), CORPUS, "v1")
    return root


def run(root: Path) -> dict[tuple[str, str | None], str]:
    """Every stage, without gates."""
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    done = {}
    for stage in stages_of(recipe):
        keys = list(partitions_of(ws, recipe)) if stage in PARTITIONED else [None]
        for key in keys:
            done[stage, key] = run_stage(ws, recipe, stage, key, suites=lambda *_: [], run_id="test").status
    return done


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def foreign(path: Path) -> None:
    path.write_text('{"name": "somebody else"}')


def no_object(path: Path) -> None:
    path.write_text("[1, 2]")


def gone(path: Path) -> None:
    path.unlink()


DAMAGES = (empty, half, zeros, foreign, no_object)


def one(root: Path, pattern: str) -> Path:
    return sorted((root / CORPUS).glob(pattern))[-1]


@pytest.mark.parametrize("damage", [*DAMAGES, gone])
def test_a_damaged_fit_is_made_again_and_nothing_else_is(
    damage: Callable[[Path], None], released: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(released, tmp_path / "lake"))
    fit = one(root, "fits/*/*.json")
    before = fit.read_bytes()
    damage(fit)
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    reasons = {entry.stage: entry.reasons for entry in plan(ws, recipe).to_run}
    assert next(iter(reasons)) == "fit"  # what reads it may follow, as far as a plan can tell
    assert str(fit) in reasons["fit"][0]
    if damage not in (foreign, gone):  # doctor does not know which fits a recipe needs, and what is in them
        assert str(fit) in message_of(root)
    assert {stage for (stage, _), status in run(root).items() if status == "promoted"} == {"fit"}
    assert fit.read_bytes() == before
    assert "promoted" not in run(root).values()


@pytest.mark.parametrize("damage", [*DAMAGES, gone])
@pytest.mark.parametrize("tag", ["v1", "prod"])
def test_a_damaged_tag_is_made_again(damage: Callable[[Path], None], tag: str, released: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(released, tmp_path / "lake"))
    before = Workspace.open(str(root)).lake.tags(CORPUS)
    damage(one(root, f"published.lance/_refs/tags/{tag}.json"))
    if damage is not gone:
        assert f"{tag}.json#0" in message_of(root)
    assert "promoted" not in run(root).values()
    assert Workspace.open(str(root)).lake.tags(CORPUS) == before


BESIDE = (
    "promotions/cleaned/2020/*.json",
    "promotions/published/*/*.json",
    "rollbacks/prod.json",
    "seals/published/*.json",
    "recipe.json",
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("pattern", BESIDE)
def test_another_damaged_file_is_named_and_ends_a_run_in_one_sentence_if_it_matters(
    damage: Callable[[Path], None], pattern: str, released: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(released, tmp_path / "lake"))
    path = one(root, pattern)
    damage(path)
    diagnosis = doctor(str(root))
    assert not diagnosis.healthy
    assert str(path) in message_of(root)
    if "promotions" not in pattern and "rollbacks" not in pattern and "recipe" not in pattern:
        run(root)
        return
    with pytest.raises(WinnowryError) as error:
        run(root)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_one_damaged_record_does_not_keep_doctor_from_reading_the_others(released: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(released, tmp_path / "lake"))
    damaged = [one(root, f"promotions/{stage}/*/*.json") for stage in ("cleaned", "sampled")]
    for path in damaged:
        empty(path)
    assert all(str(path) in message_of(root) for path in damaged)


def message_of(root: Path) -> str:
    """What doctor says of the files beside the tables."""
    return next(check.message for check in doctor(str(root)).checks if check.name == "documents")
