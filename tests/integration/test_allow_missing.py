"""What a release says of partitions that are missing, stale or left out is what its rows say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from expectations.registry import suites_for
from tests.days import CORPUS, land, recipe_at, run, texts
from winnowry.gates.native import gxe
from winnowry.gates.suite import Suite
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import releases
from winnowry.runs.order import RunOutcome
from winnowry.stages.plan import plan

FIRST, STALE, THIRD, NEVER, LAST = (f"2024-01-0{n}" for n in range(1, 6))
RULES = ["gates.raw.min_rows=3"]


def incomplete(root: Path) -> tuple[Workspace, Recipe, RunOutcome]:
    """A corpus of which one partition is stale and another was never promoted, released all the same."""
    for day in (FIRST, STALE, THIRD):
        land(root, day, texts(f"old {day}", 6))
    ws, recipe = Workspace.open(str(root)), recipe_at(root, overrides=RULES)
    assert run(ws, recipe).succeeded
    land(root, STALE, texts("new", 3, 7))
    land(root, NEVER, texts("never", 3, 7))
    land(root, LAST, texts("last", 6))
    return ws, recipe, run(ws, recipe, allow_missing=True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Recipe, RunOutcome]:
    return incomplete(tmp_path_factory.mktemp("gaps"))


def published(ws: Workspace) -> dict[str, set[str]]:
    rows: dict[str, set[str]] = {}
    for row in ws.lake.open(CORPUS, "published").to_table(columns=["partition", "text"]).to_pylist():
        rows.setdefault(row["partition"], set()).add(row["text"])
    return rows


def newest(ws: Workspace) -> dict[str, Any]:
    return release_facts(ws, CORPUS, releases(ws, CORPUS)[0])


def test_a_stale_partition_keeps_its_last_good_rows_and_a_missing_one_has_none(lake: Any) -> None:
    ws, _, outcome = lake
    rows = published(ws)
    assert set(rows) == {FIRST, STALE, THIRD, LAST}
    assert rows[STALE] == set(texts(f"old {STALE}", 6))
    assert not outcome.succeeded
    facts = newest(ws)["release"]
    assert facts["missing_partitions"] == [NEVER]
    (stale,) = facts["stale_partitions"]
    record = ws.lake.live_record(CORPUS, "cleaned", STALE)
    assert (stale["partition"], stale["stage"], stale["promotion"]) == (STALE, "cleaned", record.id)
    assert stale["why"] == "was refused by its gate"
    assert [(gap.partition, gap.kind) for gap in outcome.gaps] == [(STALE, "stale"), (NEVER, "missing")]


def test_known_limits_and_the_page_name_both(lake: Any) -> None:
    ws, _, _ = lake
    limits = [limit["text"] for limit in newest(ws)["limits"]]
    assert f"Published without {NEVER} (--allow-missing)." in limits
    record = ws.lake.live_record(CORPUS, "cleaned", STALE)
    stale_limit = next(text for text in limits if STALE in text)
    assert stale_limit.startswith(f"Partition {STALE} is as of promotion {record.id} of ")
    assert "cleaned is stale since " in stale_limit
    page = ws.store.read(f"{ws.lake.corpus_uri(CORPUS)}/releases/v2/page.html").decode()
    assert f"as of promotion {record.id}" in page


def test_the_first_release_has_no_gaps(lake: Any) -> None:
    ws, _, _ = lake
    first = releases(ws, CORPUS)[-1].to_dict()
    assert first["missing_partitions"] == ()
    assert "stale_partitions" not in first


def test_a_partition_that_is_refused_at_the_first_stage_is_stale_too(tmp_path: Path) -> None:
    # Its later stages are fresh: they stand for what was promoted before.
    for day in (FIRST, STALE):
        land(tmp_path, day, texts(f"old {day}", 6))
    ws, recipe = Workspace.open(str(tmp_path)), recipe_at(tmp_path, overrides=RULES)
    assert run(ws, recipe).succeeded
    land(tmp_path, STALE, texts("new", 2))
    land(tmp_path, LAST, texts("last", 6))
    run(ws, recipe, allow_missing=True)
    assert published(ws)[STALE] == set(texts(f"old {STALE}", 6))
    assert [(s["partition"], s["stage"]) for s in newest(ws)["release"]["stale_partitions"]] == [(STALE, "raw")]


def test_rows_whose_scores_are_of_earlier_texts_are_left_out_and_named(tmp_path: Path) -> None:
    def at_least_five_scored(stage: str, recipe: Any, schema: Any) -> list[Suite]:
        few = [Suite("scored.quality", [gxe.ExpectTableRowCountToBeBetween(min_value=5)])]
        return few if stage == "scored" else suites_for(stage, recipe, schema)

    for day in (FIRST, STALE):
        land(tmp_path, day, texts(f"old {day}", 6))
    ws, recipe = Workspace.open(str(tmp_path)), recipe_at(tmp_path)
    assert run(ws, recipe, suites=at_least_five_scored).succeeded
    land(tmp_path, STALE, texts("new", 4))
    outcome = run(ws, recipe, suites=at_least_five_scored, allow_missing=True)
    assert [(f.stage, f.partition) for f in outcome.failures] == [("scored", STALE)]
    assert set(published(ws)) == {FIRST}
    assert newest(ws)["release"]["missing_partitions"] == [STALE]
    land(tmp_path, STALE, texts("newer", 5))
    assert run(ws, recipe, suites=at_least_five_scored).succeeded
    assert published(ws)[STALE] == set(texts("newer", 5))
    assert newest(ws)["release"]["missing_partitions"] == []


# ---------------------------------------------------------------------------------------------------- signed for


def _accept(*accepted: dict[str, Any]) -> list[str]:
    signed = [{"reason": "the scanner was off", "by": "kim", **one} for one in accepted]
    return [f"gates.accept={json.dumps(signed)}"]


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Recipe, RunOutcome]:
    ws, recipe, _ = incomplete(tmp_path_factory.mktemp("signed"))
    signed = apply_overrides(
        recipe,
        _accept(
            {"partition": STALE, "leave_out": True},
            {"partition": NEVER, "stage": "cleaned", "expectation": "expect_fraction_kept_to_be_at_least"},
        ),
    )
    return ws, signed, run(ws, signed)


def test_a_partition_that_is_left_out_holds_nobody_up_and_has_no_rows(left_out: Any) -> None:
    ws, _, outcome = left_out
    assert outcome.succeeded
    assert set(published(ws)) == {FIRST, THIRD, NEVER, LAST}
    assert outcome.left_out == {STALE: "accepted by kim: the scanner was off"}
    assert [r for r in outcome.results if r.partition == STALE] == []
    release = newest(ws)["release"]
    assert release["missing_partitions"] == []
    assert [one["partition"] for one in release["left_out_partitions"]] == [STALE]


def test_a_candidate_that_is_accepted_is_published_and_named(left_out: Any) -> None:
    ws, _, outcome = left_out
    assert published(ws)[NEVER] == set(texts("never", 3))
    verdicts = [gate.verdict for result in outcome.results for gate in result.gates if result.partition == NEVER]
    assert verdicts.count("accepted") == 1
    assert "fail" not in verdicts
    facts = newest(ws)
    (accepted,) = facts["accepted"]
    assert (accepted["stage"], accepted["partition"], accepted["by"]) == ("cleaned", NEVER, "kim")
    limits = [limit["text"] for limit in facts["limits"]]
    assert f"Partition {STALE} is left out, accepted by kim: the scanner was off." in limits
    assert any(f"The gate of cleaned of partition {NEVER} failed and was accepted" in text for text in limits)
    assert any("at least 0.5 required; accepted by kim: the scanner was off" in text for text in limits)


def test_what_is_signed_for_is_fresh_afterwards(left_out: Any) -> None:
    ws, signed, _ = left_out
    planned = plan(ws, signed, suites_for)
    assert (planned.to_run, planned.waiting) == ([], [])
    reasons = {entry.reasons[0] for entry in planned.entries if entry.partition == STALE}
    assert reasons == {"left out, accepted by kim: the scanner was off"}


def test_once_the_signature_is_gone_the_partition_is_waited_for_again(left_out: Any, lake: Any) -> None:
    ws, _, _ = left_out
    _, recipe, _ = lake
    assert ("cleaned", STALE) in [(entry.stage, entry.partition) for entry in plan(ws, recipe, suites_for).waiting]
