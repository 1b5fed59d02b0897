"""``text.characters``: what a text is made of."""

from __future__ import annotations

from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import column, ratio, utf8_buffers
from winnowry.operators.text.heuristic import Heuristic, Limits

_COLUMNS = ("alpha_ratio", "digit_ratio", "upper_ratio", "symbol_ratio")


class Characters(Heuristic):
    """Measure the share of letters, digits, capitals and symbols among the visible characters.

    Visible characters are code points that are not white space (``str.isspace``). Classes are Unicode general
    categories, so every script counts: ``alpha_ratio`` L* and M* (letters and the marks that go with them),
    ``digit_ratio`` Nd, ``upper_ratio`` Lu and Lt, ``symbol_ratio`` P* and S*.

    Writes the four columns (float64 in [0, 1]; null for a null text, 0.0 for one without visible characters),
    prefixed by ``as`` and ``_`` where that is set. All rules are off unless set: good limits depend on the corpus.
    """

    LIMITS: ClassVar[Limits] = (
        ("min_alpha_ratio", "alpha_ratio", ">="),
        ("max_digit_ratio", "digit_ratio", "<="),
        ("max_upper_ratio", "upper_ratio", "<="),
        ("max_symbol_ratio", "symbol_ratio", "<="),
    )

    op: Literal["text.characters"] = "text.characters"
    min_alpha_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Smallest share of letters to keep, 0 to 1; off unless set. "
        "Source of the idea: alphanumeric_filter of Data-Juicer (Chen et al. 2024), which uses 0.25.",
    )
    max_digit_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of digits to keep, 0 to 1; off unless set. "
        "Source of the idea: MADLAD-400 (Kudugunta et al. 2023, A.2), which drops sentences from 0.2 on.",
    )
    max_upper_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of upper-case letters to keep, 0 to 1; off unless set. "
        "Source of the idea: rps_lines_uppercase_letter_fraction of RedPajama-V2 (2023).",
    )
    max_symbol_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of punctuation and symbols to keep, 0 to 1; off unless set. "
        "Source of the idea: special_characters_filter of Data-Juicer (Chen et al. 2024), which uses 0.25.",
    )

    def writes(self) -> pa.Schema:
        """``alpha_ratio``, ``digit_ratio``, ``upper_ratio``, ``symbol_ratio``, float64."""
        return pa.schema([pa.field(self._name(name), pa.float64()) for name in _COLUMNS])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.text.kernels.characters import character_classes, count_classes

        text = utf8_buffers(batch.column("text"))
        visible, *counts = count_classes(text.offsets, text.data, character_classes())
        return pa.record_batch([column(ratio(count, visible), text.valid) for count in counts], schema=self.writes())
