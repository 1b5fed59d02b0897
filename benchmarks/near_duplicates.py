"""CPU seconds to find near codes among a million, and how many planted copies are found.

    PYTHONPATH=. python benchmarks/near_duplicates.py [--records 1000000] [--distance 7] [--rounds 3]

Codes of 64 random bits; one of a hundred is a copy of another with 0 to 7 bits flipped. Measured is the union of near
codes as the stage ``duplicates`` does it, sorting included, after one round that compiles. The yardstick, in the same
process, is sorting the same codes with numpy.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from winnowry.operators.dedup.keys import Verification
from winnowry.stages.duplicates.keys import link_near_codes


def codes_of(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes, and of each planted copy its place, its original's and the bits flipped."""
    codes = rng.integers(0, 2**64, n, dtype=np.uint64)
    m = n // 100
    copies = np.arange(n - m, n)
    originals = rng.choice(n - m, m, replace=False)
    n_flipped = rng.integers(0, 8, m)
    for copy, original, flipped in zip(copies, originals, n_flipped, strict=True):
        codes[copy] = codes[original]
        for bit in rng.choice(64, int(flipped), replace=False).tolist():
            codes[copy] ^= np.uint64(1 << bit)
    return codes, copies, originals, n_flipped


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--distance", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    codes, copies, originals, n_flipped = codes_of(options.records, np.random.default_rng(0))
    near = Verification(options.distance, 1)
    present = np.ones(len(codes), dtype=np.uint64)
    seconds, sorting = [], []
    for number in range(options.rounds + 1):
        parent = np.arange(len(codes), dtype=np.int32)
        started = time.process_time()
        link_near_codes((present, codes), near, parent)
        if number:  # the first compiles
            seconds.append(time.process_time() - started)
        started = time.process_time()
        np.argsort(codes, kind="stable")
        sorting.append(time.process_time() - started)
    roots = np.arange(len(codes))
    while (roots != parent[roots]).any():
        roots = parent[roots]
    linked = roots[copies] == roots[originals]
    recall = {int(bits): float(linked[n_flipped == bits].mean()) for bits in range(8)}
    print(
        f"{len(codes):,} codes, distance {options.distance}: {min(seconds):.2f} to {max(seconds):.2f} CPU seconds, "
        f"{min(seconds) / min(sorting):.1f} times one sort; recall by flipped bits {recall}"
    )


if __name__ == "__main__":
    main()
