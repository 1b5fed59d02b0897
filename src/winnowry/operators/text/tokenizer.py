"""Words as the filters count them: the tokeniser is part of what a filter means, so it is a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.core.errors import UsageError
from winnowry.operators.buffers import Utf8Buffers, utf8_buffers

Tokenizer = Literal["unicode", "whitespace", "jieba"]

TOKENIZER_DESCRIPTION = (
    "What a word is; thresholds depend on it. 'unicode': default word boundaries of Unicode Standard Annex #29, where "
    "a mark is a word and so is each Chinese character or hiragana, but one word are a run of one mark, an address "
    "(scheme://…), digits joined by - / or : (dates, times, scores) and an initial or U.S. with its last full stop; "
    "'whitespace': what lies between white space; "
    "'jieba': Chinese words by the dictionary and hidden Markov model of jieba (extra 'chinese')."
)


@dataclass(frozen=True)
class WordSpans:
    """Words of n rows.

    Attributes:
        rows: int64, n + 1 values; the words of row i are ``rows[i]`` to ``rows[i + 1]``.
        starts: int64, first byte of each word in the buffer of the column.
        stops: int64, the byte after each word.
    """

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]


_NO_SPANS = WordSpans(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


def how_to_find_words(text: Utf8Buffers, tokenizer: Tokenizer) -> tuple[int, WordSpans]:
    """What kernels need to walk over words: a way, and the spans where the kernel cannot find them itself.

    Raises:
        UsageError: the tokeniser's package is not installed.
    """
    from winnowry.operators.text.kernels.words import GIVEN_SPANS, UNICODE_WORDS, WHITESPACE_RUNS

    if tokenizer == "jieba":
        return GIVEN_SPANS, _jieba_spans(text)
    return (UNICODE_WORDS if tokenizer == "unicode" else WHITESPACE_RUNS), _NO_SPANS


def word_spans(texts: pa.Array, tokenizer: Tokenizer = "unicode") -> WordSpans:
    """Where the words of n texts are (byte offsets into the column's buffer); a null text has none.

    Raises:
        UsageError: the tokeniser's package is not installed.
    """
    from winnowry.operators.text.kernels.words import find_words, word_table

    text = utf8_buffers(texts)
    if tokenizer == "jieba":
        return _jieba_spans(text)
    how, _ = how_to_find_words(text, tokenizer)
    rows = np.zeros(len(text) + 1, dtype=np.int64)
    starts, stops = find_words(text.offsets, text.data, how, word_table(), rows)
    return WordSpans(rows, starts, stops)


def words(text: str, tokenizer: Tokenizer = "unicode") -> list[str]:
    """The words of one text.

    >>> words("It's the U.S., 3.5 %... 中文")
    ["It's", 'the', 'U.S.', ',', '3.5', '%', '...', '中', '文']
    """
    data = text.encode()
    spans = word_spans(pa.array([text], pa.large_string()), tokenizer)
    return [data[start:stop].decode() for start, stop in zip(spans.starts, spans.stops, strict=True)]


def _jieba_spans(text: Utf8Buffers) -> WordSpans:
    try:
        import rjieba
    except ImportError as error:
        raise UsageError(
            "tokenizer 'jieba' needs the package rjieba, which is not installed; install the extra: "
            "pip install 'winnowry[chinese]', or use tokenizer 'unicode'"
        ) from error
    rows = np.zeros(len(text) + 1, dtype=np.int64)
    starts: list[npt.NDArray[np.int64]] = []
    stops: list[npt.NDArray[np.int64]] = []
    for i in range(len(text)):
        begin, end = int(text.offsets[i]), int(text.offsets[i + 1])
        pieces = rjieba.cut(text.data[begin:end].tobytes().decode())
        sizes = np.fromiter((len(word.encode()) for word in pieces), dtype=np.int64, count=len(pieces))
        visible = np.fromiter((not word.isspace() for word in pieces), dtype=np.bool_, count=len(pieces))
        ends = begin + np.cumsum(sizes)
        starts.append((ends - sizes)[visible])
        stops.append(ends[visible])
        rows[i + 1] = rows[i] + int(visible.sum())
    if not starts:
        return WordSpans(rows, _NO_SPANS.starts, _NO_SPANS.stops)
    return WordSpans(rows, np.concatenate(starts), np.concatenate(stops))
