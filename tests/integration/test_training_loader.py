"""The code of docs/how-to/training.md, run as it stands there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lance
import pytest

from tests.small_corpus import land, write_recipe
from tests.walk import open_recipe, run_all
from winnowry.recipe.load import apply_overrides

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "training.md"
BATCH = 6


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page's definitions as a module: worker processes import it by its name."""
    folder = tmp_path_factory.mktemp("page")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (folder / "training_page.py").write_text("\n\n".join(block for block in blocks if "def " in block))
    sys.path.insert(0, str(folder))
    yield importlib.import_module("training_page")
    sys.path.remove(str(folder))
    del sys.modules["training_page"]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``published`` of three partitions; v2 has deleted rows in the middle of fragments of v1, and new ones."""
    root = tmp_path_factory.mktemp("lake")
    land(root, years=("2019", "2020", "2021"), per_year=25)
    write_recipe(root)
    ws, recipe = open_recipe(root, root / "small.yaml")
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.8"]))
    run_all(ws, apply_overrides(recipe, ["sample.token_fraction=0.6", "sample.seed=5"]))
    dataset = lance.dataset(f"{root}/small/published.lance", version="v2")
    assert any(fragment.num_deletions for fragment in dataset.get_fragments())
    return str(dataset.uri)


@pytest.fixture(params=["v1", "v2"])
def release(request: pytest.FixtureRequest, uri: str) -> Any:
    return lance.dataset(uri, version=request.param)


def names(release: Any) -> list[str]:
    found: list[str] = release.to_table(columns=["record_id"])["record_id"].to_pylist()
    return found


def read(sampler: Any, release: Any) -> list[list[str]]:
    return [batch["record_id"].to_pylist() for batch in sampler(release, batch_size=BATCH, columns=["record_id"])]


@pytest.mark.parametrize("block", [1, 2, 3])
def test_ranks_see_every_record_once_in_an_order_of_the_epoch(page: Any, release: Any, block: int) -> None:
    orders = []
    for epoch in (0, 1):
        ranks = [read(page.Batches(rank, 3, epoch=epoch, block=block), release) for rank in range(3)]
        orders.append([name for batches in ranks for batch in batches for name in batch])
        assert sorted(orders[-1]) == sorted(names(release))
        assert max(map(len, ranks)) - min(map(len, ranks)) <= 1
        if block < BATCH:
            assert {len(batch) for batches in ranks for batch in batches[:-1]} <= {BATCH, BATCH - 1}
    assert orders[0] != orders[1]
    again = [read(page.Batches(rank, 3, block=block), release) for rank in range(3)]
    assert [name for batches in again for batch in batches for name in batch] == orders[0]


def test_a_batch_comes_from_all_over_the_release(page: Any, release: Any) -> None:
    order = names(release)
    (first, *_) = read(page.Batches(block=1), release)
    places = sorted(order.index(name) for name in first)
    assert places[-1] - places[0] > BATCH


def test_an_interrupted_run_goes_on_with_what_it_would_have_seen(page: Any, release: Any) -> None:
    options = {"seed": 3, "epoch": 2, "block": 2}
    whole = read(page.Batches(1, 2, **options), release)
    assert read(page.Batches(1, 2, start=2, **options), release) == whole[2:]


@pytest.mark.torch
@pytest.mark.parametrize("workers", [0, 2])
def test_pytorch_gets_the_same_batches_with_and_without_workers(
    page: Any, uri: str, release: Any, workers: int
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install torch to run the loader of the page")
    for rank in range(2):
        sampler = page.Batches(rank, 2, seed=1, start=1, block=2)
        expected = read(page.Batches(rank, 2, seed=1, start=1, block=2), release)
        counts = dict(zip(names(release), release.to_table(columns=["n_tokens"])["n_tokens"].to_pylist(), strict=True))
        found = list(page.loader(uri, release.version, sampler, batch_size=BATCH, workers=workers))
        assert [batch["ids"] for batch in found] == expected
        for batch in found:
            assert batch["n_tokens"].tolist() == [counts[name] for name in batch["ids"]]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:with_row_id is not supported")
def test_lances_own_sampler_reads_every_row_twice_with_two_workers(uri: str, page: Any) -> None:
    """Why the page has a sampler of its own."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    from lance.sampler import ShardedBatchSampler

    sampler = ShardedBatchSampler(0, 1, randomize=True, seed=1)
    once = [name for batch in page.loader(uri, "v1", sampler, batch_size=BATCH) for name in batch["ids"]]
    assert sorted(once) == sorted(names(lance.dataset(uri, version="v1")))
    twice = [name for batch in page.loader(uri, "v1", sampler, batch_size=BATCH, workers=2) for name in batch["ids"]]
    assert len(twice) == 2 * len(once)
    assert torch.__version__
