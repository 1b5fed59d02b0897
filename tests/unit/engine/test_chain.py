"""A chain of operators: every reason of a rejected row, crashed rows set aside alone, stored columns not computed."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import Field

from winnowry.core.errors import ContractError, UsageError
from winnowry.engine.chain import ARRIVED, EMPTY_RULE, ERROR_RULE, STORED, Outcome, Reason, run_chain
from winnowry.operators.base import FittedOperator, Operator, Rule

INT = pa.int64()


def named(op: str) -> Any:
    """The name as a default that keeps the class out of the registry of operators."""
    return Field(default_factory=lambda: op)


class Doubled(Operator):
    """``doubled`` = 2 n, with limits on both sides; crashes on a negative n."""

    op: str = named("doubled")
    least: int | None = None
    most: int | None = None

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("n", INT)])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("doubled", INT), pa.field("quarter", pa.float64())])

    def rules(self) -> tuple[Rule, ...]:
        rules = []
        if self.least is not None:
            rules.append(Rule(name="least", column="doubled", comparison=">=", threshold=self.least))
        if self.most is not None:
            rules.append(Rule(name="most", column="quarter", comparison="<=", threshold=self.most / 4))
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        n = batch.column("n")
        if pc.any(pc.less(n, 0)).as_py():
            raise ValueError(f"negative: {[value for value in n.to_pylist() if value is not None and value < 0]}")
        quarter = pc.divide(n.cast(pa.float64()), 4.0)
        return pa.record_batch([pc.multiply(n, 2), quarter], schema=self.writes())


class Seen(Operator):
    """Notes the rows that it is called for."""

    calls: ClassVar[list[list[int]]] = []
    COST: ClassVar[Literal["cheap", "costly"]] = "costly"
    op: str = named("seen")

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("n", INT)])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("seen", pa.bool_())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        Seen.calls.append(batch.column("n").to_pylist())
        return pa.record_batch([pa.array([True] * batch.num_rows)], schema=self.writes())


class SeenCheaply(Seen):
    """The same, as a cheap operator."""

    COST: ClassVar[Literal["cheap", "costly"]] = "cheap"
    op: str = named("seen_cheaply")


class Wrong(Operator):
    """Returns what a test says, whatever it declares."""

    op: str = named("wrong")
    kind: str

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("n", INT)])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("w", INT)])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.kind == "usage":
            raise UsageError("no such file")
        n = batch.column("n")
        return {
            "name": pa.record_batch({"v": n}),
            "type": pa.record_batch({"w": n.cast(pa.float64())}),
            "rows": pa.record_batch({"w": n.slice(1)}),
        }[self.kind]


class Shifted(FittedOperator):
    """``shifted`` = n - the fit's mean."""

    op: str = named("shifted")

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("n", INT)])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("shifted", INT)])

    def apply_fitted(self, batch: pa.RecordBatch, fit: Any) -> pa.RecordBatch:
        return pa.record_batch([pc.subtract(batch.column("n"), fit["mean"])], schema=self.writes())


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    Seen.calls.clear()


def rows(*values: int | None, **more: pa.Array) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, INT), **more})


def rejected(outcome: Outcome) -> dict[int | None, list[Reason]]:
    return {
        n: reasons
        for batch, all_reasons in outcome.rejected
        for n, reasons in zip(batch.column("n").to_pylist(), all_reasons, strict=True)
    }


def test_rows_that_pass_are_kept_with_every_column() -> None:
    outcome = run_chain([Doubled(least=4)], rows(2, 3))
    assert outcome.kept.to_pydict() == {"n": [2, 3], "doubled": [4, 6], "quarter": [0.5, 0.75]}
    assert (outcome.rejected, outcome.errors, outcome.calls) == ([], {}, {"doubled": 2})


def test_a_rejected_row_lists_every_reason_in_chain_order() -> None:
    class Again(Doubled):
        op: str = named("again")

    outcome = run_chain([Doubled(least=10, most=1), Again(least=100)], rows(2, 7, 60))
    assert rejected(outcome) == {
        2: [Reason("doubled", "least", "4", "10"), Reason("doubled", "most", "0.5", "0.25"),
            Reason("again", "least", "4", "100")],
        7: [Reason("doubled", "most", "1.75", "0.25"), Reason("again", "least", "14", "100")],
        60: [Reason("doubled", "most", "15.0", "0.25")],
    }  # fmt: skip
    assert outcome.kept.num_rows == 0
    assert outcome.kept.schema.names == ["n", "doubled", "quarter"]


def test_a_null_value_fails_a_rule_and_has_no_value_in_the_reason() -> None:
    outcome = run_chain([Doubled(least=0)], rows(None, 1))
    assert rejected(outcome) == {None: [Reason("doubled", "least", None, "0")]}
    assert outcome.kept.column("n").to_pylist() == [1]


def test_a_costly_operator_sees_only_rows_that_no_rule_has_rejected() -> None:
    outcome = run_chain([Doubled(least=4), Seen()], rows(1, 2, 3))
    assert Seen.calls == [[2, 3]]
    assert outcome.calls == {"doubled": 3, "seen": 2}
    assert [batch.schema.names for batch, _ in outcome.rejected] == [["n", "doubled", "quarter"]]


def test_a_cheap_operator_sees_rejected_rows_too() -> None:
    outcome = run_chain([Doubled(least=4), SeenCheaply()], rows(1, 2, 3))
    assert Seen.calls == [[1, 2, 3]]
    assert [batch.schema.names for batch, _ in outcome.rejected] == [["n", "doubled", "quarter", "seen"]]


def test_a_row_that_crashes_an_operator_is_set_aside_alone_with_the_error() -> None:
    outcome = run_chain([Doubled(least=4), SeenCheaply()], rows(5, -1, 1, 6, -2))
    assert outcome.kept.to_pydict() == {
        "n": [5, 6], "doubled": [10, 12], "quarter": [1.25, 1.5], "seen": [True, True],
    }  # fmt: skip
    assert rejected(outcome) == {
        -1: [Reason("doubled", ERROR_RULE, "ValueError: negative: [-1]", None)],
        -2: [Reason("doubled", ERROR_RULE, "ValueError: negative: [-2]", None)],
        1: [Reason("doubled", "least", "2", "4")],
    }
    assert outcome.errors == {"doubled": 2}
    assert outcome.calls == {"doubled": 5, "seen_cheaply": 3}
    assert [batch.column("n").to_pylist() for batch, _ in outcome.rejected] == [[-1, -2], [1]]


def test_a_crashed_row_keeps_the_reasons_it_had() -> None:
    class Later(Doubled):
        op: str = named("later")

        def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            if 1 in batch.column("n").to_pylist():
                raise KeyError("one")
            return super().apply(batch)

    outcome = run_chain([Doubled(least=4), Later()], rows(1, 2))
    assert rejected(outcome) == {
        1: [Reason("doubled", "least", "2", "4"), Reason("later", ERROR_RULE, "KeyError: 'one'", None)]
    }
    assert outcome.kept.column("n").to_pylist() == [2]


def test_where_every_row_crashes_the_kept_rows_have_all_columns() -> None:
    outcome = run_chain([Doubled()], rows(-1, -2, -3))
    assert outcome.kept.to_pydict() == {"n": [], "doubled": [], "quarter": []}
    assert outcome.errors == {"doubled": 3}
    assert list(rejected(outcome)) == [-1, -2, -3]


def test_an_error_is_cut_to_500_characters() -> None:
    class Loud(Doubled):
        op: str = named("loud")

        def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            raise ValueError("x" * 1000)

    ((reason,),) = rejected(run_chain([Loud()], rows(1))).values()
    assert reason.value == "ValueError: " + "x" * 488


def test_an_operator_whose_columns_are_stored_is_not_called() -> None:
    stored = {STORED + "doubled": pa.array([4, 100], INT), STORED + "quarter": pa.array([0.5, 0.75])}
    outcome = run_chain([Doubled(least=10), Seen()], rows(2, 3, **stored))
    assert outcome.calls == {"seen": 1}
    assert outcome.kept.to_pydict() == {"n": [3], "doubled": [100], "quarter": [0.75], "seen": [True]}
    assert rejected(outcome) == {2: [Reason("doubled", "least", "4", "10")]}
    assert all(not name.startswith(STORED) for batch, _ in outcome.rejected for name in batch.schema.names)


def test_an_operator_is_called_where_one_of_its_columns_is_not_stored() -> None:
    outcome = run_chain([Doubled()], rows(2, **{STORED + "doubled": pa.array([99], INT)}))
    assert outcome.calls == {"doubled": 1}
    assert outcome.kept.to_pydict() == {"n": [2], "doubled": [4], "quarter": [0.5]}


def test_no_rows_give_no_rows() -> None:
    outcome = run_chain([Doubled(least=4), Seen()], rows())
    assert outcome.kept.to_pydict() == {"n": [], "doubled": [], "quarter": [], "seen": []}
    assert outcome.rejected == []


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("name", ContractError, "wrong: declared columns"),
        ("type", ContractError, "wrong: declared columns"),
        ("rows", ContractError, "wrong: called for 3 rows, returned 2"),
        ("usage", UsageError, "no such file"),
    ],
)
def test_an_operator_that_breaks_its_contract_stops_the_run(kind: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run_chain([Wrong(kind=kind)], rows(1, 2, 3))


def test_a_fitted_operator_gets_the_fit_of_its_name() -> None:
    named = Shifted.model_validate({"as": "other"})
    outcome = run_chain([Shifted()], rows(5), {"shifted": {"mean": 3}, "other": {"mean": 1}})
    assert outcome.kept.column("shifted").to_pylist() == [2]
    outcome = run_chain([named], rows(5), {"shifted": {"mean": 3}, "other": {"mean": 1}})
    assert outcome.kept.column("shifted").to_pylist() == [4]


def test_a_fitted_operator_without_a_fit_stops_the_run() -> None:
    with pytest.raises(ContractError, match="run the fit stage first"):
        run_chain([Shifted()], rows(5))


class Rewritten(Operator):
    """Writes a text anew: without its letters, or as another one."""

    op: str = named("rewritten")
    to: str | None = ""

    def reads(self) -> pa.Schema:
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        return pa.schema([pa.field("text", pa.large_string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = [self.to if text == "gone" else text for text in batch.column("text").to_pylist()]
        return pa.record_batch([pa.array(texts, pa.large_string())], schema=self.writes())


@pytest.mark.parametrize(
    "nothing", ["", " \t\r\n", "\u00a0\u3000\u2028", None], ids=["empty", "white", "unicode", "null"]
)
def test_a_row_of_which_nothing_is_left_is_rejected_and_names_the_operator_that_left_nothing(
    nothing: str | None,
) -> None:
    class Later(Rewritten):
        op: str = named("later")

    texts = pa.array(["stays", "gone", nothing], pa.large_string())
    chain = [Rewritten(to=nothing), Later(to="never")]
    outcome = run_chain(chain, rows(1, 2, 3, text=texts), refuse_empty=True)
    assert outcome.kept.column("n").to_pylist() == [1]
    assert rejected(outcome) == {
        2: [Reason("rewritten", EMPTY_RULE, None, None)],
        3: [Reason(ARRIVED, EMPTY_RULE, None, None)],
    }
    assert run_chain(chain, rows(1, 2, 3, text=texts)).rejected == []


def test_a_row_that_a_rule_has_rejected_is_not_rejected_as_empty_too() -> None:
    outcome = run_chain([Doubled(least=4)], rows(1, text=pa.array([""], pa.large_string())), refuse_empty=True)
    assert rejected(outcome) == {1: [Reason("doubled", "least", "2", "4")]}


def test_a_row_that_an_operator_brings_back_is_not_empty() -> None:
    class Filled(Rewritten):
        op: str = named("filled")

        def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            return pa.record_batch([pa.array(["full"] * batch.num_rows, pa.large_string())], schema=self.writes())

    outcome = run_chain([Filled()], rows(1, text=pa.array([""], pa.large_string())), refuse_empty=True)
    assert (outcome.kept.num_rows, outcome.rejected) == (1, [])


def test_a_file_without_a_byte_is_rejected() -> None:
    outcome = run_chain([], rows(1, 2, size=pa.array([0, 9], INT)), refuse_empty=True)
    assert rejected(outcome) == {1: [Reason(ARRIVED, EMPTY_RULE, None, None)]}
