"""Operations on a table in any order, against a plain dictionary: readers see what the model says, at every tag."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.lakehouse.test_promotion import CORPUS, staged
from winnowry.columns.fill import add_column
from winnowry.columns.later_rows import complete_fragments
from winnowry.columns.listing import drop
from winnowry.columns.spec import sql_column
from winnowry.inspect.maintain import maintain
from winnowry.lakehouse.promotion import stage
from winnowry.lakehouse.workspace import Workspace

TABLE = "cleaned"
PARTITIONS = st.sampled_from(["p", "q", "r"])
COLUMNS = st.sampled_from(["twice", "sum"])
FACTORS = st.integers(min_value=-3, max_value=3)
ROWS = st.dictionaries(st.integers(0, 9), st.integers(-100, 100), min_size=1, max_size=6)


class TableModel(RuleBasedStateMachine):
    """One table and a dictionary of dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.mkdtemp(prefix="winnowry-model-")
        self.ws = Workspace.open(self.root)
        self.lake = self.ws.lake
        self.rows: dict[str, dict[str, int]] = {}
        self.columns: dict[str, int] = {}
        self.tags: dict[str, tuple[dict[str, dict[str, int]], dict[str, int]]] = {}

    @initialize(drawn=st.lists(st.integers(-100, 100), min_size=3, max_size=5))
    def first_partition(self, drawn: list[int]) -> None:
        """Rows that can be deleted before a column is computed for what is left."""
        self.replace_partition(partition="p", drawn=dict(enumerate(drawn)))

    def teardown(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def dataset(self) -> Any:
        return self.lake.table(CORPUS, TABLE).dataset()

    def has_rows(self) -> bool:
        return any(self.rows.values())

    @rule(partition=PARTITIONS, drawn=ROWS)
    def replace_partition(self, partition: str, drawn: dict[int, int]) -> None:
        """Rows of a stage come with the columns that were added before."""
        values = {f"{partition}{number}": value for number, value in drawn.items()}
        record = staged(self.lake, partition, values, stage_name=TABLE)
        assert record.main is not None
        table = self.lake.table(CORPUS, TABLE)
        complete_fragments(self.ws, CORPUS, table, table.dataset(), set(), record.main.fragments)
        again = stage(
            self.lake.table(CORPUS, TABLE),
            record.main.fragments,
            record.main.rows,
            scope="partition",
            partition=partition,
            stage_name=TABLE,
        )
        record = self.lake.records(CORPUS).save(replace(record, main=again))
        self.lake.promoter(CORPUS).promote(record)
        self.rows[partition] = values

    @precondition(has_rows)
    @rule(name=COLUMNS, factor=FACTORS)
    def add_or_replace_column(self, name: str, factor: int) -> None:
        spec = sql_column(self.dataset, TABLE, name, f"value * {factor}")
        add_column(self.ws, CORPUS, spec, suites=lambda *_: [], take_place=True)
        self.columns[name] = factor

    @precondition(lambda self: self.columns)
    @rule(data=st.data())
    def drop_column(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.columns)))
        drop(self.ws, CORPUS, TABLE, name)
        del self.columns[name]

    @precondition(has_rows)
    @rule(data=st.data())
    def delete_a_row(self, data: st.DataObject) -> None:
        """Somebody else's deletion, by Lance itself."""
        partition = data.draw(st.sampled_from(sorted(key for key, rows in self.rows.items() if rows)))
        name = data.draw(st.sampled_from(sorted(self.rows[partition])))
        self.dataset.delete(f"record_id = '{name}'")
        del self.rows[partition][name]

    @precondition(lambda self: self.rows)
    @rule()
    def maintain(self) -> None:
        maintain(self.ws, [CORPUS], keep_days=1)

    @precondition(has_rows)
    @rule()
    def index(self) -> None:
        self.lake.ensure_index(CORPUS, TABLE)

    @precondition(lambda self: self.rows)
    @rule()
    def tag(self) -> None:
        name = f"t{len(self.tags)}"
        self.dataset.tags.create(name, self.dataset.version)
        self.tags[name] = copy.deepcopy((self.rows, self.columns))

    @precondition(has_rows)
    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        """By id, through the index where there is one."""
        partition = data.draw(st.sampled_from(sorted(key for key, rows in self.rows.items() if rows)))
        name = data.draw(st.sampled_from(sorted(self.rows[partition])))
        found = self.dataset.to_table(columns=["value"], filter=f"record_id = '{name}'").to_pylist()
        assert found == [{"value": self.rows[partition][name]}]

    @invariant()
    def readers_see_the_model(self) -> None:
        if self.rows:
            self.check(None, self.rows, self.columns)
        for tag, (rows, columns) in self.tags.items():
            self.check(tag, rows, columns)

    def check(self, at: str | None, rows: dict[str, dict[str, int]], columns: dict[str, int]) -> None:
        view = self.lake.open(CORPUS, TABLE, at)
        found = view.to_table().to_pylist()
        expected = [
            {
                "record_id": name,
                "partition": key,
                "value": value,
                **{column: value * factor for column, factor in columns.items()},
            }
            for key, held in rows.items()
            for name, value in held.items()
        ]
        shown = [{key: value for key, value in row.items() if key != "promotion_id"} for row in found]
        assert sorted(shown, key=lambda row: row["record_id"]) == sorted(expected, key=lambda row: row["record_id"])
        assert view.count_rows() == len(expected)


def run(examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        TableModel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            derandomize="WINNOWRY_RANDOM" not in os.environ,
        ),
    )


def test_any_order_of_operations_gives_what_a_dictionary_gives() -> None:
    run(examples=6, steps=12)


@pytest.mark.slow
def test_many_orders_of_operations_give_what_a_dictionary_gives() -> None:
    run(examples=80, steps=40)
