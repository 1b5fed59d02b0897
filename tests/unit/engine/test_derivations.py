"""Records made of records: their ids and parents, what is rejected, and what a batch cut must not change."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from tests.unit.engine.test_chain import named
from winnowry.core.errors import ContractError
from winnowry.core.ids import derived_id, record_id
from winnowry.engine.chain import ERROR_RULE, NO_CHILDREN, Outcome, run_chain
from winnowry.engine.quarantine import quarantine_rows
from winnowry.operators.base import Derivation, Derived, Operator, Rule

TEXT = pa.large_string()


class Parts(Derivation):
    """A record for each part of ``text`` between separators, of ``least`` characters; crashes on ``bad``."""

    op: str = named("parts")
    separator: str = ";"
    least: int = 0

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("text", TEXT), pa.field("length", pa.int64())])

    def rules(self) -> tuple[Rule, ...]:
        return (Rule(name="least", column="length", comparison=">=", threshold=self.least),)

    def derive(self, batch: pa.RecordBatch) -> Derived:
        texts = batch.column("text").to_pylist()
        if "bad" in texts:
            raise ValueError("bad text")
        made = [(row, part) for row, text in enumerate(texts) for part in (text.split(self.separator) if text else [])]
        parts = [part for _, part in made]
        columns = [pa.array(parts, TEXT), pa.array([len(part) for part in parts], pa.int64())]
        return Derived(pa.array([row for row, _ in made], pa.int32()), pa.record_batch(columns, schema=self.writes()))


class Misled(Parts):
    """Names parents that are no rows of the batch, or not in their order."""

    op: str = named("misled")
    rows: tuple[int, ...] = ()

    def derive(self, batch: pa.RecordBatch) -> Derived:
        n = len(self.rows)
        columns = [pa.array(["x"] * n, TEXT), pa.array([1] * n, pa.int64())]
        return Derived(pa.array(self.rows, pa.int64()), pa.record_batch(columns, schema=self.writes()))


def ids_of(n: int) -> list[str]:
    return [record_id("s", mapped_id=str(number)) for number in range(n)]


def batch(*texts: str | None) -> pa.RecordBatch:
    n = len(texts)
    return pa.record_batch(
        {
            "record_id": pa.array(ids_of(n), pa.string()),
            "text": pa.array(texts, TEXT),
            "license": pa.array([f"L{number}" for number in range(n)], pa.string()),
        }
    )


def rejected(outcome: Outcome) -> list[tuple[str, str, list[str] | None]]:
    """Id, first rule and parents of rejected rows, as the quarantine has them."""
    rows: list[dict[str, Any]] = []
    for rows_of_batch, reasons in outcome.rejected:
        part = rows_of_batch.append_column("partition", pa.array(["p"] * rows_of_batch.num_rows))
        rows += quarantine_rows(part, reasons, "cleaned").to_pylist()
    return [(row["record_id"], row["reason"], row["parent_ids"]) for row in rows]


def test_children_replace_their_parent_and_inherit_its_columns() -> None:
    kept = run_chain([Parts()], batch("a;bb", "c")).kept
    first, second = ids_of(2)
    columns = ["record_id", "parent_ids", "text", "license", "length"]
    assert [tuple(row.values()) for row in kept.select(columns).to_pylist()] == [
        (derived_id([first], 0, "parts"), [first], "a", "L0", 1),
        (derived_id([first], 1, "parts"), [first], "bb", "L0", 2),
        (derived_id([second], 0, "parts"), [second], "c", "L1", 1),
    ]
    assert not [name for name in kept.schema.names if ":" in name]


def test_a_derivation_behind_a_derivation_names_the_ingested_record_and_has_the_way_in_its_id() -> None:
    kept = run_chain([Parts(), Parts(**{"as": "words"}, separator=" ")], batch("a b;c", None)).kept
    (ingested, _) = ids_of(2)
    assert kept["text"].to_pylist() == ["a", "b", "c"]
    assert kept["parent_ids"].to_pylist() == [[ingested]] * 3
    assert kept["record_id"].to_pylist() == [
        derived_id([ingested], path, "parts") for path in ("0:parts/0", "0:parts/1", "1:parts/0")
    ]


def test_records_without_children_and_records_that_crash_it_are_rejected_alone() -> None:
    outcome = run_chain([Parts()], batch("a;b", None, "bad", "c", "", "d"))
    ids = ids_of(6)
    assert outcome.kept["text"].to_pylist() == ["a", "b", "c", "d"]
    assert outcome.kept["parent_ids"].to_pylist() == [[ids[row]] for row in (0, 0, 3, 5)]
    assert outcome.errors == {"parts": 1}
    assert sorted(rejected(outcome)) == sorted(
        [(ids[2], ERROR_RULE, None), (ids[1], NO_CHILDREN, None), (ids[4], NO_CHILDREN, None)]
    )


def test_a_rejected_child_carries_its_parent() -> None:
    outcome = run_chain([Parts(least=2)], batch("a;bb"))
    (parent,) = ids_of(1)
    assert rejected(outcome) == [(derived_id([parent], 0, "parts"), "least", [parent])]
    assert outcome.kept["text"].to_pylist() == ["bb"]


def test_a_record_that_was_rejected_before_has_no_children() -> None:
    outcome = run_chain([Parts(least=4), Parts(separator=",")], batch("a,b;c,d,e"))
    assert outcome.kept["text"].to_pylist() == ["c", "d", "e"]
    assert [rule for _, rule, _ in rejected(outcome)] == ["least"]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_any_cut_gives_the_same_children(size: int) -> None:
    whole = batch("a b;c", "bad", "d", None, "e;f g;h")
    operators: list[Operator] = [Parts(), Parts(separator=" ", least=1)]
    parts = [run_chain(operators, whole.slice(start, size)) for start in range(0, 5, size)]
    assert [row for part in parts for row in part.kept.to_pylist()] == run_chain(operators, whole).kept.to_pylist()


def test_when_every_row_crashes_the_columns_are_still_there() -> None:
    kept = run_chain([Parts()], batch("bad")).kept
    assert (kept.num_rows, kept.schema.field("parent_ids").type) == (0, pa.list_(pa.string()))
    assert kept.schema.names == run_chain([Parts()], batch("a")).kept.schema.names


@pytest.mark.parametrize("rows", [(1, 0), (0, 2), (-1, 0)])
def test_parents_that_are_no_rows_or_out_of_order_are_the_operators_fault(rows: tuple[int, ...]) -> None:
    with pytest.raises(ContractError, match="ascending"):
        run_chain([Misled(rows=rows)], batch("a", "b"))
