"""Run stages in a process that may take little more memory than it has once everything is imported.

Called as ``python -m tests.bounded_memory ROOT HEADROOM``; prints the result of each stage as a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from expectations.registry import suites_for
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.model import Recipe
from winnowry.stages.run import run_stage


def recipe_of(files: dict[str, str]) -> Recipe:
    """A source of each format, all of one partition, cleaned by an operator that reads the text."""
    return Recipe.model_validate(
        {
            "version": 1,
            "corpus": "c",
            "sources": [
                {
                    "name": name,
                    "uri": f"landing/{name}/*",
                    "format": form,
                    "fields": {"id": "id"},
                    "partition": {"by": "none"},
                }
                for name, form in files.items()
            ],
            "clean": [{"op": "text.length", "min_words": 1}],
        }
    )


def walk(root: Path, files: dict[str, str]) -> None:
    """Run the stages to ``cleaned``; that much of a landing is lost is no matter here."""
    ws, recipe = Workspace.open(str(root)), recipe_of(files)
    for stage, partition in (("landing", None), ("raw", "all"), ("cleaned", "all")):
        suites = (lambda *_: []) if stage == "landing" else suites_for
        result = run_stage(ws, recipe, stage, partition, suites=suites, run_id="test")
        print(json.dumps([stage, result.status, result.rows_out, result.quarantined_by_reason]), flush=True)


def warm_up(root: Path) -> None:
    """Walk once, so that every import and every thread is there."""
    for name, form in (("lines", "jsonl"), ("tables", "parquet")):
        (root / "landing" / name).mkdir(parents=True)
        if form == "jsonl":
            (root / "landing" / name / "a.jsonl").write_text('{"id": "a", "text": "a text"}\n')
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["b"], "text": ["a text"]}), root / "landing" / "tables" / "a.parquet")
    walk(root, {"lines": "jsonl", "tables": "parquet"})


def held_bytes() -> int:
    """Address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    lake, headroom = Path(sys.argv[1]), int(sys.argv[2])
    warm_up(lake / "small")
    allowed = held_bytes() + headroom
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    walk(lake / "large", {"lines": "jsonl", "tables": "parquet"})
