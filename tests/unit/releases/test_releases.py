"""Releases: listed, compared, rolled back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_lake import CORPUS, IDS, make_small_lake
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.releases.releases import PartitionChange, find_release, release_diff, releases, rollback


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


def test_releases_come_newest_first_with_their_tags_rows_and_tokens(ws: Workspace) -> None:
    found = releases(ws, CORPUS)
    # a has 10 tokens, b 20.
    assert [(r.name, r.tags, r.rows, r.tokens) for r in found] == [("v2", ("prod",), 2, 30), ("v1", (), 1, 10)]
    assert found[0].run_id == "run-1"
    assert found[0].created_at is not None


@pytest.mark.parametrize(("asked", "name"), [("v1", "v1"), ("v2", "v2"), ("prod", "v2")])
def test_a_release_is_found_by_its_name_and_by_a_tag(ws: Workspace, asked: str, name: str) -> None:
    assert find_release(ws, CORPUS, asked).name == name


def test_an_unknown_release_is_answered_with_those_that_are_there(ws: Workspace) -> None:
    with pytest.raises(NotFoundError, match=r"no release 'prd'; did you mean prod\? There are: v2, prod, v1"):
        find_release(ws, CORPUS, "prd")


def test_an_unknown_corpus_is_an_error(ws: Workspace) -> None:
    with pytest.raises(NotFoundError, match="there are: letters"):
        releases(ws, "numbers")


def test_a_diff_counts_records_that_entered_and_left_and_names_the_changed_parameter(ws: Workspace) -> None:
    forward = release_diff(ws, CORPUS, "v1", "v2")
    assert (forward.rows_old, forward.rows_new, forward.added, forward.removed, forward.kept) == (1, 2, 1, 0, 1)
    assert forward.added_examples == (IDS["b"],)
    assert forward.partitions == (PartitionChange("2020", 1, 0),)
    assert forward.changed_fraction == 1.0
    [change] = forward.recipe_changes
    assert change.startswith("sampled: ")
    assert "token_fraction" in change
    assert "0.2" in change
    assert "0.4" in change
    back = release_diff(ws, CORPUS, "v2", "v1")
    assert (back.added, back.removed, back.kept) == (0, 1, 1)
    assert back.removed_reasons == {"selected again": 1}  # b left on the way from v2 to v1; today it is selected
    assert [(s.rows_old, s.rows_new, s.tokens_old, s.tokens_new) for s in back.sources] == [(2, 1, 30, 10)]


def test_a_release_does_not_differ_from_itself(ws: Workspace) -> None:
    same = release_diff(ws, CORPUS, "v2", "prod")
    assert (same.added, same.removed, same.recipe_changes, same.partitions) == (0, 0, (), ())


def test_rollback_moves_the_tag_and_nothing_else(tmp_path: Path) -> None:
    lake = make_small_lake(tmp_path)
    before = lake.lake.open(CORPUS, "published").version
    done = rollback(lake, CORPUS, "v1")
    assert (done.tag, done.before, done.after) == ("prod", "v2", "v1")
    tags = lake.lake.tags(CORPUS)
    assert tags["prod"] == tags["v1"] == done.version
    assert lake.lake.open(CORPUS, "published").version == before
    assert lake.lake.open(CORPUS, "published", "prod").count_rows() == 1


@pytest.mark.parametrize(
    ("to", "tag", "error"), [("v9", None, NotFoundError), ("v1", "v2", UsageError), ("v1", "staging", NotFoundError)]
)
def test_a_rollback_that_makes_no_sense_is_refused(
    ws: Workspace, to: str, tag: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        rollback(ws, CORPUS, to, tag)
    assert find_release(ws, CORPUS, "prod").name == "v2"
