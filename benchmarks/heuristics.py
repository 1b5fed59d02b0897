"""Normalise, Gopher repetition and quality, C4 and FineWeb: megabytes per CPU second, and the ratio to datatrove.

    python benchmarks/heuristics.py [--mb 120] [--peer-documents 1000] [--repeat 3]

Texts are the Reuters news of shared/data (one process, batches of 1,024). datatrove runs in its own environment
(`make peers`) on a random sample of the same documents, its start-up apart, and decides about each document as its
FineWeb recipe does: ftfy, then filters in order, the first that rejects ends it. Ours computes every column of every
operator for every document. Without that environment or the data the part is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from real_texts import DATA, reuters_news

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".venv-peers" / "bin" / "python"


def cut(texts: list[str], megabytes: float) -> list[str]:
    kept, size = [], 0.0
    for text in texts:
        kept.append(text)
        size += len(text.encode()) / 1e6
        if size >= megabytes:
            break
    return kept


def peer_seconds(texts: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.arrow"
        batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        command = [str(PEER), "benchmarks/datatrove_run.py", "time", str(path)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=120)
    parser.add_argument("--peer-documents", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"left out: no real data at {DATA}")
        return
    texts = cut(list(islice(reuters_news(), 60_000)), arguments.mb)
    size = sum(len(text.encode()) for text in texts) / 1e6
    batches = [
        pa.record_batch([pa.array(texts[i : i + 1024], pa.large_string())], names=["text"])
        for i in range(0, len(texts), 1024)
    ]

    before = time.process_time()
    from winnowry.operators.text.c4 import C4
    from winnowry.operators.text.fineweb import FineWeb
    from winnowry.operators.text.gopher_quality import GopherQuality
    from winnowry.operators.text.gopher_repetition import GopherRepetition
    from winnowry.operators.text.normalize_unicode import NormalizeUnicode

    chain = (
        NormalizeUnicode(), GopherRepetition(), GopherQuality(), C4(drop_unterminated_lines=False), FineWeb(),
    )  # fmt: skip
    warm = pa.record_batch([pa.array(["A caf\u00e9.\n- and…"], pa.large_string())], names=["text"])
    for operator in chain:
        operator.apply(warm)
    startup = time.process_time() - before

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{len(texts)} documents, {size:.1f} MB; start-up (imports, compiled code from the cache) {startup:.2f} CPU s"
    )
    seconds: dict[str, list[float]] = {operator.op: [] for operator in chain}
    for _ in range(arguments.repeat):
        taken = dict.fromkeys(seconds, 0.0)
        kept = 0
        for batch in batches:
            passed = pa.array(np.ones(batch.num_rows, dtype=np.bool_))
            for operator in chain:
                begin = time.process_time()
                written = operator.apply(batch)
                for rule in operator.rules():
                    passed = pc.and_(passed, rule.keeps(written[rule.column]))
                taken[operator.op] += time.process_time() - begin
                if "text" in written.schema.names:
                    batch = pa.record_batch([written["text"]], names=["text"])
            kept += passed.true_count
        for op, value in taken.items():
            seconds[op].append(value)
    totals = [sum(values) for values in zip(*seconds.values(), strict=True)]
    for op, values in seconds.items():
        print(f"  {op:24} {size / statistics.median(values):8.1f} MB/CPU s")
    print(
        f"  {'all':24} {size / statistics.median(totals):8.1f} MB/CPU s"
        f" (of {arguments.repeat} runs: {size / max(totals):.1f} to {size / min(totals):.1f}), kept {kept}"
    )
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the texts included")

    if not PEER.exists():
        print("left out: datatrove (make peers)")
        return
    sample = random.Random(7).sample(texts, min(arguments.peer_documents, len(texts)))
    sample_size = sum(len(text.encode()) for text in sample) / 1e6
    peer = peer_seconds(sample)
    rate = sample_size / peer["cpu_s"]
    print(
        f"datatrove 0.10.1 on {len(sample)} of them, {sample_size:.2f} MB: {rate:.3f} MB/CPU s, start-up "
        f"{peer['startup_cpu_s']:.1f} CPU s, kept {peer['kept']:.0f}"
    )
    print(f"ratio {size / statistics.median(totals) / rate:.0f} x")


if __name__ == "__main__":
    main()
