"""Deduplication: recall against exact Jaccard similarity, decisions and CPU seconds against datatrove.

    .venv/bin/python benchmarks/dedup.py fidelity [--documents 4000]
    .venv/bin/python benchmarks/dedup.py peers [--documents 20000] [--rust TOOL]
    .venv/bin/python benchmarks/dedup.py scale [--documents 1000000]

``peers`` needs .venv-peers and the Reuters news beside the repository; ``fidelity`` reads the API reference in the
package botocore; ``scale`` joins random keys. CPU seconds leave out imports, compilation and the tokeniser's loading,
on both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from scipy import sparse

from benchmarks.real_texts import reuters_news
from tests.unit.operators.dedup.folding import ngrams, words
from winnowry.core.tables import TIMESTAMP
from winnowry.lakehouse.view import TableView
from winnowry.operators.dedup.exact import ExactDuplicates
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.dedup.minhash import MinHash, recall
from winnowry.stages.duplicates.duplicates import find_duplicates

BATCH = 2048
PEERS = Path(__file__).resolve().parents[1] / ".venv-peers/bin/python"
BINS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)


def api_pages(n: int) -> list[str]:
    """Pages of the demo corpus, extracted: many versions of the same operations."""
    from winnowry.cli.demo_corpus import api_models, pages_of
    from winnowry.operators.text.extract_html import ExtractHtml

    html = [str(page["html"]) for model in api_models() for page in pages_of(model)]
    extracted = ExtractHtml().apply(pa.record_batch({"text": pa.array(html[:n], pa.large_string())}))
    return [text for text in extracted["text"].to_pylist() if text]


def pairs(texts: Sequence[str], size: int, at_least: float) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of a Jaccard similarity of ``at_least``, from sets of word n-grams: (2, n) rows, and similarities."""
    known: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for row, text in enumerate(texts):
        for gram in ngrams(words(text), size):
            rows.append(row)
            columns.append(known.setdefault(gram, len(known)))
    shape = (len(texts), len(known))
    sets = sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)
    common = sparse.triu(sets @ sets.T, k=1).tocoo()
    sizes = np.asarray(sets.sum(axis=1)).ravel()
    union = sizes[common.row] + sizes[common.col] - common.data
    similarity = common.data / union
    chosen = similarity >= at_least
    return np.stack([common.row[chosen], common.col[chosen]]), similarity[chosen]


def in_memory(texts: Sequence[str]) -> list[pa.RecordBatch]:
    """Texts as the operators get them; datatrove gets Python strings, which are there before its clock starts too."""
    return [
        pa.record_batch({"text": pa.array(texts[start : start + BATCH], pa.large_string())})
        for start in range(0, len(texts), BATCH)
    ]


def compute(operators: Sequence[DuplicateKeys], parts: Sequence[pa.RecordBatch]) -> pa.Table:
    """What the stage ``cleaned`` would hold, without text."""
    batches = []
    for part in parts:
        columns = {operator.key_column: operator.apply(part)[0] for operator in operators}
        batches.append(pa.record_batch(columns))
    table = pa.Table.from_batches(batches)
    n = table.num_rows
    table = table.append_column("record_id", pa.array([f"{row:032x}" for row in range(n)]))
    table = table.append_column("partition", pa.array([f"p{row * 20 // n:02d}" for row in range(n)]))
    table = table.append_column("event_time", pa.array(np.arange(n), TIMESTAMP))
    return table.append_column("size", pa.array(np.zeros(n, np.int64)))


def fidelity(n: int, seeds: int = 5) -> None:
    texts = api_pages(n)
    for name, size, make in (("fineweb 14x8", 5, lambda seed: MinHash(seed=seed)),
                             ("20x13 over words", 5, lambda seed: MinHash(bands=20, rows=13, seed=seed))):  # fmt: skip
        (one, other), similarity = pairs(texts, size, 0.3)
        print(f"{name}: {len(texts):,} pages, {len(similarity):,} pairs of a Jaccard similarity of 0.3 or more")
        hits = np.zeros(len(similarity))
        bands = rows = 0
        precise = []
        for seed in range(1, seeds + 1):
            operator = make(seed)
            forecast = operator.forecast()
            bands, rows = forecast.bands, forecast.rows
            written = compute([operator], in_memory(texts))[operator.key_column].combine_chunks()
            keys = np.stack([key[0] for key in operator.keys(written)], axis=1)
            hit = (keys[one] == keys[other]).any(axis=1)
            hits += hit
            precise.append([(similarity[hit] >= at).mean() for at in (0.5, 0.6, 0.7)])
        print("  Jaccard        pairs   found  theory")
        for low, high in zip(BINS, (*BINS[1:], 1.01), strict=False):
            inside = (similarity >= low) & (similarity < high)
            if inside.any():
                print(f"  {low:.2f} – {min(high, 1):.2f} {inside.sum():9,} {hits[inside].mean() / seeds:7.3f} "
                      f"{recall(similarity[inside], bands, rows).mean():7.3f}")  # fmt: skip
        said = ", ".join(
            f">= {at}: {value:.3f}" for at, value in zip((0.5, 0.6, 0.7), np.mean(precise, 0), strict=True)
        )
        print(f"  share of found pairs with a Jaccard similarity of {said} (of those of 0.3 or more)")


def clocked(work: Callable[[], pa.Table]) -> tuple[pa.Table, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def grouped(operator: DuplicateKeys, uri: str, version: int) -> pa.Table:
    """What `duplicates` decides from the keys of a table."""
    with tempfile.TemporaryDirectory() as scratch:
        view = TableView(uri, version, {}, "cleaned")
        return pa.concat_tables(find_duplicates(view, [operator], Path(scratch)))


def end_to_end(operator: DuplicateKeys, texts: Sequence[str], parts: Sequence[pa.RecordBatch]) -> pa.Table:
    """Keys of every text, written to a Lance table and read back, groups, keepers, and the texts that stay."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"{folder}/cleaned.lance"
        version = lance.write_dataset(compute([operator], parts), uri).version
        decided = grouped(operator, uri, version)
        dropped = {int(name, 16) for name in decided["record_id"].to_pylist()}
        assert len([text for row, text in enumerate(texts) if row not in dropped]) == len(texts) - len(dropped)
        return decided.combine_chunks()


def datatrove(method: str, source: str, out: Path, *rust: str) -> dict[str, Any]:
    script = Path(__file__).with_name("dedup_datatrove.py")
    subprocess.run([PEERS, script, method, source, out, *rust], check=True, capture_output=True)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def compare_groups(parts: Sequence[pa.RecordBatch], python: float, rust: float) -> None:
    """The step from band keys to the records that stay, alone."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"{folder}/cleaned.lance"
        version = lance.write_dataset(compute([MinHash()], parts), uri).version
        _, ours, _ = clocked(lambda: grouped(MinHash(), uri, version))
    print(f"{'groups of minhash':<17} winnowry {ours:.2f} CPU s; datatrove, buckets and clusters {python:.2f} CPU s "
          f"({python / ours:.1f}), clusters by its Rust tool {rust:.2f} CPU s ({rust / ours:.1f})")  # fmt: skip


def peers(n: int, rust: str | None) -> None:
    texts = [
        "\n".join(line for line in raw.split("\n") if not line.startswith("-- ")) for raw in islice(reuters_news(), n)
    ]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} news articles, {megabytes:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/texts.arrow"
        table = pa.table({"text": pa.array(texts, pa.large_string())})
        with pa.OSFile(source, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        for method, operator in (
            ("exact", ExactDuplicates()),
            ("exact-normalised", ExactDuplicates()),
            ("minhash", MinHash()),
        ):
            end_to_end(operator, texts[:100], in_memory(texts[:100]))  # compile and load
            parts = in_memory(texts)
            decided, cpu, wall = clocked(lambda operator=operator, parts=parts: end_to_end(operator, texts, parts))
            print(f"{method:<17} winnowry  {cpu:7.2f} CPU s  {wall:6.2f} s  {megabytes / cpu:8.1f} MB/CPU s  "
                  f"kept {len(texts) - decided.num_rows:,}")  # fmt: skip
            if not PEERS.exists():
                print(f"{method:<17} datatrove not measured: no {PEERS}")
                continue
            theirs = datatrove(method, source, Path(folder) / f"{method}.json")
            print(f"{'':<17} datatrove {theirs['cpu_seconds']:7.2f} CPU s  {'':8}  "
                  f"{megabytes / theirs['cpu_seconds']:8.1f} MB/CPU s  kept {len(theirs['kept']):,}  "
                  f"ratio {theirs['cpu_seconds'] / cpu:.1f} ({theirs['hash']})")  # fmt: skip
            same = {int(name, 16) for name in decided["record_id"].to_pylist()}
            other = set(range(len(texts))) - {int(name) for name in theirs["kept"]}
            print(f"{'':<17} dropped by both {len(same & other):,}, by winnowry only {len(same - other):,}, "
                  f"by datatrove only {len(other - same):,}")  # fmt: skip
            if rust is not None and method == "minhash":
                by_rust = datatrove(method, source, Path(folder) / "rust.json", rust)
                compare_groups(parts, theirs["groups_cpu_seconds"], by_rust["groups_cpu_seconds"])


def scale(n: int) -> None:
    """Random keys in which a tenth of the records repeat one of the others: the join alone."""
    rng = np.random.default_rng(1)
    bands = 14
    with tempfile.TemporaryDirectory() as folder:
        uri = f"{folder}/cleaned.lance"
        for start in range(0, n, 100_000):
            rows = min(100_000, n - start)
            keys = rng.integers(1, 2**63, (rows, bands), dtype=np.uint64)
            keys[rows - rows // 10 :] = keys[: rows // 10]
            table = pa.table({
                "record_id": [f"{row:032x}" for row in range(start, start + rows)],
                "partition": [f"p{start // 100_000:05d}"] * rows,
                "event_time": pa.array(np.arange(start, start + rows), TIMESTAMP),
                "size": np.zeros(rows, np.int64),
                "minhash": pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * bands, keys.ravel()),
            })  # fmt: skip
            lance.write_dataset(table, uri, mode="append" if start else "create")
        version = lance.dataset(uri).version
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found, cpu, wall = clocked(lambda: grouped(MinHash(), uri, version))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{n:,} records x {bands} keys: {found.num_rows:,} duplicates in {cpu:.1f} CPU s, {wall:.1f} s; "
              f"peak {peak:.0f} MiB, {before:.0f} MiB before")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("fidelity", "peers", "scale"))
    parser.add_argument("--documents", type=int)
    parser.add_argument("--rust", help="the program `local` of datatrove's src/datatrove/tools/fast_mh3, built")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    if arguments.what == "fidelity":
        fidelity(arguments.documents or 4000)
    elif arguments.what == "peers":
        peers(arguments.documents or 20_000, arguments.rust)
    else:
        scale(arguments.documents or 1_000_000)


if __name__ == "__main__":
    main()
