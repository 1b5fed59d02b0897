"""A file beside the tables, a tag or a version is gone, empty, cut, foreign or a folder: all commands agree about it.

What a document of each kind may look like is in ``tests/unit/core/test_damaged_documents.py``; this is about a lake.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import PARTITIONED
from winnowry.core.errors import WinnowryError
from winnowry.core.formats import to_bytes
from winnowry.inspect.doctor import doctor
from winnowry.inspect.verify import Finding, verify
from winnowry.lakehouse import table
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import load_recipe
from winnowry.releases.releases import releases, rollback
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage, stages_of

CORPUS = "small"


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        pattern: where it lies; the last one is damaged.
        plan: whether ``plan`` needs it.
        run: stages that a run makes again; None where it refuses.
        release_list: whether ``release list`` needs it.
    """

    pattern: str
    plan: bool = False
    run: tuple[str, ...] | None = ()
    release_list: bool = False


KINDS: Mapping[str, Kind] = {
    "record of landing": Kind("promotions/landing/*/*.json", plan=True, run=None),
    "record of raw": Kind("promotions/raw/2020/*.json", plan=True, run=None),
    "record of fit": Kind("promotions/fit/*/*.json", plan=True, run=None),
    "record of a release": Kind("promotions/published/*/*.json", plan=True, run=None, release_list=True),
    "fit": Kind("fits/*/*.json", plan=True, run=("fit",)),
    "rollback": Kind("rollbacks/prod.json", run=None),
    "corpus recipe": Kind("recipe.json", plan=True, run=None),
    "seal": Kind("seals/published/*.json"),
    "recipe of a release": Kind("releases/v1/recipe.json"),
    "facts of a release": Kind("releases/v1/facts.json"),
    "tombstones": Kind("tombstones/gone.json"),
    "erasure": Kind("erasures/gone.json", release_list=True),
    "stopped automation": Kind("stopped.json", plan=True),
}
"""Files beside the tables, and who needs each."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One release, its tag put there by hand, and a file of each kind."""
    root = tmp_path_factory.mktemp("released")
    land(root, years=("2019", "2020"), per_year=15)
    write_recipe(root)
    run(root)
    rollback(Workspace.open(str(root)), CORPUS, "v1")
    for name, body in (
        ("tombstones/gone.json", to_bytes("tombstones", {"marks": ["ab" * 32]})),
        ("erasures/gone.json", to_bytes("erasure", {"state": "finished"})),
        ("stopped.json", to_bytes("stopped automation", {"steps": []})),
    ):
        (root / CORPUS / name).parent.mkdir(exist_ok=True)
        (root / CORPUS / name).write_bytes(body)
    return root


@pytest.fixture
def root(released: Path, tmp_path: Path) -> Path:
    table._looked_at.clear()  # each command of a person is a process of its own
    return Path(shutil.copytree(released, tmp_path / "lake"))


def run(root: Path) -> tuple[str, ...]:
    """Every stage, without gates; those that were promoted."""
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    promoted = {}
    for stage in stages_of(recipe):
        for key in partitions_of(ws, recipe) if stage in PARTITIONED else [None]:
            if run_stage(ws, recipe, stage, key, suites=lambda *_: [], run_id="test").status == "promoted":
                promoted[stage] = True
    return tuple(promoted)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def foreign(path: Path) -> None:
    path.write_text('{"name": "somebody else"}')


def newer(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "format": 99}))


def flipped(path: Path) -> None:
    """One digit is another one; it is JSON of the right shape still."""
    body = bytearray(path.read_bytes())
    at = body.index(b'"body_sha256": "') + 16
    body[at] = ord("0") if body[at] != ord("0") else ord("1")
    path.write_bytes(bytes(body))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path) -> None:
    path.unlink()


DAMAGES = (empty, half, zeros, foreign, newer, flipped, folder)


def one(root: Path, pattern: str) -> Path:
    return sorted((root / CORPUS).glob(pattern))[-1]


def name_of(root: Path, path: Path) -> str:
    return path.relative_to(root / CORPUS).as_posix()


def findings(root: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in verify(Workspace.open(str(root))).findings}


def doctor_says(root: Path) -> str:
    return "\n".join(check.message for check in doctor(str(root)).checks if check.status in ("warn", "fail"))


def said(command: Callable[[], Iterable[str]]) -> str:
    """What a command says, or why it refuses."""
    try:
        return "\n".join(command())
    except WinnowryError as error:
        return str(error)


def named(root: Path, paths: Iterable[Path]) -> None:
    """Doctor finds something, and verify has a sentence of one line about each file, which begins with its path."""
    assert not doctor(str(root)).healthy
    wrong = findings(root)
    for path in paths:
        finding = wrong[name_of(root, path)]
        assert finding.fault in ("unreadable", "missing")
        assert finding.message.startswith(str(path))
        assert "\n" not in finding.message


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_and_doctor_name_each_of_many_damaged_files(damage: Callable[[Path], None], root: Path) -> None:
    assert findings(root) == {}
    assert doctor_says(root) == ""
    patterns = [kind.pattern for name, kind in KINDS.items() if name != "record of fit"]  # which says what a fit was
    paths = [one(root, pattern) for pattern in patterns]
    if damage is flipped:
        paths = [path for path in paths if b"body_sha256" in path.read_bytes()]
        assert len(paths) == len(patterns) - 1  # the facts of a release are written for people
    for path in paths:
        damage(path)
    named(root, paths)


@pytest.mark.parametrize("kind", KINDS)
def test_who_needs_a_damaged_file_refuses_with_its_name_or_makes_it_again(kind: str, root: Path) -> None:
    needs, path = KINDS[kind], one(root, KINDS[kind].pattern)
    before = path.read_bytes()
    empty(path)
    assert str(path) in doctor_says(root)
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    planned = said(lambda: [reason for entry in plan(ws, recipe).to_run for reason in entry.reasons])
    assert needs.plan == (str(path) in planned)
    listed = said(lambda: [release.name for release in releases(ws, CORPUS)])
    assert (str(path) in listed) if needs.release_list else (listed == "v1")
    if needs.run is None:
        with pytest.raises(WinnowryError) as refusal:
            run(root)
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)
        return
    assert run(root) == needs.run
    if needs.run:
        assert path.read_bytes() == before
        assert findings(root) == {}


@pytest.mark.parametrize("damage", [gone, foreign, folder])
def test_a_fit_that_is_gone_or_foreign_is_noticed_by_what_was_recorded(
    damage: Callable[[Path], None], root: Path
) -> None:
    fit = one(root, "fits/*/*.json")
    before = fit.read_bytes()
    damage(fit)
    reasons = {
        entry.stage: entry.reasons for entry in plan(Workspace.open(str(root)), load_recipe(root / "small.yaml")).to_run
    }
    assert next(iter(reasons)) == "fit"  # what reads it may follow, as far as a plan can tell
    assert str(fit) in reasons["fit"][0]
    named(root, [fit])
    if damage is folder:
        with pytest.raises(WinnowryError, match=f"{fit}: is a folder, and a file belongs there; move it away"):
            run(root)
        fit.rmdir()
    assert run(root) == ("fit",)
    assert fit.read_bytes() == before
    assert findings(root) == {}


@pytest.mark.parametrize("damage", [gone, folder])
@pytest.mark.parametrize("stage", ["raw", "published"])
def test_a_promotion_record_that_is_gone_is_missed_and_what_it_promoted_made_again(
    damage: Callable[[Path], None], stage: str, root: Path
) -> None:
    record = one(root, f"promotions/{stage}/*/*.json")
    damage(record)
    named(root, [record])
    assert run(root) == (stage,)
    assert {name for name in findings(root) if name != name_of(root, record)} == set()


def test_a_record_in_the_place_of_another_one_is_refused(root: Path) -> None:
    place, other = (one(root, f"promotions/raw/{year}/*.json") for year in ("2020", "2019"))
    shutil.copy(other, place)
    named(root, [place])
    with pytest.raises(WinnowryError, match=rf"{place}: .* it is that of raw\[2019\]"):
        run(root)


@pytest.mark.parametrize("damage", [gone, empty, foreign, folder])
def test_damaged_tags_are_missed_by_all_and_made_again_by_a_run(damage: Callable[[Path], None], root: Path) -> None:
    before = Workspace.open(str(root)).lake.tags(CORPUS)
    table._looked_at.clear()
    for tag in ("v1", "prod"):
        damage(one(root, f"published.lance/_refs/tags/{tag}.json"))
    assert "has no tag v1, prod" in doctor_says(root)
    assert {f"published.lance/_refs/tags/{tag}.json" for tag in ("v1", "prod")} <= findings(root).keys()
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    assert "has no tag v1, prod" in (plan(ws, recipe).note or "")
    with pytest.raises(WinnowryError, match=r"the tags of its releases are gone \(v1, prod\); winnowry run makes"):
        releases(ws, CORPUS)
    assert run(root) == ()
    assert ws.lake.tags(CORPUS) == before
    assert findings(root) == {}


@pytest.mark.parametrize("damage", [gone, empty, foreign, folder])
def test_a_damaged_version_that_tags_are_on_is_left_for_one_with_the_same_rows(
    damage: Callable[[Path], None], root: Path
) -> None:
    before = [release.rows for release in releases(Workspace.open(str(root)), CORPUS)]
    table._looked_at.clear()
    damage(sorted((root / CORPUS / "published.lance" / "_versions").glob("1*.manifest"))[0])
    assert "prod (version 3), v1 (version 3) of published" in doctor_says(root)
    assert {"v1", "prod"} <= findings(root).keys()
    assert run(root) == ()
    assert findings(root) == {}
    assert [release.rows for release in releases(Workspace.open(str(root)), CORPUS)] == before


@pytest.mark.parametrize("damage", [foreign, folder])
def test_a_damaged_newest_version_is_noticed_and_its_rows_made_again(
    damage: Callable[[Path], None], root: Path
) -> None:
    damage(sorted((root / CORPUS / "cleaned.lance" / "_versions").glob("1*.manifest"))[0])
    assert "cleaned[2020]" in doctor_says(root)
    assert "cleaned[2020]" in findings(root)
    assert run(root) == ("cleaned",)
    assert findings(root) == {}
