"""``dedup.lines`` and ``dedup.paragraphs``: remove what a text says twice."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import TEXT, column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits


class _Repeats(Heuristic):
    """Base of both operators; not used by itself."""

    LIMITS: ClassVar[Limits] = (("max_removed_ratio", "ratio", "<="),)

    UNIT: ClassVar[Literal["line", "paragraph"]]

    min_chars: int = Field(
        default=20,
        ge=0,
        description="Shorter ones always stay, in characters: closing brackets, table cells and labels repeat in "
        "sound texts. Source: choice of this project.",
    )
    max_removed_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of removed characters to keep a record, 0 to 1; off unless set. "
        "Source: Gopher (Rae et al. 2021, Table A1) drops documents above 0.2.",
    )

    def writes(self) -> pa.Schema:
        """``text``, replaced, the count (int64) and the share (float64)."""
        text = "text" if self.as_ is None else f"{self.as_}_text"
        return pa.schema(
            [
                pa.field(text, TEXT),
                pa.field(self._name("removed"), pa.int64()),
                pa.field(self._name("ratio"), pa.float64()),
            ]
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Shorten n texts."""
        from winnowry.operators.dedup.kernels.exact import lower_table
        from winnowry.operators.dedup.kernels.repeats import remove_repeats
        from winnowry.operators.text.kernels.characters import character_classes, count_lengths

        text = utf8_buffers(batch.column("text"))
        bounds, data, n_removed, removed_chars = remove_repeats(
            text.offsets, text.data, character_classes(), lower_table(), self.UNIT == "paragraph", self.min_chars
        )
        n_chars = count_lengths(text.offsets, text.data, character_classes())[0]
        valid = None if text.valid.all() else pa.array(text.valid).buffers()[1]
        shortened = pa.Array.from_buffers(TEXT, len(text), [valid, pa.py_buffer(bounds), pa.py_buffer(data)])
        share = np.minimum(ratio(removed_chars, n_chars), 1.0)
        return pa.record_batch(
            [shortened, column(n_removed, text.valid), column(share, text.valid)], schema=self.writes()
        )


class RepeatedLines(_Repeats):
    """Remove lines that repeat an earlier line of the same text; the first stays, and the order.

    Lines are equal when they differ only in case and white space. Lines without a letter or digit, and those shorter
    than ``min_chars``, always stay. A line goes with the newline before it.

    Writes ``text`` (null for a null text), ``repeated_lines_removed`` (int64, lines) and ``repeated_lines_ratio``
    (float64 in [0, 1]: characters of removed lines / characters of the text), both null for a null text; with ``as``
    the three are named ``<as>_text``, ``<as>_removed`` and ``<as>_ratio``.

    Source: after Gopher (Rae et al. 2021, appendix A1.1), which rejects texts that repeat themselves, and CCNet (Wenzek
    et al. 2020), which removes paragraphs seen before.
    """

    PREFIX = "repeated_lines"
    UNIT = "line"
    op: Literal["dedup.lines"] = "dedup.lines"


class RepeatedParagraphs(_Repeats):
    """Remove paragraphs that repeat an earlier paragraph of the same text; the first stays, and the order.

    A paragraph is what lies between blank lines. Paragraphs are equal when they differ only in case and white space.
    Paragraphs without a letter or digit, and those shorter than ``min_chars``, always stay. A paragraph goes with the
    blank lines before it.

    Writes ``text`` (null for a null text), ``repeated_paragraphs_removed`` (int64, paragraphs) and
    ``repeated_paragraphs_ratio`` (float64 in [0, 1]: characters of removed paragraphs / characters of the text), both
    null for a null text; with ``as`` the three are named ``<as>_text``, ``<as>_removed`` and ``<as>_ratio``.

    Source: after Gopher (Rae et al. 2021, appendix A1.1), which rejects texts that repeat themselves, and CCNet (Wenzek
    et al. 2020), which removes paragraphs seen before.
    """

    PREFIX = "repeated_paragraphs"
    UNIT = "paragraph"
    op: Literal["dedup.paragraphs"] = "dedup.paragraphs"
