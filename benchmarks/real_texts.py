"""Real texts of many kinds, read from the samples kept beside the repository (shared/data); nothing is copied."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import zstandard

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def rows(path: Path) -> Iterator[dict[str, object]]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            yield json.loads(line)


def _strings(row: dict[str, object]) -> str:
    """Every string of a record, one paragraph each."""
    parts: list[str] = []
    for value in row.values():
        if isinstance(value, str):
            parts.append(value)
        elif isinstance(value, list):
            parts += [item for item in value if isinstance(item, str)]
    return "\n".join(parts)


def reuters_news(folder: Path = DATA) -> Iterator[str]:
    """News with their header lines, 139 MB in all."""
    for year in range(2006, 2010):
        for row in rows(folder / "finance_en" / f"reuters_news_{year}.jsonl.zst"):
            yield str(row["raw"])


def novels(folder: Path = DATA) -> Iterator[str]:
    """English novels, about 0.8 MB each."""
    for row in rows(folder / "general_en" / "english_novels_50.jsonl.zst"):
        yield str(row["raw"])


def pages(folder: Path = DATA) -> Iterator[str]:
    """HTML as it was served: markup, scripts, cookie banners."""
    with gzip.open(folder / "web" / "trafilatura_eval_pages.warc.gz") as file:
        content = file.read()
    for record in content.split(b"WARC/1.")[1:]:
        payload = record.split(b"\r\n\r\n", 2)
        if len(payload) == 3 and b"<" in payload[2]:
            yield payload[2].decode("utf-8", "ignore")


def mixture(folder: Path = DATA) -> Iterator[str]:
    """About 24,000 documents of every kind, each source cut to a share."""
    yield from islice(reuters_news(folder), 0, 36_000, 4)
    yield from islice(novels(folder), 2)
    # single lines, for the rules that whole documents here never meet: trailing ellipses, words without an end
    yield from (line for novel in novels(folder) for line in novel.split("\n") if line.rstrip().endswith("..."))
    yield from islice((line for page in pages(folder) for line in page.split("\n") if "base64," in line), 200)
    yield from (page for page in pages(folder) if len(page) < 30_000)
    chinese = rows(folder / "news_zh" / "xinwenlianbo_to_2024.jsonl.zst")
    yield from (str(row["raw"]) for row in islice(chinese, 0, 825, 8))
    for path, limit in (
        ("finance_zh/fincuge_text_tasks.jsonl.zst", 5000),
        ("preference/hh_rlhf_harmless_test.jsonl.zst", 2312),
        ("preference/alpaca_eval_vicuna-7b-v1.5.jsonl.zst", 805),
        ("cot/gsm8k.jsonl.zst", 3000),
        ("rubric/writingbench_length_subset.jsonl.zst", 222),
        ("rubric/biggen_bench.jsonl.zst", 695),
        ("eval_qa/finqa_valid.jsonl.zst", 883),
        ("eval_qa/cmmlu_control_nonfinance.jsonl.zst", 815),
    ):
        yield from islice(map(_strings, rows(folder / path)), limit)
