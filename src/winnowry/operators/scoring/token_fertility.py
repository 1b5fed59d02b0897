"""``score.token_fertility``: how many characters of a text a token of the model stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.quality import Quality


class TokenFertility(Operator):
    """Divide characters (code points) by tokens: what the tokenizer makes of the text.

    English prose has four to five with today's vocabularies; little is a sign of noise, rare script, or numbers. Needs
    ``n_tokens`` of ``score.token_count`` before it. Null for a null text and one without tokens.

    Writes ``chars_per_token`` (double), or the name given by ``as``.

    Source: Rust et al. 2021, ACL (tokens a word); here characters a token, which needs no words.
    """

    QUALITIES: ClassVar[Mapping[str, Quality]] = {"chars_per_token": Quality("machine", "higher")}

    op: Literal["score.token_fertility"] = "score.token_fertility"
    as_: str = Field(default="chars_per_token", alias="as", min_length=1, description="name of the written column")

    def reads(self) -> pa.Schema:
        """The text and its tokens."""
        return pa.schema([pa.field("text", pa.large_string()), pa.field("n_tokens", pa.int64())])

    def writes(self) -> pa.Schema:
        """The ratio, double."""
        return pa.schema([pa.field(self.as_, pa.float64())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Divide for n texts."""
        characters = pc.fill_null(pc.utf8_length(batch.column("text")), 0).to_numpy(zero_copy_only=False)
        tokens = pc.fill_null(batch.column("n_tokens"), 0).to_numpy(zero_copy_only=False)
        missing = (tokens == 0) | batch.column("text").is_null().to_numpy(zero_copy_only=False)
        ratios = characters / np.maximum(tokens, 1)
        return pa.record_batch([pa.array(ratios.astype(np.float64), mask=missing)], schema=self.writes())
