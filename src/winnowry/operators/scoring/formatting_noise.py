"""``score.formatting_noise``: the share of a text that is the debris of its making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.quality import Quality

_KINDS = ("broken", "markup", "marks", "capitals", "long_words", "brackets")


class FormattingNoise(Operator):
    """Measure what stands between a reader and the text.

    Shares of characters, 0 to 1: ``broken`` (replacement characters U+FFFD, controls, and UTF-8 that was read as
    Windows-1252 or Latin-1, ``Ã©``), ``markup`` (HTML tags and entities left over), ``marks`` (runs of four or more
    that are neither letters, digits nor spaces), ``capitals`` (words of four or more capitals), ``long_words`` (longer
    than 40 letters) and ``brackets`` (without a partner; ``1)`` and ``a)`` before an item of a list have none to
    miss). ``formatting_noise`` is their sum, at most 1. No rule; a rule is ``score.threshold`` or a gate on the
    column. 0 for an empty text, null for a null one.

    Of wrongly read UTF-8 only what proper text has no use for counts (Latin letters, Cyrillic, quotation marks,
    dashes, emoji, the byte order mark); ``text.repair_encoding`` repairs more, at more cost.

    Writes ``formatting_noise`` and ``formatting_noise_broken``, ``…_markup``, ``…_marks``, ``…_capitals``,
    ``…_long_words``, ``…_brackets`` (double), or with the name given by ``as``.

    Source: the kinds and their limits are a choice of this project.

    >>> batch = pa.record_batch({"text": pa.array(["<b>ok</b> !!!!"], pa.large_string())})
    >>> round(FormattingNoise().apply(batch)["formatting_noise"][0].as_py(), 3)
    0.786
    """

    VERSION: ClassVar[int] = 2

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"formatting_noise": Quality("people", "lower")}

    op: Literal["score.formatting_noise"] = "score.formatting_noise"
    as_: str = Field(default="formatting_noise", alias="as", min_length=1, description="name of the written column")

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The sum and six shares, double."""
        return pa.schema([pa.field(name, pa.float64()) for name in (self.as_, *(f"{self.as_}_{x}" for x in _KINDS))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        from winnowry.operators.scoring.kernels.noise import count_noise

        text = utf8_buffers(batch.column("text"))
        characters, *kinds = count_noise(text.offsets, text.data).astype(np.float64)
        shares = [kind / np.maximum(characters, 1) for kind in kinds]
        measured = (np.minimum(1.0, np.sum(shares, axis=0)), *shares)
        return pa.record_batch([pa.array(values, mask=~text.valid) for values in measured], schema=self.writes())
