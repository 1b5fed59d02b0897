"""How much of score.grammatical_complexity is length: Spearman's rho with words, with and without control.

    python -m benchmarks.complexity_length [--texts 120]

Three corpora, kept beside the repository and shipped with a dependency: Reuters news, passages of novels of very
different lengths, pages of the AWS API reference. Statistics are fitted on the texts that are scored, as the stage
`fit` does; normalise: robust. Texts under 30 words are left out.
"""

from __future__ import annotations

import argparse
import os
import platform
from itertools import islice

import numpy as np
import pyarrow as pa

from benchmarks.complexity_cascade import batch_of, passages
from benchmarks.complexity_tiers import demo_pages
from benchmarks.real_texts import reuters_news
from winnowry.operators.scoring.correlation import spearman
from winnowry.operators.scoring.grammatical_complexity import WINDOW_WORDS, GrammaticalComplexity
from winnowry.operators.scoring.lexical import lexical_components
from winnowry.operators.scoring.parsers.english_spacy import SpacyEnglish
from winnowry.operators.scoring.trees import flag_names, flatten, parsed_components

CONTROLS = ("none", "residual", "fixed_window")


def measured_parsed(texts: list[str]) -> dict[str, pa.Table]:
    """Components of tier parsed for each control, from one parse."""
    flat = flatten(SpacyEnglish().parse(texts), "penn")
    tables = {}
    for control in CONTROLS:
        found, flags = parsed_components(flat, window=WINDOW_WORDS if control == "fixed_window" else 0)
        columns = [pa.array(column, from_pandas=True) for column in found.T]
        schema = GrammaticalComplexity.model_validate({"tier": "parsed"}).components()
        tables[control] = pa.table([*columns, pa.array(flag_names(flags), pa.string())], schema=schema)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=120)
    n = parser.parse_args().texts
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    corpora = {
        "Reuters news": list(islice(reuters_news(), 0, n * 150, 150)),
        "novels": passages(n),
        "AWS reference": demo_pages(n),
    }
    for name, texts in corpora.items():
        n_words = lexical_components(pa.array(texts, pa.large_string()))[:, 3]
        texts = [text for text, words in zip(texts, n_words, strict=True) if words >= 30]
        n_words = n_words[n_words >= 30]
        low, middle, high = np.quantile(n_words, [0.05, 0.5, 0.95])
        print(f"{name}: {len(texts)} texts of {low:.0f} to {high:.0f} words (5 % to 95 %), median {middle:.0f}")
        parsed = measured_parsed(texts)
        for tier in ("lexical", "tagged", "parsed"):
            rho = []
            for control in CONTROLS:
                operator = GrammaticalComplexity.model_validate({"tier": tier, "length_control": control})
                table = parsed[control] if tier == "parsed" else pa.table(operator.measure(batch_of(texts)))
                score = operator.combine(table, operator.fit(table))["gc"].to_numpy()
                rho.append(f"{control} {spearman(score, n_words):+.2f}")
            print(f"  {tier:<8} {', '.join(rho)}")


if __name__ == "__main__":
    main()
