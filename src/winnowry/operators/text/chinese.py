"""``text.chinese``: is a text Chinese prose, and in which script."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits

_SOURCE = "Source: ChineseWebText (Chen et al. 2023, arXiv:2311.01149, preprocess.py)"
_RATIOS = ("mean_line_chars", "han_ratio", "traditional_ratio", "terminal_line_ratio", "repeated_gram_ratio")


def _marks(characters: str) -> npt.NDArray[np.bool_]:
    table = np.zeros(0x110000, dtype=np.bool_)
    table[[ord(character) for character in characters]] = True
    return table


class Chinese(Heuristic):
    r"""Measure what web rules for Chinese ask: length, share of Chinese characters, script, line ends, repetition.

    Writes, prefixed by ``chinese_`` or by ``as`` and ``_`` (null for a null text, 0 for an empty one):

    * ``n_chars`` (int64): characters.
    * ``mean_line_chars`` (float64): characters / (newlines + 1).
    * ``han_ratio`` (float64): share of Chinese characters (CJK ideographs of any block) among all characters.
    * ``traditional_ratio`` (float64): of the characters that tell (in GB 2312 or in Big5, not in both), the share that
      only Big5 has: near 0 for simplified, near 1 for traditional Chinese, 0 where no character tells.
    * ``terminal_line_ratio`` (float64): share of lines that are not blank whose last visible character is one of
      ``terminal_marks``.
    * ``repeated_gram_ratio`` (float64): share of the sequences of ``gram_chars`` visible characters (A to Z in lower
      case) that come more than once.

    Source: the rules of ChineseWebText (Chen et al. 2023), which BAAI's CCI corpora state in the same terms.
    """

    PREFIX: ClassVar[str] = "chinese"
    LIMITS: ClassVar[Limits] = (
        ("min_chars", "n_chars", ">="),
        ("min_mean_line_chars", "mean_line_chars", ">="),
        ("min_han_ratio", "han_ratio", ">="),
        ("max_traditional_ratio", "traditional_ratio", "<="),
        ("min_traditional_ratio", "traditional_ratio", ">="),
        ("min_terminal_line_ratio", "terminal_line_ratio", ">="),
        ("max_repeated_gram_ratio", "repeated_gram_ratio", "<="),
    )

    op: Literal["text.chinese"] = "text.chinese"
    min_chars: int | None = Field(
        default=201, ge=0, description=f"Fewest characters to keep; null: off. {_SOURCE}: more than 200."
    )
    min_mean_line_chars: float | None = Field(
        default=10, ge=0, description=f"Smallest mean line length to keep, in characters; null: off. {_SOURCE}: 10."
    )
    min_han_ratio: float | None = Field(
        default=0.3, ge=0, le=1, description=f"Smallest share of Chinese characters to keep; null: off. {_SOURCE}: 0.3."
    )
    max_traditional_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of traditional characters to keep; off unless set. 0.1 keeps simplified Chinese "
        f"with a few traditional names. {_SOURCE}: a text with any traditional form is dropped.",
    )
    min_traditional_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Smallest share of traditional characters to keep; off unless set. 0.9 keeps traditional Chinese. "
        "Source: ours, the counterpart of max_traditional_ratio.",
    )
    terminal_marks: str = Field(
        default="。！？…；：”’」』）》.!?;:\"')",
        description="Last characters of a line that ends as a sentence ends. Source: ours; Chinese marks and quotes "
        "with their ASCII forms.",
    )
    min_terminal_line_ratio: float | None = Field(
        default=0.12,
        ge=0,
        le=1,
        description="Smallest share of lines that end with such a mark to keep; null: off. Source: FineWeb (Penedo et "
        "al. 2024, arXiv:2406.17557, section 3.5): 0.12.",
    )
    gram_chars: int = Field(
        default=13, ge=2, le=64, description=f"Characters of a sequence that may repeat. {_SOURCE}: 13."
    )
    max_repeated_gram_ratio: float | None = Field(
        default=0.5, ge=0, le=1, description=f"Largest share of repeated sequences to keep; null: off. {_SOURCE}: 0.5."
    )

    def writes(self) -> pa.Schema:
        """``n_chars`` (int64) and five means and ratios (float64), prefixed."""
        ratios = [pa.field(self._name(name), pa.float64()) for name in _RATIOS]
        return pa.schema([pa.field(self._name("n_chars"), pa.int64()), *ratios])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.chinese import count_chinese, han_table
        from winnowry.operators.text.kernels.words import word_table

        text = utf8_buffers(batch.column("text"))
        n_chars, han, simplified, traditional, n_lines, n_visible_lines, ended, n_grams, repeated = count_chinese(
            text.offsets, text.data, word_table(), han_table(), _marks(self.terminal_marks), self.gram_chars
        )
        ratios = (
            ratio(n_chars, n_lines), ratio(han, n_chars), ratio(traditional, simplified + traditional),
            ratio(ended, n_visible_lines), ratio(repeated, n_grams),
        )  # fmt: skip
        columns = [column(n_chars, text.valid), *(column(measure, text.valid) for measure in ratios)]
        return pa.record_batch(columns, schema=self.writes())
