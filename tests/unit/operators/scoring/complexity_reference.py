"""The formulas of Ying et al. 2025 in plain Python, independent of winnowry: what `mode: paper` must equal.

A parse is a list of sentences, a sentence a list of (form, tag, head, label), heads counted from 1, 0 the root.
"""

from __future__ import annotations

import math
from collections import Counter, deque

Token = tuple[str, str, int, str]
Sentence = list[Token]

PENN_CONTENT = {
    "NN", "NNS", "NNP", "NNPS", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "JJ", "JJR", "JJS", "RB", "RBR", "RBS",
}  # fmt: skip
JIEBA_CONTENT = {
    "n", "v", "a", "m", "q", "d", "b", "r", "t", "s", "f", "an", "nr", "nrfg", "nrt", "ns", "nt", "nz", "vn",
}  # fmt: skip
NAMES = ("con_ent", "pos_ent", "dep_ent", "avg_dep_height", "avg_dep_dis")


def entropy(things: list[str]) -> float:
    shares = [count / len(things) for count in Counter(things).values()]
    return -sum(share * math.log2(share) for share in shares)


def height(heads: list[int]) -> int:
    """Breadth first from the roots; every token must be reached."""
    children: dict[int, list[int]] = {}
    for token, head in enumerate(heads, 1):
        children.setdefault(head, []).append(token)
    reached, deepest = 0, 0
    level = deque([(root, 0) for root in children[0]])
    while level:
        token, depth = level.popleft()
        reached, deepest = reached + 1, max(deepest, depth)
        level.extend((child, depth + 1) for child in children.get(token, []))
    assert reached == len(heads), heads
    return deepest


def five_components(parse: list[Sentence], content_tags: set[str] = PENN_CONTENT) -> tuple[float, ...]:
    """con_ent, pos_ent, dep_ent, avg_dep_height, avg_dep_dis of a text of at least one arc."""
    words = [(form, tag) for sentence in parse for form, tag, _, _ in sentence if any(c.isalpha() for c in form)]
    heads = [[head for _, _, head, _ in sentence] for sentence in parse]
    distances = [abs(at - head) for tree in heads for at, head in enumerate(tree, 1) if head]
    return (
        entropy([form for form, tag in words if tag in content_tags]),
        entropy([tag for _, tag in words]),
        entropy([label for sentence in parse for _, _, _, label in sentence]),
        sum(height(tree) for tree in heads) / len(parse),
        sum(distances) / sum(len(tree) - 1 for tree in heads),
    )


def complexity(pool: list[tuple[float, ...]]) -> list[float]:
    """GC of every text of a pool: 0.2 of each component, min-max over the pool."""
    scores = [0.0] * len(pool)
    for values in zip(*pool, strict=True):
        low, high = min(values), max(values)
        for row, value in enumerate(values):
            scores[row] += 0.2 * ((value - low) / (high - low) if high != low else 0.0)
    return scores


def conllu(parse: list[Sentence]) -> str:
    lines = []
    for sentence in parse:
        for at, (form, tag, head, label) in enumerate(sentence, 1):
            lines.append(f"{at}\t{form}\t_\t_\t{tag}\t_\t{head}\t{label}\t_\t_")
        lines.append("")
    return "\n".join(lines) + "\n"
