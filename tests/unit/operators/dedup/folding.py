"""Folding, n-grams and Jaccard similarity once more, with strings and sets: what the kernels must agree with."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"\d+(?:[.,\u060c\u066b\u3001\uff0c]\d+)?")
_UNSPACED = re.compile(r"(?:HALFWIDTH )?(?:HIRAGANA|KATAKANA|CJK UNIFIED|THAI|LAO|TIBETAN|MYANMAR|KHMER)[ -]")


def words(text: str, *, one_number: bool = True) -> list[str]:
    """Words of a text as the specification of ``dedup.minhash`` says."""
    text = text.lower()
    if one_number:
        text = _NUMBER.sub("0", text)
    folded = []
    for character in unicodedata.normalize("NFD", text):
        category = unicodedata.category(character)
        if category in ("Mn", "Me", "Cf"):
            continue
        if category[0] in "PSZ" or category == "Cc":
            folded.append(" ")
        elif _UNSPACED.match(unicodedata.name(character, "")) and category != "Nd":
            folded.append(f" {character} ")
        elif category == "Nd":
            folded.append(str(unicodedata.digit(character)))
        else:
            folded.append("σ" if character == "ς" else character)
    return "".join(folded).split()


def ngrams(units: list[str], size: int) -> set[tuple[str, ...]]:
    """Distinct runs of ``size`` units; a shorter list is one run."""
    if not units:
        return set()
    size = min(size, len(units))
    return {tuple(units[i : i + size]) for i in range(len(units) - size + 1)}


def jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    """Size of the intersection over that of the union."""
    return len(a & b) / len(a | b) if a or b else 0.0
