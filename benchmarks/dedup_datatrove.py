"""datatrove's deduplication of the texts of an Arrow file, in one process; run by .venv-peers, never by .venv.

.venv-peers/bin/python benchmarks/dedup_datatrove.py minhash|exact|exact-normalised TEXTS.arrow OUT.json
"""

from __future__ import annotations

import json
import resource
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


def minhash(texts: list[str], folder: Path) -> tuple[list[Document], float]:
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HASH)
    signature = MinhashDedupSignature(str(folder / "sigs"), config)
    signature.word_tokenizer.word_tokenize("load the tokeniser before the clock starts")
    start = time.process_time()
    signature.run(documents(texts))
    for bucket in range(config.num_buckets):
        step = MinhashDedupBuckets(str(folder / "sigs"), str(folder / "buckets"), config=config)
        step.run(None, bucket, config.num_buckets)
    MinhashDedupCluster(str(folder / "buckets"), str(folder / "remove"), config=config, save_cluster_id=True).run()
    kept = list(MinhashDedupFilter(str(folder / "remove"), load_cluster_ids=True).run(documents(texts)))
    return kept, time.process_time() - start


def raw(doc: Document) -> str:
    return doc.text


def normalised(doc: Document) -> str:
    return " ".join(doc.text.lower().split())


def exact(texts: list[str], folder: Path, content: Any) -> tuple[list[Document], float]:
    config = ExactDedupConfig(content_getter=content, hash_config=HASH)
    start = time.process_time()
    ExactDedupSignature(str(folder / "sigs"), config).run(documents(texts))
    ExactFindDedups(str(folder / "sigs"), str(folder / "dups"), config=config).run()
    kept = list(ExactDedupFilter(str(folder / "dups"), config=config).run(documents(texts)))
    return kept, time.process_time() - start


def main() -> None:
    method, source, out = sys.argv[1:]
    with pa.memory_map(source) as file:
        texts = pa.ipc.open_file(file).read_all()["text"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        if method == "minhash":
            kept, seconds = minhash(texts, Path(folder))
        else:
            kept, seconds = exact(texts, Path(folder), raw if method == "exact" else normalised)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = {doc.id: int(doc.metadata.get("minhash_cluster_id", -1)) for doc in kept}
    Path(out).write_text(json.dumps({"kept": rows, "cpu_seconds": seconds, "peak_mib": peak, "hash": HASH.hash_fc}))


if __name__ == "__main__":
    main()
