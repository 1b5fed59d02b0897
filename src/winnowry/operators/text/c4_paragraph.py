"""``text.c4_paragraph``: has a text enough long paragraphs."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits


class C4Paragraph(Heuristic):
    """Count lines and measure the ``paragraphs``-th longest, as mC4's paragraph filter does.

    Writes ``n_lines`` (int64: newlines + 1) and ``paragraph_chars`` (int64: characters of the ``paragraphs``-th
    longest line, 0 where there are fewer), prefixed by ``c4_paragraph_`` or by ``as`` and ``_``; null for a null text.

    Source: mC4 (Xue et al. 2021, section 3.1: at least three lines of 200 or more characters).
    """

    PREFIX: ClassVar[str] = "c4_paragraph"
    LIMITS: ClassVar[Limits] = (("min_paragraph_chars", "paragraph_chars", ">="),)

    op: Literal["text.c4_paragraph"] = "text.c4_paragraph"
    paragraphs: int = Field(
        default=3, ge=1, description="How many long lines a text must have. Source: mC4 (Xue et al. 2021): 3."
    )
    min_paragraph_chars: int | None = Field(
        default=200,
        ge=0,
        description="Fewest characters of a long line; null: no limit. Source: mC4 (Xue et al. 2021): 200.",
    )

    def writes(self) -> pa.Schema:
        """``n_lines`` and ``paragraph_chars`` (int64), prefixed."""
        return pa.schema([pa.field(self._name(name), pa.int64()) for name in ("n_lines", "paragraph_chars")])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.c4 import measure_paragraphs

        text = utf8_buffers(batch.column("text"))
        counts = measure_paragraphs(text.offsets, text.data, self.paragraphs)
        return pa.record_batch([column(count, text.valid) for count in counts], schema=self.writes())
