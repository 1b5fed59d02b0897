"""The code of docs/how-to/training.md, run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "training.md"


def code(function: str) -> Any:
    """A function of the page."""
    block = next(
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if f"def {function}(" in block
    )
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    return names[function]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """URI of ``published``, and the ids of its release v1."""
    root = tmp_path_factory.mktemp("lake")
    land(root, years=("2019", "2020", "2021"), per_year=25)
    write_recipe(root)
    ws, recipe = open_recipe(root, root / "small.yaml")
    run_all(ws, recipe)
    view = ws.lake.open("small", "published", "v1")
    return view.uri, view.to_table(columns=["record_id"])["record_id"].to_pylist()


def read(batches: Callable[..., Any], uri: str, **options: Any) -> list[str]:
    found = []
    for _, rows in batches(uri, "v1", batch_size=4, columns=("record_id",), **options):
        found += rows["record_id"].to_pylist()
    return found


def test_ranks_see_every_record_once_in_an_order_of_the_epoch(release: tuple[str, list[str]]) -> None:
    uri, ids = release
    batches = code("batches")
    for epoch in (0, 1):
        parts = [read(batches, uri, rank=rank, world_size=3, epoch=epoch) for rank in range(3)]
        assert sorted(name for part in parts for name in part) == sorted(ids)
    assert read(batches, uri) == read(batches, uri)
    assert read(batches, uri) != read(batches, uri, epoch=1)


def test_an_interrupted_run_goes_on_with_what_it_would_have_seen(release: tuple[str, list[str]]) -> None:
    uri, _ = release
    batches = code("batches")
    whole = read(batches, uri, rank=1, world_size=2, epoch=3)
    assert read(batches, uri, rank=1, world_size=2, epoch=3, start=2) == whole[8:]


@pytest.mark.filterwarnings("ignore:with_row_id is not supported for ShardedBatchSampler")  # its own default
def test_lances_own_loader_shards_and_shuffles(release: tuple[str, list[str]]) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch to run the loader of the page")
    uri, ids = release
    loader = code("loader")
    for epoch in (0, 1):
        seen = [
            name
            for rank in range(2)
            for batch in loader(uri, "v1", rank=rank, world_size=2, epoch=epoch, batch_size=4)
            for name in batch["ids"]
        ]
        assert sorted(seen) == sorted(ids)
    first, second = (
        [batch["ids"] for batch in loader(uri, "v1", rank=0, world_size=2, epoch=e, batch_size=4)] for e in (0, 1)
    )
    assert first != second
