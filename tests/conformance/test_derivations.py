"""What every operator that makes records of records promises, whatever it makes."""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conformance.test_operators import POOL, TEXTS, batch_of, values
from tests.operator_examples import example_of
from winnowry.core.ids import record_id
from winnowry.engine.chain import NO_CHILDREN, run_chain
from winnowry.operators.base import Derivation
from winnowry.operators.registry import operators

NAMES = tuple(name for name, cls in operators().items() if issubclass(cls, Derivation))


def default_of(name: str) -> Derivation:
    operator = example_of(name)
    assert isinstance(operator, Derivation)
    return operator


def identified(operator: Derivation, texts: list[str | None]) -> pa.RecordBatch:
    """Records with ids, and a column that the operator does not know."""
    ids = [record_id("s", mapped_id=str(index)) for index in range(len(texts))]
    numbers = list(range(len(texts)))
    batch = batch_of(operator, texts)
    return batch.append_column("record_id", pa.array(ids, pa.string())).append_column(
        "n", pa.array(numbers, pa.int64())
    )


def outcome(operator: Derivation, batches: list[pa.RecordBatch]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Children, and ids of rejected records with their rules."""
    kept, rejected = [], []
    for batch in batches:
        result = run_chain([operator], batch)
        kept += values(result.kept)
        for rows, reasons in result.rejected:
            rules = [[reason.rule for reason in why] for why in reasons]
            rejected += list(zip(rows["record_id"].to_pylist(), rules, strict=True))
    return kept, sorted(rejected)


def test_there_is_a_derivation() -> None:
    assert "text.chunks" in NAMES


@pytest.mark.parametrize("name", NAMES)
@given(texts=TEXTS)
@settings(max_examples=25)
@example(texts=[])
@example(texts=[None, "", None, "a", ""])
@example(texts=[*POOL])
def test_children_have_the_declared_columns_and_an_ascending_parent_each(name: str, texts: list[str | None]) -> None:
    operator = default_of(name)
    derived = operator.derive(batch_of(operator, texts))
    assert derived.batch.schema.names == operator.writes().names
    assert derived.batch.schema.types == operator.writes().types
    derived.batch.validate(full=True)
    parents = derived.parent.to_pylist()
    assert derived.parent.type in (pa.int32(), pa.int64())
    assert len(parents) == derived.batch.num_rows
    assert parents == sorted(parents)
    assert set(parents) <= set(range(len(texts)))
    if "text" in operator.reads().names:
        assert not {row for row, text in enumerate(texts) if not text} & set(parents)


@pytest.mark.parametrize("name", NAMES)
@given(texts=TEXTS, size=st.integers(1, 8))
@settings(max_examples=25)
@example(texts=[*POOL, None], size=5)
def test_any_cut_into_batches_gives_the_same_children_with_the_same_ids(
    name: str, texts: list[str | None], size: int
) -> None:
    operator = default_of(name)
    whole = identified(operator, texts)
    parts = [whole.slice(start, size) for start in range(0, len(texts), size)]
    assert outcome(operator, parts) == outcome(operator, [whole] if texts else [])


@pytest.mark.parametrize("name", NAMES)
def test_every_record_has_children_that_name_it_or_is_rejected_for_having_none(name: str) -> None:
    operator = default_of(name)
    batch = identified(operator, [*POOL, None])
    kept, rejected = outcome(operator, [batch])
    assert len({row["record_id"] for row in kept}) == len(kept)
    assert not {row["record_id"] for row in kept} & set(batch["record_id"].to_pylist())
    parents = {row["parent_ids"][0] for row in kept}
    assert all(rules in ([NO_CHILDREN], ["decodable"]) for _, rules in rejected)
    assert sorted([*parents, *(parent for parent, _ in rejected)]) == sorted(batch["record_id"].to_pylist())


@pytest.mark.parametrize("name", NAMES)
def test_children_inherit_what_is_not_written(name: str) -> None:
    operator = default_of(name)
    batch = identified(operator, [*POOL])
    numbers = dict(zip(batch["record_id"].to_pylist(), batch["n"].to_pylist(), strict=True))
    assert all(row["n"] == numbers[row["parent_ids"][0]] for row in outcome(operator, [batch])[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_derivation_is_deterministic_survives_pickling_and_has_no_row_for_a_row(name: str) -> None:
    operator = default_of(name)
    batch = batch_of(operator, [*POOL, None])
    before = pickle.dumps(batch)
    copy = pickle.loads(pickle.dumps(operator))
    once, again = operator.derive(batch), copy.derive(batch)
    assert (once.parent.to_pylist(), values(once.batch)) == (again.parent.to_pylist(), values(again.batch))
    assert pickle.dumps(batch) == before
    with pytest.raises(TypeError, match="makes records of records"):
        operator.apply(batch)
