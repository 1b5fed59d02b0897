"""Add a column, look up, take, scan: a winnowry table and Parquet files with the same rows, in one run.

    PYTHONPATH=. python benchmarks/columns.py [--rows 45000] [--narrow 200000 800000] [--blobs 200 800] [--folder DIR]

Texts are the Reuters news of shared/data where they are, else made. Parquet is written by pyarrow with zstd: one file
for each fragment, 64 row groups in all (fewer rows than usual, which helps it to find single ones). To add a column
to it is to write its files anew, a row group at a time: there is no smaller step. CPU seconds are of this process with
all its threads; every figure is the median of ``--repeat`` runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from benchmarks.real_texts import DATA, reuters_news
from expectations.registry import suites_for
from winnowry.columns.fill import add_column
from winnowry.columns.spec import python_column, sql_column
from winnowry.lakehouse.blobs import blob_array, blob_field, blob_of
from winnowry.lakehouse.table import FragmentWriter, Table, fragment_metadata
from winnowry.lakehouse.workspace import Workspace

CORPUS, TABLE = "bench", "cleaned"
FRAGMENTS = 4
GROUPS = 64
NARROW = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("partition", pa.string(), nullable=False),
        pa.field("n_chars", pa.int64(), nullable=False),
        pa.field("n_words", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)
WIDE = NARROW.append(pa.field("text", pa.large_string(), nullable=False))


def texts(count: int) -> Iterator[str]:
    """Real news, begun anew when there are too few; made ones where the samples are not there."""
    if (DATA / "finance_en").exists():
        while count > 0:
            found = 0
            for text in islice(reuters_news(), count):
                found += 1
                yield text
            count -= found
        return
    rng = random.Random(1)
    words = [f"{rng.randrange(16**5):x}" for _ in range(20_000)]
    for _ in range(count):
        yield " ".join(rng.choices(words, k=rng.randrange(50, 900)))


def record_ids(start: int, count: int) -> list[str]:
    return [hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest() for n in range(start, start + count)]


def batches(rows: int, schema: pa.Schema, size: int = 2048) -> Iterator[pa.RecordBatch]:
    """The same rows each time."""
    rng = np.random.default_rng(1)
    source = texts(rows) if "text" in schema.names else None
    for start in range(0, rows, size):
        n = min(size, rows - start)
        columns: list[Any] = [record_ids(start, n), ["all"] * n]
        if source is not None:
            text = pa.array(islice(source, n), pa.large_string())
            columns += [pc.utf8_length(text), pc.count_substring(text, " "), rng.random(n), text]
        else:
            columns += [rng.integers(20, 20_000, n), rng.integers(5, 4000, n), rng.random(n)]
        arrays = [pa.array(c).cast(field.type) for c, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass
class Both:
    """The same rows as a Lance table with an index on ids, and as Parquet files.

    Attributes:
        ws: lake of the table.
        table: the table.
        parquet: folder of the files.
        rows: rows.
    """

    ws: Workspace
    table: Table
    parquet: Path
    rows: int

    @staticmethod
    def write(folder: Path, rows: int, schema: pa.Schema) -> Both:
        shutil.rmtree(folder, ignore_errors=True)
        ws = Workspace.open(str(folder / "lake"))
        parquet = folder / "parquet"
        parquet.mkdir(parents=True)
        table = ws.lake.table(CORPUS, TABLE)
        table.create(schema)
        writer = FragmentWriter(table, schema, max_bytes=1 << 40, max_rows=1 << 40)
        group = -(-rows // GROUPS)
        out: pq.ParquetWriter | None = None
        for number, batch in enumerate(batches(rows, schema, group)):
            if number % (GROUPS // FRAGMENTS) == 0:
                writer.flush()
                if out is not None:
                    out.close()
                out = pq.ParquetWriter(parquet / f"{number:03}.parquet", schema, compression="zstd")
            assert out is not None
            writer.write(batch)
            out.write_batch(batch, row_group_size=group)
        writer.flush()
        if out is not None:
            out.close()
        lance.LanceDataset.commit(
            table.dataset(), lance.LanceOperation.Append(fragment_metadata(writer.fragments)), read_version=1
        )
        ws.lake.ensure_index(CORPUS, TABLE)
        return Both(ws, table, parquet, rows)

    def add(self, name: str, expression: str) -> None:
        spec = sql_column(self.table.dataset(), TABLE, name, expression)
        add_column(self.ws, CORPUS, spec, suites=suites_for)

    def add_to_parquet(self, out: Path) -> None:
        """score / n_words as another column: every file is written anew."""
        out.mkdir()
        for path in sorted(self.parquet.glob("*.parquet")):
            source = pq.ParquetFile(path)
            schema = source.schema_arrow.append(pa.field("ratio", pa.float64()))
            with pq.ParquetWriter(out / path.name, schema, compression="zstd") as writer:
                for group in range(source.num_row_groups):
                    rows = source.read_row_group(group)
                    ratio = pc.divide(rows["score"], pc.cast(rows["n_words"], pa.float64()))
                    writer.write_table(rows.append_column("ratio", ratio), row_group_size=rows.num_rows)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def median(work: Callable[[], Any], repeat: int) -> tuple[float, float]:
    return medians([measured(work) for _ in range(repeat)])


def medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found)


def line(what: str, ours: tuple[float, float], theirs: tuple[float, float]) -> None:
    print(
        f"| {what} | {ours[0] * 1e3:,.1f} ms, {ours[1] * 1e3:,.1f} | {theirs[0] * 1e3:,.1f} ms, {theirs[1] * 1e3:,.1f} "
        f"| {theirs[0] / ours[0]:.2f} | {theirs[1] / ours[1]:.2f} |",
        flush=True,
    )


def compared(both: Both, repeat: int, scratch: Path) -> None:
    """Everything a reader and a writer do, on both."""
    lake = Path(both.ws.root)
    ours, theirs = size_of(lake), size_of(both.parquet)
    print(f"\n{both.rows:,} rows; Lance {ours / 1e6:,.1f} MB with its index, Parquet {theirs / 1e6:,.1f} MB: "
          f"Lance is {ours / theirs:.2f} times as large\n")  # fmt: skip
    both.add("warm", "n_words + 1")  # opens everything once: gates, Lance, Arrow
    print(
        "| what | Lance: wall, CPU ms | Parquet: wall, CPU ms | Parquet ÷ Lance, wall | CPU |\n|---|---|---|---:|---:|"
    )
    before, grown = size_of(lake), []
    walls = []
    for number in range(repeat):
        walls.append(measured(lambda n=number: both.add(f"ratio{n}", f"score / cast(n_words + {n} as double)")))
        grown.append(size_of(lake) - before)
        before += grown[-1]
    rewritten = []
    again = 0
    for number in range(repeat):
        out = scratch / f"again{number}"
        rewritten.append(measured(lambda o=out: both.add_to_parquet(o)))
        again = size_of(out)
        shutil.rmtree(out)
    line("add a float column, gate included", medians(walls), medians(rewritten))

    rng = random.Random(2)
    ids = [record_ids(rng.randrange(both.rows), 1)[0] for _ in range(40)]
    names = both.table.dataset().schema.names
    names = [name for name in names if name in WIDE.names]
    latest, files = both.table.dataset(), pads.dataset(both.parquet)
    few = ids[:5]

    def look_up(table: Any, wanted: list[str]) -> None:
        for value in wanted:
            assert table.to_table(columns=names, filter=f"record_id = '{value}'").num_rows == 1

    def search(among: Any, wanted: list[str]) -> None:
        for value in wanted:
            assert among.to_table(columns=names, filter=pc.field("record_id") == value).num_rows == 1

    def one(found: tuple[float, float], of: list[str]) -> tuple[float, float]:
        return found[0] / len(of), found[1] / len(of)

    ours_one = one(median(lambda: look_up(latest, ids), repeat), ids)
    line("look one record up by id, all columns", ours_one, one(median(lambda: search(files, few), repeat), few))
    by_id = scratch / "by_id.parquet"
    pq.write_table(
        files.to_table().sort_by("record_id"), by_id, compression="zstd", row_group_size=-(-both.rows // GROUPS)
    )
    ordered = pads.dataset(by_id)
    line(
        "the same, Parquet sorted by id",
        ours_one,
        one(median(lambda: search(ordered, few), repeat), few),
    )
    places = sorted(rng.sample(range(both.rows), min(1000, both.rows)))
    line(
        "take 1,000 rows at random, all columns",
        median(lambda: latest.take(places, columns=names), repeat),
        median(lambda: files.take(pa.array(places), columns=names), max(1, repeat // 2)),
    )
    line(
        "scan one numeric column",
        median(lambda: sum(b.num_rows for b in latest.to_batches(columns=["score"])), repeat),
        median(lambda: sum(b.num_rows for b in files.to_batches(columns=["score"])), repeat),
    )
    if "text" in names:
        line(
            "scan all texts",
            median(lambda: sum(b.num_rows for b in latest.to_batches(columns=["text"])), repeat),
            median(lambda: sum(b.num_rows for b in files.to_batches(columns=["text"])), repeat),
        )
    each = statistics.median(grown)
    print(
        f"\nbytes written to add the column: Lance {each:,.0f} ({each / both.rows:.1f} a row), Parquet {again:,}: "
        f"{again / each:.0f} times as many"
    )


def slopes(folder: Path, sizes: list[int], repeat: int) -> None:
    """What a column costs by rows: a constant (gates, commits) and a slope."""
    found = []
    for rows in sizes:
        both = Both.write(folder / f"narrow{rows}", rows, NARROW)
        both.add("warm", "n_words + 1")
        before = size_of(Path(both.ws.root))
        walls = [
            measured(lambda n=n, both=both: both.add(f"r{n}", f"score / cast(n_words + {n} as double)"))
            for n in range(repeat)
        ]
        grown = (size_of(Path(both.ws.root)) - before) / repeat
        found.append((rows, *medians(walls), grown))
        print(
            f"{rows:>10,} narrow rows: {found[-1][1]:.2f} s, {found[-1][2]:.2f} CPU s, {grown / 1e6:.2f} MB", flush=True
        )
    (n0, w0, c0, b0), (n1, w1, c1, b1) = found[0], found[-1]
    to = 10_000_000
    wall, cpu, size = ((y1 - y0) / (n1 - n0) for y0, y1 in ((w0, w1), (c0, c1), (b0, b1)))
    print(
        f"slopes: {wall * 1e6:.2f} s, {cpu * 1e6:.2f} CPU s, {size:.2f} MB a million rows; "
        f"10 million: {w0 + wall * (to - n0):.1f} s, {c0 + cpu * (to - n0):.1f} CPU s, "
        f"{(b0 + size * (to - n0)) / 1e6:.0f} MB"
    )


HEADS = "def head(payload):\n    return [blob.read(8)[0] if blob is not None else None for blob in payload]\n"


def objects(folder: Path, counts: list[int], repeat: int, size: int = 1 << 20) -> None:
    """A column over large objects: what is written does not grow with them."""
    (folder / "heads.py").write_text(HEADS)
    schema = NARROW.append(blob_field("payload"))
    rng = np.random.default_rng(3)
    for count in counts:
        root = folder / f"blobs{count}"
        ws = Workspace.open(str(root))
        table = ws.lake.table(CORPUS, TABLE)

        def rows(count: int = count) -> Iterator[pa.RecordBatch]:
            for batch in batches(count, NARROW, 20):
                payload = blob_array([blob_of(rng.bytes(size)) for _ in range(batch.num_rows)])
                yield pa.RecordBatch.from_arrays([*batch.columns, payload], schema=schema)

        lance.write_dataset(
            rows(), table.uri, schema=schema, data_storage_version="2.2", enable_stable_row_ids=True,
            max_rows_per_file=-(-count // FRAGMENTS),
        )  # fmt: skip
        stored = size_of(root)
        dataset = table.dataset()
        add_column(ws, CORPUS, sql_column(dataset, TABLE, "warm", "n_words + 1"), suites=suites_for)
        before = size_of(root)
        sql = median_of_adds(ws, [sql_column(dataset, TABLE, f"s{n}", f"n_words + {n}") for n in range(repeat)])
        grown = (size_of(root) - before) / repeat
        heads = [
            python_column(dataset, TABLE, f"h{n}", f"{folder}/heads.py:head", type_="int64") for n in range(repeat)
        ]
        read = median_of_adds(ws, heads)
        print(
            f"{count:>6,} objects, {stored / 1e6:,.0f} MB: a column by SQL {sql[0]:.2f} s, {sql[1]:.2f} CPU s, "
            f"{grown / 1e3:.1f} kB; from the first bytes of each object {read[0]:.2f} s, {read[1]:.2f} CPU s",
            flush=True,
        )


def median_of_adds(ws: Workspace, specs: list[Any]) -> tuple[float, float]:
    return medians([measured(lambda s=spec: add_column(ws, CORPUS, s, suites=suites_for)) for spec in specs])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--narrow", type=int, nargs="*", default=[200_000, 800_000])
    parser.add_argument("--blobs", type=int, nargs="*", default=[200, 800])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    os.environ["WINNOWRY_WORKERS"] = "1"
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        if arguments.rows:
            compared(Both.write(folder / "wide", arguments.rows, WIDE), arguments.repeat, folder)
        if arguments.narrow:
            slopes(folder, arguments.narrow, arguments.repeat)
        if arguments.blobs:
            objects(folder, arguments.blobs, arguments.repeat)


if __name__ == "__main__":
    main()
