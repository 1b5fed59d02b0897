"""What sealing costs: CPU seconds of the stages, and how many of them went into seals; the same of an export.

    PYTHONPATH=. python benchmarks/seals.py [--records 5000] [--rounds 3]

Everything runs in one process and thread, and what is measured is the CPU time of that thread inside the functions that
seal and outside of them: the same work stands on both sides, whatever else the machine does. A round before the first
warms up and does not count. Printed are the ratio of the sums, and the smallest and largest of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from expectations.registry import suites_for
from winnowry.lakehouse import seal
from winnowry.lakehouse.workspace import Workspace
from winnowry.promotion import driver
from winnowry.promotion.partitions import partitions_of
from winnowry.recipe.load import load_recipe
from winnowry.releases import export as exports
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


class Clock:
    """CPU seconds of this thread inside some functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def on(self, *functions: tuple[Any, str]) -> Iterator[Clock]:
        """Measure functions, each given as what holds it and its name."""
        patches = [patch.object(holder, name, self._measured(getattr(holder, name))) for holder, name in functions]
        for one in patches:
            one.start()
        try:
            yield self
        finally:
            for one in patches:
                one.stop()

    def _measured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            started = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.thread_time() - started

        return measured


def stages(root: Path) -> tuple[float, float]:
    """CPU seconds of every stage, and of the seals in them."""
    ws, recipe = Workspace.open(str(root)), load_recipe(root / "r.yaml")
    started = time.process_time()
    sealing = [(holder, "seal_files") for holder in (driver, seal)] + [(driver, "files_of_candidates")]
    digests = [(seal.RowDigest, "add"), (seal.RowDigest, "hexdigest")]
    with Clock().on(*sealing, *digests) as clock:
        for stage in stages_in(recipe):
            for key in partitions_of(ws, recipe) if stage.partitioned else [None]:
                run_stage(ws, recipe, stage.name, key, suites=suites_for, run_id="b")
    return time.process_time() - started, clock.seconds


def exported(root: Path) -> tuple[float, float]:
    """CPU seconds of an export, and of the look at the files that it reads."""
    started = time.process_time()
    with Clock().on((exports, "damaged_files")) as clock:
        exports.export(Workspace.open(str(root)), "c", "jsonl", str(root / "out"))
    return time.process_time() - started, clock.seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["WINNOWRY_WORKERS"] = "1"
    times: dict[str, list[tuple[float, float]]] = {"stages": [], "export": []}
    for round_ in range(arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            land(root, arguments.records if round_ else 100)
            measured = {"stages": stages(root), "export": exported(root)}
        if round_:
            for name, pair in measured.items():
                times[name].append(pair)
                print(f"round {round_}, {name}: {pair[0]:.2f} CPU s, {pair[1]:.3f} of them for seals", flush=True)
    for name, pairs in times.items():
        shares = [seals / (whole - seals) for whole, seals in pairs]
        whole, seals = (sum(column) for column in zip(*pairs, strict=True))
        print(f"{name}: seals add {seals / (whole - seals):.1%} ({min(shares):.1%} to {max(shares):.1%})")


if __name__ == "__main__":
    main()
