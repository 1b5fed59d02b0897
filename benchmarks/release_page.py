"""What evidence costs: the VALID² card and the page of a release of a million records of a kilobyte each.

    PYTHONPATH=. python benchmarks/release_page.py [--records 1000000] [--root FOLDER]

The corpus is made here (words of a seeded vocabulary, Zipf-distributed; 24 months, planted duplicates and short
records) and taken through the whole recipe by `winnowry run`; a folder given by ``--root`` is used again. Then, in a
fresh process each: the card alone, and the page with its facts. Seconds include the start of Python and all imports.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RECIPE = """\
version: 1
corpus: bench
description: words of a made vocabulary
owner: benchmarks
sources:
  - {name: words, uri: "landing/bench/*.jsonl.gz", format: jsonl, license: CC0-1.0,
     fields: {id: id, text: text, event_time: at}, partition: {by: event_time, every: month}}
clean:
  - {op: text.normalize_unicode}
  - {op: text.length, min_words: 20}
  - {op: dedup.exact}
score:
  - {op: score.token_count}
  - {op: score.readability}
  - {op: score.formatting_noise}
  - {op: score.knowledge_density}
  - {op: score.compression}
  - {op: score.token_fertility}
sample: {method: cdf, by: knowledge_density, token_fraction: 0.9, seed: 7}
"""
MONTHS = tuple(f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13))
CARD = """
from winnowry.releases.releases import find_release
from winnowry.evidence.valid2.card import release_card
from winnowry.lakehouse.workspace import Workspace
from winnowry.recipe.load import load_recipe
ws = Workspace.open(root)
recipe = load_recipe(root + "/recipe.yaml")
view = ws.lake.open("bench", "published", "v1")
card = release_card(ws, recipe, view, find_release(ws, "bench", "v1").promotion_id)
print(f"{card['rows']:,} rows; grade {card['grade']['worst']} {card['grade']['score']:.2f}")
"""
PAGE = """
from winnowry.releases.documents import rendered
from winnowry.releases.facts.facts import release_facts
from winnowry.releases.releases import find_release
from winnowry.lakehouse.workspace import Workspace
ws = Workspace.open(root)
page = rendered(release_facts(ws, "bench", find_release(ws, "bench", "v1")), ".html")
print(f"page {len(page.encode()) / 1e6:.2f} MB")
"""


def land(root: Path, records: int) -> None:
    """Write the corpus, a file a month."""
    rng = np.random.default_rng(5)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = np.array(["".join(rng.choice(letters, size)) for size in rng.integers(2, 10, 20_000)])
    folder = root / "landing" / "bench"
    folder.mkdir(parents=True)
    share = records // len(MONTHS)
    for month in MONTHS:
        picked = words[np.minimum(rng.zipf(1.3, share * 165) - 1, len(words) - 1)].reshape(share, 165)
        lines = []
        for n, row in enumerate(picked):
            text = " ".join(row)[:1000] if n % 50 else " ".join(row[:10])  # one of fifty is short
            if n % 40 == 1:
                text = (lines and json.loads(lines[-1])["text"]) or text  # one of forty repeats the one before
            said = {"id": f"{month}-{n}", "text": text, "at": f"{month}-{1 + n % 28:02}"}
            lines.append(json.dumps(said))
        (folder / f"{month}.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 1, mtime=0))
    (root / "recipe.yaml").write_text(RECIPE)


def measured(code: str, root: Path) -> str:
    """Run code in a fresh process: wall and CPU seconds, peak memory, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    tail = "import resource\nprint(f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1048576:.2f} GiB')"
    said = subprocess.run(
        [sys.executable, "-c", f"root = {str(root)!r}\n{code}\n{tail}"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall:7.1f} s {cpu:7.1f} CPU s   peak {said[1]}   {said[0]}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--root", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = (arguments.root or Path(scratch)).resolve()
        if not (root / "bench").is_dir():
            land(root, arguments.records)
            begun = time.perf_counter()
            where = [str(root / "recipe.yaml"), "--root", str(root), "--without-dagster", "--json"]
            command = [sys.executable, "-m", "winnowry.cli.main", "run", *where]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            print(f"{arguments.records:,} records, raw to published: {time.perf_counter() - begun:.0f} s")
        print("card", measured(CARD, root))
        print("page", measured(PAGE, root))


if __name__ == "__main__":
    main()
