"""What sealing costs: CPU seconds of the same stages with and without seals, and of exports with and without a look.

    PYTHONPATH=. python benchmarks/seals.py [--records 20000] [--rounds 3]

Both sides do the same work in this process, in turn, each on a lake of its own; the first round warms up and does not
count. Printed is the ratio of the sums, and the spread of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from expectations.registry import suites_for
from winnowry.lakehouse.seal import RowDigest
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import load_recipe
from winnowry.releases.export import export
from winnowry.stages.graph import stages_in
from winnowry.stages.run import run_stage

RECIPE = """version: 1
corpus: c
sources:
  - {name: s, uri: "landing/*.jsonl", fields: {id: id, text: text, event_time: t}, partition: {every: year}}
clean:
  - {op: text.length, min_words: 5}
score:
  - {op: score.token_count}
sample: {method: uniform, token_fraction: 1.0}
"""


def land(root: Path, n_records: int) -> None:
    """Records of about 2 kB that no compression makes small."""
    rng = random.Random(1)
    words = [f"w{rng.randrange(10**7)}" for _ in range(50_000)]
    (root / "landing").mkdir(parents=True)
    with (root / "landing" / "a.jsonl").open("w") as file:
        for n in range(n_records):
            file.write(
                json.dumps({"id": str(n), "t": "2024-01-01", "text": " ".join(rng.choices(words, k=250))}) + "\n"
            )
    (root / "r.yaml").write_text(RECIPE)


def stages(root: Path) -> float:
    """CPU seconds of every stage."""
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "r.yaml")
    started = time.process_time()
    for stage in stages_in(recipe):
        for key in partitions_of(ws, recipe) if stage.partitioned else [None]:
            run_stage(ws, recipe, stage.name, key, suites=suites_for, run_id="b")
    return time.process_time() - started


def exported(root: Path, out: Path) -> float:
    """CPU seconds of an export."""
    started = time.process_time()
    export(Workspace.open(str(root)), "c", "jsonl", str(out))
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"sealed": [], "bare": [], "export": [], "export without a look": []}
    for round_ in range(arguments.rounds + 1):
        for side in ("sealed", "bare"):
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                land(root, arguments.records)
                nothing = (
                    patch("winnowry.promotion.driver.seal_files", lambda *_: {}),
                    patch("winnowry.lakehouse.seal.seal_files", lambda *_: {}),
                    patch.object(RowDigest, "add", lambda *_: None),
                )
                for one in nothing if side == "bare" else ():
                    one.start()
                spent = stages(root)
                patch.stopall()
                if side == "sealed":
                    looked = exported(root, root / "out-1")
                    with patch("winnowry.releases.export.damaged_files", lambda *_: []):
                        unlooked = exported(root, root / "out-2")
            if round_:
                times[side].append(spent)
                if side == "sealed":
                    times["export"].append(looked)
                    times["export without a look"].append(unlooked)
    for name, values in times.items():
        print(f"{name}: {sum(values) / len(values):.2f} CPU s ({min(values):.2f} to {max(values):.2f})")
    print(f"sealing: {100 * (sum(times['sealed']) / sum(times['bare']) - 1):+.1f} % of the stages")
    print(f"export: {100 * (sum(times['export']) / sum(times['export without a look']) - 1):+.1f} %")


if __name__ == "__main__":
    main()
