"""Which release a query of ``published`` reads."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.small_lake import CORPUS, IDS, make_small_lake
from winnowry.core.errors import NotFoundError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.reading.named_releases import with_releases_quoted
from winnowry.reading.query import run_sql
from winnowry.releases.releases import rollback


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """v1 (prod) holds a, v2 holds a and b; after v2 the column ``late`` was added."""
    ws = make_small_lake(tmp_path_factory.mktemp("lake"))
    rollback(ws, CORPUS, "v1")
    ws.lake.table(CORPUS, "published").dataset().add_columns(pa.schema([pa.field("late", pa.int64())]))
    return ws


@pytest.mark.parametrize(
    ("table", "n"),
    [
        (f"{CORPUS}.published", 1),
        ("published", 1),
        (f"{CORPUS}.published@prod", 1),
        (f"{CORPUS}.published@v1", 1),
        (f"{CORPUS}.published@v2", 2),
        (f'"{CORPUS}".published@v2', 2),
        (f"{CORPUS.upper()}.PUBLISHED@v2", 2),
        ("published@v2", 2),
        (f"{CORPUS}.published@latest", 2),
        (f"{CORPUS}.sampled", 3),
        ("sampled", 3),
    ],
)
def test_a_query_reads_the_release_it_names_and_that_of_the_tag_where_it_names_none(
    ws: Workspace, table: str, n: int
) -> None:
    assert run_sql(ws, f"select count(*) as n from {table}").to_pylist() == [{"n": n}]


def test_two_releases_are_compared_in_one_query(ws: Workspace) -> None:
    query = (
        f"select b.record_id from {CORPUS}.published@v2 as b anti join {CORPUS}.published@v1 as a using (record_id) "
        "-- not letters.published@v9"
    )
    assert run_sql(ws, query).to_pylist() == [{"record_id": IDS["b"]}]


@pytest.mark.parametrize(
    "text", ["'letters.published@v9'", "'it''s letters.published@v9'", '"letters.published@v9"', "/* published@v9 */ 1"]
)
def test_a_release_in_a_text_a_name_or_a_comment_is_none(text: str) -> None:
    assert with_releases_quoted(f"select {text}") == (f"select {text}", [])


@pytest.mark.parametrize(("release", "hint"), [("v9", ""), ("prd", r"did you mean published@prod\? ")])
def test_a_release_that_is_not_there_is_answered_with_those_that_are(ws: Workspace, release: str, hint: str) -> None:
    with pytest.raises(NotFoundError, match=rf"no release '{release}'.*{hint}There are: v2, prod, v1, latest"):
        run_sql(ws, f"select * from {CORPUS}.published@{release}")


def test_a_column_that_came_after_the_release_is_pointed_at(ws: Workspace) -> None:
    assert run_sql(ws, f"select late from {CORPUS}.published@latest").num_rows == 2
    with pytest.raises(UsageError, match=r"published is the release prod, .* letters\.published@latest has it"):
        run_sql(ws, f"select late from {CORPUS}.published")
    with pytest.raises(UsageError, match=r'"later" not found') as refusal:
        run_sql(ws, f"select later from {CORPUS}.published")
    assert "published@latest" not in str(refusal.value)


def test_the_views_of_the_lake_say_what_a_query_reads(ws: Workspace) -> None:
    (table,) = run_sql(ws, f"select version, rows from tables where name = '{CORPUS}.published'").to_pylist()
    assert table == {"version": ws.lake.tags(CORPUS)["v1"], "rows": 1}
    columns = run_sql(ws, f"select c.column from columns c where name = '{CORPUS}.published'")["column"].to_pylist()
    assert "late" not in columns


def test_without_a_tag_the_newest_release_is_read(tmp_path: Path) -> None:
    ws = make_small_lake(tmp_path)
    ws.lake.table(CORPUS, "published").dataset().tags.delete("prod")
    assert run_sql(ws, f"select count(*) as n from {CORPUS}.published").to_pylist() == [{"n": 2}]
