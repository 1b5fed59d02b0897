"""Hostile names and values, put into queries that are executed for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from winnowry.core.errors import UsageError
from winnowry.core.sql import identifier, in_list, in_lists, lance_identifier, literal

TEXTS = [
    "", " ", "a", "'", "''", "it's", "\\", "\\'", "'; DROP TABLE t; --", "--", "/*", "%", "_", '"', "`", "\n", "\t",
    "null", "ü", "\u2028", "😀", "数据",
]  # fmt: skip
NAMES = ["select", "a b", "Über", "MixedCase", "it's", "--", "数据"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One row a text; each of the odd names holds the row's number."""
    return written(tmp_path_factory.mktemp("sql"), NAMES)


def written(folder: Path, names: list[str]) -> Any:
    import lance
    import pyarrow as pa

    numbers = list(range(len(TEXTS)))
    return lance.write_dataset(pa.table({"text": TEXTS, **dict.fromkeys(names, numbers)}), str(folder / "t.lance"))


def by_duckdb(predicate: str, names: list[str] = NAMES) -> list[str]:
    import duckdb
    import pyarrow as pa

    numbers = list(range(len(TEXTS)))
    rows = pa.table({"text": TEXTS, **dict.fromkeys(names, numbers)})
    with duckdb.connect() as connection:
        connection.register("t", rows)
        return [text for (text,) in connection.execute(f"SELECT text FROM t WHERE {predicate}").fetchall()]


def by_datafusion(dataset: Any, predicate: str) -> list[str]:
    batches = dataset.sql(f"SELECT text FROM dataset WHERE {predicate}").build().to_batch_records()
    return [text for batch in batches for text in batch.column(0).to_pylist()]


def by_lance(dataset: Any, predicate: str) -> list[str]:
    texts: list[str] = dataset.to_table(columns=["text"], filter=predicate)["text"].to_pylist()
    return texts


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_finds_itself_and_nothing_else(dataset: Any, text: str) -> None:
    predicate = f"text = {literal(text)}"
    assert by_duckdb(predicate) == [text]
    assert by_datafusion(dataset, predicate) == [text]
    assert by_lance(dataset, predicate) == [text]


def test_a_list_of_texts_finds_each_of_them(dataset: Any) -> None:
    predicate = in_list("text", TEXTS)
    assert by_duckdb(predicate) == by_datafusion(dataset, predicate) == by_lance(dataset, predicate) == TEXTS


def test_an_empty_list_finds_nothing(dataset: Any) -> None:
    predicate = in_list("text", [])
    assert by_duckdb(predicate) == by_datafusion(dataset, predicate) == by_lance(dataset, predicate) == []


def test_lists_of_a_size_find_everything_once(dataset: Any) -> None:
    parts = list(in_lists("text", TEXTS, 5))
    assert len(parts) == -(-len(TEXTS) // 5)
    assert [text for part in parts for text in by_lance(dataset, part)] == TEXTS
    assert list(in_lists("text", [], 5)) == []


@pytest.mark.parametrize("name", [*NAMES, '"', 'a"; --', "`"])
def test_a_quoted_name_is_the_column_in_duckdb(name: str) -> None:
    assert by_duckdb(f"{identifier(name)} = 2", [name]) == [TEXTS[2]]


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_name_is_the_column_in_lance(dataset: Any, name: str) -> None:
    assert by_lance(dataset, f"{lance_identifier(name)} = 2") == [TEXTS[2]]
    assert by_datafusion(dataset, f"{identifier(name)} = 2") == [TEXTS[2]]


def test_numbers_and_truth_values_are_what_they_are(dataset: Any) -> None:
    column = lance_identifier("MixedCase")
    assert by_lance(dataset, in_list(column, [1, -2])) == [TEXTS[1]]
    assert by_duckdb(f"CAST({identifier('MixedCase')} AS DOUBLE) < {literal(1e-5)}") == [TEXTS[0]]
    assert by_duckdb(f"CAST({identifier('MixedCase')} AS DOUBLE) < {literal(float('inf'))}") == TEXTS
    assert by_duckdb(f"{identifier('MixedCase')} = 1 AND {literal(True)}") == [TEXTS[1]]


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_query_can_hold_is_refused(text: str) -> None:
    for quote in (literal, identifier, lance_identifier):
        with pytest.raises(UsageError, match=r"NUL|Unicode"):
            quote(text)


def test_a_back_quote_in_a_name_is_refused_for_lance() -> None:
    with pytest.raises(UsageError, match="back-quote"):
        lance_identifier("a`b")


@pytest.mark.parametrize("value", [None, b"a", object()], ids=["none", "bytes", "object"])
def test_a_value_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no text, number or truth value"):
        literal(value)
