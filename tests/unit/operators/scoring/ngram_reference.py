"""Interpolated modified Kneser-Ney by dictionaries, straight from the formulas of Chen and Goodman (1999)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

BEGIN, END = "<s>", "</s>"
Symbol = int | str


class Reference:
    """Every probability is a sum over dictionaries of n-grams; no node, no sorting, no array."""

    def __init__(self, documents: Sequence[Sequence[int]], order: int, vocabulary_size: int) -> None:
        self.order, self.vocabulary = order, [*range(vocabulary_size), END]
        frequency: Counter[tuple[Symbol, ...]] = Counter()
        for document in documents:
            symbols = [BEGIN, *document, END]
            for n in range(1, order + 1):
                for at in range(len(symbols) - n + 1):
                    frequency[tuple(symbols[at : at + n])] += 1
        del frequency[(BEGIN,)]
        self.counts: dict[tuple[Symbol, ...], int] = {}
        for gram, times in frequency.items():
            if len(gram) == order or gram[0] == BEGIN:
                self.counts[gram] = times
        for n in range(1, order):
            before: dict[tuple[Symbol, ...], set[Symbol]] = {}
            for gram in frequency:
                if len(gram) == n + 1:
                    before.setdefault(gram[1:], set()).add(gram[0])
            for gram, symbols_before in before.items():
                if gram[0] != BEGIN:
                    self.counts[gram] = len(symbols_before)
        self.discounts = [self._discounts(n) for n in range(1, order + 1)]

    def _discounts(self, n: int) -> list[float]:
        of = Counter(count for gram, count in self.counts.items() if len(gram) == n)
        n1, n2, n3, n4 = of[1], of[2], of[3], of[4]
        if n1 and n2 and n3:
            y = n1 / (n1 + 2 * n2)
            found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
            if all(0 <= d <= k for k, d in zip((1, 2, 3), found, strict=True)):
                return found
        return [0.5, 1.0, 1.5]

    def probability(self, context: tuple[Symbol, ...], symbol: Symbol) -> float:
        """p(symbol | context), the context including BEGIN where it reaches that far."""
        context = context[-(self.order - 1) :] if self.order > 1 else ()
        shorter = self.probability(context[1:], symbol) if context else 1.0 / len(self.vocabulary)
        following = {v: self.counts[(*context, v)] for v in self.vocabulary if (*context, v) in self.counts}
        total = sum(following.values())
        if total == 0:
            return shorter
        discounts = self.discounts[len(context)]
        saved = sum(discounts[min(count, 3) - 1] for count in following.values())
        own = following.get(symbol, 0)
        discounted = own - discounts[min(own, 3) - 1] if own else 0.0
        return (discounted + saved * shorter) / total

    def bits(self, document: Sequence[int]) -> float:
        symbols: list[Symbol] = [BEGIN, *document, END]
        return -sum(math.log2(self.probability(tuple(symbols[:at]), symbols[at])) for at in range(1, len(symbols)))
