"""Seconds and memory of one Checkpoint on one partition: Lance SQL against Great Expectations' pandas engine.

    python benchmarks/gates.py [--rows 1000000] [--engine lance|pandas|both]

Each engine runs in a process of its own, so that peak memory is its own; imports are not timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COLUMNS = 15


def make(path: str, rows: int) -> None:
    import lance
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(7)
    table = {
        "record_id": pa.array([f"{i:032x}" for i in range(rows)]),
        "partition": pa.array(["2024"] * rows),
        "language": pa.array(rng.choice(["en", "zh", "xx"], rows, p=[0.6, 0.399, 0.001])),
        "source": pa.array(rng.choice(["web", "books"], rows)),
        "n_tokens": pa.array(rng.integers(1, 6000, rows)),
        "n_words": pa.array(rng.integers(1, 4000, rows)),
        "gc": pa.array(rng.normal(size=rows), mask=rng.random(rows) < 0.002),
    }
    for i in range(COLUMNS - len(table)):
        table[f"x{i}"] = pa.array(rng.random(rows))
    lance.write_dataset(pa.table(table), path)


def expectations() -> list[Any]:
    from winnowry.gates.native import gxe

    return [
        gxe.ExpectColumnValuesToBeUnique(column="record_id"),
        gxe.ExpectColumnValuesToMatchRegex(column="record_id", regex="^[0-9a-f]{32}$"),
        gxe.ExpectColumnValuesToNotBeNull(column="gc", mostly=0.99),
        gxe.ExpectColumnValuesToBeBetween(column="n_tokens", min_value=1, max_value=5999, mostly=0.9),
        gxe.ExpectColumnValuesToBeInSet(column="language", value_set=["en", "zh"], mostly=0.99),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="partition", max_value=1),
        gxe.ExpectColumnMeanToBeBetween(column="gc", min_value=-0.1, max_value=0.1),
        gxe.ExpectColumnStdevToBeBetween(column="gc", min_value=0.9, max_value=1.1),
        gxe.ExpectColumnMedianToBeBetween(column="gc", min_value=-0.1, max_value=0.1),
        *(gxe.ExpectColumnValuesToBeBetween(column=f"x{i}", min_value=0, max_value=1) for i in range(8)),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
    ]


def by_lance(path: str) -> list[bool]:
    from winnowry.gates.checkpoint import run_checkpoint
    from winnowry.gates.suite import Suite
    from winnowry.lakehouse.view import TableView

    with tempfile.TemporaryDirectory() as docs:
        view = TableView(path, 1, {}, "cleaned", "2024")
        outcome = run_checkpoint(view, [Suite("b.all", expectations())], facts={}, name="b", docs=Path(docs))
    return [result.verdict == "pass" for result in outcome.results]


def by_pandas(path: str) -> list[bool]:
    import lance

    from winnowry.gates.native import ExpectationSuite, ValidationDefinition, gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("t")
    batch = asset.add_batch_definition_whole_dataframe("b")
    suite = context.suites.add(ExpectationSuite(name="all", expectations=expectations()))
    definition = context.validation_definitions.add(ValidationDefinition(name="v", data=batch, suite=suite))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name="c", validation_definitions=[definition], result_format="SUMMARY")
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": lance.dataset(path).to_table().to_pandas()})
    return [bool(r.success) for v in outcome.run_results.values() for r in v.results]


def measure(engine: str, path: str) -> None:
    import winnowry.gates.context
    import winnowry.gates.native_docs  # noqa: F401 imports are not timed

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = []
    for _ in range(3 if engine == "lance" else 1):
        started = time.perf_counter()
        passed = (by_lance if engine == "lance" else by_pandas)(path)
        found.append(round(time.perf_counter() - started, 3))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({"engine": engine, "seconds": found, "peak_growth_mib": grown, "passed": sum(passed)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=["lance", "pandas", "both"], default="both")
    parser.add_argument("--path", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.path:
        measure(arguments.engine, arguments.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/t.lance"
        make(path, arguments.rows)
        for engine in ("lance", "pandas") if arguments.engine == "both" else (arguments.engine,):
            subprocess.run([sys.executable, __file__, "--engine", engine, "--path", path], check=True)


if __name__ == "__main__":
    main()
