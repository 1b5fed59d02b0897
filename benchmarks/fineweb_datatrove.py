"""datatrove's FineWeb pipeline over a JSON-lines file, in one process; run by .venv-peers, never by .venv.

    .venv-peers/bin/python benchmarks/fineweb_datatrove.py TEXTS.jsonl [lid.176.ftz]

Filters in FineWeb's order, the first that rejects a document ends it; then MinHash over what stays, then PII. No
executor and no writer: each would only make it slower. The language filter takes part where a model is given and the
packages fasttext-numpy2-wheel and fasteners are importable (datatrove itself downloads the larger lid.176.bin).
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.utils import lid
from dedup_datatrove import documents, minhash


def identifier(model: str) -> LanguageFilter | None:
    """English of at least 0.65 by the model's file; None where its library is not here."""
    if importlib.util.find_spec("fasttext") is None or importlib.util.find_spec("fasteners") is None:
        return None
    lid.cached_asset_path_or_download = lambda *_, **__: model
    one = LanguageFilter(languages=["en"], language_threshold=0.65)
    one.filter(Document(text="A sentence to start with, and another.", id="warm"))  # loads the model
    return one


def main() -> None:
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # the mean of no words
    formatter, pii = FTFYFormatter(), PIIFormatter()
    chain = [
        GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]  # fmt: skip
    for one in chain:  # loads the tokeniser
        one.filter(Document(text="A sentence to start with, and another. " * 20, id="warm"))
    language = identifier(sys.argv[2]) if len(sys.argv) > 2 else None
    if language is not None:
        chain.insert(0, language)
    startup = time.process_time()
    seconds = {"filters": 0.0, "minhash": 0.0, "pii": 0.0}
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        texts = [formatter.format(json.loads(line)["text"]) for line in lines]
    passing = [doc.text for doc in documents(texts) if all(one.filter(doc) is True for one in chain)]
    seconds["filters"] = time.process_time() - startup
    with tempfile.TemporaryDirectory() as folder:
        kept, spent = minhash(passing, Path(folder), None)
    seconds["minhash"] = spent["cpu_seconds"]
    start = time.process_time()
    for doc in kept:
        pii.format(doc.text)
    seconds["pii"] = time.process_time() - start
    print(json.dumps({"startup_cpu_s": startup, "cpu_s": seconds, "passing": len(passing), "kept": len(kept),
                      "language": language is not None}))  # fmt: skip


if __name__ == "__main__":
    main()
