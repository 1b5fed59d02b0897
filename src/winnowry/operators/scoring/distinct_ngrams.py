"""``score.distinct_ngrams``: the share of word sequences of a text that it does not repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import pyarrow as pa
from pydantic import Field, model_validator

from winnowry.operators.base import Operator
from winnowry.operators.buffers import utf8_buffers
from winnowry.operators.quality import Quality


class DistinctNgrams(Operator):
    """Measure repetition: different n-grams of words divided by all n-grams, mean over windows.

    Low is repetitive, 1 is none. Distinct-n falls with the length of a text; here every window has ``window`` words,
    which makes texts of all lengths comparable: a rest behind whole windows is left out, a shorter text is one window
    (and tends to have a higher share). No n-gram reaches over the border of a window. Words are those of
    ``score.grammatical_complexity`` and numbers, ASCII letters in lower case; an ideograph is a word of its own, so
    the measure holds for any language. Null for a null text and one with fewer than ``n`` words.

    Writes ``distinct_ngrams`` (double, above 0, at most 1), or the name given by ``as``.

    Source: Li et al. 2016, doi:10.18653/v1/N16-1014 (distinct-n); Covington and McFall 2010,
    doi:10.1080/09296171003643098 (windows). ``text.gopher_repetition`` has the filters of Rae et al. 2021 instead.

    >>> texts = pa.array(["so it goes and so it goes"], pa.large_string())
    >>> DistinctNgrams().apply(pa.record_batch({"text": texts}))["distinct_ngrams"].to_pylist()
    [0.8]
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"distinct_ngrams": Quality("machine", "higher")}

    op: Literal["score.distinct_ngrams"] = "score.distinct_ngrams"
    as_: str = Field(default="distinct_ngrams", alias="as", min_length=1, description="name of the written column")
    n: int = Field(default=3, ge=1, le=8, description="words of an n-gram")
    window: int = Field(default=200, ge=8, le=256, description="words of a window")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window < 4 * self.n:
            raise ValueError(f"window: {self.window} words hold few {self.n}-grams; give at least {4 * self.n}")
        return self

    def reads(self) -> pa.Schema:
        """The text."""
        return pa.schema([pa.field("text", pa.large_string())])

    def writes(self) -> pa.Schema:
        """The share, double."""
        return pa.schema([pa.field(self.as_, pa.float64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n texts."""
        import numpy as np

        from winnowry.operators.scoring.kernels.knowledge import distinct_ngrams

        text = utf8_buffers(batch.column("text"))
        shares = distinct_ngrams(text.offsets, text.data, self.n, self.window)
        return pa.record_batch([pa.array(shares, mask=~text.valid | np.isnan(shares))], schema=self.writes())
