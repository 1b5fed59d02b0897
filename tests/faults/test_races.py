"""Processes that run at once: each is held at a point of its promotion until the others are there too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.verify import Lake, problems, visible_problems
from tests.faults.worker import land_first, land_second, race, run_child, spawn, walk

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed") / "lake"
    land_first(root)
    assert run_child(walk, root) == 0
    assert problems(root) == []
    return root


def raced(
    scratch: Path, root: Path, runs: Sequence[tuple[str, str | None]], point: str, *, delays: Sequence[float] = ()
) -> list[str]:
    """What each of the stages run at once reports."""
    meet = scratch / f"meet-{point.replace(':', '-')}-{runs[0][0]}"
    meet.mkdir()
    children, outcomes = [], []
    for index, (stage, partition) in enumerate(runs):
        outcomes.append(scratch / f"{meet.name}-outcome-{index}")
        delay = delays[index] if delays else 0.0
        children.append(
            spawn(
                race,
                root,
                stage,
                partition,
                meet=meet,
                racers=len(runs),
                point=point,
                outcome=outcomes[-1],
                delay=delay,
            )
        )
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    assert len(list(meet.iterdir())) == len(runs), "the racers did not meet: the race did not happen"
    return sorted(outcome.read_text() for outcome in outcomes)


def promotions(root: Path, stage: str, partition: str = "__all__") -> list[str]:
    return sorted(r["state"] for r in Lake(root).records() if (r["stage"], r["partition"]) == (stage, partition))


UPSTREAM = {
    "raw": "landing",
    "cleaned": "raw",
    "duplicates": "cleaned",
    "scored": "fit",
    "sampled": "scored",
    "published": "sampled",
}


@pytest.mark.parametrize("point", ["committing", "looked-up"])
@pytest.mark.parametrize("stage", ["landing", "raw", "cleaned", "duplicates", "scored", "sampled", "published"])
def test_of_two_processes_on_the_same_partition_one_promotes_and_the_other_skips(
    tmp_path: Path, undisturbed: Path, stage: str, point: str
) -> None:
    root = tmp_path / "lake"
    land_first(root)
    if stage != "landing":
        assert run_child(walk, root, to=UPSTREAM[stage]) == 0
    partition = "2020" if stage in ("raw", "cleaned", "scored") else None
    where = point if point == "committing" else f"looked-up:{stage}"
    assert raced(tmp_path, root, [(stage, partition)] * 2, where) == ["promoted", "skipped"]
    # The second either staged a candidate of its own and lost, or found the first under way and finished it.
    assert promotions(root, stage, partition or "__all__") in (["abandoned", "promoted"], ["promoted"])
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root, undisturbed) == []


@pytest.mark.parametrize("stage", ["cleaned", "published"])
def test_of_two_processes_that_replace_the_same_partition_one_promotes_and_the_other_skips(
    tmp_path: Path, stage: str
) -> None:
    root = tmp_path / "lake"
    land_first(root)
    assert run_child(walk, root) == 0
    land_second(root)
    assert run_child(walk, root, to=UPSTREAM[stage]) == 0
    partition = "2020" if stage == "cleaned" else None
    assert raced(tmp_path, root, [(stage, partition)] * 2, f"looked-up:{stage}") == ["promoted", "skipped"]
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root) == []


@pytest.mark.parametrize("point", ["committing", "looked-up", "recorded"])
@pytest.mark.parametrize("stage", ["raw", "cleaned", "scored"])
def test_two_partitions_at_once_both_land(tmp_path: Path, undisturbed: Path, stage: str, point: str) -> None:
    """At ``recorded`` both then build, or bring up to date, the index of the same table."""
    root = tmp_path / "lake"
    land_first(root)
    assert run_child(walk, root, to=UPSTREAM[stage]) == 0
    where = f"looked-up:{stage}" if point == "looked-up" else point
    assert raced(tmp_path, root, [(stage, "2019"), (stage, "2020")], where) == ["promoted", "promoted"]
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root, undisturbed) == []


@pytest.mark.parametrize("point", ["committing", "promoted:quarantine", "looked-up:cleaned", "promoted:cleaned"])
def test_a_slow_process_that_another_one_has_finished_for_ends_well(
    tmp_path: Path, undisturbed: Path, point: str
) -> None:
    """The second run finds the first one's promotion under way and completes it; then the first wakes up."""
    root = tmp_path / "lake"
    land_first(root)
    assert run_child(walk, root, to="raw") == 0
    meet, outcome = tmp_path / "meet", tmp_path / "outcome"
    meet.mkdir()
    slow = spawn(race, root, "cleaned", "2020", meet=meet, racers=2, point=point, outcome=outcome)
    while not list(meet.iterdir()):
        assert slow.exitcode is None, outcome.read_text()
    assert run_child(walk, root, to="cleaned") == 0
    (meet / "go").touch()
    slow.join(60)
    assert outcome.read_text() in ("promoted", "skipped")
    assert promotions(root, "cleaned", "2020") == ["promoted"]
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root, undisturbed) == []


@pytest.mark.parametrize("point", ["tidied", "release:indexed", "release:moving"])
def test_a_release_that_the_next_one_overtakes_keeps_its_number(tmp_path: Path, point: str) -> None:
    """The first has promoted its rows and sleeps before, or between, its number and the tag."""
    root = tmp_path / "lake"
    land_first(root)
    assert run_child(walk, root, to="sampled") == 0
    first = sorted(row["record_id"] for row in Lake(root).rows("sampled") if row["selected"])
    meet, outcome = tmp_path / "meet", tmp_path / "outcome"
    meet.mkdir()
    slow = spawn(race, root, "published", None, meet=meet, racers=2, point=point, outcome=outcome)
    while not list(meet.iterdir()):
        assert slow.exitcode is None, outcome.read_text()
    land_second(root)
    assert run_child(walk, root) == 0
    (meet / "go").touch()
    slow.join(60)
    assert outcome.read_text() == "promoted"
    assert problems(root) == []
    tagged = {tag: sorted(row["record_id"] for row in Lake(root).rows("published", tag)) for tag in ("v1", "v2")}
    assert tagged["v1"] == first
    assert tagged["v2"] != first


def test_whole_walks_at_once_in_different_orders_end_as_one_walk_alone(tmp_path: Path, undisturbed: Path) -> None:
    root = tmp_path / "lake"
    land_first(root)
    walks = [spawn(walk, root, partitions=order) for order in (("2019", "2020"), ("2020", "2019"), ("2019", "2020"))]
    for child in walks:
        child.join(200)
    # A walk may be told that a rival was faster; run again, nothing is left to do.
    assert all(child.exitcode in (0, 1) for child in walks)
    assert 0 in [child.exitcode for child in walks]
    assert visible_problems(root) == []
    assert run_child(walk, root) == 0
    assert problems(root, undisturbed) == []


def test_partitions_run_in_any_order_or_at_once_give_the_same_duplicates_and_sample(
    tmp_path: Path, undisturbed: Path
) -> None:
    root = tmp_path / "lake"
    land_first(root)
    assert run_child(walk, root, partitions=("2020", "2019"), to="raw") == 0
    assert raced(tmp_path, root, [("cleaned", "2020"), ("cleaned", "2019")], "committing") == ["promoted"] * 2
    assert run_child(walk, root, partitions=("2020", "2019")) == 0
    assert problems(root, undisturbed) == []


def test_a_partition_that_its_gate_refuses_leaves_the_others_promoted(tmp_path: Path) -> None:
    """2021 holds mostly pages that are too short: fewer are kept than the recipe's gate wants."""
    import gzip

    from tests.small_corpus import RECIPE
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.result import GateFailed
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.run import run_stage

    root = tmp_path / "lake"
    land_first(root)
    page = "<html><body><p>A page that says something, but not for long enough.</p></body></html>"
    lines = [json.dumps({"id": f"2021-{i}", "html": page, "api_version": "2021-01-01"}) for i in range(20)]
    (root / "landing/small/2021.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (root / "small.yaml").write_text(RECIPE + "gates: {cleaned: {min_kept_fraction: 0.5}}\n")
    assert run_child(walk, root, to="raw") == 0
    workspace, recipe = Workspace.open(str(root)), load_recipe(root / "small.yaml")
    from expectations.registry import suites_for

    refused: dict[str, str] = {}
    for partition in ("2021", "2019", "2020"):
        try:
            run_stage(workspace, recipe, "cleaned", partition, suites=suites_for, run_id="gate")
        except GateFailed as failure:
            refused[partition] = str(failure)
    assert list(refused) == ["2021"]
    assert "unchanged" in refused["2021"]
    seen = {row["partition"] for row in Lake(root).rows("cleaned")}
    assert seen == {"2019", "2020"}
    assert promotions(root, "cleaned", "2021") == ["rejected"]
    quarantine = workspace.lake.open("small", "quarantine").to_table(columns=["partition", "stage"]).to_pylist()
    assert {row["partition"] for row in quarantine if row["stage"] == "cleaned"} == {"2019", "2020"}
