"""Gates inside Dagster: what a refused candidate does to its check, its partition and what comes after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.integration.dagster_project import BAD, Project, project
from winnowry.core.errors import StoreUnreachableError
from winnowry.promotion.result import StageResult

# Dagster calls its own deprecated property when a resource holds another one.
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    with project(tmp_path, monkeypatch) as made:
        yield made


def test_a_refused_partition_is_a_failed_check_and_no_materialization_while_others_land(small: Project) -> None:
    assert small.run("landing").materialized() == [("landing", None)]
    assert small.instance.get_dynamic_partitions("small_partitions") == ["2019", "2020", "2021", BAD]

    refused = small.run("raw", "cleaned", "duplicates", partition=BAD)
    landed = small.run("raw", "cleaned", partition="2020")

    assert not refused.success
    assert refused.materialized() == [("raw", BAD)]  # neither cleaned nor, after it, duplicates
    checks = refused.checks("cleaned")
    failed = {name: check for name, check in checks.items() if not check.passed}
    assert failed, "no check of cleaned failed"
    assert {check.severity for check in failed.values()} == {dg.AssetCheckSeverity.ERROR}
    assert {check.partition for check in checks.values()} == {BAD}
    assert landed.success
    assert landed.materialized() == [("raw", "2020"), ("cleaned", "2020")]
    assert all(check.passed for check in landed.checks("cleaned").values())
    assert small.instance.get_materialized_partitions(small.key("cleaned")) == {"2020"}
    assert small.workspace.lake.partitions("small", "cleaned") == ["2020"]  # nothing of 2022 is visible


def test_a_failure_names_the_numbers_and_carries_the_whole_result(small: Project) -> None:
    small.run("landing")
    failure = small.run("raw", "cleaned", partition=BAD).failure()
    metadata = failure.user_failure_data.metadata
    result = StageResult.from_dict(metadata["winnowry/result"].value)

    assert (result.stage, result.partition, result.status) == ("cleaned", BAD, "rejected")
    assert (result.rows_in, result.rows_out, result.rows_quarantined) == (20, 2, 18)
    assert any(gate.blocks for gate in result.gates)
    assert "the table is unchanged" in failure.user_failure_data.description


def test_a_failed_check_shows_what_was_observed_against_what_was_asked(small: Project) -> None:
    small.run("landing")
    checks = small.run("raw", "cleaned", partition=BAD).checks("cleaned")
    (check,) = [check for check in checks.values() if not check.passed]
    rows = [record.data for record in check.metadata["expectations"].records]

    assert rows[0]["verdict"] == "fail"  # what failed comes first
    assert "0.1" in str(rows[0]["observed"])  # two of twenty
    assert "0.5" in str(rows[0]["threshold"])
    assert "fail" in check.description


def test_a_refused_partition_can_be_run_again_once_its_data_is_mended(small: Project) -> None:
    small.run("landing")
    assert not small.run("raw", "cleaned", partition=BAD).success
    from tests.integration.dagster_project import land_short_year

    land_short_year(small.root, BAD, n_long=20)
    assert small.run("landing").success
    mended = small.run("raw", "cleaned", partition=BAD)

    assert mended.success
    assert mended.metadata("cleaned")["rows_out"] == 20


def test_a_materialization_carries_rows_ledger_and_where_the_table_is(small: Project) -> None:
    small.fill("2019")
    made = small.run("raw", "cleaned", partition="2020")
    metadata = made.metadata("cleaned")
    result = StageResult.from_dict(metadata["winnowry/result"])

    # 20 pages, 5 copies of the year before, 3 too short, 2 in German: nothing here asks for English
    assert (metadata["rows_in"], metadata["rows_quarantined"]) == (30, 3)
    assert metadata["dagster/partition_row_count"] == 27
    assert metadata["dagster/row_count"] == small.workspace.lake.open("small", "cleaned").count_rows()
    assert metadata["dagster/uri"].endswith("/small/cleaned.lance")
    assert metadata["kept_fraction"] == pytest.approx(0.9)
    assert result.status == "promoted"
    assert result.partition == "2020"
    assert sum(result.quarantined_by_reason.values()) == 3


def test_a_stage_that_is_fresh_succeeds_says_so_and_keeps_its_data_version(small: Project) -> None:
    small.fill("2019")
    key = small.key("cleaned")
    before = small.instance.get_latest_data_version_record(key, partition_key="2019")
    again = small.run("raw", "cleaned", partition="2019")
    after = small.instance.get_latest_data_version_record(key, partition_key="2019")

    assert again.success
    assert again.metadata("cleaned")["status"] == "skipped"
    assert all(check.passed for check in again.checks("cleaned").values())
    assert before is not None
    assert after is not None
    tag = "dagster/data_version"
    assert after.asset_materialization.tags[tag] == before.asset_materialization.tags[tag]  # type: ignore[union-attr]
    assert after.storage_id > before.storage_id


@pytest.mark.slow
def test_corpus_wide_stages_run_once_every_partition_is_in(small: Project) -> None:
    small.fill("2019")
    early = small.run("duplicates")
    assert not early.success
    assert "2020" in early.failure().user_failure_data.description
    (small.root / "landing" / "small" / f"{BAD}.jsonl.gz").unlink()
    small.fill("2019", "2020", "2021")

    # five copies in each of two years, and two German pages that every one of three years repeats
    assert small.run("duplicates").metadata("duplicates")["dagster/row_count"] == 14
    assert small.run("fit").success
    for year in ("2019", "2020", "2021"):
        assert small.run("scored", partition=year).success
    assert small.run("sampled").success
    assert small.run("published").success
    assert "prod" in small.workspace.lake.tags("small")


def test_only_an_unreachable_store_is_tried_again(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import assets.stage
    import winnowry.stages.run as pipeline

    real, calls = pipeline.run_stage, []

    def away_twice(*args: object, **kwargs: object) -> StageResult:
        calls.append(args)
        if len(calls) <= 2:
            raise StoreUnreachableError("endpoint http://127.0.0.1:1 does not answer")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "run_stage", away_twice)
    monkeypatch.setattr(assets.stage, "_RETRY_AFTER_S", 0.0)
    outcome = small.run("landing")

    assert outcome.success
    assert len(outcome.of("STEP_UP_FOR_RETRY")) == 2
    calls.clear()
    assert len(small.run("raw", "cleaned", partition=BAD).of("STEP_UP_FOR_RETRY")) == 2  # raw; the gate's no is final


def test_a_run_can_change_the_recipe_for_itself(small: Project) -> None:
    small.run("landing")
    lenient = small.run("raw", "cleaned", partition=BAD, overrides=["gates.cleaned.min_kept_fraction=0.05"])
    assert lenient.success
