"""The five components from parses: compiled loop against the released method's stages in plain Python, same parses.

    python -m benchmarks.complexity_components [--tokens 500000] [--repeat 3]

Parses: the English treebank kept beside the repository, 20 sentences a text, repeated up to the number of tokens; both
sides hold them in memory (the released stages also write and read JSON lines between them: not counted here). The peer
is a transcription of the formulas stage by stage: filter of words, counters, recursive heights.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.parse_quality import treebank
from winnowry.operators.scoring.parsers.base import Parse, Sentence
from winnowry.operators.scoring.trees import CONTENT_TAGS, flatten, parsed_components


def entropy(counter: Counter[str]) -> float:
    total = sum(counter.values())
    return -sum((count / total) * math.log2(count / total) for count in counter.values()) if total else 0.0


def height(parents: Sequence[int]) -> int:
    known = [-1] * len(parents)

    def of(token: int) -> int:
        if parents[token] == -1:
            return 0
        if known[token] == -1:
            known[token] = of(parents[token]) + 1
        return known[token]

    return max(of(token) for token in range(len(parents)))


def plain(words: list[str], tags: list[str], trees: list[tuple[list[int], Sequence[str]]]) -> list[float]:
    content_tags = CONTENT_TAGS["penn"]
    lettered = [(word, tag) for word, tag in zip(words, tags, strict=True) if any(c.isalpha() for c in word)]
    content = Counter(word for word, tag in lettered if tag in content_tags)
    heights = distance = edges = 0
    labels = Counter(label for _, names in trees for label in names)
    for parents, _ in trees:
        edges += len(parents) - 1
        heights += height(parents)
        for token, parent in enumerate(parents):
            if parent != -1:
                distance += abs(token - parent)
    return [
        entropy(content),
        entropy(Counter(tag for _, tag in lettered)),
        entropy(labels),
        heights / len(trees),
        distance / edges,
    ]


def cpu_seconds(work: Callable[[], object], repeat: int) -> list[float]:
    seconds = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return seconds


def texts_of(sentences: list[Sentence], tokens: int) -> list[Parse]:
    once = [Parse(sentences[at : at + 20]) for at in range(0, len(sentences) - 19, 20)]
    size = sum(len(sentence) for text in once for sentence in text.sentences)
    return once * max(1, tokens // size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    texts = texts_of([*treebank("English", "dev"), *treebank("English", "test")], arguments.tokens)
    n_tokens = sum(len(sentence) for text in texts for sentence in text.sentences)
    plain_texts = [
        (
            [form for sentence in text.sentences for form in sentence.forms],
            [tag for sentence in text.sentences for tag in sentence.xpos],
            [([head - 1 for head in sentence.heads], sentence.deprels) for sentence in text.sentences],
        )
        for text in texts
    ]
    flat = flatten(texts, "penn")
    parsed_components(flat, one_root=True)  # compile
    expected = np.array([plain(*text) for text in plain_texts])
    found = parsed_components(flat, one_root=True)[0][:, :5]
    print(f"{platform.machine()}, {os.cpu_count()} cores; {len(texts)} texts, {n_tokens} tokens")
    print(f"largest difference of a component: {np.abs(expected - found).max():.1e}")
    sides = {
        "released stages, plain Python": lambda: [plain(*text) for text in plain_texts],
        "flat arrays -> components": lambda: parsed_components(flat, one_root=True),
        "parse objects -> flat arrays -> components": lambda: parsed_components(flatten(texts, "penn"), one_root=True),
    }
    base = 0.0
    for name, work in sides.items():
        seconds = cpu_seconds(work, arguments.repeat)
        median = statistics.median(seconds)
        base = base or median
        print(
            f"{name:<44} {median:7.3f} CPU s ({min(seconds):.3f} to {max(seconds):.3f})  "
            f"{n_tokens / median / 1e6:7.2f} M tokens/s  x {base / median:.1f}"
        )


if __name__ == "__main__":
    main()
