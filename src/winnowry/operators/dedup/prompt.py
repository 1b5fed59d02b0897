"""``dedup.prompt`` and ``dedup.prompt_minhash``: keys that records share which ask the same."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from winnowry.operators.buffers import TEXT
from winnowry.operators.dedup.exact import key_words
from winnowry.operators.dedup.keys import DuplicateKeys, Keys
from winnowry.operators.dedup.minhash import MinHash
from winnowry.records.conversations import TURNS, prompt_key

_Of = Literal["turns", "prompt"]
_DESCRIPTION = "column with the turns: `turns` of conversations, `prompt` of pairs, prompts and chains of thought"


class PromptDuplicates(DuplicateKeys):
    """Write the key by which the ``duplicates`` stage finds records whose users ask the same, across the whole corpus.

    The prompt is what users say before the first answer; it is equal to another that differs in case, white space or
    Unicode composition only. With `keep: best` the record with the best score of a prompt stays.

    Writes ``prompt_key`` (string of 32 hexadecimal characters; null where no user says anything), or the name given by
    ``as``.
    """

    op: Literal["dedup.prompt"] = "dedup.prompt"
    of: _Of = Field(default="turns", description=_DESCRIPTION)

    def reads(self) -> pa.Schema:
        """The column with the turns."""
        return pa.schema([pa.field(self.of, TURNS)])

    def writes(self) -> pa.Schema:
        """``prompt_key``, string."""
        return pa.schema([pa.field(self.as_ or "prompt_key", pa.string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n records."""
        keys = pa.array([prompt_key(turns) for turns in batch.column(self.of).to_pylist()], pa.string())
        return pa.record_batch([keys], schema=self.writes())

    def keys(self, column: pa.Array) -> Keys:
        """One key of two words, its first and its last 16 hexadecimal digits."""
        return key_words(column)

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """1: they are equal."""
        return np.ones(len(shared), dtype=np.float64)


class PromptNearDuplicates(MinHash):
    """Write MinHash keys of what users say before the first answer; else as ``dedup.minhash``.

    Writes ``prompt_minhash`` (list of uint64; null where no user says anything), or the name given by ``as``.
    """

    op: Literal["dedup.prompt_minhash"] = "dedup.prompt_minhash"  # type: ignore[assignment]
    of: _Of = Field(default="turns", description=_DESCRIPTION)

    def reads(self) -> pa.Schema:
        """The column with the turns."""
        return pa.schema([pa.field(self.of, TURNS)])

    def writes(self) -> pa.Schema:
        """``prompt_minhash``, list of uint64."""
        return pa.schema([pa.field(self.as_ or "prompt_minhash", pa.list_(pa.uint64()))])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n records."""
        asked = [_asked(turns) for turns in batch.column(self.of).to_pylist()]
        keys = super().apply(pa.record_batch({"text": pa.array(asked, TEXT)}))
        return pa.record_batch([keys.column(0)], schema=self.writes())


def _asked(turns: list[dict[str, str | None]] | None) -> str | None:
    asked: list[str] = []
    for one in turns or ():
        if one["role"] == "assistant":
            break
        if one["role"] == "user" and one["text"]:
            asked.append(one["text"])
    return "\n".join(asked) if asked else None
