"""Numbers and tags of releases: each number on exactly its own release, whoever else publishes at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.small_lake import CORPUS, IDS, make_small_lake, publish
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.lake import Lakehouse
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.releases.releases import release_diff, releases, rollback
from winnowry.releases.tags import complete_release, holds

RECIPE = cast(Recipe, SimpleNamespace(corpus=CORPUS, publish=SimpleNamespace(tag="prod")))


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """v1 holds a, v2 (prod) holds a and b."""
    yield make_small_lake(tmp_path)
    barrier.hook = None


@contextmanager
def at(point: str, action: Callable[[], object]) -> Iterator[None]:
    fired: list[str] = []

    def hook(name: str) -> None:
        if name == point and not fired:
            fired.append(name)
            action()

    barrier.hook = hook
    try:
        yield
    finally:
        barrier.hook = None
    assert fired, f"never reached {point}"


def shown(ws: Workspace, tag: str) -> str:
    """Letters of the records that a reader of a tag sees."""
    ids = ws.lake.open(CORPUS, "published", tag).to_table(columns=["record_id"])["record_id"].to_pylist()
    return "".join(sorted(name for name, value in IDS.items() if value in ids))


def unindexed_rows(ws: Workspace, tag: str) -> int | None:
    dataset = ws.lake.open(CORPUS, "published", tag).dataset()
    names = [index.name for index in dataset.describe_indices() if "record_id" in index.field_names]
    return int(dataset.stats.index_stats(names[0])["num_unindexed_rows"]) if names else None


def test_a_release_gets_its_index_its_number_and_then_the_tag(ws: Workspace) -> None:
    publish(ws, 3, "be")
    complete_release(ws, RECIPE)
    assert (shown(ws, "v3"), shown(ws, "prod"), shown(ws, "v2")) == ("be", "be", "ab")
    assert unindexed_rows(ws, "v3") == 0
    version = ws.lake.table(CORPUS, "published").dataset().version
    complete_release(ws, RECIPE)
    assert ws.lake.table(CORPUS, "published").dataset().version == version, "nothing is left to do"


def test_a_rival_release_that_lands_before_the_number_is_given_does_not_get_it(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ws, 3, "be")
    plain = Lakehouse.ensure_index
    raced: list[str] = []

    def ensure_index(self: Lakehouse, *args: Any, **how: Any) -> None:
        if not raced:
            raced.append("yes")
            publish(ws, 4, "e")
        plain(self, *args, **how)

    monkeypatch.setattr(Lakehouse, "ensure_index", ensure_index)
    complete_release(ws, RECIPE)
    assert raced
    assert shown(ws, "v3") == "be"
    complete_release(ws, RECIPE)
    assert (shown(ws, "v3"), shown(ws, "v4"), shown(ws, "prod")) == ("be", "e", "e")


@pytest.mark.parametrize("point", ["release:indexed", "release:moving"])
@pytest.mark.parametrize("finished", [False, True], ids=["not numbered yet", "numbered"])
def test_a_rival_that_publishes_while_a_release_is_completed_keeps_its_number_and_the_tag(
    ws: Workspace, point: str, finished: bool
) -> None:
    publish(ws, 3, "be")

    def rival() -> None:
        publish(ws, 4, "e")
        if finished:
            complete_release(ws, RECIPE)

    with at(point, rival):
        complete_release(ws, RECIPE)
    if not finished:
        complete_release(ws, RECIPE)
    assert (shown(ws, "v3"), shown(ws, "v4"), shown(ws, "prod")) == ("be", "e", "e")
    assert [r.name for r in releases(ws, CORPUS)] == ["v4", "v3", "v2", "v1"]
    assert all(r.promotion_id for r in releases(ws, CORPUS)[:2])


def test_a_release_whose_process_died_before_its_number_gets_it_though_another_has_landed_since(ws: Workspace) -> None:
    publish(ws, 3, "be")
    publish(ws, 4, "e")
    complete_release(ws, RECIPE)
    assert (shown(ws, "v3"), shown(ws, "v4"), shown(ws, "prod")) == ("be", "e", "e")
    difference = release_diff(ws, CORPUS, "v3", "v4")
    assert (difference.removed, difference.added) == (1, 0)


def test_two_releases_of_the_same_rows_are_two_versions(ws: Workspace) -> None:
    publish(ws, 3, "be")
    publish(ws, 4, "be")
    complete_release(ws, RECIPE)
    tags = ws.lake.tags(CORPUS)
    assert tags["v3"] != tags["v4"]
    assert {r.name: r.tags for r in releases(ws, CORPUS)}["v4"] == ("prod",)


def test_a_tag_that_was_rolled_back_stays_whatever_is_published_until_it_is_put_on_the_newest(ws: Workspace) -> None:
    assert rollback(ws, CORPUS, "v1").held
    complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "a"
    publish(ws, 3, "be")
    complete_release(ws, RECIPE)
    assert (shown(ws, "prod"), shown(ws, "v3")) == ("a", "be")
    assert [(hold.tag, hold.to, hold.since is not None) for hold in holds(ws, CORPUS)] == [("prod", "v1", True)]
    assert not rollback(ws, CORPUS, "v3").held
    assert holds(ws, CORPUS) == []
    publish(ws, 4, "e")
    complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "e", "on the newest release it follows again"


def test_a_rollback_that_an_older_version_stored_holds_while_the_tag_is_where_it_was_put(ws: Workspace) -> None:
    uri = f"{ws.lake.corpus_uri(CORPUS)}/rollbacks/prod.json"
    ws.store.write(uri, b'{"not_before": 2, "to": "v1"}')
    ws.lake.tag(CORPUS, "published", "prod", ws.lake.tags(CORPUS)["v1"])
    publish(ws, 3, "be")
    complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "a"
    ws.lake.tag(CORPUS, "published", "prod", ws.lake.tags(CORPUS)["v3"])  # that version moved it on
    publish(ws, 4, "e")
    complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "e"


def test_a_rollback_whose_process_died_before_it_moved_the_tag_is_completed(ws: Workspace) -> None:
    rollback(ws, CORPUS, "v1")
    ws.lake.tag(CORPUS, "published", "prod", ws.lake.tags(CORPUS)["v2"])
    complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "a"


def test_a_rollback_at_the_moment_a_new_release_moves_the_tag_wins(ws: Workspace) -> None:
    publish(ws, 3, "be")
    with at("release:moving", lambda: rollback(ws, CORPUS, "v1")):
        complete_release(ws, RECIPE)
    assert shown(ws, "prod") == "a"


def test_a_release_whose_version_was_cleaned_up_does_not_stand_in_the_way_of_others(
    ws: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    import datetime as dt

    lost = publish(ws, 3, "be")
    publish(ws, 4, "e")
    dataset = ws.lake.table(CORPUS, "published").dataset()
    dataset.cleanup_old_versions(older_than=dt.timedelta(0), error_if_tagged_old_versions=False)
    complete_release(ws, RECIPE)
    assert "v3" not in ws.lake.tags(CORPUS)
    assert (shown(ws, "v4"), shown(ws, "prod")) == ("e", "e")
    assert f"version {lost.promoted_version} of release v3 was cleaned up" in caplog.text
