"""Rows a second of the loader of docs/how-to/training.md, beside ways to read the same rows shuffled from Parquet.

    PYTHONPATH=. python benchmarks/loader.py [--rows 45000] [--batch 256]

All give every row once, all columns, in batches of one size. Parquet has no cheap way to a row: either row groups are
read in random order and shuffled in a buffer (rows of a batch come from the few groups in it), or single rows are
taken.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from benchmarks.columns import WIDE, Both, measured, medians

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "training.md"


def page_batches() -> Any:
    """The page's sampler."""
    names: dict[str, Any] = {}
    block = next(b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "class Batches" in b)
    exec(compile(block, str(PAGE), "exec"), names)
    return names["Batches"]


def parquet_buffered(folder: Path, batch: int, groups_held: int) -> Iterator[pa.Table]:
    """Row groups in random order, shuffled in a buffer of some of them."""
    rng = np.random.default_rng(1)
    files = [pq.ParquetFile(path) for path in sorted(folder.glob("*.parquet"))]
    groups = [(file, number) for file in files for number in range(file.num_row_groups)]
    order = rng.permutation(len(groups))
    for start in range(0, len(order), groups_held):
        held = pa.concat_tables([groups[n][0].read_row_group(groups[n][1]) for n in order[start : start + groups_held]])
        held = held.take(rng.permutation(held.num_rows))
        for first in range(0, held.num_rows, batch):
            yield held.slice(first, batch)


def parquet_taken(folder: Path, batch: int, limit: int) -> Iterator[pa.Table]:
    """Rows at random from all over, as many batches as asked: each reads many row groups."""
    files = pads.dataset(folder)
    order = np.random.default_rng(1).permutation(files.count_rows())
    for first in range(0, min(len(order), limit * batch), batch):
        yield files.take(pa.array(np.sort(order[first : first + batch])))


def raw_bytes(both: Both) -> Iterator[pa.Table]:
    """Nothing but the bytes of the table's data files; counted as its rows."""
    for path in sorted((Path(both.table.uri) / "data").rglob("*.*")):
        with path.open("rb", buffering=0) as data:
            while data.read(1 << 20):
                pass
    yield pa.table({"row": pa.nulls(both.rows)})


def said(what: str, read: Callable[[], Iterator[Any]], repeat: int) -> None:
    rows = 0

    def work() -> None:
        nonlocal rows
        rows = sum(batch.num_rows for batch in read())

    wall, cpu = medians([measured(work) for _ in range(repeat)])
    print(f"{what:<64} {rows / wall:>10,.0f} rows/s  {cpu / rows * 1e6:>8,.1f} CPU us a row", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    batch, repeat = arguments.batch, arguments.repeat
    sampler = page_batches()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        both = Both.write(Path(scratch) / "wide", arguments.rows, WIDE)
        dataset = both.table.dataset()
        print(f"{both.rows:,} rows, batches of {batch}")
        said("the files of the Lance table, read as bytes: the limit", lambda: raw_bytes(both), repeat)
        said("Lance, in order", lambda: iter(dataset.to_batches(batch_size=batch)), repeat)
        for block in (64, 16, 1):
            options = {"block": block}
            said(
                f"Lance, the page's sampler, blocks of {block}",
                lambda o=options: sampler(**o)(dataset, batch_size=batch),
                repeat,
            )
        said("Parquet, in order", lambda: iter(pads.dataset(both.parquet).to_batches(batch_size=batch)), repeat)
        said(
            "Parquet, row groups at random, buffer of 8 of 64", lambda: parquet_buffered(both.parquet, batch, 8), repeat
        )
        said("Parquet, rows at random (8 batches)", lambda: parquet_taken(both.parquet, batch, 8), 1)


if __name__ == "__main__":
    main()
