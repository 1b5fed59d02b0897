"""``text.gopher_repetition``: how much of a text repeats itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.quality import Quality
from winnowry.operators.text.heuristic import Heuristic, Limits
from winnowry.operators.text.tokenizer import TOKENIZER_DESCRIPTION, Tokenizer, how_to_find_words

_SOURCE = "Source: Gopher (Rae et al. 2021, arXiv:2112.11446, table A1)"
_TOP = tuple(f"top_{n}_gram_char_ratio" for n in range(2, 5))
_DUPLICATE = tuple(f"duplicate_{n}_gram_char_ratio" for n in range(5, 11))
_RATIOS = (
    "duplicate_paragraph_ratio", "duplicate_paragraph_char_ratio", "duplicate_line_ratio", "duplicate_line_char_ratio",
    *_TOP, *_DUPLICATE,
)  # fmt: skip


def _limit(default: float, what: str) -> float | None:
    limit: float | None = Field(
        default=default, ge=0, description=f"Largest {what} to keep; null: no limit. {_SOURCE}: {default:.2f}."
    )
    return limit


class GopherRepetition(Heuristic):
    """Measure repeated paragraphs, lines and word n-grams, as Gopher's repetition filter does.

    Writes, prefixed by ``repetition_`` or by ``as`` and ``_`` (null for a null text, 0 for an empty one):

    * ``n_chars`` (int64): characters of the text.
    * ``duplicate_paragraph_ratio``, ``duplicate_line_ratio`` (float64): share of paragraphs (lines) equal to an
      earlier one. Paragraphs are what two or more newlines separate in the stripped text, lines what one or more
      newlines separate.
    * ``duplicate_paragraph_char_ratio``, ``duplicate_line_char_ratio`` (float64): their characters / all characters.
    * ``top_N_gram_char_ratio``, N = 2, 3, 4 (float64, may exceed 1): characters of all occurrences of the most
      frequent n-gram of words, one space between words / all characters; of several as frequent, the first.
    * ``duplicate_N_gram_char_ratio``, N = 5 … 10 (float64): characters of words inside n-grams that came before, each
      counted once / all characters.

    N-grams are compared by 64-bit hashes. Time is linear in the text, memory in its longest row.

    Source: Rae et al. 2021 (arXiv:2112.11446), table A1; what the paper leaves open is as in FineWeb's processing
    (datatrove 0.10.1, gopher_repetition_filter.py).
    """

    PREFIX: ClassVar[str] = "repetition"
    LIMITS: ClassVar[Limits] = (
        ("min_chars", "n_chars", ">="),
        *((f"max_{measure}", measure, "<=") for measure in _RATIOS),
    )

    QUALITIES: ClassVar[Mapping[str, Quality]] = {
        f"repetition_{measure}": Quality("machine", "lower") for measure in _RATIOS if measure.startswith("duplicate")
    }

    op: Literal["text.gopher_repetition"] = "text.gopher_repetition"
    tokenizer: Tokenizer = Field(default="unicode", description=TOKENIZER_DESCRIPTION)
    min_chars: int | None = Field(
        default=1,
        ge=0,
        description="Fewest characters to keep; null: no limit. Source: datatrove 0.10.1 "
        "(gopher_repetition_filter.py): an empty text is dropped.",
    )
    max_duplicate_paragraph_ratio: float | None = _limit(0.3, "share of repeated paragraphs")
    max_duplicate_paragraph_char_ratio: float | None = _limit(0.2, "share of characters in repeated paragraphs")
    max_duplicate_line_ratio: float | None = _limit(0.3, "share of repeated lines")
    max_duplicate_line_char_ratio: float | None = _limit(0.2, "share of characters in repeated lines")
    max_top_2_gram_char_ratio: float | None = _limit(0.2, "share of characters in the most frequent 2-gram")
    max_top_3_gram_char_ratio: float | None = _limit(0.18, "share of characters in the most frequent 3-gram")
    max_top_4_gram_char_ratio: float | None = _limit(0.16, "share of characters in the most frequent 4-gram")
    max_duplicate_5_gram_char_ratio: float | None = _limit(0.15, "share of characters in repeated 5-grams")
    max_duplicate_6_gram_char_ratio: float | None = _limit(0.14, "share of characters in repeated 6-grams")
    max_duplicate_7_gram_char_ratio: float | None = _limit(0.13, "share of characters in repeated 7-grams")
    max_duplicate_8_gram_char_ratio: float | None = _limit(0.12, "share of characters in repeated 8-grams")
    max_duplicate_9_gram_char_ratio: float | None = _limit(0.11, "share of characters in repeated 9-grams")
    max_duplicate_10_gram_char_ratio: float | None = _limit(0.1, "share of characters in repeated 10-grams")

    def writes(self) -> pa.Schema:
        """``n_chars`` (int64) and thirteen ratios (float64), prefixed."""
        ratios = [pa.field(self._name(name), pa.float64()) for name in _RATIOS]
        return pa.schema([pa.field(self._name("n_chars"), pa.int64()), *ratios])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.gopher import count_repetition
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        how, spans = how_to_find_words(text, self.tokenizer)
        n_chars, n_paragraphs, paragraphs, paragraph_chars, n_lines, lines, line_chars, *grams = count_repetition(
            text.offsets, text.data, word_table(), how, spans.rows, spans.starts, spans.stops
        )
        ratios = [ratio(paragraphs, n_paragraphs), ratio(paragraph_chars, n_chars), ratio(lines, n_lines)]
        ratios += [ratio(part, n_chars) for part in (line_chars, *grams)]
        columns = [column(n_chars, text.valid), *(column(measure, text.valid) for measure in ratios)]
        return pa.record_batch(columns, schema=self.writes())
