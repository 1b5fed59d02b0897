"""``dedup.exact``: a key that equal texts share."""

from __future__ import annotations

import hashlib
from typing import Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator
from winnowry.operators.buffers import TEXT, as_text
from winnowry.operators.text.nfc import to_nfc


def content_key(text: str) -> str:
    r"""The key of a text: 32 hexadecimal characters, the first 128 bits of SHA-256 over its normalised form.

    Normalised: Unicode NFC, lower case, each run of white space one space, none at the ends; punctuation stays.

    >>> content_key("Hello,  World\n") == content_key("hello, world")
    True
    >>> content_key("hello world") == content_key("hello, world")
    False
    """
    normalised = " ".join(to_nfc(text).lower().split())
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class ExactDuplicates(Operator):
    """Write the key by which the ``duplicates`` stage finds equal texts, across the whole corpus.

    Texts are equal when they differ only in case, white space or Unicode composition. There is no rule here: which
    record of a group stays can only be decided when all partitions are known.

    Writes ``content_key`` (string of 32 hexadecimal characters; null for a null text), or the name given by ``as``.
    """

    op: Literal["dedup.exact"] = "dedup.exact"
    keep: Literal["earliest", "longest"] = Field(
        default="earliest",
        description="Which record of a group of equal texts stays: the one with the earliest event time, or the "
        "longest text; then the smallest record id.",
    )

    def reads(self) -> pa.Schema:
        """``text``."""
        return pa.schema([pa.field("text", TEXT)])

    def writes(self) -> pa.Schema:
        """``content_key``, string."""
        return pa.schema([pa.field(self.as_ or "content_key", pa.string())])

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute the keys of n texts."""
        texts = as_text(batch.column("text")).to_pylist()
        keys = pa.array([None if text is None else content_key(text) for text in texts], pa.string())
        return pa.record_batch([keys], schema=self.writes())
