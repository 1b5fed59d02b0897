"""Point lookups of eight readers, alone and while columns are being added to the table they read.

    PYTHONPATH=. python benchmarks/lookup.py [--rows 45000] [--readers 8] [--seconds 20]

Every reader is a process that asks for one record by id, the columns that were there first, again and again, and opens
the latest version anew every tenth time; then it also reads one record with all columns, untimed: one without a value
in a column that is there counts as wrong. The writer adds column after column through the gate: by SQL, and by a Python
function over the text. At the end: what the added columns cost those who read all of them, before and after compaction.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import tempfile
import time
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.columns import CORPUS, TABLE, WIDE, Both, record_ids
from winnowry.lakehouse.maintenance import maintain_table

FUNCTION = (
    "import pyarrow.compute as pc\n\ndef said(text):\n    return pc.cast(pc.count_substring(text, 'said'), 'int64')\n"
)


def read(root: str, rows: int, seed: int, seconds: float, out: Any) -> None:
    """Look records up for so long; puts the milliseconds of each and the number of wrong answers."""
    from winnowry.lakehouse.workspace import Workspace

    table = Workspace.open(root).lake.table(CORPUS, TABLE)
    rng = random.Random(seed)
    taken: list[float] = []
    wrong, dataset = 0, None
    until = time.monotonic() + seconds
    for number in count():
        if time.monotonic() > until:
            break
        wanted = record_ids(rng.randrange(rows), 1)[0]
        if dataset is None or number % 10 == 0:
            dataset = table.dataset()
            whole = dataset.to_table(filter=f"record_id = '{wanted}'")
            wrong += whole.num_rows != 1 or any(column.null_count for column in whole.columns)
        started = time.perf_counter()
        found = dataset.to_table(columns=WIDE.names, filter=f"record_id = '{wanted}'")
        taken.append((time.perf_counter() - started) * 1e3)
        wrong += found.num_rows != 1
    out.put((taken, wrong))


def round_of(both: Both, readers: int, seconds: float, *, folder: Path, backfill: bool) -> None:
    from expectations.registry import suites_for
    from winnowry.columns.fill import add_column
    from winnowry.columns.spec import python_column, sql_column

    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    crowd = [context.Process(target=read, args=(both.ws.root, both.rows, n, seconds, answers)) for n in range(readers)]
    for reader in crowd:
        reader.start()
    added = first = len(both.table.dataset().schema)
    while backfill and any(reader.is_alive() for reader in crowd) and answers.empty():
        dataset = both.table.dataset()
        if added % 2:
            spec = sql_column(dataset, TABLE, f"c{added}", f"n_words + {added}")
        else:
            spec = python_column(dataset, TABLE, f"c{added}", f"{folder}/said.py:said", type_="int64")
        add_column(both.ws, CORPUS, spec, suites=suites_for)
        added += 1
    found = [answers.get() for _ in crowd]
    for reader in crowd:
        reader.join()
    taken = np.concatenate([np.asarray(one) for one, _ in found])
    p50, p99 = np.percentile(taken, [50, 99])
    print(
        f"{'while columns are added' if backfill else 'readers alone':<24} {len(taken):>7,} lookups, p50 {p50:.1f} ms, "
        f"p99 {p99:.1f} ms, slowest {taken.max():.0f} ms; wrong {sum(wrong for _, wrong in found)}; "
        f"columns added meanwhile {added - first}",
        flush=True,
    )


def whole_records(both: Both, what: str, n: int = 100) -> None:
    """Milliseconds of a lookup of all columns."""
    dataset = both.table.dataset()
    rng, taken = random.Random(9), []
    for _ in range(n):
        wanted = record_ids(rng.randrange(both.rows), 1)[0]
        started = time.perf_counter()
        assert dataset.to_table(filter=f"record_id = '{wanted}'").num_rows == 1
        taken.append((time.perf_counter() - started) * 1e3)
    files = sum(len(fragment.data_files()) for fragment in dataset.get_fragments())
    print(
        f"{what:<24} all {len(dataset.schema)} columns from {files} files: p50 {np.percentile(taken, 50):.1f} ms, "
        f"p99 {np.percentile(taken, 99):.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=45_000)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    os.environ["WINNOWRY_WORKERS"] = "1"
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        (folder / "said.py").write_text(FUNCTION)
        both = Both.write(folder / "wide", arguments.rows, WIDE)
        print(f"{both.rows:,} rows, {arguments.readers} readers, {os.cpu_count()} cores")
        both.add("warm", "n_words + 1")
        for backfill in (False, True, False, True):
            round_of(both, arguments.readers, arguments.seconds, folder=folder, backfill=backfill)
        whole_records(both, "one reader")
        maintain_table(
            both.table, both.ws.store, live=[], kept_files=set(), busy=None, keep=timedelta(days=1), together="table",
            dry_run=False,
        )  # fmt: skip
        whole_records(both, "the same, compacted")


if __name__ == "__main__":
    main()
