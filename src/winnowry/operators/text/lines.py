"""``text.lines``: how a text is laid out."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits

BULLETS = "•‣◦●▪*-"
"""First characters of a bullet line."""
_OTHER_ENDS = "…⋯；\"'」』﹂﹄｣〞〟＂＇"
"""Line ends besides Unicode's Sentence_Terminal and quotation marks (general categories Pi and Pf)."""

_RATIOS = (
    "bullet_line_ratio", "ellipsis_line_ratio", "short_line_ratio", "terminal_line_ratio", "duplicate_line_char_ratio",
)  # fmt: skip


def _points(characters: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([ord(character) for character in characters], dtype=np.int64)


@cache
def _end_marks() -> npt.NDArray[np.uint8]:
    """What each code point says at the end of a line: uint8 of 1,114,112 values."""
    from winnowry.operators.text.kernels.characters import of_categories
    from winnowry.operators.text.kernels.lines import CLOSES, ENDS
    from winnowry.operators.text.kernels.words import TERMINATORS

    marks = np.zeros(0x110000, dtype=np.uint8)
    marks[of_categories(("Pe",))] = CLOSES
    marks[of_categories(("Pi", "Pf"))] = ENDS
    marks[sorted(TERMINATORS)] = ENDS
    marks[_points(_OTHER_ENDS)] = ENDS
    return marks


class Lines(Heuristic):
    """Measure bullets, ellipses, short, unterminated and repeated lines.

    A line is what lies between newlines, without the white space at its ends; blank lines do not count. Writes:

    * ``n_lines`` (int64): lines that are not blank.
    * ``bullet_line_ratio``: share of lines whose first character is one of ``• ‣ ◦ ● ▪ * -``.
    * ``ellipsis_line_ratio``: share of lines that end with ``...`` or ``…``.
    * ``short_line_ratio``: share of lines of at most ``short_line_chars`` characters.
    * ``terminal_line_ratio``: share of lines that end with a mark of Unicode's Sentence_Terminal (of any script), an
      ellipsis, ``；`` or a quotation mark; closing brackets after it do not count. A colon or comma is no end.
    * ``duplicate_line_char_ratio``: characters of lines equal to an earlier line / characters of all lines.

    Ratios are float64 in [0, 1], 0.0 for a text without lines; all columns are null for a null text, and prefixed by
    ``as`` and ``_`` where that is set. All rules are off unless set.

    ``text.fineweb`` has its paper's own measure under the same name: no brackets, ellipses or quotation marks.

    Source: Gopher (Rae et al. 2021, Table A1) and FineWeb (Penedo et al. 2024, section 3.5); end quotation marks as in
    C4 (Raffel et al. 2020, section 2.2); Unicode Standard Annex #29, property Sentence_Terminal.
    """

    VERSION: ClassVar[int] = 2

    LIMITS: ClassVar[Limits] = (
        ("max_bullet_line_ratio", "bullet_line_ratio", "<="),
        ("max_ellipsis_line_ratio", "ellipsis_line_ratio", "<="),
        ("max_short_line_ratio", "short_line_ratio", "<="),
        ("min_terminal_line_ratio", "terminal_line_ratio", ">="),
        ("max_duplicate_line_char_ratio", "duplicate_line_char_ratio", "<="),
    )

    op: Literal["text.lines"] = "text.lines"
    short_line_chars: int = Field(
        default=30, ge=0, description="Longest short line, in characters. Source: FineWeb (Penedo et al. 2024): 30."
    )
    max_bullet_line_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of bullet lines to keep, 0 to 1; off unless set. "
        "Source: Gopher (Rae et al. 2021): 0.9.",
    )
    max_ellipsis_line_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of lines ending with an ellipsis to keep, 0 to 1; off unless set. "
        "Source: Gopher (Rae et al. 2021): 0.3.",
    )
    max_short_line_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of short lines to keep, 0 to 1; off unless set. "
        "Source: FineWeb (Penedo et al. 2024): 0.67.",
    )
    min_terminal_line_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Smallest share of lines ending with terminal punctuation to keep, 0 to 1; off unless set. "
        "Source: FineWeb (Penedo et al. 2024): 0.12.",
    )
    max_duplicate_line_char_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of characters in repeated lines to keep, 0 to 1; off unless set. "
        "Source: FineWeb (Penedo et al. 2024): 0.01; Gopher (Rae et al. 2021): 0.2.",
    )

    def writes(self) -> pa.Schema:
        """``n_lines`` (int64) and five ratios (float64)."""
        ratios = [pa.field(self._name(name), pa.float64()) for name in _RATIOS]
        return pa.schema([pa.field(self._name("n_lines"), pa.int64()), *ratios])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.characters import character_classes
        from winnowry.operators.text.kernels.lines import count_lines

        text = utf8_buffers(batch.column("text"))
        n_lines, bullets, ellipses, short, terminated, n_chars, repeated = count_lines(
            text.offsets,
            text.data,
            character_classes(),
            _points(BULLETS),
            _end_marks(),
            self.short_line_chars,
        )
        columns = [column(n_lines, text.valid)]
        columns += [column(ratio(count, n_lines), text.valid) for count in (bullets, ellipses, short, terminated)]
        columns.append(column(ratio(repeated, n_chars), text.valid))
        return pa.record_batch(columns, schema=self.writes())
