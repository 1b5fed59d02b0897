"""The VALID² card as an asset of its own: the live release, measured as of today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg
import pytest

from tests.integration.dagster_project import GOOD, RECIPE, Outcome, Project, project
from winnowry.inspect.today import card_of_today
from winnowry.recipe.valid2 import LETTERS

# Dagster calls its own deprecated property when a resource holds another one.
pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning")


# What a small corpus of one source cannot meet is switched off, and vitality does not hold the release back.
GATED = RECIPE.replace(
    "gates: {",
    "gates: {published: {valid2: {blocks: [integrity], thresholds: {rate_half_width: null, decoded_share: null, "
    "source_entropy: null, top_source_share: null}}}, ",
)


class Walked(NamedTuple):
    """A project with a release, and a run of the asset from before there was one."""

    project: Project
    too_early: Outcome


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    folder = tmp_path_factory.mktemp("valid2")
    with pytest.MonkeyPatch.context() as patch, project(folder, patch, bad=False, text=GATED) as made:
        made.fill(*GOOD)
        assert made.run("duplicates", "fit").success
        for year in GOOD:
            assert made.run("scored", partition=year).success
        too_early = made.run("valid2")
        assert made.run("sampled", "published").success
        yield Walked(made, too_early)


def test_before_anything_is_published_it_says_so(walked: Walked) -> None:
    failure = walked.too_early.failure().user_failure_data
    assert "small" in failure.description
    assert failure.metadata["error"].value == "NotFoundError"


def test_a_release_that_has_grown_old_is_a_warning_about_vitality_and_nothing_else(walked: Walked) -> None:
    run = walked.project.run("valid2")  # the pages are of 2019 to 2021

    assert run.success
    assert run.materialized() == [("valid2", None)]
    checks = run.checks("valid2")
    assert set(checks) == set(LETTERS)
    assert {name for name, check in checks.items() if not check.passed} == {"vitality"}
    assert checks["vitality"].severity == dg.AssetCheckSeverity.WARN
    assert "fresh_share is 0, asked for ≥ 0.1" in checks["vitality"].description
    said = run.metadata("valid2")
    assert said["release"] == "v1"
    assert said["grade"] == "0.00 (vitality)"
    assert said["valid2_vitality"] == 0.0
    assert said["valid2_integrity"] == 1.0
    assert said["page"].endswith("/small/releases/v1/page.html")


def test_what_is_fresh_depends_on_the_day(walked: Walked) -> None:
    small = walked.project
    then = card_of_today(small.workspace, small.recipe, datetime(2021, 12, 31, tzinfo=UTC))
    later = card_of_today(small.workspace, small.recipe, datetime(2024, 12, 31, tzinfo=UTC))
    scores = [{item["letter"]: item["score"] for item in card["letters"]} for card in (then, later)]
    assert [score["vitality"] for score in scores] == [1.0, 0.0]
    assert {**scores[0], "vitality": 0} == {**scores[1], "vitality": 0}
    assert (then["release"], then["as_of_from"], then["as_of"]) == ("v1", "now", "2021-12-31T00:00:00+00:00")
