"""datatrove's deduplication of the texts of an Arrow file, in one process; run by .venv-peers, never by .venv.

.venv-peers/bin/python benchmarks/dedup_datatrove.py minhash|exact|exact-normalised TEXTS.arrow OUT.json [RUST_TOOL]

RUST_TOOL is the program ``local`` built from src/datatrove/tools/fast_mh3 of datatrove's repository; with it the groups
of MinHash are made by that instead of the step in Python.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pyarrow as pa

# datatrove's package of deduplication imports it, for a step that is not used here
sys.modules.setdefault("tokenizers", MagicMock())
sys.modules.setdefault("tokenizers.processors", MagicMock())

from datatrove.data import Document  # noqa: E402
from datatrove.pipeline.dedup import (  # noqa: E402
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.utils.hashing import HashConfig  # noqa: E402

# what FineWeb was made with; with xxhash 4 the default of datatrove 0.10 does not run
HASH = HashConfig(hash_fc="sha1")


def documents(texts: list[str]) -> Iterator[Document]:
    for number, text in enumerate(texts):
        yield Document(text=text, id=str(number))


def cpu_seconds() -> float:
    """Of this process and those it has waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def minhash(texts: list[str], folder: Path, rust: str | None) -> tuple[list[Document], dict[str, float]]:
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HASH)
    signature = MinhashDedupSignature(str(folder / "sigs"), config)
    signature.word_tokenizer.word_tokenize("load the tokeniser before the clock starts")
    start = cpu_seconds()
    signature.run(documents(texts))
    signed = cpu_seconds()
    for bucket in range(config.num_buckets):
        step = MinhashDedupBuckets(str(folder / "sigs"), str(folder / "buckets"), config=config)
        step.run(None, bucket, config.num_buckets)
    if rust is None:
        cluster = MinhashDedupCluster(str(folder / "buckets"), str(folder / "remove"), config=config)
        cluster.run()
    else:
        folders = ["--input-folder", str(folder / "buckets"), "--output-folder", str(folder / "remove")]
        subprocess.run([rust, *folders, "--total-files", str(config.num_buckets)], check=True, capture_output=True)
    grouped = cpu_seconds()
    kept = list(MinhashDedupFilter(str(folder / "remove")).run(documents(texts)))
    return kept, {"cpu_seconds": cpu_seconds() - start, "groups_cpu_seconds": grouped - signed}


def raw(doc: Document) -> str:
    return doc.text


def normalised(doc: Document) -> str:
    return " ".join(doc.text.lower().split())


def exact(texts: list[str], folder: Path, content: Any) -> tuple[list[Document], dict[str, float]]:
    config = ExactDedupConfig(content_getter=content, hash_config=HASH)
    start = time.process_time()
    ExactDedupSignature(str(folder / "sigs"), config).run(documents(texts))
    ExactFindDedups(str(folder / "sigs"), str(folder / "dups"), config=config).run()
    kept = list(ExactDedupFilter(str(folder / "dups"), config=config).run(documents(texts)))
    return kept, {"cpu_seconds": time.process_time() - start}


def main() -> None:
    method, source, out, *rust = sys.argv[1:]
    with pa.memory_map(source) as file:
        texts = pa.ipc.open_file(file).read_all()["text"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        if method == "minhash":
            kept, seconds = minhash(texts, Path(folder), rust[0] if rust else None)
        else:
            kept, seconds = exact(texts, Path(folder), raw if method == "exact" else normalised)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"kept": [doc.id for doc in kept], **seconds, "peak_mib": peak, "hash": HASH.hash_fc}
    Path(out).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
