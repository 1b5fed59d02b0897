"""``speech.rate``: characters of a transcript for each second of its recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.buffers import TEXT
from winnowry.operators.quality import Quality


class SpeechRate(Operator):
    """Hold the length of a transcript against that of its recording: a wrong pairing shows in it.

    Nobody says 40 characters a second; a transcript with fewer than one lacks something. White space at the ends does
    not count, every other code point does. Scripts differ: a Chinese character is a syllable, four to six a second are
    usual there.

    Writes ``chars_s`` (characters a second; null without a text or a length).

    Source: NVIDIA NeMo Curator and the NeMo Speech Data Processor (40 characters a second).
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"chars_s": Quality("machine")}

    op: Literal["speech.rate"] = "speech.rate"
    min_chars_s: float | None = Field(default=None, ge=0, description="fewest characters a second to keep")
    max_chars_s: float | None = Field(default=40.0, gt=0, description="most characters a second to keep")

    def reads(self) -> pa.Schema:
        """``text``, and ``duration_ms`` of the record."""
        return pa.schema([pa.field("text", TEXT), pa.field("duration_ms", pa.int64())])

    def writes(self) -> pa.Schema:
        """``chars_s``, or the name given by ``as``."""
        return pa.schema([pa.field(self.as_ or "chars_s", pa.float64())])

    def rules(self) -> tuple[Rule, ...]:
        """``min_chars_s`` and ``max_chars_s``, where they are set."""
        column, rules = self.writes().names[0], []
        if self.min_chars_s is not None:
            rules.append(Rule(name="min_chars_s", column=column, comparison=">=", threshold=self.min_chars_s))
        if self.max_chars_s is not None:
            rules.append(Rule(name="max_chars_s", column=column, comparison="<=", threshold=self.max_chars_s))
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Divide n lengths."""
        chars = pc.cast(pc.utf8_length(pc.utf8_trim_whitespace(batch.column("text"))), pa.float64())
        duration = batch.column("duration_ms")
        seconds = pc.divide(pc.cast(duration, pa.float64()), 1000.0)
        known = pc.greater(duration, 0)
        rate = pc.if_else(known, pc.divide(chars, pc.if_else(known, seconds, 1.0)), pa.scalar(None, pa.float64()))
        return pa.record_batch([rate], schema=self.writes())
