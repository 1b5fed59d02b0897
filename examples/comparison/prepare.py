"""Lands the two corpora that docs/explanation/selection-proof.md compares selections on.

python examples/comparison/prepare.py DATA ROOT

DATA is a folder with the files named below (they come with no copy of winnowry); ROOT is the root of a lake.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a compressed JSONL file."""
    with path.open("rb") as stream:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(stream), encoding="utf-8"):
            yield json.loads(line)


def passages(text: str, words: int) -> Iterator[str]:
    """Paragraphs joined to passages of about so many words."""
    held: list[str] = []
    for paragraph in text.split("\n"):
        held.append(paragraph)
        if sum(len(part.split()) for part in held) >= words:
            yield "\n".join(held)
            held = []


def english(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """News with dates, novels and chat: one in four, so that a proxy is trained in seconds."""
    for year in ("2006", "2007", "2008", "2009"):
        for number, record in enumerate(records(data / f"finance_en/reuters_news_{year}.jsonl.zst")):
            if number % 4 == 0:
                text = "\n".join(line for line in record["raw"].splitlines() if not line.startswith("--"))
                yield "news", {"id": record["id"], "date": record["date"], "text": text}
    for record in records(data / "general_en/english_novels_50.jsonl.zst"):
        for number, text in enumerate(passages(record["raw"], 400)):
            if number % 4 == 0:
                yield "novels", {"id": f"{record['id']}-{number}", "text": text}
    for number, record in enumerate(records(data / "preference/hh_rlhf_harmless_test.jsonl.zst")):
        yield "chat", {"id": f"chat-{number}", "text": record["chosen"]}


def english_target(data: Path) -> Iterator[str]:
    """Paragraphs of financial reports (TAT-QA)."""
    for record in records(data / "eval_qa/tatqa_dev_test.jsonl.zst"):
        yield "\n".join(paragraph["text"] for paragraph in record["paragraphs"])


def chinese(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Television news with dates, financial news and forum posts."""
    for record in records(data / "news_zh/xinwenlianbo_to_2024.jsonl.zst"):
        for number, part in enumerate(record["raw"].split("\n## ")[1:]):
            yield "television", {"id": f"{record['id']}-{number}", "date": record["date"], "text": part}
    for record in records(data / "finance_zh/fincuge_text_tasks.jsonl.zst"):
        if record["task"] in ("finnl", "finfe") and record["fields"]:
            source = "finance_news" if record["task"] == "finnl" else "forum"
            yield source, {"id": record["id"], "text": str(record["fields"][0])}


def chinese_target(data: Path) -> Iterator[str]:
    """Financial news that is summarised (finna): none of it is in the pool."""
    for record in records(data / "finance_zh/fincuge_text_tasks.jsonl.zst"):
        if record["task"] == "finna" and record["fields"]:
            yield str(max(record["fields"], key=len))


def chinese_questions(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Multiple-choice questions about finance, and about other subjects (CMMLU)."""
    for name in ("finance", "control_nonfinance"):
        for record in records(data / f"eval_qa/cmmlu_{name}.jsonl.zst"):
            yield name, {field: record[field] for field in ("question", "choices", "answer")}


def land_questions(root: Path, corpus: str, questions: Iterator[tuple[str, dict[str, Any]]]) -> None:
    """Write a JSONL file a set of questions."""
    folder = root / "landing" / f"{corpus}_questions"
    folder.mkdir(parents=True, exist_ok=True)
    sets: dict[str, list[str]] = {}
    for name, record in questions:
        sets.setdefault(name, []).append(json.dumps(record, ensure_ascii=False))
    for name, lines in sets.items():
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = {name: len(lines) for name, lines in sets.items()}
    sys.stdout.write(f"{corpus}: questions {counts}\n")


def land(root: Path, corpus: str, pool: Iterator[tuple[str, dict[str, Any]]], target: Iterator[str]) -> None:
    """Write a JSONL file a source, and one with the target."""
    folder = root / "landing" / corpus
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for source, record in pool:
        if source not in files:
            (folder / source).mkdir(exist_ok=True)
            files[source] = (folder / source / "part.jsonl").open("w", encoding="utf-8")
        files[source].write(json.dumps(record, ensure_ascii=False) + "\n")
        counts[source] = counts.get(source, 0) + 1
    for file in files.values():
        file.close()
    texts = list(target)
    (root / "landing" / f"{corpus}_target.jsonl").write_text(
        "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), encoding="utf-8"
    )
    sys.stdout.write(f"{corpus}: {counts}, target {len(texts)}\n")


if __name__ == "__main__":
    source, lake = Path(sys.argv[1]), Path(sys.argv[2])
    land(lake, "compare_en", english(source), english_target(source))
    land(lake, "compare_zh", chinese(source), chinese_target(source))
    land_questions(lake, "compare_zh", chinese_questions(source))
