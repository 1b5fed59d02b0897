"""``text.length``: how long a text is."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits


class Length(Heuristic):
    """Count characters and words.

    A character is a Unicode code point. A word is a maximal run of characters that are not white space, white space
    being what ``str.isspace`` says (29 code points, among them U+00A0, U+2028 and U+3000); for scripts written
    without spaces (Chinese, Japanese, Thai) set ``min_words: null`` and use ``min_chars``.

    Writes ``n_chars`` and ``n_words`` (int64; null for a null text, 0 for an empty one), prefixed by ``as`` and ``_``
    where that is set.
    """

    LIMITS: ClassVar[Limits] = (
        ("min_words", "n_words", ">="),
        ("max_words", "n_words", "<="),
        ("min_chars", "n_chars", ">="),
        ("max_chars", "n_chars", "<="),
    )

    op: Literal["text.length"] = "text.length"
    min_words: int | None = Field(
        default=50,
        ge=0,
        description="Fewest words to keep, in words. Source: Gopher (Rae et al. 2021, Table A1): 50 to 100,000.",
    )
    max_words: int | None = Field(
        default=100_000,
        ge=0,
        description="Most words to keep, in words. Source: Gopher (Rae et al. 2021, Table A1): 50 to 100,000.",
    )
    min_chars: int | None = Field(
        default=None, ge=0, description="Fewest characters to keep, in code points; off unless set."
    )
    max_chars: int | None = Field(
        default=None, ge=0, description="Most characters to keep, in code points; off unless set."
    )

    def writes(self) -> pa.Schema:
        """``n_chars`` and ``n_words``, int64."""
        return pa.schema([pa.field(self._name("n_chars"), pa.int64()), pa.field(self._name("n_words"), pa.int64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Count characters and words of n texts."""
        from winnowry.operators.text.kernels.characters import character_classes, count_lengths

        text = utf8_buffers(batch.column("text"))
        n_chars, n_words = count_lengths(text.offsets, text.data, character_classes())
        return pa.record_batch([column(n_chars, text.valid), column(n_words, text.valid)], schema=self.writes())
