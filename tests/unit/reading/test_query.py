"""SQL over the lake: what it answers, what it reads, what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.small_lake import CORPUS, IDS, NOON, make_small_lake
from winnowry.core.errors import LakehouseError, NotFoundError, UsageError
from winnowry.lakehouse.workspace import Workspace
from winnowry.reading import query as query_module
from winnowry.reading.pushdown import PushdownDataset
from winnowry.reading.query import run_sql


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_small_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every scan that Lance is asked for."""
    import lance

    seen: list[dict[str, Any]] = []
    original = lance.LanceDataset.scanner

    def spy(self: Any, *args: Any, **options: Any) -> Any:
        assert not args
        seen.append(options)
        return original(self, **options)

    monkeypatch.setattr(lance.LanceDataset, "scanner", spy)
    return seen


def rows(ws: Workspace, query: str) -> list[dict[str, Any]]:
    return run_sql(ws, query).to_pylist()


def test_a_query_joins_tables_of_a_corpus(ws: Workspace) -> None:
    answer = rows(
        ws,
        f"select c.record_id, n_tokens from {CORPUS}.cleaned c join {CORPUS}.scored s using (record_id) "
        "where n_words = 90 order by n_tokens",
    )
    assert answer == [
        {"record_id": IDS["a"], "n_tokens": 10},
        {"record_id": IDS["b"], "n_tokens": 20},
        {"record_id": IDS["e"], "n_tokens": 50},
    ]


def test_a_query_reads_only_the_columns_it_names(ws: Workspace, scans: list[dict[str, Any]]) -> None:
    run_sql(ws, f"select record_id from {CORPUS}.cleaned")
    assert [scan["columns"] for scan in scans] == [["record_id"]]


def test_a_filter_reaches_the_scan(ws: Workspace, scans: list[dict[str, Any]]) -> None:
    assert len(rows(ws, f"select record_id from {CORPUS}.cleaned where n_words > 5 and partition = '2020'")) == 2
    assert "n_words" in str(scans[0]["filter"])
    assert "partition" in str(scans[0]["filter"])


def test_a_table_that_is_not_named_is_not_opened(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original = type(ws.lake).open

    def spy(self: Any, corpus: str, name: str, version: Any = None) -> Any:
        opened.append(name)
        return original(self, corpus, name, version)

    monkeypatch.setattr(type(ws.lake), "open", spy)
    run_sql(ws, f"select count(*) from {CORPUS}.raw")
    assert opened == ["raw"]


def test_names_may_be_quoted_and_written_in_capitals(ws: Workspace) -> None:
    assert rows(ws, f'SELECT count(*) AS n FROM "{CORPUS}"."RAW"') == [{"n": 5}]


def test_max_rows_stops_a_query(ws: Workspace) -> None:
    assert run_sql(ws, f"select * from {CORPUS}.raw", max_rows=2).num_rows == 2


def test_tables_lists_rows_versions_and_tags(ws: Workspace) -> None:
    found = {row["name"]: row for row in rows(ws, "select * from tables")}
    assert found["letters.raw"]["rows"] == 5
    assert found["letters.quarantine"]["rows"] == 2
    assert found["letters.published"]["tags"] == ["prod", "v1", "v2"]
    assert found["letters.published"]["version"] == ws.lake.tags(CORPUS)["v2"]
    assert found["letters.published"]["uri"] == f"{ws.root}/letters/published.lance"
    assert all(row["bytes"] > 0 for row in found.values())


def test_the_ledger_balances_for_every_live_promotion(ws: Workspace) -> None:
    ledger = rows(ws, "select * from ledger")
    assert all(row["rows_in"] == row["rows_out"] + row["rows_quarantined"] for row in ledger)
    cleaned = {row["partition"]: row["rows_quarantined"] for row in ledger if row["stage"] == "cleaned"}
    assert cleaned == {"2020": 1, "2021": 0}
    # Two releases were promoted, one is live.
    assert sum(row["stage"] == "published" for row in ledger) == 1


def test_versions_say_which_promotion_made_them(ws: Workspace) -> None:
    made = rows(ws, "select stage, partition, tags from versions where name = 'letters.published' order by version")
    assert made == [
        {"stage": None, "partition": None, "tags": []},
        {"stage": "published", "partition": None, "tags": ["v1"]},
        {"stage": "published", "partition": None, "tags": ["prod", "v2"]},
    ]


def test_columns_give_arrow_types(ws: Workspace) -> None:
    found = rows(ws, "select type, nullable from columns where name = 'letters.cleaned' and \"column\" = 'text'")
    assert found == [{"type": "large_string", "nullable": True}]


def test_gates_of_all_corpora_are_one_view(ws: Workspace) -> None:
    assert rows(ws, "select corpus, suite, verdict from gates") == [
        {"corpus": CORPUS, "suite": "cleaned.quality", "verdict": "pass"}
    ]


def test_the_time_of_a_verdict_needs_no_quotes(ws: Workspace) -> None:
    assert rows(ws, "select judged_at from gates where judged_at > '2026-01-01'") == [{"judged_at": NOON}]


def test_verdicts_of_an_older_lake_are_read_and_added_to(tmp_path: Path) -> None:
    """Before 0.2 the time of a verdict was called ``at``."""
    import lance

    ws = make_small_lake(tmp_path)
    uri = ws.lake.table(CORPUS, "gates").uri
    new = lance.dataset(uri).to_table()
    old = new.rename_columns(["at" if name == "judged_at" else name for name in new.schema.names])
    shutil.rmtree(uri)
    lance.write_dataset(old, uri, enable_stable_row_ids=True)
    assert rows(ws, "select suite, judged_at from gates") == [{"suite": "cleaned.quality", "judged_at": NOON}]
    ws.lake.append_gates(CORPUS, new)
    assert rows(ws, "select suite, judged_at from gates") == [{"suite": "cleaned.quality", "judged_at": NOON}] * 2
    assert lance.dataset(uri).schema.names == new.schema.names


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("select * from letters.cleand", "letters.cleaned"),
        ("select * from leters.raw", "letters.raw"),
        ("select * from tabels", "tables"),
    ],
)
def test_an_unknown_table_is_answered_with_the_one_that_was_meant(ws: Workspace, query: str, meant: str) -> None:
    with pytest.raises(NotFoundError, match=f"did you mean {meant}\\?"):
        run_sql(ws, query)


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/etc/*')",
        "copy (select 1) to '/tmp/written-by-a-query'",
        "attach '/tmp/other.db'",
        "install httpfs",
        "set enable_external_access = true",
        "create table t as select 1",
        "drop view tables",
        "select 1; select 2",
        "",
        "selec 1",
        "select nope from tables",
        "select cast('x' as integer)",
    ],
)
def test_a_query_that_does_more_than_read_tables_or_is_wrong_is_refused(ws: Workspace, query: str) -> None:
    with pytest.raises(UsageError):
        run_sql(ws, query)


def test_variables_of_the_process_are_not_tables(ws: Workspace) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(NotFoundError):
        run_sql(ws, "select * from secret")
    del secret


def test_a_query_that_fails_while_it_runs_is_no_usage_error(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    def fail(*_: Any) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: no more")

    monkeypatch.setattr(query_module, "_register", fail)
    with pytest.raises(LakehouseError, match="the query failed: no more"):
        run_sql(ws, "select 1")


FILTERS = [
    "s = 'k5'", "s in ('k1', 'k2')", "s not in ('k1', 'k2')", "s is null", "s <> 'k1'", "s ilike 'K1%'",
    "t = 'long 3'", "t like 'long 1%'", "t is not null", "t > 'long 3'", "s = 'k1' or t = 'long 2'",
    "f > 2", "f < 2", "f <> 1.1", "f = 'nan'", "isnan(f)", "f is null", "f in (1.1, 1.3)",
    "b", "not b", "b is null", "i between 3 and 9", "i in (1, 2, 3)", "i is null or i < 3", "i % 2 = 0",
    "ts > '2020-01-15'", "ts between '2020-01-03' and '2020-01-05'", "ts::date = date '2020-01-02'",
    "st.a = 3", "st.a > 40 and t > 'long 42'", "l = ['3']", "bin = '5'::blob", "starts_with(t, 'long 2') and i > 22",
]  # fmt: skip


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, PushdownDataset]:
    """The same rows in memory and in Lance."""
    import datetime as dt

    import lance

    n = 50
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "s": [None if i % 7 == 0 else f"k{i}" for i in range(n)],
            "t": pa.array([None if i % 5 == 0 else f"long {i}" for i in range(n)], pa.large_string()),
            "f": [None if i % 6 == 0 else float("nan") if i % 4 == 0 else i / 10 for i in range(n)],
            "i": [None if i % 9 == 0 else i for i in range(n)],
            "b": [None if i % 3 == 0 else i % 2 == 0 for i in range(n)],
            "ts": pa.array([start + dt.timedelta(days=i % 28) for i in range(n)], pa.timestamp("us", tz="UTC")),
            "st": [{"a": i, "b": "x"} for i in range(n)],
            "l": [[str(i)] for i in range(n)],
            "bin": pa.array([b"%d" % i for i in range(n)], pa.large_binary()),
        }
    )
    dataset = lance.write_dataset(table, str(tmp_path_factory.mktemp("twins") / "t.lance"))
    return table, PushdownDataset(dataset)


@pytest.mark.parametrize("condition", FILTERS)
def test_a_filter_means_the_same_in_lance_as_in_memory(twins: tuple[pa.Table, PushdownDataset], condition: str) -> None:
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("memory", twins[0])
        connection.register("lake", twins[1])
        query = "select count(*), min(s), max(t), max(st.a) from {} where " + condition
        expected = connection.sql(query.format("memory")).fetchall()
        assert connection.sql(query.format("lake")).fetchall() == expected
    finally:
        connection.close()
