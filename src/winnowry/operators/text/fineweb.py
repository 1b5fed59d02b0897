"""``text.fineweb``: is a text a list rather than prose."""

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

_SOURCE = "Source: FineWeb (Penedo et al. 2024, arXiv:2406.17557, section 3.5)"
_RATIOS = ("terminal_line_ratio", "short_line_ratio", "duplicate_line_char_ratio", "newline_word_ratio")


@cache
def _terminators(characters: str | None) -> npt.NDArray[np.bool_]:
    from winnowry.operators.text.kernels.words import TERMINATORS

    table = np.zeros(0x110000, dtype=np.bool_)
    table[sorted(TERMINATORS) if characters is None else [ord(character) for character in characters]] = True
    return table


class FineWeb(Heuristic):
    r"""Measure unterminated, short and repeated lines and newlines, as FineWeb's own filter does.

    A line is what lies between newlines; those of white space alone do not count. Writes, prefixed by ``fineweb_`` or
    by ``as`` and ``_`` (null for a null text, 0 for one without lines):

    * ``n_lines`` (int64): lines.
    * ``terminal_line_ratio``, ``short_line_ratio`` (float64): share of lines that end with a terminal mark, of at most
      ``short_line_chars`` characters (nothing is stripped).
    * ``duplicate_line_char_ratio`` (float64): characters of lines equal to an earlier one / characters of the text
      without newlines.
    * ``newline_word_ratio`` (float64, may exceed 1): newlines per word.

    Source: Penedo et al. 2024 (arXiv:2406.17557), section 3.5; details as in datatrove 0.10.1
    (fineweb_quality_filter.py).
    """

    PREFIX: ClassVar[str] = "fineweb"
    LIMITS: ClassVar[Limits] = (
        ("min_lines", "n_lines", ">="),
        ("min_terminal_line_ratio", "terminal_line_ratio", ">="),
        ("max_short_line_ratio", "short_line_ratio", "<="),
        ("max_duplicate_line_char_ratio", "duplicate_line_char_ratio", "<="),
        ("max_newline_word_ratio", "newline_word_ratio", "<="),
    )

    op: Literal["text.fineweb"] = "text.fineweb"
    tokenizer: Tokenizer = Field(default="unicode", description=TOKENIZER_DESCRIPTION)
    short_line_chars: int = Field(default=30, ge=0, description=f"Longest short line, in characters. {_SOURCE}: 30.")
    terminal_marks: str | None = Field(
        default=None,
        description="Characters that end a terminated line; null: Unicode's Sentence_Terminal. Source: datatrove "
        "0.10.1 (TERMINAL_PUNCTUATION).",
    )
    min_lines: int | None = Field(
        default=1,
        ge=0,
        description="Fewest lines to keep; null: no limit. Source: datatrove 0.10.1 (fineweb_quality_filter.py): a "
        "text without lines is dropped.",
    )
    min_terminal_line_ratio: float | None = Field(
        default=0.12, ge=0, le=1, description=f"Smallest share of terminated lines to keep; null: off. {_SOURCE}: 0.12."
    )
    max_short_line_ratio: float | None = Field(
        default=0.67, ge=0, le=1, description=f"Largest share of short lines to keep; null: off. {_SOURCE}: 0.67."
    )
    max_duplicate_line_char_ratio: float | None = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Largest share of characters in repeated lines to keep; null: off. Source: datatrove 0.10.1: 0.01; "
        "the paper (arXiv:2406.17557, section 3.5) says 0.1.",
    )
    max_newline_word_ratio: float | None = Field(
        default=0.3,
        ge=0,
        description="Most newlines per word to keep; null: off. Source: datatrove 0.10.1 (new_line_ratio): 0.3.",
    )

    def writes(self) -> pa.Schema:
        """``n_lines`` (int64) and four ratios (float64), prefixed."""
        ratios = [pa.field(self._name(name), pa.float64()) for name in _RATIOS]
        return pa.schema([pa.field(self._name("n_lines"), pa.int64()), *ratios])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.fineweb import count_fineweb
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        how, spans = how_to_find_words(text, self.tokenizer)
        n_lines, terminated, short, repeated, n_chars, newlines, n_words = count_fineweb(
            text.offsets, text.data, word_table(), how, spans.rows, spans.starts, spans.stops,
            _terminators(self.terminal_marks), self.short_line_chars,
        )  # fmt: skip
        ratios = (
            ratio(terminated, n_lines), ratio(short, n_lines), ratio(repeated, n_chars), ratio(newlines, n_words),
        )  # fmt: skip
        columns = [column(n_lines, text.valid), *(column(measure, text.valid) for measure in ratios)]
        return pa.record_batch(columns, schema=self.writes())
