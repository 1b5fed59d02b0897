"""How much of the main text of web pages is kept, how much boilerplate comes with it, and what that costs.

    python benchmarks/extraction.py --warc PAGES.warc.gz --labels LABELS.json [--peers]

Pages and labels are those of trafilatura's own evaluation: for each page strings that the text must hold and strings
that it must not. A wanted string that is there is a true positive, an unwanted one a false positive. Every method gets
the same decoded page; `--peers` also calls trafilatura and resiliparse directly, as their own documentation does.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from winnowry.operators.text.extract_html import ExtractHtml
from winnowry.sources.base import ReadLimits, Record
from winnowry.sources.warc import Warc

Extract = Callable[[str], str | None]
Labels = Mapping[str, Mapping[str, list[str]]]


def pages_of(path: Path) -> dict[str, str]:
    with path.open("rb") as stream:
        records = [item for item in Warc().read(stream, path.name, ReadLimits()) if isinstance(item, Record)]
    return {str(record.data["url"]).strip(): str(record.data["text"]) for record in records}


def operator(**parameters: str) -> Extract:
    chosen = ExtractHtml.model_validate(parameters)

    def extract(page: str) -> str | None:
        batch = pa.record_batch([pa.array([page], pa.large_string())], names=["text"])
        found: str | None = chosen.apply(batch).column(0)[0].as_py()
        return found

    return extract


def peers() -> dict[str, Extract]:
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    return {
        "trafilatura, default": lambda page: trafilatura.extract(page, include_comments=False),
        "trafilatura, precision": lambda page: trafilatura.extract(page, favor_precision=True, include_comments=False),
        "trafilatura, fast": lambda page: trafilatura.extract(page, fast=True, include_comments=False),
        "resiliparse, main content": lambda page: extract_plain_text(page, main_content=True),
        "resiliparse, all text": lambda page: extract_plain_text(page),
    }


def report(name: str, extract: Extract, pages: Mapping[str, str], labels: Labels) -> None:
    extract("<html><body><p>Warm up.</p></body></html>")
    start = time.process_time()
    texts = {url: extract(pages[url]) or "" for url in labels}
    seconds = time.process_time() - start
    kept = sum(text in texts[url] for url, label in labels.items() for text in label["with"])
    wanted = sum(len(label["with"]) for label in labels.values())
    wrong = sum(text in texts[url] for url, label in labels.items() for text in label["without"])
    precision, recall = kept / (kept + wrong), kept / wanted
    megabytes = sum(len(pages[url].encode()) for url in labels) / 1e6
    print(
        f"{name:<28} precision {precision:.3f}  recall {recall:.3f}  F1 {2 * kept / (kept + wrong + wanted):.3f}  "
        f"empty {sum(not text for text in texts.values()):>3}  CPU {seconds:6.1f} s  {megabytes / seconds:6.1f} MB/s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--warc", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--peers", action="store_true")
    arguments = parser.parse_args()
    pages = pages_of(arguments.warc)
    stored: Labels = json.loads(arguments.labels.read_text(encoding="utf-8"))
    labels = {url.strip(): label for url, label in stored.items() if url.strip() in pages}
    print(f"{platform.machine()}, trafilatura {version('trafilatura')}, resiliparse {version('resiliparse')}")
    print(f"{len(labels)} of {len(stored)} labelled pages")
    for mode in ("fast", "precise"):
        report(f"text.extract_html, {mode}", operator(mode=mode), pages, labels)
    report("text.extract_html, all text", operator(main_content="never"), pages, labels)
    if arguments.peers:
        for name, extract in peers().items():
            report(name, extract, pages, labels)


if __name__ == "__main__":
    main()
