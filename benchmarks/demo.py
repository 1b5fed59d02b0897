"""The demo corpus through every stage: seconds, CPU seconds and peak memory, once and landed three times over.

.venv/bin/python benchmarks/demo.py
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))


def walk(root: Path) -> None:
    """Run every stage and print one line each."""
    from expectations.registry import suites_for
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.partitions import partitions_of
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.run import run_stage, stages_of

    ws = Workspace.open(str(root))
    recipe = load_recipe(REPOSITORY / "recipes" / "aws_docs.yaml")
    for stage in stages_of(recipe):
        started = time.perf_counter()
        keys: list[str | None] = list(partitions_of(ws, recipe)) if stage in ("raw", "cleaned", "scored") else [None]
        rows = sum(run_stage(ws, recipe, stage, key, suites=suites_for, run_id="bench").rows_out for key in keys)
        print(f"  {stage:<11}{rows:>9,} rows {time.perf_counter() - started:>8.1f} s   peak {_peak_mib():,.0f} MiB")


def _peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Land, run, report; then the same with three copies of the corpus under other names."""
    from winnowry.cli.demo_corpus import land_demo_corpus
    from winnowry.engine.local import close_pools
    from winnowry.lakehouse.workspace import Workspace

    print(f"{os.cpu_count()} cores, {sys.version.split()[0]}")
    for copies in (1, 3):
        root = Path(tempfile.mkdtemp(prefix="winnowry-bench-"))
        try:
            land_demo_corpus(Workspace.open(str(root)).store)
            for copy in range(1, copies):
                for path in (root / "landing/aws_docs").glob("2*/*.jsonl.gz"):
                    target = root / "landing/aws_docs" / f"copy-{copy}" / path.parent.name / path.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(_renamed(path.read_bytes(), copy))
            wall, cpu = time.perf_counter(), time.process_time()
            print(f"landed {copies} time{'s' if copies > 1 else ''}")
            walk(root)
            close_pools()
            while multiprocessing.active_children():  # only a process that was waited for counts below
                time.sleep(0.1)
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            print(
                f"  total {time.perf_counter() - wall:.1f} s wall, {time.process_time() - cpu:.1f} s CPU here, "
                f"largest worker {children.ru_maxrss / 1024:,.0f} MiB"
            )
        finally:
            shutil.rmtree(root, ignore_errors=True)


def _renamed(body: bytes, copy: int) -> bytes:
    """The pages under other ids and with other text, so that they are no duplicates."""
    import gzip
    import json

    lines = []
    for line in gzip.decompress(body).splitlines():
        page = json.loads(line)
        page["id"] = f"copy-{copy}/{page['id']}"
        page["html"] = page["html"].replace("</main>", f"<p>This page is copy number {copy} of another.</p></main>")
        lines.append(json.dumps(page).encode())
    return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


if __name__ == "__main__":
    main()
