"""Dolma's taggers and its Bloom filter over the texts of a JSON file (a list); run by .venv-dolma, never by .venv.

.venv-dolma/bin/python benchmarks/dolma_run.py JOB TEXTS.json MODEL.ftz

Taggers are called directly, in one process; reading, writing and compression of attributes are left out, which favours
it. The Bloom filter is Rust and reads JSON lines: its time is that of a run less that of a run in which every document
is too short to be looked up.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import dolma
from dolma.core import ft_tagger
from dolma.core.data_types import InputSpec
from dolma.core.registry import TaggerRegistry

TAGGERS = {
    "gopher": "gopher_v2",
    "c4": "c4_v2",
    "pii": "pii_regex_with_counts_fast_v2",
    "language": "ft_lang_id_doc_v1",
}


def seconds_of_deduper(folder: Path, texts: Sequence[str], min_length: int) -> float:
    """CPU seconds of one run; attributes are at ``folder``/attributes then."""
    config = {
        "documents": [f"{folder}/documents/*"],
        "dedupe": {
            "name": "exact", "documents": {"attribute_name": "exact", "key": "$.text"}, "skip_empty": True,
            "min_length": min_length, "min_words": 0, "num_partitions": 1, "partition_index": 0,
            "file_partition": False, "document_dir": "documents",
        },
        "bloom_filter": {
            "file": f"{folder}/bloom-{min_length}.bin", "size_in_bytes": 0, "read_only": False,
            "estimated_doc_count": len(texts), "desired_false_positive_rate": 1e-6,
        },
        "work_dir": {"input": f"{folder}/in", "output": f"{folder}/out"},
        "processes": 1, "compression": {"input": None, "output": None}, "is_s3_volume": False,
    }  # fmt: skip
    started = time.process_time()
    dolma.deduper(config)
    return time.process_time() - started


def deduplicated(texts: Sequence[str]) -> tuple[int, float]:
    """How many texts stay, and CPU seconds."""
    seconds = []
    kept = 0
    for min_length in (1 << 40, 0):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for part in ("documents", "attributes", "in", "out"):
                (folder / part).mkdir()
            with (folder / "documents" / "texts.jsonl").open("w") as file:
                for number, text in enumerate(texts):
                    file.write(json.dumps({"id": str(number), "text": text, "source": "news"}) + "\n")
            seconds.append(seconds_of_deduper(folder, texts, min_length))
            lines = next((folder / "attributes").rglob("texts*")).read_text().splitlines()
            kept = sum(not json.loads(line)["attributes"] for line in lines)
    return kept, seconds[1] - seconds[0]


def main() -> None:
    name, source, model = sys.argv[1:]
    texts: list[str] = json.loads(Path(source).read_text())
    if name == "exact":
        kept, seconds = deduplicated(texts)
        print(json.dumps({"result": kept, "cpu_s": seconds, "startup_cpu_s": 0.0}))
        return
    ft_tagger.cached_path = lambda _: model
    tagger = TaggerRegistry.get(TAGGERS[name])()
    rows = [InputSpec(id=str(number), text=text, source="news") for number, text in enumerate(texts)]
    for row in rows[:50]:
        tagger.tag(row)
    started = time.process_time()
    found = sum(bool(tagger.tag(row)) for row in rows)
    print(json.dumps({"result": found, "cpu_s": time.process_time() - started, "startup_cpu_s": started}))


if __name__ == "__main__":
    main()
