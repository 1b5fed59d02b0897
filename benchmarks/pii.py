"""What text.pii costs and finds on real text, beside datatrove's PII formatter.

    python benchmarks/pii.py FILE [FILE ...] [--field text] [--peers .venv-peers/bin/python] [--megabytes 20]

Files: JSON Lines (plain, .gz or .zst); the field of every line, or all its strings where it has no such field.
Figures are CPU seconds of one process without start-up and compilation, in megabytes of UTF-8. datatrove looks for
e-mail and IPv4 addresses only; `text.pii` for seven kinds. `plain` is the same text without digits and `@`: what a text
without candidates costs.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from winnowry.operators.text.pii import Pii

DATATROVE = """
import json, sys, time
from datatrove.pipeline.formatters import PIIFormatter
texts = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
formatter = PIIFormatter()
formatter.format("a@b.de 61.135.169.121")
begin = time.process_time()
changed = sum(formatter.format(text) != text for text in texts)
print(time.process_time() - begin, changed)
"""


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def read(path: Path, field: str, most: int) -> list[str]:
    texts: list[str] = []
    size = 0
    with path.open("rb") as file:
        stream: Any = file
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(file)
        elif path.suffix == ".gz":
            stream = gzip.GzipFile(fileobj=file)
        for line in io.TextIOWrapper(stream, "utf-8"):
            record = json.loads(line)
            text = record[field] if isinstance(record.get(field), str) else "\n".join(strings(record))
            texts.append(text)
            size += len(text.encode())
            if size >= most:
                break
    return texts


def measure(operator: Pii, texts: list[str]) -> tuple[float, dict[str, int]]:
    """CPU seconds of the fastest of three runs, and finds by column."""
    batches = pa.table({"text": pa.array(texts, pa.large_string())}).to_batches(max_chunksize=1024)
    operator.apply(batches[0].slice(0, 1))
    fastest = float("inf")
    for _ in range(3):
        begin = time.process_time()
        results = [operator.apply(batch) for batch in batches]
        fastest = min(fastest, time.process_time() - begin)
    table = pa.Table.from_batches(results)
    return fastest, {name: sum(table[name].to_pylist()) for name in table.column_names[1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--field", default="text")
    parser.add_argument("--megabytes", type=float, default=20.0)
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers/bin/python"))
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    plain = str.maketrans("", "", "0123456789@")
    for file in arguments.files:
        texts = read(file, arguments.field, int(arguments.megabytes * 1e6))
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        mask, found = measure(Pii(), texts)
        clean, _ = measure(Pii(), [text.translate(plain) for text in texts])
        print(f"{file.name}: {len(texts)} texts, {megabytes:.1f} MB; text.pii {megabytes / mask:.0f} MB/s, ", end="")
        print(f"plain {megabytes / clean:.0f} MB/s; { ({k: n for k, n in found.items() if n}) }")
        if not arguments.peers.exists():
            print(f"  datatrove: not measured, there is no {arguments.peers}")
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as temporary:
            temporary.writelines(json.dumps(text) + "\n" for text in texts)
            temporary.flush()
            done = subprocess.run(
                [arguments.peers, "-c", DATATROVE, temporary.name], capture_output=True, text=True, check=False
            )
        if done.returncode:
            print(f"  datatrove: failed, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        cpu, changed = done.stdout.split()[-2:]
        print(f"  datatrove (email, IPv4): {megabytes / float(cpu):.1f} MB/s, {changed} texts changed")


if __name__ == "__main__":
    main()
