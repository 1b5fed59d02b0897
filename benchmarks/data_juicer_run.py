"""Data-Juicer's operators over the texts of a JSON file (a list); run by .venv-data-juicer, never by .venv.

.venv-data-juicer/bin/python benchmarks/data_juicer_run.py JOB TEXTS.json MODEL.ftz

Operators are called directly on batches of 1,000, its default, in one process; its executor, its configuration and the
export of the result are left out, which favours it. Deduplicators need a ``datasets.Dataset``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data_juicer.utils.constant import Fields
from loguru import logger

BATCH = 1000


def mapped(texts: Sequence[str], operators: Sequence[Any]) -> int:
    """How many texts the mappers change."""
    changed = 0
    for start in range(0, len(texts), BATCH):
        samples: dict[str, Any] = {"text": list(texts[start : start + BATCH])}
        for operator in operators:
            samples = operator.process_batched(samples)
        changed += sum(new != old for new, old in zip(samples["text"], texts[start : start + BATCH], strict=True))
    return changed


def filtered(texts: Sequence[str], operators: Sequence[Any]) -> int:
    """How many texts every filter keeps."""
    kept = 0
    for start in range(0, len(texts), BATCH):
        part = list(texts[start : start + BATCH])
        samples: dict[str, Any] = {"text": part, Fields.stats: [{} for _ in part]}
        keep = [True] * len(part)
        for operator in operators:
            samples = operator.compute_stats_batched(samples)
            keep = [one and bool(other) for one, other in zip(keep, operator.process_batched(samples), strict=True)]
        kept += sum(keep)
    return kept


def deduplicated(texts: Sequence[str], operator: Any) -> int:
    """How many texts stay."""
    from datasets import Dataset

    hashed = [operator.compute_hash({"text": text}) for text in texts]
    kept, _ = operator.process(Dataset.from_list(hashed))
    return len(kept)


def job(name: str, model: str) -> Callable[[Sequence[str]], int]:
    from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
    from data_juicer.ops.filter.alphanumeric_filter import AlphanumericFilter
    from data_juicer.ops.filter.language_id_score_filter import LanguageIDScoreFilter
    from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
    from data_juicer.ops.filter.word_repetition_filter import WordRepetitionFilter
    from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
    from data_juicer.ops.mapper.clean_ip_mapper import CleanIpMapper
    from data_juicer.ops.mapper.fix_unicode_mapper import FixUnicodeMapper
    from data_juicer.utils import model_utils

    model_utils.check_model = lambda *_, **__: model
    if name == "unicode":
        return lambda texts: mapped(texts, [FixUnicodeMapper()])
    if name == "characters":
        return lambda texts: filtered(texts, [AlphanumericFilter(min_ratio=0.25), SpecialCharactersFilter()])
    if name == "repetition":
        return lambda texts: filtered(texts, [WordRepetitionFilter()])
    if name == "language":
        identify = LanguageIDScoreFilter(lang="en", min_score=0.65)
        return lambda texts: filtered(texts, [identify])
    if name == "pii":
        return lambda texts: mapped(texts, [CleanEmailMapper(), CleanIpMapper()])
    if name == "exact":
        return lambda texts: deduplicated(texts, DocumentDeduplicator(lowercase=True))
    if name == "minhash":
        return lambda texts: deduplicated(
            texts, DocumentMinhashDeduplicator(num_permutations=112, num_bands=14, num_rows_per_band=8)
        )
    raise SystemExit(f"no job {name}")


def main() -> None:
    name, source, model = sys.argv[1:]
    logger.remove()
    texts: list[str] = json.loads(Path(source).read_text())
    work = job(name, model)
    work(texts[:50])  # loads what is loaded at the first call
    started = time.process_time()
    result = work(texts)
    print(json.dumps({"result": result, "cpu_s": time.process_time() - started, "startup_cpu_s": started}))


if __name__ == "__main__":
    main()
