"""What a worker holds has a bound, whatever lands: the stages run in a process with little room."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HEADROOM = 1000 << 20  # bytes, beside what a process holds that has everything imported
PROJECT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="address space is limited as Linux does"),
]


def outcome(root: Path) -> list[list[object]]:
    """Result of the stages over the large lake: stage, status, rows, quarantined rows by reason."""
    command = [sys.executable, "-m", "tests.bounded_memory", str(root), str(HEADROOM)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")][3:]


def test_a_partition_whose_metadata_one_file_and_one_line_are_larger_than_memory(tmp_path: Path) -> None:
    folder = tmp_path / "large" / "landing"
    (folder / "lines").mkdir(parents=True)
    (folder / "tables").mkdir()
    with (folder / "lines" / "metadata.jsonl").open("w") as file:
        for number in range(400):
            meta = f"{number} " * ((1 << 20) // (len(str(number)) + 1))
            file.write(json.dumps({"id": f"m{number}", "text": f"text {number}", "more": meta}) + "\n")
    with (folder / "lines" / "line.jsonl").open("wb") as file:
        file.write(b'{"id": "line", "text": "')
        file.truncate(1200 << 20)
    value = pa.DictionaryArray.from_arrays(pa.array([0] * 260, pa.int32()), pa.array(["x" * 24_000_000]))
    table = pa.table({"id": [str(number) for number in range(260)], "text": value})
    pq.write_table(table, folder / "tables" / "bomb.parquet", compression="zstd", store_schema=False)
    pq.write_table(pa.table({"id": ["t"], "text": ["a text"]}), folder / "tables" / "good.parquet")

    landing, raw, cleaned = outcome(tmp_path)

    refused = {"source.jsonl: over_long_record": 1, "source.parquet: compression_ratio": 1}
    assert landing == ["landing", "promoted", 4, refused]
    assert raw == ["raw", "promoted", 401, {}]
    assert cleaned == ["cleaned", "promoted", 401, {}]


def test_a_partition_of_long_texts_that_are_stored_in_little(tmp_path: Path) -> None:
    folder = tmp_path / "large" / "landing"
    (folder / "lines").mkdir(parents=True)
    (folder / "tables").mkdir()
    pq.write_table(pa.table({"id": ["t"], "text": ["a text"]}), folder / "tables" / "good.parquet")
    with (folder / "lines" / "long.jsonl").open("w") as file:
        for number in range(60):
            file.write(json.dumps({"id": str(number), "text": f"{number} " + "word " * 4_000_000}) + "\n")

    landing, raw, cleaned = outcome(tmp_path)

    assert landing[1:3] == ["promoted", 2]
    assert raw == ["raw", "promoted", 61, {}]
    assert cleaned == ["cleaned", "promoted", 61, {}]
