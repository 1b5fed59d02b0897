"""What runs by itself: the landing sensor, the schedules, the repair, the automation of what comes after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.integration.dagster_project import BAD, Project, land_short_year, project

# Dagster calls its own deprecated property when a resource holds another one, and a beta one to evaluate conditions.
pytestmark = [
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Parameter `include_sources` of function `AssetSelection.all`"),
]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(tmp_path, monkeypatch) as made:
        yield made


def look(small: Project, cursor: str | None) -> Any:
    """One evaluation of the landing sensor, as the daemon makes it."""
    sensor = small.definitions.resolve_sensor_def("small_landing")
    context = dg.build_sensor_context(
        instance=small.instance,
        instance_ref=small.instance.get_ref(),  # as the daemon gives it: else dynamic partitions cannot be resolved
        cursor=cursor,
        resources=small.resources(),
        repository_def=small.definitions.get_repository_def(),
        sensor_name="small_landing",
    )
    with context:
        return sensor.evaluate_tick(context)


def asked(tick: Any) -> list[tuple[tuple[str, ...], str | None]]:
    """(stages, partition) of every run a tick asks for."""
    return [
        (tuple(key.path[-1] for key in request.asset_selection), request.partition_key) for request in tick.run_requests
    ]


def test_the_sensor_asks_for_the_landing_then_for_the_partitions_it_found_then_for_nothing(small: Project) -> None:
    first = look(small, None)
    assert asked(first) == [(("landing",), None)]

    small.run("landing")
    second = look(small, first.cursor)
    assert asked(second) == [(("raw", "cleaned"), year) for year in ("2019", "2020", "2021", BAD)]

    third = look(small, second.cursor)
    assert asked(third) == []
    assert "none of them new" in third.skip_message


def test_the_sensor_makes_new_partitions_known(small: Project) -> None:
    first = look(small, None)
    small.run("landing")
    small.instance.delete_dynamic_partition("small_partitions", "2020")
    (added,) = look(small, first.cursor).dynamic_partitions_requests
    assert added.partitions_def_name == "small_partitions"
    assert added.partition_keys == ["2019", "2020", "2021", BAD]


def test_a_changed_object_asks_for_its_own_partition_alone(small: Project) -> None:
    small.fill("2019", "2020", "2021")
    small.run("raw", partition=BAD)
    cursor = look(small, look(small, None).cursor).cursor
    land_short_year(small.root, BAD, n_long=20)

    noticed = look(small, cursor)
    assert asked(noticed) == [(("landing",), None)]
    small.run("landing")
    assert asked(look(small, noticed.cursor)) == [(("raw", "cleaned"), BAD)]


def test_a_partition_that_is_gone_is_asked_for_once_more_and_then_forgotten(small: Project) -> None:
    small.fill("2019", "2020", "2021")
    cursor = look(small, look(small, None).cursor).cursor
    next((small.root / "landing" / "small").glob("*2021*")).unlink()
    noticed = look(small, cursor)
    small.run("landing")
    assert (("raw", "cleaned"), "2021") in asked(look(small, noticed.cursor))

    retracted = small.run("raw", "cleaned", partition="2021")
    assert retracted.success
    assert retracted.metadata("raw")["rows_retracted"] == 30  # 20 pages, 5 copies, 3 short ones, 2 in German
    assert small.workspace.lake.partitions("small", "cleaned") == ["2019", "2020"]
    small.run("landing")
    assert "2021" not in small.instance.get_dynamic_partitions("small_partitions")


def test_going_back_to_an_earlier_state_is_asked_for_under_another_run_key(small: Project) -> None:
    path = small.root / "landing" / "small" / f"{BAD}.jsonl.gz"
    first = look(small, None)
    kept = path.stat()
    body = path.read_bytes()
    path.unlink()
    second = look(small, first.cursor)
    path.write_bytes(body)
    import os

    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    third = look(small, second.cursor)

    assert json.loads(third.cursor)["objects"] == json.loads(first.cursor)["objects"]
    keys = [tick.run_requests[0].run_key for tick in (first, second, third)]
    assert len(set(keys)) == 3


def test_an_empty_landing_is_a_skip_with_the_reason(small: Project) -> None:
    for path in (small.root / "landing" / "small").iterdir():
        path.unlink()
    tick = look(small, None)
    assert asked(tick) == []
    assert "no object matches" in tick.skip_message


def schedule_tick(small: Project, name: str) -> Any:
    schedule = small.definitions.resolve_schedule_def(name)
    context = dg.build_schedule_context(
        instance=small.instance,
        scheduled_execution_time=datetime(2026, 1, 2, 3, tzinfo=UTC),
        resources=small.resources(),
        repository_def=small.definitions.get_repository_def(),
    )
    with context:
        return schedule.evaluate_tick(context)


def test_the_newest_partition_is_run_daily_after_a_look_at_the_landing(small: Project) -> None:
    assert asked(schedule_tick(small, "small_newest")) == [(("landing",), None)]
    small.run("landing")
    assert asked(schedule_tick(small, "small_newest")) == [(("landing", "raw", "cleaned"), BAD)]


def test_the_repair_targets_the_refused_the_missing_and_the_stale_but_not_the_fresh(small: Project) -> None:
    from assets.repair import repair_target

    small.fill("2019", "2020")
    small.run("raw", "cleaned", partition=BAD)  # refused
    target = repair_target(small.instance, small.workspace, small.recipe)

    assert target["raw"] == ["2021"]
    assert target["cleaned"] == ["2021"]  # what was refused waits for other inputs or another rule
    assert BAD not in target.get("scored", [])
    assert [stage for stage, keys in target.items() if keys is None] == []  # they wait for the refused partition


def test_the_repair_launches_one_backfill_and_not_a_second_while_it_runs(small: Project) -> None:
    small.fill("2019", "2020")
    job = small.definitions.resolve_job_def("small_repair")
    assert job.execute_in_process(instance=small.instance).success
    assert job.execute_in_process(instance=small.instance).success

    (backfill,) = small.instance.get_backfills()
    assert backfill.title == "repair small"
    data = backfill.asset_backfill_data
    assert data is not None
    subset = data.target_subset.partitions_subsets_by_asset_key[small.key("cleaned")]
    assert sorted(subset.get_partition_keys()) == ["2021", BAD]


def test_what_dagster_has_not_seen_is_repaired_though_the_lake_holds_it(small: Project) -> None:
    from assets.repair import repair_target

    small.fill("2019")
    small.instance.wipe_assets([small.key("cleaned")])
    target = repair_target(small.instance, small.workspace, small.recipe)
    assert "2019" in (target["cleaned"] or [])
    assert "2019" not in (target["raw"] or [])


def automated(small: Project, cursor: Any) -> Any:
    return dg.evaluate_automation_conditions(defs=small.definitions, instance=small.instance, cursor=cursor)


@pytest.mark.slow
def test_corpus_wide_stages_wait_for_the_last_partition_and_for_a_refused_one(small: Project) -> None:
    small.fill("2019", "2020", "2021")
    small.run("raw", "cleaned", partition=BAD)
    waiting = automated(small, None)
    assert waiting.get_num_requested(small.key("duplicates")) == 0  # 2022 is missing: its gate refused it

    land_short_year(small.root, BAD, n_long=20)
    small.fill(BAD)
    ready = automated(small, waiting.cursor)
    assert ready.get_num_requested(small.key("duplicates")) == 1


@pytest.mark.slow
def test_a_partition_that_ran_again_unchanged_sets_nothing_off(small: Project) -> None:
    small.instance.add_dynamic_partitions("small_partitions", [])
    (small.root / "landing" / "small" / f"{BAD}.jsonl.gz").unlink()
    small.fill("2019", "2020", "2021")
    small.run("duplicates")
    before = automated(small, None)
    before = automated(small, before.cursor)
    small.run("raw", "cleaned", partition="2020")  # skipped: same data version
    after = automated(small, before.cursor)
    assert after.get_num_requested(small.key("duplicates")) == 0


def test_the_maintenance_job_merges_and_says_so(small: Project) -> None:
    job = small.definitions.resolve_job_def("small_maintenance")
    assert job.execute_in_process(instance=small.instance, resources=small.resources()).success  # nothing landed yet

    small.run("landing")
    config = {"ops": {"small_maintain_tables": {"config": {"dry_run": True}}}}
    done = job.execute_in_process(instance=small.instance, resources=small.resources(), run_config=config)
    (output,) = [event for event in done.all_events if event.event_type_value == "STEP_OUTPUT"]
    metadata = output.step_output_data.metadata
    assert metadata["dry_run"].value is True
    assert "| landing |" in metadata["tables"].value
