"""A candidate that a gate refused: it can be looked at, and it is not tried again while nothing has changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from expectations.custom import ExpectFractionKeptToBeAtLeast
from expectations.registry import suites_for
from tests.days import CORPUS, id_of, land, recipe_at, run, texts
from winnowry.cli.summary import run_summary
from winnowry.core.errors import StoreUnreachableError, UsageError
from winnowry.gates.native import gxe
from winnowry.gates.suite import Suite
from winnowry.inspect.explain import explain
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.result import StageResult
from winnowry.reading.query import run_sql
from winnowry.recipe.load import apply_overrides
from winnowry.recipe.model import Recipe
from winnowry.runs.order import RunOutcome
from winnowry.stages.plan import plan
from winnowry.stages.run import run_stage

BAD = "2024-01-02"
KEPT, REJECTED = 1, 5  # records of the bad day: the first three are long enough
ASKED = "3 of 10 rows kept (30.0%): observed 0.3, at least 0.5 required"


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Recipe, RunOutcome]:
    """Two days, of which the second keeps 3 of 10 records where half are asked for."""
    root = tmp_path_factory.mktemp("refused")
    land(root, "2024-01-01", texts("first", 9, 1))
    land(root, BAD, texts("second", 3, 7))
    ws, recipe = Workspace.open(str(root)), recipe_at(root)
    return ws, recipe, run(ws, recipe)


def shown(outcome: RunOutcome) -> str:
    from rich.console import Console

    console = Console(width=300, record=True, file=StringIO())
    console.print(*run_summary(outcome, "./lake"), sep="\n")
    return console.export_text()


# ------------------------------------------------------------------------------------------------- to be looked at


def test_sql_shows_what_a_refused_candidate_rejected_beside_what_is_live(refused: Any) -> None:
    ws, _, _ = refused
    counts = run_sql(ws, f"select state, partition, count(*) n from {CORPUS}.quarantine group by all order by all")
    assert counts.to_pylist() == [
        {"state": "live", "partition": "2024-01-01", "n": 1},
        {"state": "refused", "partition": BAD, "n": 7},
    ]
    names = run_sql(ws, f"select * from {CORPUS}.quarantine").column_names
    assert names == [*ws.lake.open(CORPUS, "quarantine").schema.names, "state"]
    ids = run_sql(ws, f"select record_id from {CORPUS}.quarantine where state = 'refused'")["record_id"].to_pylist()
    assert set(ids) == {id_of(BAD, n) for n in range(3, 10)}


def test_explain_tells_the_fate_of_records_of_a_refused_candidate(refused: Any) -> None:
    ws, _, _ = refused
    rejected, passed = (explain(ws, id_of(BAD, n)) for n in (REJECTED, KEPT))
    assert (rejected.status, passed.status) == ("refused", "refused")
    assert "text.length min_words, value 2, threshold 5" in rejected.verdict
    assert ASKED in rejected.verdict
    assert "kept, in a candidate that its gate refused" in passed.verdict
    assert [step.stage for step in rejected.steps] == ["landing", "raw", "cleaned"]
    assert explain(ws, id_of("2024-01-01", 0)).status == "cleaned"


def test_the_verdict_says_observed_beside_asked_for_with_rejected_rows(refused: Any) -> None:
    ws, _, outcome = refused
    gate = next(gate for result in outcome.results for gate in result.gates if gate.blocks)
    assert gate.message == ASKED
    assert gate.samples[0] == {
        "record_id": id_of(BAD, 3),
        "rejected": "text.length: min_words, value 2, threshold 5",
        "excerpt": "too short",
    }
    page = ws.store.read(next(r.docs_index for r in outcome.results if r.status == "rejected")).decode()
    assert ASKED in page
    assert id_of(BAD, 3) in page
    text = shown(outcome)
    assert ASKED in text
    assert "where state = 'refused'" in text
    assert "explain RECORD_ID" not in text
    assert id_of(BAD, 3) in text


def test_the_check_in_the_browser_shows_the_rejected_rows(refused: Any) -> None:
    import dagster as dg

    from assets.events import check_results

    _, _, outcome = refused
    result = next(result for result in outcome.results if result.status == "rejected")
    (check,) = check_results(dg.AssetKey(["days", "cleaned"]), ["cleaned.quality"], result.gates, "not judged")
    assert ASKED in str(check.description)
    assert id_of(BAD, 3) in str(check.metadata["failing rows"].value)


def test_what_never_ran_waits_and_is_not_called_failed(refused: Any) -> None:
    _, _, outcome = refused
    assert [(f.stage, f.partition) for f in outcome.failures] == [("cleaned", BAD)]
    assert {(w.stage, w.partition, *w.waits_for) for w in outcome.waiting} == {
        (stage, None, f"cleaned[{BAD}]") for stage in ("duplicates", "fit", "scored", "sampled", "published")
    }
    assert f"duplicates, fit, scored, sampled, published  waits for cleaned[{BAD}]" in shown(outcome)


# ----------------------------------------------------------------------------------------------- not tried again


def test_plan_says_that_it_waits_and_a_run_reuses_the_verdict(refused: Any) -> None:
    ws, recipe, _ = refused
    entry = next(e for e in plan(ws, recipe, suites_for).entries if (e.stage, e.partition) == ("cleaned", BAD))
    assert entry.action == "wait"
    assert entry.reasons[0].startswith("refused, waits for a change of inputs or rule")
    assert ASKED in entry.reasons[0]
    before = ws.lake.records(CORPUS).of("cleaned", BAD)
    again = run(ws, recipe)
    assert not again.succeeded
    assert ASKED in again.failures[0].message
    assert "--retry-refused" in again.failures[0].message
    assert [r.status for r in again.results if (r.stage, r.partition) == ("cleaned", BAD)] == ["rejected"]
    assert ws.lake.records(CORPUS).of("cleaned", BAD) == before  # no candidate was made


def test_the_sensor_leaves_alone_what_waits(refused: Any) -> None:
    from winnowry.stages.readiness import readiness

    ws, recipe, _ = refused
    standing = readiness(ws, recipe, suites_for)
    assert (standing.steps, standing.landing) == ([], None)
    assert standing.states["cleaned", BAD] == "refused"
    assert {standing.states[name, None] for name in ("duplicates", "fit", "sampled", "published")} == {"wait"}


@pytest.fixture
def bad_day(tmp_path: Path) -> Callable[..., tuple[Workspace, Recipe]]:
    """A lake of one bad day whose ``raw`` is promoted."""
    land(tmp_path, BAD, texts("second", 3, 7))
    ws, recipe = Workspace.open(str(tmp_path)), recipe_at(tmp_path)
    for stage, key in (("landing", None), ("raw", BAD)):
        run_stage(ws, recipe, stage, key, suites=suites_for, run_id="t")
    return ws, recipe


def _clean(ws: Workspace, recipe: Recipe, **options: Any) -> tuple[str, int]:
    """What becomes of a run of ``cleaned``, and how many candidates there are then."""
    from winnowry.core.errors import WinnowryError

    try:
        kind = run_stage(ws, recipe, "cleaned", BAD, **{"suites": suites_for, "run_id": "t", **options}).status
    except WinnowryError as error:
        kind = type(error).__name__
    return kind, len(ws.lake.records(CORPUS).of("cleaned", BAD))


def test_a_refusal_stands_until_inputs_or_rules_change(bad_day: Any, tmp_path: Path) -> None:
    ws, recipe = bad_day
    assert _clean(ws, recipe) == ("GateFailed", 1)
    assert _clean(ws, recipe) == ("GateFailed", 1)  # nothing changed
    assert _clean(ws, apply_overrides(recipe, ["sample.token_fraction=0.5"])) == ("GateFailed", 1)  # of another stage
    assert _clean(ws, recipe, retry_refused=True) == ("GateFailed", 2)
    assert _clean(ws, recipe, force=True) == ("GateFailed", 3)
    stricter = apply_overrides(recipe, ["gates.cleaned.min_kept_fraction=0.6"])
    assert _clean(ws, stricter) == ("GateFailed", 4)  # the rule of the gate
    assert _clean(ws, stricter) == ("GateFailed", 4)
    assert _clean(ws, apply_overrides(recipe, ["text.length.min_words=6"])) == ("GateFailed", 5)  # a rule about records
    land(tmp_path, BAD, texts("second", 4, 6))
    run_stage(ws, recipe, "landing", suites=suites_for, run_id="t")
    planned = {(entry.stage, entry.action) for entry in plan(ws, recipe, suites_for).entries}
    assert {("raw", "run"), ("cleaned", "run")} <= planned  # it will have another input
    for stage, key in (("landing", None), ("raw", BAD)):
        run_stage(ws, recipe, stage, key, suites=suites_for, run_id="t")
    assert _clean(ws, recipe) == ("GateFailed", 6)  # its input
    assert _clean(ws, apply_overrides(recipe, ["gates.cleaned.min_kept_fraction=0.3"])) == ("promoted", 7)


def _suites_that_raise(stage: str, recipe: Any, schema: Any) -> list[Suite]:
    return [Suite("cleaned.quality", [gxe.ExpectColumnValuesToNotBeNull(column="no_such_column")])]


def _suites_of_text(stage: str, recipe: Any, schema: Any) -> list[Suite]:
    return [Suite("cleaned.contract", [gxe.ExpectColumnValuesToBeBetween(column="size", max_value=1, mostly=0.9)])]


def _suites_of_drift(stage: str, recipe: Any, schema: Any) -> list[Suite]:
    return [Suite("cleaned.drift", [ExpectFractionKeptToBeAtLeast(min_fraction=0.9)])]


def test_what_is_no_verdict_on_the_data_is_tried_again(bad_day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ws, recipe = bad_day
    assert _clean(ws, recipe, suites=_suites_that_raise) == ("GateFailed", 1)  # broken, not failed
    assert _clean(ws, recipe, suites=_suites_that_raise) == ("GateFailed", 2)

    def no_store(*_: Any) -> None:
        raise StoreUnreachableError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(ws.lake, "append_gates", no_store)
        assert _clean(ws, recipe) == ("StoreUnreachableError", 3)  # staged, never judged
    assert _clean(ws, recipe) == ("GateFailed", 4)
    assert _clean(ws, recipe) == ("GateFailed", 4)


def test_a_verdict_beside_other_partitions_is_tried_again_when_those_change(bad_day: Any, tmp_path: Path) -> None:
    ws, recipe = bad_day
    assert _clean(ws, recipe, suites=_suites_of_drift) == ("GateFailed", 1)
    assert _clean(ws, recipe, suites=_suites_of_drift) == ("GateFailed", 1)
    land(tmp_path, "2024-01-01", texts("first", 9, 1))
    for stage, key in (("landing", None), ("raw", "2024-01-01"), ("cleaned", "2024-01-01")):
        run_stage(ws, recipe, stage, key, suites=suites_for, run_id="t")
    assert _clean(ws, recipe, suites=_suites_of_drift) == ("GateFailed", 2)
    assert _clean(ws, recipe) == ("GateFailed", 3)  # judged by another provider
    land(tmp_path, "2024-01-03", texts("third", 9, 1))
    for stage, key in (("landing", None), ("raw", "2024-01-03"), ("cleaned", "2024-01-03")):
        run_stage(ws, recipe, stage, key, suites=suites_for, run_id="t")
    assert _clean(ws, recipe) == ("GateFailed", 3)  # a share of its own rows stands whatever else lands


def test_a_candidate_without_rejects_shows_the_rows_that_fail(bad_day: Any) -> None:
    ws, recipe = bad_day
    recipe = apply_overrides(recipe, ["text.length.min_words=1"])

    def step(*arguments: Any, **options: Any) -> StageResult:
        return run_stage(*arguments, **{**options, "suites": _suites_of_text})

    outcome = run(ws, recipe, to="cleaned", step=step)
    gate = next(gate for result in outcome.results for gate in result.gates if gate.blocks)
    assert "observed 0 of the rows meet it, a value at most 1 in at least 0.9 of the rows required" in gate.message
    assert {sample["record_id"] for sample in gate.samples} == {id_of(BAD, n) for n in range(10)}
    text = shown(outcome)
    assert "select suite, expectation, message, samples from gates" in text
    assert "a value at most 1" in explain(ws, id_of(BAD, 0)).verdict


# ------------------------------------------------------------------------------------------ how long it is kept


def test_rejects_stay_until_upkeep_after_their_retention(bad_day: Any) -> None:
    ws, recipe = bad_day
    _clean(ws, recipe)

    def n_refused() -> int:
        return int(run_sql(ws, f"select count(*) n from {CORPUS}.quarantine where state = 'refused'")["n"][0].as_py())

    assert n_refused() == 7
    _age(Path(ws.root), days=20)
    maintain(ws, [CORPUS], keep_days=30)
    assert n_refused() == 7
    maintain(ws, [CORPUS], keep_days=10)
    assert n_refused() == 0
    # What its gate said is remembered all the same, and so is that it need not be tried.
    assert _clean(ws, recipe) == ("GateFailed", 1)


def test_a_newer_candidate_replaces_what_was_refused(bad_day: Any) -> None:
    ws, recipe = bad_day
    _clean(ws, recipe)
    assert _clean(ws, apply_overrides(recipe, ["gates.cleaned.min_kept_fraction=0.1"])) == ("promoted", 2)
    states = run_sql(ws, f"select state, count(*) n from {CORPUS}.quarantine group by all").to_pylist()
    assert states == [{"state": "live", "n": 7}]
    assert explain(ws, id_of(BAD, REJECTED)).status == "quarantined"


def _age(root: Path, days: float) -> None:
    moment = time.time() - timedelta(days=days).total_seconds()
    for path in root.rglob("*"):
        os.utime(path, (moment, moment))


# ---------------------------------------------------------------------------------------------------- signed for


def _accept(**accepted: Any) -> list[str]:
    signed = {"reason": "known: a holiday", "by": "kim", **accepted}
    return [f"gates.accept={json.dumps([signed])}"]


QUALITY = {"stage": "cleaned", "partition": BAD, "expectation": "cleaned.quality"}


@pytest.mark.parametrize(
    ("accepted", "becomes"),
    [
        pytest.param(QUALITY, "promoted", id="the suite"),
        pytest.param(
            {**QUALITY, "expectation": "expect_fraction_kept_to_be_at_least"}, "promoted", id="the expectation"
        ),
        pytest.param({**QUALITY, "until": datetime.now(UTC).date().isoformat()}, "promoted", id="until today"),
        pytest.param({**QUALITY, "until": "2024-02-01"}, "GateFailed", id="until a day that is over"),
        pytest.param({**QUALITY, "partition": "2024-01-09"}, "GateFailed", id="of another partition"),
        pytest.param({**QUALITY, "stage": "raw"}, "GateFailed", id="of another stage"),
        pytest.param({**QUALITY, "expectation": "cleaned.contract"}, "GateFailed", id="of another suite"),
    ],
)
def test_a_failure_is_accepted_by_who_signs_for_exactly_that(bad_day: Any, accepted: Any, becomes: str) -> None:
    ws, recipe = bad_day
    assert _clean(ws, recipe) == ("GateFailed", 1)
    assert _clean(ws, apply_overrides(recipe, _accept(**accepted)))[0] == becomes


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ({**QUALITY, "stage": "cleand"}, "cleand"),
        ({**QUALITY, "partition": None}, "say which `partition`"),
        ({**QUALITY, "stage": "published"}, "takes no `partition`"),
    ],
)
def test_a_signature_for_what_there_is_not_is_refused(tmp_path: Path, accepted: Any, message: str) -> None:
    recipe = apply_overrides(recipe_at(tmp_path), _accept(**accepted))
    with pytest.raises(UsageError, match=message):
        run_stage(Workspace.open(str(tmp_path)), recipe, "landing", suites=suites_for, run_id="t")


def test_what_could_not_be_judged_cannot_be_accepted(bad_day: Any) -> None:
    ws, recipe = bad_day
    signed = apply_overrides(recipe, _accept(**QUALITY))
    assert _clean(ws, signed, suites=_suites_that_raise)[0] == "GateFailed"
