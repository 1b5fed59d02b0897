"""``text.gopher_quality``: does a text look like prose."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits
from winnowry.operators.text.tokenizer import TOKENIZER_DESCRIPTION, Tokenizer, how_to_find_words

_SOURCE = "Source: Gopher (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1, quality filtering)"
_COUNTS = ("n_words", "n_stop_words")
_MEASURES = (
    "n_words", "mean_word_chars", "hash_word_ratio", "ellipsis_word_ratio", "bullet_line_ratio", "ellipsis_line_ratio",
    "alpha_word_ratio", "n_stop_words",
)  # fmt: skip


@cache
def _stop_word_hashes(stop_words: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    from winnowry.operators.text.kernels.words import hash_words

    text = utf8_buffers(pa.array(sorted(set(stop_words)), pa.large_string()))
    hashes: npt.NDArray[np.uint64] = hash_words(text.offsets, text.data)
    return hashes


class GopherQuality(Heuristic):
    """Count words, symbols, bullets, ellipses and stop words, as Gopher's quality filter does.

    Writes, prefixed by ``gopher_`` or by ``as`` and ``_`` (null for a null text, 0 for an empty one):

    * ``n_words`` (int64): words that are not made of punctuation alone.
    * ``mean_word_chars`` (float64): their mean length, in characters.
    * ``hash_word_ratio``, ``ellipsis_word_ratio`` (float64, may exceed 1): number signs, ellipses (``...`` or ``…``)
      per word, punctuation words included.
    * ``bullet_line_ratio``, ``ellipsis_line_ratio`` (float64): share of lines (``str.splitlines``, blank ones
      included) that begin with a bullet, that end with an ellipsis.
    * ``alpha_word_ratio`` (float64): share of words with a letter (``str.isalpha``) among all words.
    * ``n_stop_words`` (int64): different stop words in the text, case as listed.

    Source: Rae et al. 2021 (arXiv:2112.11446), appendix A.1.1; what the paper leaves open is as in FineWeb's
    processing (datatrove 0.10.1, gopher_quality_filter.py).
    """

    PREFIX: ClassVar[str] = "gopher"
    LIMITS: ClassVar[Limits] = (
        ("min_words", "n_words", ">="),
        ("max_words", "n_words", "<="),
        ("min_mean_word_chars", "mean_word_chars", ">="),
        ("max_mean_word_chars", "mean_word_chars", "<="),
        ("max_hash_word_ratio", "hash_word_ratio", "<="),
        ("max_ellipsis_word_ratio", "ellipsis_word_ratio", "<="),
        ("max_bullet_line_ratio", "bullet_line_ratio", "<="),
        ("max_ellipsis_line_ratio", "ellipsis_line_ratio", "<="),
        ("min_alpha_word_ratio", "alpha_word_ratio", ">="),
        ("min_stop_words", "n_stop_words", ">="),
    )

    op: Literal["text.gopher_quality"] = "text.gopher_quality"
    tokenizer: Tokenizer = Field(default="unicode", description=TOKENIZER_DESCRIPTION)
    min_words: int | None = Field(default=50, ge=0, description=f"Fewest words to keep; null: no limit. {_SOURCE}: 50.")
    max_words: int | None = Field(
        default=100_000, ge=0, description=f"Most words to keep; null: no limit. {_SOURCE}: 100,000."
    )
    min_mean_word_chars: float | None = Field(
        default=3, ge=0, description=f"Smallest mean word length to keep, in characters; null: no limit. {_SOURCE}: 3."
    )
    max_mean_word_chars: float | None = Field(
        default=10, ge=0, description=f"Largest mean word length to keep, in characters; null: no limit. {_SOURCE}: 10."
    )
    max_hash_word_ratio: float | None = Field(
        default=0.1, ge=0, description=f"Most number signs per word to keep; null: no limit. {_SOURCE}: 0.1."
    )
    max_ellipsis_word_ratio: float | None = Field(
        default=0.1, ge=0, description=f"Most ellipses per word to keep; null: no limit. {_SOURCE}: 0.1."
    )
    max_bullet_line_ratio: float | None = Field(
        default=0.9, ge=0, le=1, description=f"Largest share of bullet lines to keep; null: no limit. {_SOURCE}: 0.9."
    )
    max_ellipsis_line_ratio: float | None = Field(
        default=0.3,
        ge=0,
        le=1,
        description=f"Largest share of lines ending with an ellipsis to keep; null: no limit. {_SOURCE}: 0.3.",
    )
    min_alpha_word_ratio: float | None = Field(
        default=0.8,
        ge=0,
        le=1,
        description=f"Smallest share of words with a letter to keep; null: no limit. {_SOURCE}: 0.8.",
    )
    min_stop_words: int | None = Field(
        default=2, ge=0, description=f"Fewest different stop words to keep; null: no limit. {_SOURCE}: 2."
    )
    stop_words: tuple[str, ...] = Field(
        default=("the", "be", "to", "of", "and", "that", "have", "with"),
        description=f"Stop words, each as one word of the tokeniser, case matters. {_SOURCE}.",
    )
    bullets: str = Field(
        default="•-",
        description="First characters of a bullet line. Source: datatrove 0.10.1 (gopher_quality_filter.py): • and -; "
        "the paper says 'bullet point'.",
    )

    def writes(self) -> pa.Schema:
        """``n_words`` and ``n_stop_words`` (int64), ``mean_word_chars`` and five ratios (float64), prefixed."""
        return pa.schema(
            [pa.field(self._name(name), pa.int64() if name in _COUNTS else pa.float64()) for name in _MEASURES]
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.gopher import count_quality
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        how, spans = how_to_find_words(text, self.tokenizer)
        (
            n_words, n_real, n_chars, n_alphabetic, n_stop_words, n_hashes, n_ellipses, n_lines, n_bullets, n_trailing,
        ) = count_quality(
            text.offsets, text.data, word_table(), how, spans.rows, spans.starts, spans.stops,
            _stop_word_hashes(self.stop_words), np.array([ord(bullet) for bullet in self.bullets], dtype=np.int64),
        )  # fmt: skip
        measures = (
            n_real, ratio(n_chars, n_real), ratio(n_hashes, n_words), ratio(n_ellipses, n_words),
            ratio(n_bullets, n_lines), ratio(n_trailing, n_lines), ratio(n_alphabetic, n_words), n_stop_words,
        )  # fmt: skip
        return pa.record_batch([column(measure, text.valid) for measure in measures], schema=self.writes())
