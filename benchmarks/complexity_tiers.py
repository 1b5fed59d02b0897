"""How far the lexical tier of score.grammatical_complexity agrees with the tagged one, and what each costs.

    python benchmarks/complexity_tiers.py [--pages 600] [--jsonl FILE --field text]

Texts: pages of the demo corpus (the AWS API reference that botocore ships), evenly spaced, as text; and, where given,
the first texts of a JSONL file (plain, .gz or .zst). Agreement is Spearman's rho over texts of at least 30 words.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import platform
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard

from winnowry.operators.scoring.correlation import spearman
from winnowry.operators.scoring.grammatical_complexity import COMPONENTS, GrammaticalComplexity
from winnowry.operators.scoring.tagged import tagger_version
from winnowry.operators.scoring.token_count import TokenCount
from winnowry.operators.text.extract_html import ExtractHtml

Texts = list[str]


def demo_pages(n: int) -> Texts:
    from winnowry.cli.demo_corpus import api_models, pages_of

    html: Texts = []
    for model in api_models()[::7]:
        html += [str(page["html"]) for page in pages_of(model)]
    chosen = html[:: max(1, len(html) // n)][:n]
    extracted = ExtractHtml().apply(pa.record_batch({"text": pa.array(chosen, pa.large_string())}))
    return [text for text in extracted["text"].to_pylist() if text]


def jsonl_texts(path: Path, field: str, n: int) -> Texts:
    with path.open("rb") as file:
        stream: io.BufferedIOBase = file
        if path.suffix == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(file)
        elif path.suffix == ".gz":
            stream = gzip.GzipFile(fileobj=file)
        lines = io.TextIOWrapper(stream, "utf-8")
        return [str(json.loads(line)[field]) for line in islice(lines, n)]


def report(name: str, texts: Texts) -> None:
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    n_tokens = TokenCount().apply(batch).column(0).to_numpy()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    measured = {}
    for tier in ("lexical", "tagged"):
        operator = GrammaticalComplexity.model_validate({"tier": tier})
        operator.measure(batch.slice(0, 2))  # compile and load
        start, cpu = time.perf_counter(), time.process_time()
        measured[tier] = pa.table(operator.measure(batch))
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        print(f"{name}: {tier:<8} {megabytes / wall:8.2f} MB/s  ({wall:.2f} s, CPU {cpu:.2f} s, {megabytes:.1f} MB)")
    n_words = measured["lexical"]["gc_n_words"].to_numpy()
    kept = np.flatnonzero(n_words >= 30)
    measured = {tier: table.take(kept) for tier, table in measured.items()}
    print(f"{name}: {len(kept)} texts of 30 words or more, median {np.median(n_words[kept]):.0f} words")
    for component in COMPONENTS[:2]:
        columns = [measured[tier][f"gc_{component}"].to_numpy() for tier in ("lexical", "tagged")]
        print(f"  {component}: rho between tiers {spearman(*columns):.2f}")
    for normalise, control in (("minmax", "none"), ("robust", "none"), ("robust", "residual"), ("rank", "residual")):
        scores = {}
        for tier in ("lexical", "tagged"):
            form = {"tier": tier, "normalise": normalise, "length_control": control}
            operator = GrammaticalComplexity.model_validate(form)
            table = measured[tier]
            scores[tier] = operator.combine(table, operator.fit(table))["gc"].to_numpy()
        top = [set(np.argsort(score)[-len(score) // 5 :].tolist()) for score in scores.values()]
        with_length = [spearman(score, n_tokens[kept]) for score in scores.values()]
        print(
            f"  {normalise:<7} {control:<9} rho between tiers {spearman(*scores.values()):.2f}, "
            f"top fifth in common {len(top[0] & top[1]) / len(top[0]):.2f}, "
            f"rho with n_tokens lexical {with_length[0]:+.2f}, tagged {with_length[1]:+.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--jsonl", type=Path)
    parser.add_argument("--field", default="text")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {tagger_version()}")
    report("demo corpus", demo_pages(arguments.pages))
    if arguments.jsonl:
        report(arguments.jsonl.name, jsonl_texts(arguments.jsonl, arguments.field, arguments.pages))


if __name__ == "__main__":
    main()
