"""The released CDF-GC procedure, line by line in plain Python; imports nothing of winnowry.

Source: the released code of Ying et al., EMNLP 2025 main 1121.
"""

from __future__ import annotations


def released(records: list[tuple[str, float, int]], fraction: float, hard: float) -> tuple[dict[str, float], float]:
    """Probability by id, and r; records are (id, score, tokens)."""
    total = sum(tokens for _, _, tokens in records)
    budget = int(total * fraction)
    hard_budget = int(budget * hard)
    ordered = sorted(sorted(records), key=lambda record: record[1])  # by id, then stable by score
    probability = {}
    taken = 0
    while ordered:
        record_id, _, tokens = ordered[-1]
        if taken + tokens > hard_budget:
            break
        taken += tokens
        probability[record_id] = 1.0
        ordered.pop()
    remaining = sum(tokens for _, _, tokens in ordered)
    running = 0
    cdf = {}
    for record_id, _, tokens in ordered:
        running += tokens
        cdf[record_id] = running / remaining
    weighted = sum(cdf[record_id] * tokens for record_id, _, tokens in ordered)
    r = (budget - hard_budget) / weighted if weighted else 0.0
    for record_id, _, _ in ordered:
        probability[record_id] = min(1.0, r * cdf[record_id])
    return probability, r


def permanent_random(record_id: str, seed: int) -> float:
    """The documented hash, with Python's integers."""
    modulus = 2**64

    def mix(word: int) -> int:
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % modulus
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % modulus
        return word ^ (word >> 31)

    golden = 0x9E3779B97F4A7C15
    high, low = int(record_id[:16], 16), int(record_id[16:], 16)
    word = mix((mix(mix((seed + golden) % modulus) ^ high) + golden) % modulus ^ low)
    return ((word >> 12) + 0.5) / 2**52
