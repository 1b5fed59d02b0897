"""The number of a release is given once and never moves; the tag that readers follow says where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.days import RECIPE, recipe_at
from tests.small_lake import CORPUS, make_small_lake, publish
from winnowry.lakehouse.barrier import barrier
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.check_gates import check_gates
from winnowry.recipe.model import Publish
from winnowry.releases.tags import complete_release, left_behind, newest_release, next_release


def _tags(ws: Workspace) -> dict[str, int]:
    return ws.lake.tags(CORPUS)


def test_a_second_process_that_completes_a_release_leaves_its_number_where_the_first_put_it(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    first = _tags(ws)["v1"]
    assert ws.lake.tag_once(CORPUS, "published", "v1", first + 1) == first
    assert _tags(ws)["v1"] == first


def test_a_process_that_is_overtaken_while_it_completes_a_release_moves_no_number(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    record = publish(ws, 3, "ab")
    assert record.promoted_version is not None
    first = record.promoted_version

    def rival(point: str) -> None:
        if point == "release:indexed":
            ws.lake.tag_once(CORPUS, "published", "v3", first)

    barrier.hook = rival
    try:
        complete_release(ws, recipe_at(tmp_path, RECIPE.replace("corpus: days", f"corpus: {CORPUS}")))
    finally:
        barrier.hook = None
    assert ws.lake.same_rows(CORPUS, "published", first) > first  # where the slower process would put it
    assert _tags(ws)["v3"] == first == _tags(ws)["prod"]


def test_the_next_number_is_above_every_one_that_was_given(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    assert (newest_release(_tags(ws)), next_release(ws, CORPUS)) == (2, 3)


def test_a_release_without_a_tag_keeps_its_number(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    publish(ws, 3, "ab")  # its process died before the tag
    assert next_release(ws, CORPUS) == 4


def test_a_table_that_was_made_again_takes_no_number_of_before(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    folder = tmp_path / CORPUS
    (folder / "releases" / "v7").mkdir(parents=True)  # its page is all that is left of it
    for record in (folder / "promotions" / "published").rglob("*.json"):
        record.unlink()
    for tag in (folder / "published.lance" / "_refs" / "tags").glob("*.json"):
        tag.unlink()
    assert next_release(ws, CORPUS) == 8


def test_a_refused_release_gives_its_number_back(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    record = publish(ws, 3, "ab")
    ws.lake.records(CORPUS).advance(record, "rejected")
    assert next_release(ws, CORPUS) == 3


def test_a_tag_that_the_recipe_no_longer_moves_is_said_to_stay(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    assert left_behind(ws, CORPUS) == []
    for path in sorted((tmp_path / CORPUS / "promotions" / "published").rglob("*.json")):
        document = json.loads(path.read_text())
        document["lineage"]["spec"] = {"publish": {"tag": "prod" if document["facts"]["release"] == 1 else "live"}}
        path.write_text(json.dumps(document))
    assert left_behind(ws, CORPUS) == ["prod stays at v2 (the recipe moves live now)"]


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("v3", "name of a release"),
        ("V3", "name of a release"),
        ("v03", "name of a release"),
        ("latest", "newest version"),
        ("prod.", "dot"),
        ("prod.lock", "dot"),
        ("a..b", "two dots"),
        ("a" * 101, "at most 100"),
    ],
)
def test_a_tag_that_cannot_follow_releases_is_refused_with_the_recipe(tag: str, why: str) -> None:
    [problem] = check_gates(None, Publish(tag=tag), None, leaves_raw=True, has_releases=True)
    assert why in problem.message


@pytest.mark.parametrize("tag", ["prod", "v3-eu", "vendor", "a.b", "Latest"])
def test_any_other_tag_is_right(tag: str) -> None:
    assert check_gates(None, Publish(tag=tag), None, leaves_raw=True, has_releases=True) == []
