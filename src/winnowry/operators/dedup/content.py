"""``dedup.content``: a key that equal files share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.operators.dedup.exact import key_words
from winnowry.operators.dedup.keys import DuplicateKeys, Keys

_KEY_DIGITS = 32


class ContentDuplicates(DuplicateKeys):
    """Write the key by which the ``duplicates`` stage finds records of equal bytes, across the whole corpus.

    The key is the first half of the SHA-256 that ``raw`` holds of every record, so no bytes are read. There is no rule
    here: which record of a group stays can only be decided when all partitions are known.

    Writes ``content_key`` (string of 32 hexadecimal characters), or the name given by ``as``.
    """

    op: Literal["dedup.content"] = "dedup.content"

    def reads(self) -> pa.Schema:
        """``content_sha256``, 64 hexadecimal characters."""
        return pa.schema([pa.field("content_sha256", pa.string())])

    def writes(self) -> pa.Schema:
        """``content_key``, string."""
        return pa.schema([pa.field(self.as_ or "content_key", pa.string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The first 128 bits of n hashes."""
        keys = pc.utf8_slice_codeunits(batch.column("content_sha256"), 0, _KEY_DIGITS)
        return pa.record_batch([keys], schema=self.writes())

    def keys(self, column: pa.Array) -> Keys:
        """One key of two words, its first and its last 16 hexadecimal digits."""
        return key_words(column)

    def similarity(self, shared: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """1: they are equal."""
        return np.ones(len(shared), dtype=np.float64)
