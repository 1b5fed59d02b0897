"""What the sensor asks for, given what the plan says, what is under way and what was tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.follow import RUNS_AT_ONCE, Cursor, choose, look
from assets.in_flight import TOKEN_TAG, InFlight, in_flight
from assets.run_history import forget_runs
from tests.integration.dagster_project import BAD, GOOD, Project, project
from winnowry.inspect.doctor import doctor
from winnowry.stages.plan import plan
from winnowry.stages.readiness import Readiness, Step

# Dagster calls its own deprecated property when a resource holds another one.
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")

NOTHING = InFlight(frozenset(), frozenset(), walks=False)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(tmp_path, monkeypatch) as made:
        yield made


def asked(tick: Any) -> list[tuple[tuple[str, ...], str | None]]:
    """(stages, partition) of every run a tick asks for."""
    return [
        (tuple(key.path[-1] for key in request.asset_selection or ()), request.partition_key)
        for request in tick.run_requests or ()
    ]


def tick(small: Project, cursor: str | None = None) -> dg.SensorResult:
    return look(small.instance, small.workspace, small.recipe, Cursor.read(cursor))


def begun(small: Project, *stages: str, partition: str | None = None, **tags: str) -> dg.DagsterRun:
    """A run that is under way."""
    selection = {small.key(stage) for stage in stages}
    job = small.definitions.resolve_job_def("small").get_subset(asset_selection=selection)
    all_tags = tags | ({"dagster/partition": partition} if partition else {})
    return small.instance.create_run_for_job(
        job, asset_selection=frozenset(selection), tags=all_tags, status=dg.DagsterRunStatus.STARTED
    )


def steps(number: int) -> list[Step]:
    return [Step(("raw", "cleaned"), f"p{index}", f"token{index}") for index in range(number)]


def test_the_landing_is_asked_for_then_its_partitions_but_not_those_that_somebody_runs(small: Project) -> None:
    assert asked(tick(small)) == [(("landing",), None)]
    small.run("landing")
    small.instance.delete_dynamic_partition("small_partitions", "2019")
    small.instance.add_dynamic_partitions("small_partitions", ["1066"])
    by_hand = begun(small, "cleaned", partition="2020")

    second = tick(small)
    assert asked(second) == [(("raw", "cleaned"), year) for year in ("2019", "2021", BAD)]
    added, deleted = second.dynamic_partitions_requests or ()
    assert (added.partition_keys, deleted.partition_keys) == (["2019"], ["1066"])

    small.instance.report_run_canceled(by_hand)
    assert (("raw", "cleaned"), "2020") in asked(tick(small))


def test_an_empty_landing_is_a_skip_with_the_reason(small: Project) -> None:
    for path in (small.root / "landing" / "small").iterdir():
        path.unlink()
    sensor = small.definitions.resolve_sensor_def("small_follow")
    context = dg.build_sensor_context(
        small.instance,
        resources=small.resources(),
        repository_def=small.definitions.get_repository_def(),
        sensor_name="small_follow",
    )
    with context:
        assert "no object matches" in (sensor.evaluate_tick(context).skip_message or "")


def test_a_step_that_came_to_nothing_three_times_is_given_up_and_named(small: Project) -> None:
    first = tick(small)
    (request,) = first.run_requests or ()
    keys = [request.run_key]
    for _ in range(2):
        small.instance.report_run_failed(begun(small, "landing", **request.tags))
        keys.append((tick(small).run_requests or ())[0].run_key)
    small.instance.report_run_failed(begun(small, "landing", **request.tags))
    assert len(set(keys)) == 3

    after = tick(small)
    assert asked(after) == []
    assert "1 given up" in str(after.skip_reason)
    from expectations.registry import suites_for

    assert "landing: the sensor tried it 3 times" in (plan(small.workspace, small.recipe, suites_for).note or "")
    small.run("landing")  # by hand; what is live has changed, so nothing is given up any more
    assert "the sensor tried it" not in (plan(small.workspace, small.recipe, suites_for).note or "")
    (check,) = [check for check in doctor(str(small.root)).checks if check.name == "automation"]
    assert check.status == "warn"
    assert len(asked(tick(small, after.cursor))) == len(GOOD) + 1
    (check,) = [check for check in doctor(str(small.root)).checks if check.name == "automation"]
    assert check.status == "ok"


def test_more_steps_than_runs_pay_for_are_one_run_until_such_runs_come_to_nothing(small: Project) -> None:
    many = Readiness(steps(RUNS_AT_ONCE + 1), None)
    for _ in range(3):
        (walk,) = choose(small.instance, small.recipe, many, NOTHING).requests
        assert walk.job_name == "small_follow"
        small.instance.report_run_failed(begun(small, "landing", **{TOKEN_TAG: walk.tags[TOKEN_TAG]}))
    one_by_one = choose(small.instance, small.recipe, many, NOTHING).requests
    assert [request.partition_key for request in one_by_one] == [f"p{index}" for index in range(RUNS_AT_ONCE)]


def test_the_landing_waits_for_what_is_ready_or_under_way_but_not_for_what_is_stuck(small: Project) -> None:
    landing = Step(("landing",), None, "objects")
    busy = InFlight(frozenset({("raw", "p0")}), frozenset(), walks=False)
    ready = Readiness(steps(1), landing)
    assert asked_of(choose(small.instance, small.recipe, ready, NOTHING)) == [("raw", "p0")]
    assert asked_of(choose(small.instance, small.recipe, ready, busy)) == []
    for _ in range(3):
        small.instance.report_run_failed(begun(small, "raw", partition="p0", **{TOKEN_TAG: "token0"}))
    assert asked_of(choose(small.instance, small.recipe, ready, NOTHING)) == [("landing", None)]


def asked_of(chosen: Any) -> list[tuple[str, str | None]]:
    return [(request.asset_selection[0].path[-1], request.partition_key) for request in chosen.requests]


def test_every_unfinished_run_counts_as_under_way(small: Project) -> None:
    small.instance.add_dynamic_partitions("small_partitions", list(GOOD))
    cases: list[tuple[dict[str, str], tuple[str, ...], set[tuple[str, str | None]]]] = [
        ({"dagster/partition": "2019"}, ("raw", "cleaned"), {("raw", "2019"), ("cleaned", "2019")}),
        ({}, ("duplicates",), {("duplicates", None)}),
        (
            {"dagster/asset_partition_range_start": "2019", "dagster/asset_partition_range_end": "2020"},
            ("raw",),
            {("raw", "2020")},
        ),
    ]
    for tags, stages, covered in cases:
        run = begun(small, *stages, **tags)
        flying = in_flight(small.instance, small.recipe, "small_follow")
        assert all(flying.covers([place]) for place in covered)
        assert not flying.covers([("scored", "2019")])
        small.instance.report_run_failed(run)
    assert not in_flight(small.instance, small.recipe, "small_follow")


def test_a_run_of_the_sensor_that_is_not_ready_ends_well_and_one_of_a_person_fails_with_the_reason(
    small: Project,
) -> None:
    job = small.definitions.resolve_job_def("small")
    selection = [small.key("duplicates")]
    small.run("landing")
    tagged = job.execute_in_process(instance=small.instance, asset_selection=selection, tags={TOKEN_TAG: "t"})
    assert tagged.success
    assert tagged.get_asset_materialization_events() == []
    assert {check.metadata["expectations"].value.records == [] for check in tagged.get_asset_check_evaluations()} == {
        True
    }

    by_hand = small.run("duplicates")
    assert not by_hand.success
    assert "partitions missing or stale upstream" in by_hand.failure().user_failure_data.description


def test_a_scheduled_backfill_is_one_run_that_walks_the_plan_and_is_recorded_by_asset_and_partition(
    small: Project,
) -> None:
    schedule = small.definitions.resolve_schedule_def("small_backfill_daily")
    walked = small.definitions.resolve_job_def("small_follow").execute_in_process(
        run_config=schedule.evaluate_tick(dg.build_schedule_context(small.instance)).run_requests[0].run_config,
        instance=small.instance,
        raise_on_error=False,
    )
    assert not walked.success  # 2022 is refused; everything that does not wait for it went on
    (failed,) = [event for event in walked.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "small: cleaned[2022]" in failed.step_failure_data.user_failure_data.description
    status = small.instance.get_materialized_partitions(small.key("cleaned"))
    assert status == set(GOOD)
    assert tick(small).run_requests in (None, [])
    logged = small.instance.all_logs(walked.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluated = [entry.dagster_event.asset_check_evaluation_data for entry in logged if entry.dagster_event is not None]
    assert [e.partition for e in evaluated if not e.passed and e.asset_key == small.key("cleaned")] == [BAD]


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


def test_finished_runs_are_forgotten_after_their_retention_but_not_what_the_catalogue_shows(small: Project) -> None:
    first, second = small.run("landing").result.run_id, small.run("landing").result.run_id
    refused = small.run("duplicates").result.run_id
    under_way = begun(small, "raw", partition="2019").run_id
    assert forget_runs(small.instance, small.recipe, keep_days=30) == 0

    assert forget_runs(small.instance, small.recipe, keep_days=0, dry_run=True) == 2
    assert forget_runs(small.instance, small.recipe, keep_days=0) == 2
    assert {run.run_id for run in small.instance.get_runs()} == {second, under_way}
    assert {first, refused}.isdisjoint(path.name for path in (small.root.parent / "storage").glob("*"))
    assert small.instance.get_latest_materialization_event(small.key("landing")) is not None
