"""The page of a release: whole without a network, true where something is missing, and texts in it stay text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.page_structure import structure
from winnowry.report.release_families import families_view
from winnowry.report.release_page import release_page

_BAD = "<script>alert(1)</script>"


def facts(**changes: Any) -> dict[str, Any]:
    share = {"listed": [{"name": _BAD, "rows": 2, "tokens": 30, "license": _BAD, "licenses": 1, "unlicensed": 0}],
             "total": 2, "rest_rows": 1}  # fmt: skip
    mix = {"total": 2, "tokens": 60, "kept_tokens": 30, "distance": 0.25, "listed": [
        {"name": _BAD, "rows": 3, "tokens": 40, "kept_rows": 1, "kept_tokens": 10},
        {"name": None, "rows": 1, "tokens": 20, "kept_rows": 1, "kept_tokens": 20}]}  # fmt: skip
    verdict = {"judged_at": "2026-01-01T00:00:00+00:00", "table": _BAD, "partition": _BAD, "suite": _BAD,
               "expectation": _BAD, "column": _BAD, "severity": _BAD, "verdict": "warn", "message": _BAD,
               "parameters": {"min_value": _BAD}, "observed": _BAD}  # fmt: skip
    return {
        "corpus": _BAD,
        "release": {"name": "v1", "version": 3, "tags": [_BAD], "created_at": "2026-01-02T03:04:05+00:00",
                    "rows_added": 3, "rows_removed": 0, "missing_partitions": [], "data_hash": _BAD,
                    "promotion_id": _BAD, "run_id": _BAD},
        "contents": {"rows": 3, "tokens": 45, "tokens_with_repeats": None, "characters": 100, "unlicensed": 0,
                     "stored_bytes": 1234, "sources": share, "licenses": share, "languages": share,
                     "time": {"first": "2020-01-01T00:00:00", "last": "2024-01-01T00:00:00", "undated": 1}},
        "funnel": [
            {"stage": "read", "label": "read", "rows": 10, "dropped": 0, "reasons": [], "other_reasons": 0,
             "other_rows": 0, "pending": 0},
            {"stage": "published", "label": _BAD, "rows": 3, "dropped": 7, "other_reasons": 1, "other_rows": 2,
             "reasons": [{"operator": _BAD, "reason": _BAD + "x", "rows": 5}], "pending": 0},
        ],
        "scores": {"by": _BAD, "rows": 4, "missing": 1, "low": 0.0, "high": 1.0, "mean_kept": 0.7,
                   "mean_dropped": 0.2, "edges": [0.0, 0.5, 1.0], "kept": [0, 2], "dropped": [1, 0],
                   "curve": [{"rank": 0.2, "probability": 0.1, "kept": 0.0},
                             {"rank": 0.9, "probability": 1, "kept": 1}]},
        "shifts": {"mixes": {"source": mix}, "lengths": {
            "bins": [{"from": 8, "below": 16, "pool": 3, "kept": 1}], "median_pool": 9.0, "median_kept": 9.0,
            "mean_pool": 9.0, "mean_kept": 9.0, "distance": 0.1}},
        "partitions": {"total": 2, "unpublished": [], "n_unpublished": 0, "listed": [
            {"partition": _BAD, "raw": 5, "cleaned": 4, "scored": 3, "published": 2, "mean_score": 0.5,
             "mean_tokens": 10.0},
            {"partition": "b", "raw": 5, "cleaned": 4, "scored": 0, "published": 0, "mean_score": None,
             "mean_tokens": None}]},
        "duplicates": {"groups": 1, "rows": 2, "largest": 3, "share": 0.2,
                       "methods": [{"method": _BAD, "rows": 2, "similarity": 1.0}],
                       "sizes": [{"members": "3", "groups": 1}]},
        "changes": {
            "before": "v0", "rows_before": 4, "tokens_before": 60, "added": 1, "removed": 2, "kept": 2, "rewritten": 1,
            "partitions": [{"partition": _BAD, "added": 1, "removed": 2}], "more_partitions": 7,
            "removed_reasons": [{"reason": _BAD, "rows": 2}], "more_removed_reasons": 0,
            "recipe": [_BAD], "more_recipe": 0,
            "sources": [{"source": _BAD, "rows_old": 4, "rows_new": 3, "tokens_old": 60, "tokens_new": 45}],
            "more_sources": 0,
            "scores": [{"column": _BAD, "mean_old": 0.5, "mean_new": None, "median_old": 0.25, "median_new": 1.0}],
            "more_scores": 0,
            "gates": [{"suite": _BAD, "expectation": _BAD, "column": None, "verdict_old": None, "verdict_new": _BAD,
                       "observed_old": None, "observed_new": None}], "more_gates": 0},
        "recipe": f"# {_BAD}",
        "rows": [{"record_id": "0" * 32, "partition": _BAD, "text": _BAD, "cut": True,
                  "values": {_BAD: _BAD, "empty": None}},
                 {"record_id": "1" * 32, "partition": _BAD, "text": _BAD, "cut": False, "values": {}, "turns": [
                     {"column": _BAD, "more": 2, "turns": [
                         {"role": _BAD, "text": _BAD, "cut": True, "calls": [_BAD]},
                         {"role": "user", "text": None, "cut": False, "calls": []}]},
                     {"column": "chosen", "more": 0, "turns": []}]}],
        "columns": [
            {"name": _BAD, "type": _BAD, "nullable": True, "meaning": _BAD, "nulls": 1, "low": 0.0, "high": 1.0,
             "mean": 0.5, "counts": [1, 0, 2]},
            {"name": "text", "type": "string", "nullable": True, "meaning": None, "nulls": None}],
        "masked": True,
        "table": {"uri": _BAD, "columns": [{"name": _BAD, "type": "string", "nullable": True}], "manifest": {
            "path": "_versions/1.manifest", "sha256": "0" * 64, "size": 10}},
        "about": {"description": _BAD, "owner": _BAD},
        "examples": [{"stage": _BAD, "operator": _BAD, "reason": "r", "rows": 5, "records": [
            {"record_id": "0" * 32, "partition": _BAD, "value": _BAD, "threshold": _BAD, "text": _BAD, "cut": True},
            {"record_id": "1" * 32, "partition": "p", "value": None, "threshold": None, "text": None, "cut": False}]}],
        "gates": {"suites": [{"table": _BAD, "suite": _BAD, "passed": 3, "warned": 1, "failed": 0, "broken": 0,
                              "first": "2026-01-01T00:00:00", "last": "2026-01-01T00:00:00"}],
                  "notable": [verdict], "n_notable": 1, "own": [verdict]},
        "comparison": {
            "verdict": f"conclusive: {_BAD}", "controls": {"told_apart": True, "why": _BAD}, "decides": _BAD,
            "proxy": _BAD, "seeds": 5, "budget_tokens": 10, "reference": _BAD, "compared_at": "2026-01-01T00:00:00",
            "outcome": "better", "of_this_selection": True, "evaluations": [{"name": _BAD}],
            "arms": [{"arm": _BAD, "role": "candidate", "evaluations": {
                _BAD: {"mean": 2.0, "sd": 0.01, "difference": 0.1, "interval": [0.05, 0.15], "detectable": 0.01}}}]},
        "made": {"stages": {"raw": {"sources": [{"name": _BAD, "uri": _BAD, "format": "jsonl", "license": None}]},
                            "cleaned": {"clean": [{"op": _BAD, "version": 1, "min_words": _BAD}], "gate": {_BAD: 1}},
                            "sampled": {"sample": {"method": _BAD, "by": _BAD}}},
                 "seed": 7, "packages": {_BAD: _BAD}},
        "valid2": None, "tc609": None,
        "tables_moved": [],
        "limits": [{"kind": "serious", "text": _BAD}],
        "use": {"read": _BAD, "cite": _BAD, "reproduce": _BAD},
        **changes,
    }  # fmt: skip


def text_of(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))


def test_everything_that_came_from_elsewhere_stays_text_and_nothing_is_loaded() -> None:
    page = release_page(facts())
    read = structure(page)
    assert read.unclosed == []
    assert read.loaded() == read.handlers() == []
    assert "script" not in read.tags
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_is_for_light_and_dark_screens_phones_and_paper() -> None:
    page = release_page(facts())
    assert "prefers-color-scheme:dark" in page
    assert "width=device-width" in page
    assert "@media print" in page
    assert "@media (max-width" in page


EMPTY: dict[str, dict[str, Any]] = {
    "no comparison": {"comparison": None},
    "no score": {"scores": None},
    "no usable score": {"scores": {"by": "gc", "rows": 4, "missing": 4, "edges": [], "kept": [], "dropped": [],
                                   "curve": []}},
    "nothing scored": {"scores": None, "shifts": None},
    "no duplicates table": {"duplicates": None},
    "no duplicates": {"duplicates": {"groups": 0, "rows": 0, "largest": 0, "share": 0.0, "methods": [], "sizes": []}},
    "no gates": {"gates": {"suites": [], "notable": [], "n_notable": 0, "own": []}},
    "nothing left out": {"examples": []},
    "the first release": {"changes": None},
    "no limits": {"limits": []},
    "no lineage": {"made": {"stages": {}, "seed": None, "packages": {}}},
    "one partition": {"partitions": {"total": 1, "unpublished": [], "n_unpublished": 0, "listed": []}},
}  # fmt: skip
SAYS = {
    "no comparison": "Not measured",
    "no score": "not chosen by a score",
    "no usable score": "None of the 4 scored records has a usable value of gc",
    "nothing scored": "Nothing is scored",
    "no duplicates table": "no table of duplicates",
    "no duplicates": "Nobody looked",
    "no gates": "No gate result is stored",
    "nothing left out": "Nothing was left out",
    "the first release": "This is the first release",
    "no limits": "None that the tables show",
    "no lineage": "No promotion record",
    "one partition": "nothing to follow over time",
}


@pytest.mark.parametrize("case", EMPTY)
def test_what_is_missing_is_said(case: str) -> None:
    page = release_page(facts(**EMPTY[case]))
    assert structure(page).unclosed == []
    assert SAYS[case] in text_of(page)


def test_an_empty_release_has_a_page_that_says_so() -> None:
    nothing: dict[str, Any] = {"listed": [], "total": 0, "rest_rows": 0}
    data = {"rows": 0, "tokens": 0, "tokens_with_repeats": None, "characters": None, "unlicensed": 0,
            "stored_bytes": None, "sources": nothing, "licenses": nothing, "languages": None,
            "time": {"first": None, "last": None, "undated": 0}}  # fmt: skip
    page = text_of(release_page(facts(contents=data)))
    assert "the release holds no record" in page
    assert "no dates" in page
    assert "nan" not in page.lower().split()


def test_a_worse_selection_is_no_green_verdict() -> None:
    worse = {**facts()["comparison"], "outcome": "worse"}
    assert 'class="verdict bad"' in release_page(facts(comparison=worse))
    assert 'class="verdict"' in release_page(facts())


def experienced(**changes: Any) -> dict[str, Any]:
    column = {"operator": "image.piqe", "better": "lower", "records": 3, "low": 10.0, "median": 20.0, "high": 30.0}
    pair = {"people": "piqe", "machine": "flipped", "records": 3, "agreement": -0.5}
    return {
        "records": 3,
        "columns": [
            {"column": "piqe", "family": "people", **column},
            {"column": _BAD, "family": "people", **column, "better": None},
            {"column": "flipped", "family": "machine", **column},
        ],
        "pairs": [pair, {**pair, "machine": "constant", "agreement": None}],
        **changes,
    }


def test_both_families_stand_by_themselves_with_their_rank_correlation() -> None:
    page = release_page(facts(families=experienced()))
    assert structure(page).unclosed == []
    shown = " ".join(text_of(page).split())
    assert "What people see, hear and read" in shown
    assert "What a machine gets out of it" in shown
    assert "piqe -0.50" in shown
    assert "Not ranked, because they have a single value: constant" in shown
    assert "neither end" in shown
    assert "asks for no limits on either" in shown


def test_a_family_that_nobody_measured_is_said_and_a_release_without_either_has_no_such_section() -> None:
    machine = [column for column in experienced()["columns"] if column["family"] == "machine"]
    shown = text_of(release_page(facts(families=experienced(columns=machine, pairs=[]))))
    assert "No operator of the recipe measures what people experience" in shown
    assert "Do they agree?" not in shown
    assert "to people and to a machine" not in text_of(release_page(facts()))


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (None, "asks for no limits on either"),
        ({"gated": False, "consumer": "machine"}, "asks for no limits on either"),
        ({"gated": True, "consumer": "people"}, "consumer is people: VALID² judges that family; of machine it only"),
        ({"gated": True, "consumer": "machine"}, "consumer is machine: VALID² judges that family; of people it only"),
    ],
)
def test_the_family_that_is_judged_is_that_of_the_declared_consumer(card: Any, says: str) -> None:
    assert says in families_view({"families": experienced(), "valid2": card})["judged"]
