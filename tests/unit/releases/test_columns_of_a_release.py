"""What a release page says of columns and some records: counted by hand on six records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.small_lake import CORPUS, IDS, TEXT, make_small_lake
from winnowry.lakehouse.workspace import Workspace
from winnowry.reading.session import Tables, session
from winnowry.releases.facts.columns import columns, rows

SPECIFICATIONS = {"cleaned": {"clean": [{"op": "text.length", "min_words": 50, "version": 1}, {"op": "of.a.package"}]}}


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


def described(ws: Workspace, tag: str, table: str = "published") -> dict[str, dict[str, Any]]:
    view = ws.lake.open(CORPUS, table, tag if table == "published" else None)
    with session(Tables(views={"published": view}, records={})) as opened:
        return {column["name"]: column for column in columns(opened, SPECIFICATIONS)}


def test_numbers_have_their_ends_mean_and_bins(ws: Workspace) -> None:
    tokens = described(ws, "v2")["n_tokens"]  # a has 10, b 20
    assert (tokens["low"], tokens["high"], tokens["mean"], tokens["nulls"]) == (10, 20, 15, 0)
    assert tokens["counts"] == [1, *[0] * 18, 1]
    assert described(ws, "v1")["n_tokens"]["counts"] == [1, *[0] * 19]  # one value: all in one bin


def test_what_is_no_number_is_counted_nowhere(ws: Workspace) -> None:
    scores = described(ws, "v2", table="scored")["gc"]  # a 0.9, b 0.5, e NaN
    assert (scores["low"], scores["high"], sum(scores["counts"])) == (0.5, 0.9, 2)
    assert scores["mean"] == pytest.approx(0.7)


def test_columns_say_what_they_mean_or_which_operator_wrote_them(ws: Workspace) -> None:
    columns = described(ws, "v2")
    assert columns["n_tokens"]["meaning"] == "Tokens of the text"
    assert columns["n_words"]["meaning"] == "written by text.length, version 1"
    assert columns["gc"]["meaning"] is None
    assert "counts" not in columns["text"]
    assert list(columns) == ws.lake.open(CORPUS, "published", "v2").schema.names


def test_some_records_are_shown_the_same_every_time_cut_and_masked(ws: Workspace, tmp_path: Path) -> None:
    view = ws.lake.open(CORPUS, "published", "v2")
    with session(Tables(views={"published": view}, records={})) as opened:
        shown = rows(opened)
        assert rows(opened) == shown
    names = sorted("ab", key=IDS.__getitem__)
    assert [row["record_id"] for row in shown] == [IDS[name] for name in names]
    assert [row["text"] for row in shown] == [TEXT[name] for name in names]
    assert not any(row["cut"] for row in shown)
    assert {row["values"]["n_tokens"] for row in shown} == {"10", "20"}
    assert "promotion_id" not in shown[0]["values"]
