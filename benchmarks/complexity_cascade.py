"""The cascade of score.grammatical_complexity against parsing every text: agreement, and texts a second.

    python -m benchmarks.complexity_cascade [--texts 1600] [--fit 400] [--timed 100] [--characters 1200]

English texts, kept beside the repository and shipped with a dependency: Reuters news, passages of novels, pages of the
AWS API reference, a third each, cut at a number of characters so that this ends within four minutes. Statistics and
mapping are fitted on the first ones, agreement is measured on the others.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from itertools import islice

import numpy as np
import pyarrow as pa

from benchmarks.complexity_tiers import demo_pages
from benchmarks.real_texts import novels, reuters_news
from winnowry.operators.scoring.correlation import spearman
from winnowry.operators.scoring.grammatical_complexity import GrammaticalComplexity
from winnowry.operators.scoring.parsers.english_spacy import spacy_version

BANDS = ((0.75, 0.85), (0.7, 0.9), (0.6, 0.95), (0.5, 1.0))


def passages(n: int, seed: int = 0) -> list[str]:
    """Passages of novels of 600 to 12,000 characters, cut at line breaks."""
    generator = np.random.default_rng(seed)
    found: list[str] = []
    each = -(-n // 50)
    for novel in novels():
        for _ in range(each):
            start = novel.find("\n", int(generator.integers(0, max(1, len(novel) - 20_000))))
            size = int(np.exp(generator.uniform(np.log(600), np.log(12_000))))
            found.append(novel[start : novel.find("\n", start + size)].strip())
    return found[:n]


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def top_fifth(score: np.ndarray, n_words: np.ndarray) -> set[int]:
    """The highest scores up to a fifth of the words."""
    order = np.argsort(-score, kind="stable")
    return set(order[np.cumsum(n_words[order]) <= 0.2 * n_words.sum()].tolist())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=1600)
    parser.add_argument("--fit", type=int, default=400)
    parser.add_argument("--timed", type=int, default=100)
    parser.add_argument("--characters", type=int, default=1200)
    arguments = parser.parse_args()
    n = -(-(arguments.texts + arguments.fit) // 3)
    texts = [*islice(reuters_news(), 0, 15 * n, 15), *passages(n), *demo_pages(n)]
    texts = [text[: arguments.characters] for text in texts if len(text) > 200]
    texts = [texts[at] for at in np.random.default_rng(0).permutation(len(texts))]
    fit_on, rest = texts[: arguments.fit], texts[arguments.fit :]
    print(f"{platform.machine()}, {os.cpu_count()} cores; {spacy_version()}")
    any_band = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": {}})
    started = time.process_time()
    pool, measured = (pa.table(any_band.measure(batch_of(part))) for part in (fit_on, rest))
    seconds = time.process_time() - started
    n_words = measured["gc_n_words"].to_numpy()
    print(
        f"fitted on {len(fit_on)} texts, measured on {len(rest)}, median {np.median(n_words):.0f} words, "
        f"{(n_words.sum() + pool['gc_n_words'].to_numpy().sum()) / seconds:.0f} words parsed a CPU second"
    )
    for control in ("none", "residual"):
        form = {"tier": "parsed", "length_control": control}
        full = GrammaticalComplexity.model_validate(form)
        truth = full.combine(measured, full.fit(pool))["gc"].to_numpy()
        top = top_fifth(truth, n_words)
        print(f"length_control {control}: agreement with parsing all (rho with words {spearman(truth, n_words):+.2f})")
        for band in BANDS:
            operator = GrammaticalComplexity.model_validate({**form, "cascade": {"band": band}})
            written = operator.combine(measured, operator.fit(pool))
            score = written["gc"].to_numpy()
            if band == BANDS[0]:
                lite = written["gc_lite"].to_numpy()
                print(
                    f"  parser-free alone            rho {spearman(lite, truth):.3f}, "
                    f"top fifth of words in common {len(top & top_fifth(lite, n_words)) / len(top):.2f}"
                )
            parsed = written["gc_parsed"].to_numpy(zero_copy_only=False)
            common = len(top & top_fifth(score, n_words)) / len(top)
            print(
                f"  band {band[0]:.2f} to {band[1]:.2f}, parsed {parsed.mean():4.0%}  "
                f"rho {spearman(score, truth):.3f}, top fifth of words in common {common:.2f}"
            )
    timed = batch_of(rest[: arguments.timed])
    base = 0.0
    for name, cascade in (("parse all", None), *((f"cascade {list(band)}", {"band": band}) for band in BANDS)):
        operator = GrammaticalComplexity.model_validate({"tier": "parsed", "cascade": cascade})
        fit = operator.fit(pool)
        operator.apply_fitted(timed.slice(0, 3), fit)
        started = time.process_time()
        operator.apply_fitted(timed, fit)
        seconds = time.process_time() - started
        base = base or seconds
        print(f"{name:<22} {timed.num_rows / seconds:8.1f} texts a CPU second  x {base / seconds:.1f}")


if __name__ == "__main__":
    main()
