"""A tick of the sensor on a lake where nothing has changed: what it asks does not grow with the partitions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import lance
import pyarrow as pa
import pytest

from assets.follow import Cursor, look
from expectations.registry import suites_for
from tests.unattended import RECIPE, day_of
from tests.walk import open_recipe
from winnowry.lakehouse.lance_uri import lance_uri
from winnowry.lakehouse.record import RecordStore
from winnowry.lakehouse.table import Table
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.graph import stages_in
from winnowry.stages.readiness import fingerprint
from winnowry.stages.run import run_stage
from winnowry.storage.local import LocalStore


def lake_of(root: Path, days: int) -> tuple[Workspace, Recipe]:
    """A lake whose landing has one object a day, and whose tables have one fragment a day."""
    (root / "landing" / "s").mkdir(parents=True)
    for day in range(days):
        row = {"id": str(day), "text": "The printer does not answer.", "t": f"{day_of(day)}T10:00:00Z"}
        (root / "landing" / "s" / f"{day}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (root / "days.yaml").write_text(RECIPE, encoding="utf-8")
    ws, recipe = open_recipe(root, root / "days.yaml")
    run_stage(ws, recipe, "landing", None, suites=lambda *_: [], run_id="test")
    for stage in stages_in(recipe):
        if stage.schema is not None and stage.partitioned:
            table = ws.lake.table("days", stage.name)
            table.create(stage.schema(recipe))
            rows = _rows(table.dataset().schema, days)
            lance.write_dataset(rows, lance_uri(table.uri), mode="append", max_rows_per_file=1)
            assert len(table.dataset().get_fragments()) == days
    return ws, recipe


def _rows(schema: pa.Schema, n: int) -> pa.Table:
    """Rows without content: nobody looks at them."""

    def empty(kind: pa.DataType) -> Any:
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return b""
        return "" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else 0

    columns = [pa.array([None if field.nullable else empty(field.type)] * n, field.type) for field in schema]
    return pa.table(columns, schema=schema)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as opened:
        yield opened


def questions(instance: dg.DagsterInstance, ws: Workspace, recipe: Recipe) -> Counter[str]:
    """What an idle tick asks of the store and of Lance."""
    quiet = Cursor(quiet=fingerprint(ws, recipe, suites_for), quiet_at=4e9, measured="v1@9999-12-31")
    quiet = Cursor.read(quiet.text())
    asked: Counter[str] = Counter()

    def counting(owner: Any, name: str, patch: pytest.MonkeyPatch) -> None:
        plain = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            asked[f"{owner.__name__}.{name}"] += 1
            return plain(*args, **kwargs)

        patch.setattr(owner, name, counted)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (LocalStore, "list"),
            (LocalStore, "read"),
            (RecordStore, "_read"),
            (Table, "dataset_or_none"),
            (Table, "owners"),
            (lance.LanceDataset, "scanner"),
        ):
            counting(owner, name, patch)
        seen = look(instance, ws, recipe, quiet)
    assert seen.skip_reason is not None
    assert seen.skip_reason.skip_message == "nothing has changed"
    return asked


def test_an_idle_tick_asks_four_hundred_partitions_no_more_than_four(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    few = questions(instance, *lake_of(tmp_path / "few", 4))
    many = questions(instance, *lake_of(tmp_path / "many", 400))
    assert many == few
    assert many["RecordStore._read"] <= 2  # of the landing: what it has read
    assert many["Table.owners"] == many["LanceDataset.scanner"] == 0
    assert many["Table.dataset_or_none"] <= 10  # the tables of the corpus
