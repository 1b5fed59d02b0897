"""What happened to a record, told from the tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_lake import CORPUS, IDS, make_small_lake
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.inspect.explain import Walk, explain
from winnowry.lakehouse.workspace import Workspace


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


def stages(walk: Walk) -> list[tuple[str, str]]:
    return [(step.stage, step.table) for step in walk.steps]


def values(walk: Walk, table: str) -> dict[str, Any]:
    return next(step.values for step in walk.steps if step.table == table)


def test_a_published_record_is_followed_from_its_landing_object_to_the_releases(ws: Workspace) -> None:
    walk = explain(ws, IDS["a"])
    assert walk.status == "published"
    assert stages(walk) == [
        ("landing", "landing"),
        ("raw", "raw"),
        ("cleaned", "cleaned"),
        ("scored", "scored"),
        ("sampled", "sampled"),
        ("published", "published"),
    ]
    assert "v1" in walk.verdict
    assert "v2" in walk.verdict
    assert walk.corpus == CORPUS
    assert walk.partition == "2020"
    assert values(walk, "landing")["uri"] == f"{ws.root}/landing/2020.jsonl"


def test_a_record_that_came_with_a_later_release_is_not_in_the_first(ws: Workspace) -> None:
    published = next(step for step in explain(ws, IDS["b"]).steps if step.table == "published")
    assert "v2" in published.outcome
    assert "v1" not in published.outcome


def test_a_rejected_record_names_operator_rule_value_and_threshold(ws: Workspace) -> None:
    walk = explain(ws, IDS["c"])
    assert walk.status == "quarantined"
    assert stages(walk)[-1] == ("cleaned", "quarantine")
    assert walk.verdict == "quarantined at cleaned, rejected: text.length min_words, value 7, threshold 50"
    assert values(walk, "quarantine")["columns"] == {"n_words": 7}


def test_a_duplicate_names_the_record_that_was_kept(ws: Workspace) -> None:
    walk = explain(ws, IDS["d"])
    assert walk.status == "duplicate"
    assert IDS["a"] in walk.verdict


def test_a_record_that_was_not_drawn_says_so_with_its_probability(ws: Workspace) -> None:
    walk = explain(ws, IDS["e"])
    assert walk.status == "not_selected"
    assert values(walk, "sampled")["probability"] == 0.5


def test_an_unreadable_line_is_found_with_its_position_and_bytes(ws: Workspace) -> None:
    walk = explain(ws, IDS["f"])
    assert walk.status == "quarantined"
    assert values(walk, "quarantine")["position"] == 2
    assert values(walk, "quarantine")["payload_excerpt"] == '{"id": '


def test_steps_name_the_promotion_and_the_run_that_wrote_them(ws: Workspace) -> None:
    step = explain(ws, IDS["a"]).steps[1]
    assert step.promotion_id == ws.lake.live_promotions(CORPUS)["raw", "2020"]
    assert step.run_id == "run-1"
    assert step.promoted_at is not None
    assert step.version == ws.lake.open(CORPUS, "raw").version


@pytest.mark.parametrize("name", list("abcde"))
def test_the_id_that_the_source_gave_finds_the_record(ws: Workspace, name: str) -> None:
    assert explain(ws, f"page/{name}").record_id == IDS[name]


def test_the_first_characters_of_an_id_are_enough(ws: Workspace) -> None:
    assert explain(ws, IDS["c"][:8]).record_id == IDS["c"]


def test_long_text_is_cut_to_an_excerpt(ws: Workspace) -> None:
    shown = values(explain(ws, IDS["a"]), "cleaned")
    assert shown["text_characters"] == 30
    assert "text" not in shown


@pytest.mark.parametrize("asked", ["0" * 32, "page/z", "e3a9", "'; drop table raw; --"])
def test_an_unknown_record_is_an_error_that_says_what_was_expected(ws: Workspace, asked: str) -> None:
    with pytest.raises(NotFoundError, match="Expected a record id"):
        explain(ws, asked)


def test_an_unknown_corpus_is_answered_with_those_that_are_there(ws: Workspace) -> None:
    with pytest.raises(NotFoundError, match="there are: letters"):
        explain(ws, IDS["a"], "numbers")


def test_an_id_in_two_corpora_has_to_be_asked_for_by_corpus(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ws.lake), "corpora", lambda _: [CORPUS, CORPUS])
    with pytest.raises(UsageError, match="ambiguous"):
        explain(ws, IDS["a"])
