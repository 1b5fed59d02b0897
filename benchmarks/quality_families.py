"""Quality as people and as machines experience it: do the scores agree with each other, and with preferences?

    PYTHONPATH=. python benchmarks/quality_families.py [--documents 6000]

Rank correlations (Spearman) between the two families on real English texts, and for pairs of answers of which people
(HH-RLHF harmless, last turn) or a judge (AlpacaEval, GPT-4) preferred one: how often the preferred one has the higher
score, with a 95 % Wilson interval; ties and pairs without a score are left out. Because the longer answer is often
preferred, twice more: the same among pairs of about one length (within a tenth of each other), and the odds ratio for
one standard deviation more of the score in a logistic regression of the preference on the differences of score and of
log length, over all pairs with a score. A score made of nothing but length and noise stands beside them: there it must
come out as a coin and as an odds ratio of 1. MB per CPU second of each operator. Without shared/data nothing is
measured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.real_texts import DATA, novels, pages, reuters_news, rows
from winnowry.operators.base import FittedOperator, Operator
from winnowry.operators.scoring.bits_per_byte import BitsPerByte
from winnowry.operators.scoring.compression import Compression
from winnowry.operators.scoring.correlation import spearman
from winnowry.operators.scoring.distinct_ngrams import DistinctNgrams
from winnowry.operators.scoring.formatting_noise import FormattingNoise
from winnowry.operators.scoring.knowledge_density import KnowledgeDensity
from winnowry.operators.scoring.readability import Readability
from winnowry.operators.scoring.token_count import TokenCount
from winnowry.operators.scoring.token_fertility import TokenFertility
from winnowry.operators.scoring.typing_faults import TypingFaults
from winnowry.operators.text.gopher_repetition import GopherRepetition

PEOPLE = ("readability_flesch", "readability_fog", "formatting_noise", "typing_faults")
MACHINE = (
    "bits_per_byte", "zstd_ratio", "chars_per_token", "duplicate_5gram_chars", "distinct_ngrams", "knowledge_density",
)  # fmt: skip
BATCH = 1024


def english(n: int) -> list[str]:
    """News, pages as text, paragraphs of novels."""
    from winnowry.operators.text.extract_html import ExtractHtml

    html = list(islice(pages(), 400))
    batch = pa.record_batch({"text": pa.array(html, pa.large_string())})
    web = [text for text in ExtractHtml().apply(batch)["text"].to_pylist() if text and len(text) > 200]
    prose = [part for novel in islice(novels(), 4) for part in novel.split("\n\n") if len(part) > 400]
    news = list(islice(reuters_news(), 0, 20 * n, 10))
    return (web + prose[: n // 4] + news)[:n]


def scored(texts: Sequence[str], fit: Any, clock: dict[str, float] | None = None) -> dict[str, np.ndarray]:
    """Every score of every text; NaN where there is none."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*PEOPLE, *MACHINE)}
    operators: list[Operator] = [
        TokenCount(), Readability(), FormattingNoise(), KnowledgeDensity(), Compression(), GopherRepetition(),
        TokenFertility(), BitsPerByte(), TypingFaults(), DistinctNgrams(),
    ]  # fmt: skip
    for start in range(0, len(texts), BATCH):
        batch = pa.record_batch({"text": pa.array(texts[start : start + BATCH], pa.large_string())})
        for operator in operators:
            begun = time.process_time()
            fitted = isinstance(operator, FittedOperator)
            written = operator.apply_fitted(batch, fit) if fitted else operator.apply(batch)
            if clock is not None:
                clock[operator.op] = clock.get(operator.op, 0.0) + time.process_time() - begun
            for name in written.schema.names:
                column = "duplicate_5gram_chars" if name == "repetition_duplicate_5_gram_char_ratio" else name
                if column in found:
                    values = pc.fill_null(pc.cast(written[name], pa.float64()), float("nan"))
                    found[column].append(values.to_numpy(zero_copy_only=False))
            if "n_tokens" in written.schema.names:
                batch = batch.append_column("n_tokens", written["n_tokens"])
    return {name: np.concatenate(parts) for name, parts in found.items() if parts}


def odds(better: np.ndarray, worse: np.ndarray, longer: np.ndarray) -> str:
    """Odds ratio for one standard deviation of a score at equal length, with its 95 % interval.

    Args:
        better: scores of the preferred.
        worse: scores of the others.
        longer: log of how many times the preferred is as long.
    """
    known = ~(np.isnan(better) | np.isnan(worse))
    spread = float(np.std(np.concatenate([better[known], worse[known]])))
    if known.sum() < 30 or spread == 0:
        return "too few pairs"
    # The preferred one stands first in every pair: with both differences and no constant this is the Bradley-Terry
    # likelihood, and turning pairs around would not change it.
    x = np.column_stack([(better - worse)[known] / spread, longer[known]])
    slopes = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ slopes))
        information = (x * (p * (1 - p))[:, None]).T @ x
        step = np.linalg.solve(information, x.T @ (1 - p))
        slopes = slopes + step
        if np.abs(step).max() < 1e-9:
            break
    half = 1.96 * np.sqrt(np.linalg.inv(information)[0, 0])
    return f"{np.exp(slopes[0]):.2f} [{np.exp(slopes[0] - half):.2f}, {np.exp(slopes[0] + half):.2f}]"


def agreement(better: np.ndarray, worse: np.ndarray) -> str:
    """How often the preferred one has the higher score."""
    known = ~(np.isnan(better) | np.isnan(worse)) & (better != worse)
    n, hits = int(known.sum()), int((better > worse)[known].sum())
    if n == 0:
        return "no pairs"
    share, z = hits / n, 1.96
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{share:.3f} [{centre - half:.3f}, {centre + half:.3f}] {n:,}"


def preferences() -> dict[str, tuple[list[str], list[str]]]:
    """Preferred and other answers, by set."""
    last = [
        tuple(str(row[side]).rsplit("\n\nAssistant:", 1)[-1].strip() for side in ("chosen", "rejected"))
        for row in rows(DATA / "preference/hh_rlhf_harmless_test.jsonl.zst")
    ]
    graded = []
    for row in rows(DATA / "preference/alpaca_eval_vicuna-7b-v1.5.jsonl.zst"):
        first, second, grade = str(row["output_1"]), str(row["output_2"]), float(str(row["preference"]))
        if abs(grade - 1.5) > 0.1:
            graded.append((second, first) if grade > 1.5 else (first, second))
    return {
        "people (HH-RLHF harmless)": ([one for one, _ in last], [other for _, other in last]),
        "judge (AlpacaEval, GPT-4)": ([one for one, _ in graded], [other for _, other in graded]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=6000)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"left out: no real data at {DATA}")
        return
    texts = english(arguments.documents)
    model = BitsPerByte()
    sample = pa.record_batch({"text": pa.array(texts[::3], pa.large_string())})
    fit = model.fit(pa.Table.from_batches([model.measure(sample)]))
    scored(texts[:64], fit)  # compile
    clock: dict[str, float] = {}
    found = scored(texts, fit, clock)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} English texts, {megabytes:.1f} MB\n")
    for op, seconds in clock.items():
        print(f"{op:28} {megabytes / seconds:8.1f} MB/CPU s")
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    names = [name for name in (*PEOPLE, *MACHINE) if name in found]
    print("\nSpearman, and with length (characters)")
    print(f"{'':24}" + "".join(f"{name[:14]:>16}" for name in names) + f"{'length':>16}")
    for name in names:
        pairs = [spearman(found[name], found[other]) for other in names] + [spearman(found[name], lengths)]
        print(f"{name:24}" + "".join(f"{value:16.2f}" if value is not None else f"{'-':>16}" for value in pairs))
    for title, (better, worse) in preferences().items():
        both = scored([*better, *worse], fit)
        size = np.log(np.maximum([len(text) for text in (*better, *worse)], 1))
        n = len(better)
        both["length and noise"] = size + np.random.default_rng(0).normal(0, np.std(size), 2 * n)
        longer = size[:n] - size[n:]
        near = np.abs(longer) <= np.log(1.1)
        print(f"\n{title}: {n:,} pairs; the preferred one is longer in {agreement(size[:n], size[n:])}")
        print(f"{'':24}{'share, all pairs':>32}{'share, of about one length':>32}{'odds ratio at equal length':>30}")
        for name in (*names, "length and noise"):
            first, second = both[name][:n], both[name][n:]
            print(
                f"{name:24}{agreement(first, second):>32}{agreement(first[near], second[near]):>32}"
                f"{odds(first, second, longer):>30}"
            )


if __name__ == "__main__":
    main()
