"""Select from 10 million records: seconds, CPU seconds and peak memory, and the ratio to a naive dictionary version.

    python benchmarks/sampling.py [--rows 10000000] [--naive-rows 1000000] [--repeat 3]

Rows are synthetic: 16-byte ids, 20 partitions, scores with 1 % missing, log-normal token counts. The naive version is
the released procedure written with dictionaries and a generator; both run in this process, on the same rows.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import statistics
import threading
import time
from pathlib import Path

import numpy as np

from winnowry.sampling.select import Selection, select
from winnowry.sampling.spec import SampleSpec


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 256, (n, 16), np.uint8)
    partitions = generator.integers(0, 20, n, np.int32)
    scores = generator.beta(8, 8, n)
    scores[generator.random(n) < 0.01] = np.nan
    sizes = np.maximum(20, generator.lognormal(6, 1.1, n)).astype(np.int64)
    return ids, partitions, scores, sizes


def naive(records: list[dict[str, object]], fraction: float, hard_fraction: float) -> list[dict[str, object]]:
    budget = int(sum(record["tokens"] for record in records) * fraction)
    hard_budget = int(budget * hard_fraction)
    ordered = sorted(records, key=lambda record: record["score"])
    taken, kept = 0, []
    while ordered and taken + ordered[-1]["tokens"] <= hard_budget:
        taken += ordered[-1]["tokens"]
        kept.append(ordered.pop())
    remaining = sum(record["tokens"] for record in ordered)
    running, weighted = 0, 0.0
    for record in ordered:
        running += record["tokens"]
        record["cdf"] = running / remaining
        weighted += record["cdf"] * record["tokens"]
    r = (budget - hard_budget) / weighted
    generator = random.Random(42)
    return kept + [record for record in ordered if generator.random() <= min(1.0, r * record["cdf"])]


def resident_bytes() -> int:
    """Memory of this process now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """Peak resident memory of this process while it is entered, above what it held before."""

    def __enter__(self) -> PeakMemory:
        self.before = self.peak = resident_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, resident_bytes())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measured(n: int, spec: SampleSpec, repeat: int, by_partition: bool) -> float:
    ids, partitions, scores, sizes = rows(n)
    walls, cpus, peaks = [], [], []
    selection: Selection | None = None
    for _ in range(repeat):
        selection = None
        wall, cpu = time.perf_counter(), time.process_time()
        with PeakMemory() as memory:
            selection = select(ids, scores, sizes, spec, strata=partitions if by_partition else None)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        peaks.append(memory.peak)
    assert selection is not None
    gap = selection.budget_tokens - selection.selected_tokens
    print(
        f"{n:>11,} rows  {spec.method:<8} {spec.mode:<6} strata {len(selection.strata):>2}  "
        f"{statistics.median(walls):6.2f} s (min {min(walls):.2f}, max {max(walls):.2f})  "
        f"CPU {statistics.median(cpus):6.2f} s  peak RSS {max(peaks) / 2**30:.2f} GiB  "
        f"selected {int(selection.selected.sum()):,}  budget left {gap} of {selection.budget_tokens:,} tokens"
    )
    return statistics.median(walls)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--naive-rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}")
    exact = SampleSpec(by="score", token_fraction=0.2, seed=7)
    paper = SampleSpec(by="score", token_fraction=0.2, seed=7, mode="paper")
    measured(arguments.rows, exact, arguments.repeat, by_partition=False)
    measured(arguments.rows, exact, 1, by_partition=True)
    measured(arguments.rows, paper, 1, by_partition=False)

    ours = measured(arguments.naive_rows, paper, arguments.repeat, by_partition=False)
    ids, _, scores, sizes = rows(arguments.naive_rows)
    keys = np.where(np.isnan(scores), -np.inf, scores).tolist()
    records = [
        {"id": bytes(record_id), "score": score, "tokens": tokens}
        for record_id, score, tokens in zip(ids, keys, sizes.tolist(), strict=True)
    ]
    wall = time.perf_counter()
    kept = naive(records, 0.2, 0.4)
    theirs = time.perf_counter() - wall
    print(f"{arguments.naive_rows:>11,} rows  naive dictionaries  {theirs:.2f} s, kept {len(kept):,}")
    print(f"ratio naive / winnowry at {arguments.naive_rows:,} rows, paper mode: {theirs / ours:.1f}")
    print(f"peak RSS of the whole run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
